"""The interface to an API server, and the meaning of its refusals."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.objects import Manifest, mapping, text
from countersign.kube.refusals import ClusterRefusal

CALL_TIMEOUT_S: Final = 10.0
# A server that asks to be left alone for longer is asked nevertheless, once in a while.
RETRY_AFTER_MAX_S: Final = 60.0
APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML, see `encoded`
MERGE: Final = "application/merge-patch+json"
# What an API server says of a failure may quote what was sent.
MESSAGE_CHARACTERS_MAX: Final = 300
_REASONS: Final = {
    400: ClusterRefusal.INVALID,
    403: ClusterRefusal.FORBIDDEN,
    404: ClusterRefusal.NOT_FOUND,
    405: ClusterRefusal.NOT_FOUND,  # a resource that has no such verb is none of ours
    409: ClusterRefusal.CONFLICT,
    410: ClusterRefusal.GONE,
    413: ClusterRefusal.INVALID,
    415: ClusterRefusal.INVALID,
    422: ClusterRefusal.INVALID,
}
_UNAUTHORIZED: Final = 401
# What YAML wants escaped, and halves of characters, which are none.
# https://yaml.org/spec/1.2.2/#51-character-set
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_HALF: Final = re.compile("[\ud800-\udfff]")
# A key that ends later is none to the API server: https://yaml.org/spec/1.2.2/#742-flow-mappings
KEY_CHARACTERS_MAX: Final = 1000


class ClusterApi(Protocol):
    """The API server of one cluster, as one of its users sees it."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """Ask once; the answer is an object, or a `Status`.

        Raises:
            Retryable: `cluster_unavailable` (no answer, 5xx, 429), `unauthorized` (the token is
                replaced now and then).
            Rejected: `forbidden`, `not_found`, `conflict`, `gone`, `invalid`.

        """
        ...


class MetadataApi(ClusterApi, Protocol):
    """A `ClusterApi` that can leave out what an object holds."""

    async def metadata(self, path: str) -> Manifest:
        """Read the `metadata` of an object alone: of a Secret nothing that is secret.

        Raises:
            Retryable, Rejected: as `call`.

        """
        ...


def encoded(body: Manifest) -> bytes:
    """JSON that is YAML as well, which does not know a character as a pair of escapes."""
    whole = _HALF.sub("\ufffd", json.dumps(body, ensure_ascii=False))
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", whole).encode()


def fits_as_key(name: str) -> bool:
    """Tell whether the API server accepts a key of that length when it is applied."""
    return len(json.dumps(name, ensure_ascii=False)) <= KEY_CHARACTERS_MAX


def refuse(status: int, body: bytes, *, asked: str, retry_after: str = "") -> None:
    """Say what an answer that is no success means.

    Args:
        status: of HTTP.
        body: a `Status` object, if the answer is the API server's own.
        asked: method and path, for the message.
        retry_after: the header, seconds.

    Raises:
        Retryable: `cluster_unavailable`, `unauthorized`.
        Rejected: `forbidden`, `not_found`, `conflict`, `gone`, `invalid`.

    """
    message = f"{asked}: {_said(body) or status}"
    if status == _UNAUTHORIZED:
        raise Retryable(ClusterRefusal.UNAUTHORIZED, message)
    if status in _REASONS:
        raise Rejected(_REASONS[status], message)
    told = retry_after.isascii() and retry_after.isdigit()
    after_s = min(float(retry_after), RETRY_AFTER_MAX_S) if told else None
    raise Retryable(ClusterRefusal.UNAVAILABLE, message, after_s=after_s)


def _said(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    said = text(mapping(answer), "message")
    return said[:MESSAGE_CHARACTERS_MAX]
