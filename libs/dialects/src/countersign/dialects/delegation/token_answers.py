"""Answers of a forge's token endpoint, which OAuth makes much alike everywhere. Pure.

The refresh token is dropped unread. No message ever quotes a token.
Source: https://www.rfc-editor.org/rfc/rfc6749#section-5
"""

import json
import re
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer

# Those of Azure are the longest, some kilobytes.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.~+/=-]{8,8192}")
_WORD: Final = re.compile(r"[a-z_]{1,40}")


def _without_refresh_token(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key != "refresh_token"}


def object_of(answer: Answer, *, where: str) -> dict[str, Any]:
    """Read an object without its refresh token.

    Raises:
        Rejected: `forge_unavailable`; it is something else.

    """
    try:
        body = json.loads(answer.body, object_pairs_hook=_without_refresh_token)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Rejected(DelegationRefusal.FORGE_UNAVAILABLE, f"{where} answered with something else")
    return body


def token_in(body: dict[str, Any], *, where: str) -> Secret:
    """Return the access token, checked: a line break in a header would be quoted by an error.

    Raises:
        Rejected: `forge_unavailable`; there is none that could be sent.

    """
    text = body.get("access_token")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise Rejected(
            DelegationRefusal.FORGE_UNAVAILABLE, f"{where}: the answer holds no usable token"
        )
    return Secret(text)


def lifetime_in(body: dict[str, Any]) -> int | None:
    """Return the seconds until the token ends; none where that is not told."""
    expires = body.get("expires_in")
    return expires if type(expires) is int else None


def scopes_in(body: dict[str, Any]) -> frozenset[str]:
    """Return the scopes, by their name in OAuth or by Bitbucket's older one; none where untold."""
    told = body.get("scope") or body.get("scopes")
    return frozenset(told.replace(",", " ").split()) if isinstance(told, str) else frozenset()


def error_word(body: dict[str, Any]) -> str:
    """Return OAuth's word for what is wrong, or `an error` for what is no such word."""
    error = body.get("error")
    return error if isinstance(error, str) and _WORD.fullmatch(error) else "an error"


def exchange_refusal(
    word: str, *, over: frozenset[str], ours: frozenset[str], where: str, doubt: str = ""
) -> Rejected:
    """Return what is wrong with an exchange.

    Args:
        word: the forge's.
        over: words for a code that is no longer good.
        ours: words for what is wrong with our registration.
        where: the forge, as people call it.
        doubt: what else the forge says with a word for a code that is over.

    """
    if word in over:
        return Rejected(
            DelegationRefusal.EXPIRED,
            f"{where} answered {word}: the sign-in was no longer valid{doubt}; ask again",
        )
    if word in ours:
        return Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{where} answered {word}; the administrator must correct its entry",
        )
    return Rejected(DelegationRefusal.DENIED, f"{where} answered {word}")
