"""What a status means for the caller: try again, refused, or something to read."""

import re
from collections.abc import Mapping
from typing import Final, NoReturn

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request

# Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
SECONDARY_LIMIT_S: Final = 60.0  # "wait for at least one minute" where no header says how long
LIMIT_WAIT_S_MAX: Final = 3600.0
_TOLD_CHARACTERS_MAX: Final = 200
_SECONDARY = re.compile(rb"secondary rate limit|abuse detection", re.IGNORECASE)


def check(
    answer: Answer, request: Request, *, host: str, token: Secret | None, now_s: float
) -> None:
    """Return if the caller is to read the answer.

    Raises:
        Retryable: `rate_limited`, `forge_unavailable`.
        Rejected: `unauthorized`, `forbidden`, `not_found`, `bad_answer`, `refused`.

    """
    status = answer.status
    if status not in request.passes and not 200 <= status < 300:  # noqa: PLR2004
        secrets = (*request.secrets, token) if token else request.secrets
        _raise(answer, where=f"{host}: {request.name}", secrets=secrets, now_s=now_s)
    if token and _quotes(answer, token):
        # Names and sentences of an answer become events; what we sent must not be among them.
        raise Rejected("bad_answer", f"{host}: {request.name}: the answer quotes our token")
    if request.wants_json and answer.body and "json" not in answer.headers.get("content-type", ""):
        raise Rejected(
            "bad_answer",
            f"{host}: {request.name}: answered {status} with "
            f"{_clean(answer.headers.get('content-type', 'no type'))!r} instead of JSON; "
            "is there a proxy or a maintenance page in between?",
        )


def _quotes(answer: Answer, token: Secret) -> bool:
    text = token.reveal()
    return text.encode() in answer.body or any(text in v for v in answer.headers.values())


def _raise(answer: Answer, *, where: str, secrets: tuple[Secret, ...], now_s: float) -> NoReturn:
    status = answer.status
    told = f"{where}: answered {status}{_told(answer, secrets)}"
    if status == 429 or (status == 403 and _is_limit(answer)):  # noqa: PLR2004
        raise Retryable("rate_limited", told, after_s=wait_s(answer.headers, now_s=now_s))
    if status >= 500 or status == 408:  # noqa: PLR2004
        raise Retryable("forge_unavailable", told, after_s=_retry_after_s(answer.headers))
    if 300 <= status < 400:  # noqa: PLR2004
        raise Rejected("bad_answer", f"{told}; redirects are not followed, was it renamed?")
    reason = {401: "unauthorized", 403: "forbidden", 404: "not_found"}.get(status, "refused")
    raise Rejected(reason, told)


def _is_limit(answer: Answer) -> bool:
    headers = answer.headers
    spent = headers.get("x-ratelimit-remaining") == "0"
    return spent or "retry-after" in headers or bool(_SECONDARY.search(answer.body[:4096]))


def wait_s(headers: Mapping[str, str], *, now_s: float) -> float:
    """How long a forge that limits us wants us to wait."""
    after = _retry_after_s(headers)
    if after is not None:
        return after
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        # As a float: an integer of thousands of digits is an error to Python.
        return min(max(1.0, float(reset) - now_s), LIMIT_WAIT_S_MAX)
    return SECONDARY_LIMIT_S


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(float(text), LIMIT_WAIT_S_MAX)
    return None


def _told(answer: Answer, secrets: tuple[Secret, ...]) -> str:
    """The forge's own sentence, if it is one and does not hold what we sent."""
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    try:
        body = answer.json()
    except Rejected:
        return ""
    text = body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str) or any(s.reveal() in text for s in secrets if s):
        return ""
    return f" {_clean(text)!r}"


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:_TOLD_CHARACTERS_MAX]
