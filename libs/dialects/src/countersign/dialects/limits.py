"""Limits on our requests, as forges announce them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.dialects.exchange import Answer

LIMIT_WAIT_S: Final = 60.0  # where nothing says how long
LIMIT_WAIT_S_MAX: Final = 3600.0
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
_DIGITS_MAX: Final = 12
# A reset beyond this is a moment: no forge counts its requests for thirty years.
_MOMENTS_FROM_S: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The requests that a forge takes of one account: in all in a while, and how many are left."""

    limit: int
    remaining: int
    resets_at_s: float


def quota_in(headers: Mapping[str, str], now_s: float, *, prefix: str) -> Quota | None:
    """Read headers as many forges have them; none where one is missing or no number.

    The time of the reset is a moment, in seconds since 1970, or else in how many seconds.
    """
    texts = [headers.get(f"{prefix}{name}", "") for name in ("limit", "remaining", "reset")]
    if not all(t.isascii() and t.isdigit() and len(t) <= _DIGITS_MAX for t in texts):
        return None
    limit, remaining, reset = map(int, texts)
    resets_at_s = float(reset) if reset > _MOMENTS_FROM_S else now_s + reset
    if not limit:
        return None
    return Quota(
        limit=limit, remaining=remaining, resets_at_s=min(resets_at_s, now_s + LIMIT_WAIT_S_MAX)
    )


def _standard_quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    return quota_in(headers, now_s, prefix="ratelimit-")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """One kind's way to say so.

    Args:
        is_limit: whether an answer that is no success means a limit.
        wait_s: how long the forge wants us to wait, by its headers and the time now.
        quota: what is left to the account that asked, by the headers of any answer.

    """

    is_limit: Callable[[Answer], bool]
    wait_s: Callable[[Mapping[str, str], float], float]
    quota: Callable[[Mapping[str, str], float], Quota | None] = _standard_quota


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        # As a float: an integer of thousands of digits is an error to Python.
        return min(float(text), LIMIT_WAIT_S_MAX)
    return None


def _is_too_many(answer: Answer) -> bool:
    return answer.status == TOO_MANY


def _wait_s(headers: Mapping[str, str], _now_s: float) -> float:
    told = retry_after_s(headers)
    return LIMIT_WAIT_S if told is None else told


# As RFC 6585 has it. Source: https://www.rfc-editor.org/rfc/rfc6585#section-4
STANDARD: Final = Limits(is_limit=_is_too_many, wait_s=_wait_s)
