"""GitLab: a signing token, or the older secret token, which is sent as it is.

Which of the two the administrator has is told by its form, and the other is not taken then.
Source: https://docs.gitlab.com/user/project/integrations/webhooks/ and
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from typing import Any, Final

from countersign.contracts.secret import Secret
from countersign.dialects.hooks.fates import Fate, commit_at, id_at, number_at, parse, user
from countersign.dialects.hooks.schemes import Delivery, Scheme
from countersign.dialects.shapes import fields_at, integer_at, moment_at, text_at

SIGNING_PREFIX: Final = "whsec_"
# While a token is changed there are two; more would only cost time.
SIGNATURES_MAX: Final = 8
# As Standard Webhooks advises.
FRESH_S: Final = 300
_TIMESTAMP_DIGITS_MAX: Final = 12
# What was done, and the state that it leads to.
_MERGED: Final = ("merge", "merged")
_CLOSED: Final = ("close", "closed")


def _is_authentic(delivery: Delivery, secret: Secret, now_s: float) -> bool:
    token = secret.reveal()
    if not token.startswith(SIGNING_PREFIX):
        return hmac.compare_digest(delivery.header("x-gitlab-token"), token.encode())
    stamp = delivery.header("webhook-timestamp")
    if not (stamp.isdigit() and len(stamp) <= _TIMESTAMP_DIGITS_MAX):
        return False
    signed = b".".join((delivery.header("webhook-id"), stamp, delivery.body))
    digest = hmac.digest(_key(token), signed, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    told = delivery.header("webhook-signature").split(b" ", SIGNATURES_MAX)[:SIGNATURES_MAX]
    good = [hmac.compare_digest(expected, one) for one in told]
    return any(good) and abs(now_s - int(stamp)) <= FRESH_S


def _key(token: str) -> bytes:
    """Return the key that a signing token holds.

    Raises:
        ValueError: it is not Base64.

    """
    return base64.b64decode(token.removeprefix(SIGNING_PREFIX), validate=True)


def _flaw(secret: Secret) -> str:
    token = secret.reveal()
    try:
        sound = not token.startswith(SIGNING_PREFIX) or bool(_key(token))
    except ValueError:
        sound = False
    return "" if sound else f"begins with {SIGNING_PREFIX} and is no signing token of GitLab"


def _read(delivery: Delivery) -> Fate | None:
    # By the body: system hooks have another `X-Gitlab-Event`.
    payload = parse(delivery.body)
    if text_at(payload, "object_kind") != "merge_request":
        return None
    merge_request = fields_at(payload, "object_attributes")
    repository_id = id_at(merge_request, "target_project_id")
    number = number_at(merge_request, "iid")
    step = (text_at(merge_request, "action"), text_at(merge_request, "state"))
    if step not in {_MERGED, _CLOSED}:
        return None
    merged = step == _MERGED
    source = integer_at(merge_request, "source_project_id")
    who = fields_at(payload, "user")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=str(source) if source is not None else "",
        head_branch=text_at(merge_request, "source_branch"),
        merged=merged,
        by=user(integer_at(who, "id"), login=text_at(who, "username")),
        merge_commit=commit_at(merge_request, "merge_commit_sha") if merged else "",
        at=moment_at(_in_iso(merge_request), "updated_at"),
    )


def _in_iso(merge_request: Any) -> dict[str, str]:
    """Some versions write `2026-11-23 09:00:00 UTC`."""
    return {"updated_at": text_at(merge_request, "updated_at").replace(" UTC", "+00:00")}


def _delivery_id(delivery: Delivery) -> str:
    # Not `X-Gitlab-Event-UUID`: all news of one request to GitLab may share it, such as the end of
    # many merge requests at once.
    headers = delivery.headers
    return headers.get("webhook-id", "") or headers.get("idempotency-key", "")


SCHEME: Final = Scheme(
    is_authentic=_is_authentic, read_fate=_read, delivery_id=_delivery_id, flaw=_flaw
)
