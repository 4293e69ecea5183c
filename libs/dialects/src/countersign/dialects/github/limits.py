"""GitHub's limits and refusals that headers tell of: both limits, and single sign-on.

Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import re
from collections.abc import Mapping
from typing import Final

from countersign.dialects.exchange import Answer
from countersign.dialects.limits import (
    FORBIDDEN,
    LIMIT_WAIT_S,
    LIMIT_WAIT_S_MAX,
    TOO_MANY,
    Limits,
    Quota,
    quota_in,
    retry_after_s,
)
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.statuses import ErrorWords

_SECONDARY = re.compile(rb"secondary rate limit|abuse detection", re.IGNORECASE)
_LOOKED_AT_BYTES_MAX: Final = 4096
# Source: https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
SINGLE_SIGN_ON: Final = "x-github-sso"


def _is_limit(answer: Answer) -> bool:
    if answer.status == TOO_MANY:
        return True
    waits = is_spent(answer.headers) or "retry-after" in answer.headers
    return answer.status == FORBIDDEN and (waits or is_secondary(answer.body))


def _wait_s(headers: Mapping[str, str], now_s: float) -> float:
    after = retry_after_s(headers)
    if after is not None:
        return after
    reset = headers.get("x-ratelimit-reset", "")
    if is_spent(headers) and reset.isascii() and reset.isdigit():
        # As a float: an integer of thousands of digits is an error to Python.
        return min(max(1.0, float(reset) - now_s), LIMIT_WAIT_S_MAX)
    # "Wait for at least one minute" where no header says how long.
    return LIMIT_WAIT_S


def is_secondary(said: bytes) -> bool:
    return _SECONDARY.search(said[:_LOOKED_AT_BYTES_MAX]) is not None


def is_spent(headers: Mapping[str, str]) -> bool:
    return headers.get("x-ratelimit-remaining") == "0"


def _quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    return quota_in(headers, now_s, prefix="x-ratelimit-")


LIMITS: Final = Limits(is_limit=_is_limit, wait_s=_wait_s, quota=_quota)


def _reason(answer: Answer) -> ForgeRefusal | None:
    wanted = answer.status == FORBIDDEN and SINGLE_SIGN_ON in answer.headers
    return ForgeRefusal.SIGN_ON_WANTED if wanted else None


ERRORS: Final = ErrorWords(reason=_reason)
