"""The meaning of a status for the caller: try again, refused, or something to read."""

from typing import Final, NoReturn

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Sent
from countersign.dialects.limits import Limits, retry_after_s
from countersign.dialects.refusals import ForgeRefusal

_REASONS: Final = {
    401: ForgeRefusal.UNAUTHORIZED,
    403: ForgeRefusal.FORBIDDEN,
    404: ForgeRefusal.NOT_FOUND,
}
_TOLD_CHARACTERS_MAX: Final = 200


def check(answer: Answer, sent: Sent, *, host: str, limits: Limits, now_s: float) -> None:
    """Return if the caller is to read the answer.

    Raises:
        Retryable: `rate_limited`, `forge_unavailable`.
        Rejected: `unauthorized`, `forbidden`, `not_found`, `bad_answer`, `refused`.

    """
    request, status = sent.request, answer.status
    where = f"{host}: {request.name}"
    if status not in request.passes and not 200 <= status < 300:  # noqa: PLR2004
        told = f"{where}: answered {status}{_told(answer, sent.secrets)}"
        if limits.is_limit(answer):
            raise Retryable(
                ForgeRefusal.RATE_LIMITED, told, after_s=limits.wait_s(answer.headers, now_s)
            )
        _refuse(answer, told)
    if sent.token and _quotes(answer, sent.token_secret):
        # Names and sentences of an answer become events; what we sent must not be among them.
        raise Rejected(ForgeRefusal.BAD_ANSWER, f"{where}: the answer quotes our token")
    if request.wants_json and answer.body and "json" not in answer.headers.get("content-type", ""):
        raise Rejected(
            ForgeRefusal.BAD_ANSWER,
            f"{where}: answered {status} with "
            f"{_clean(answer.headers.get('content-type', 'no type'))!r} instead of JSON; "
            "is there a proxy or a maintenance page in between?",
        )


def _quotes(answer: Answer, token: Secret) -> bool:
    text = token.reveal()
    return text.encode() in answer.body or any(text in v for v in answer.headers.values())


def _refuse(answer: Answer, told: str) -> NoReturn:
    status = answer.status
    if status >= 500 or status == 408:  # noqa: PLR2004
        raise Retryable(ForgeRefusal.FORGE_UNAVAILABLE, told, after_s=retry_after_s(answer.headers))
    if 300 <= status < 400:  # noqa: PLR2004
        raise Rejected(
            ForgeRefusal.BAD_ANSWER, f"{told}; redirects are not followed, was it renamed?"
        )
    reason = _REASONS.get(status, ForgeRefusal.REFUSED)
    raise Rejected(reason, told)


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
