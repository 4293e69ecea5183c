"""Limits on our requests, as Azure DevOps announces them.

It counts what a request costs and not requests, slows down who is near the limit, and refuses who
is beyond it.
Source: https://learn.microsoft.com/en-us/azure/devops/integrate/concepts/rate-limits
"""

from collections.abc import Mapping
from typing import Final

from countersign.dialects.exchange import Answer
from countersign.dialects.limits import STANDARD, TOO_MANY, Limits, Quota, quota_in
from countersign.dialects.statuses import message_of

_UNAVAILABLE: Final = 503
# Blocked for using too much of something.
_BLOCKED: Final = "TF400733"


def _is_limit(answer: Answer) -> bool:
    blocked = answer.status == _UNAVAILABLE and _BLOCKED in message_of(answer)
    return answer.status == TOO_MANY or blocked


def _quota(headers: Mapping[str, str], now_s: float) -> Quota | None:
    return quota_in(headers, now_s, prefix="x-ratelimit-")


LIMITS: Final = Limits(is_limit=_is_limit, wait_s=STANDARD.wait_s, quota=_quota)
