"""The meaning of an answer for the caller: try again, refused, or something to read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol

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
# What is maintained is not back in a moment.
PASSES_S: Final = 60.0


class Redirected(Rejected):
    """The forge points elsewhere, where nobody goes with a token; `location` as it says it."""

    def __init__(self, message: str, *, location: str) -> None:
        super().__init__(ForgeRefusal.BAD_ANSWER, message)
        self.location = location


def body_of(answer: Answer) -> Any:
    """Return the JSON of a refusal, or none where it is something else."""
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        return answer.json()
    except Rejected:
        return None


def message_of(answer: Answer) -> str:
    """Return `message`, which most forges send."""
    body = body_of(answer)
    text = body.get("message") if isinstance(body, dict) else None
    return text if isinstance(text, str) else ""


def nothing_beyond(_: Answer) -> ForgeRefusal | None:
    return None


@dataclass(frozen=True, kw_only=True)
class ErrorWords:
    """One kind's words.

    Args:
        told: the forge's own sentence in an answer that is no success; empty for none.
        reason: what an answer means that its status does not tell; of a success too, for a page
            where people sign in is no answer. `forge_unavailable` passes by itself. None where the
            status tells all.

    """

    told: Callable[[Answer], str] = message_of
    reason: Callable[[Answer], ForgeRefusal | None] = nothing_beyond


STANDARD_WORDS: Final = ErrorWords()


class Ways(Protocol):
    """The ways in which a kind of forge limits and refuses."""

    @property
    def limits(self) -> Limits: ...

    @property
    def errors(self) -> ErrorWords: ...


def check(answer: Answer, sent: Sent, *, host: str, kind: Ways, now_s: float) -> None:
    """Return if the caller is to read the answer.

    Raises:
        Retryable: `rate_limited`, `forge_unavailable`.
        Rejected: `unauthorized`, `forbidden`, `not_found`, `bad_answer`, `refused`, or what the
            kind of forge says beyond.

    """
    request, status = sent.request, answer.status
    where = f"{host}: {request.name}"
    reason = kind.errors.reason(answer) if status not in request.passes else None
    if reason or (status not in request.passes and not 200 <= status < 300):  # noqa: PLR2004
        told = f"{where}: answered {status}{_told(kind.errors.told(answer), sent.secrets)}"
        if kind.limits.is_limit(answer):
            raise Retryable(
                ForgeRefusal.RATE_LIMITED, told, after_s=kind.limits.wait_s(answer.headers, now_s)
            )
        if reason is ForgeRefusal.FORGE_UNAVAILABLE:
            after_s = retry_after_s(answer.headers)
            raise Retryable(reason, told, after_s=PASSES_S if after_s is None else after_s)
        if reason:
            raise Rejected(reason, told)
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
        raise Redirected(
            f"{told}; redirects are not followed, was it renamed?",
            location=answer.headers.get("location", ""),
        )
    reason = _REASONS.get(status, ForgeRefusal.REFUSED)
    raise Rejected(reason, told)


def _told(text: str, secrets: tuple[Secret, ...]) -> str:
    """The forge's own sentence, if there is one and it does not hold what we sent."""
    if not text or any(s.reveal() in text for s in secrets if s):
        return ""
    return f" {_clean(text)!r}"


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:_TOLD_CHARACTERS_MAX]
