"""Limits on our requests, as forges announce them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.dialects.exchange import Answer

LIMIT_WAIT_S: Final = 60.0  # where nothing says how long
LIMIT_WAIT_S_MAX: Final = 3600.0
FORBIDDEN: Final = 403
TOO_MANY: Final = 429


@dataclass(frozen=True, kw_only=True)
class Limits:
    """One kind's way to say so.

    Args:
        is_limit: whether an answer that is no success means a limit.
        wait_s: how long the forge wants us to wait, by its headers and the time now.

    """

    is_limit: Callable[[Answer], bool]
    wait_s: Callable[[Mapping[str, str], float], float]


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
