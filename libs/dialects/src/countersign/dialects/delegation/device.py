"""Signing in by a code that a person types at the forge (RFC 8628). Pure.

The device code is worth the person's token, and stays with whoever asked for it. The user code is
shown to that person alone. `verification_uri_complete` is never read: a link that carries the code
is what a thief sends around.
Source: https://www.rfc-editor.org/rfc/rfc8628
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.delegation.token_answers import error_word

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
# What is assumed where the forge names none, and what `slow_down` adds. Source: §3.2, §3.5
INTERVAL_S: Final = 5
SLOWER_BY_S: Final = 5
INTERVAL_S_MAX: Final = 60
# The longest that are seen have hundreds of characters.
_DEVICE_CODE: Final = re.compile(r"[A-Za-z0-9_.~+/=-]{8,4096}")
_USER_CODE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{2,30})[A-Za-z0-9]")
_URL: Final = re.compile(r"[!-~]{1,512}")
# RFC 8628 has the first of each; the others are vendors'.
_OVER: Final = frozenset(
    {"expired_token", "incorrect_device_code", "bad_verification_code", "invalid_grant"}
)
_DECLINED: Final = frozenset({"access_denied", "authorization_declined"})


@dataclass(frozen=True, kw_only=True)
class UserCode:
    """The code that a person types, and the page of the forge that takes it."""

    text: str
    url: str


@dataclass(frozen=True, kw_only=True)
class DeviceCode:
    """A sign-in that the forge began, which nobody has confirmed yet."""

    secret: Secret
    shown: UserCode
    expires_in_s: int
    interval_s: int


@dataclass(frozen=True, kw_only=True)
class Pending:
    """The person has not typed the code yet.

    Args:
        slow_down: we ask too often.
        interval_s: the pause that the forge asks for, 0 where it names none.

    """

    slow_down: bool = False
    interval_s: int = 0

    def pause_s(self, before_s: float) -> float:
        """Return the pause before the next request, after one of so many seconds."""
        slower_s = before_s + SLOWER_BY_S if self.slow_down else before_s
        return min(max(slower_s, self.interval_s), INTERVAL_S_MAX)


def code_in(
    body: dict[str, Any], *, origin: str, where: str, pages: frozenset[str] = frozenset()
) -> DeviceCode:
    """Read what the forge began.

    Args:
        body: its answer.
        origin: of the pages that may take the code.
        where: the forge, as people call it.
        pages: elsewhere that may.

    Raises:
        Rejected: `no_client`; it began nothing, for which our registration is the reason.
            `forge_unavailable`; the answer is none of this kind, or leads elsewhere.

    """
    if "error" in body:
        raise Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{where} answered {error_word(body)}; the administrator must turn the device flow on "
            "in the settings of the application there, or off in the forge list",
        )
    secret, code, url = (body.get(k) for k in ("device_code", "user_code", "verification_uri"))
    expires, interval = body.get("expires_in"), body.get("interval", INTERVAL_S)
    usable = (
        isinstance(secret, str)
        and isinstance(code, str)
        and isinstance(url, str)
        and _DEVICE_CODE.fullmatch(secret)
        and _USER_CODE.fullmatch(code)
        and _URL.fullmatch(url)
        # By prefix, not by parsing: no two parsers can disagree about it.
        and (url.startswith(f"{origin}/") or url in pages)
    )
    if not usable or type(expires) is not int or type(interval) is not int or expires <= 0:
        raise Rejected(
            DelegationRefusal.FORGE_UNAVAILABLE, f"{where}: the answer holds no usable code"
        )
    return DeviceCode(
        secret=Secret(str(secret)),
        shown=UserCode(text=str(code), url=str(url)),
        expires_in_s=expires,
        interval_s=min(max(interval, 1), INTERVAL_S_MAX),
    )


def pending_in(body: dict[str, Any], *, where: str) -> Pending | None:
    """Tell if the person still has to type the code; none where the answer says something else.

    Raises:
        Rejected: `denied`, `expired`.

    """
    word = error_word(body) if "error" in body else ""
    if word == "authorization_pending":
        return Pending()
    if word == "slow_down":
        interval = body.get("interval")
        return Pending(slow_down=True, interval_s=interval if type(interval) is int else 0)
    if word in _DECLINED:
        raise Rejected(DelegationRefusal.DENIED, f"the sign-in was declined at {where}")
    if word in _OVER:
        raise Rejected(
            DelegationRefusal.EXPIRED,
            f"{where} answered {word}: the code is no longer valid; ask again",
        )
    return None
