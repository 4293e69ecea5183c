"""Answers about user tokens, read without I/O. No message ever quotes one."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.delegation.oauth import Delegated, Target
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.github.limits import LIMITS, SINGLE_SIGN_ON
from countersign.dialects.limits import LIMIT_WAIT_S, retry_after_s

# `ghu_`: a GitHub App acting for a person. All other kinds are refused: `gho_` never expires,
# `ghp_` and `github_pat_` are nobody's delegation, `ghs_` is no person.
# Source: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
_APP_USER: Final = "ghu_"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]{8,1024}")
_WORD: Final = re.compile(r"[a-z_]{1,40}")
# What is taken from the answer to an exchange; the refresh token is not among it.
_WANTED: Final = frozenset({"access_token", "token_type", "expires_in", "error"})
INVALID: Final = 422
# All that a child may do. Source: https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
PERMISSIONS: Final = {"contents": "write", "pull_requests": "write", "metadata": "read"}
_MISSING: Final = 404


@dataclass(frozen=True, kw_only=True)
class Child:
    """A narrowed token as the forge describes it."""

    token: Secret
    expires_at: datetime | None
    permissions: dict[str, str]
    selected: bool


def _only_wanted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key in _WANTED}


def postpone_limited(answer: Answer, *, where: str) -> None:
    """Tell a limit, which passes, from a refusal of the same status, which stays.

    Raises:
        Retryable: `forge_unavailable`.

    """
    if LIMITS.is_limit(answer):
        after_s = retry_after_s(answer.headers) or LIMIT_WAIT_S
        raise Retryable(
            DelegationRefusal.FORGE_UNAVAILABLE,
            f"{where} limits our requests; try again in {after_s:.0f} s",
            after_s=after_s,
        )


def delegated(answer: Answer, *, where: str) -> Delegated:
    """Read the token; one that is no App's never ends, whatever is said of it.

    Raises:
        Rejected: `expired`, `no_client`, `denied`, `forge_unavailable`.

    """
    try:
        body = json.loads(answer.body, object_pairs_hook=_only_wanted)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Rejected(
            DelegationRefusal.FORGE_UNAVAILABLE,
            f"{where}: the exchange was answered with no object",
        )
    # Errors come with status 200. Source: https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
    if "error" in body or answer.status != OK:
        raise _exchange_error(body.get("error"), where=where)
    token, expires = _token(body.get("access_token"), where=where), body.get("expires_in")
    ends = type(expires) is int and token.reveal().startswith(_APP_USER)
    return Delegated(token=token, expires_in_s=expires if ends else None)


def _exchange_error(error: object, *, where: str) -> Rejected:
    word = error if isinstance(error, str) and _WORD.fullmatch(error) else "an error"
    if word == "bad_verification_code":
        return Rejected(
            DelegationRefusal.EXPIRED, f"{where}: the sign-in was no longer valid; ask again"
        )
    if word in {"incorrect_client_credentials", "redirect_uri_mismatch"}:
        return Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{where} answered {word}; the administrator must correct its entry",
        )
    return Rejected(DelegationRefusal.DENIED, f"{where} answered {word}")


def _token(text: object, *, where: str) -> Secret:
    # Checked at once: a line break in a header would be quoted by the HTTP library's error.
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise Rejected(
            DelegationRefusal.FORGE_UNAVAILABLE, f"{where}: the answer holds no usable token"
        )
    return Secret(text)


def user(answer: Answer, *, where: str) -> ForgeUser:
    body = _body(answer, where=where)
    number, login = body.get("id"), body.get("login")
    if not shapes.is_id(number) or not shapes.is_login(login):
        raise Rejected(DelegationRefusal.FORGE_UNAVAILABLE, f"{where}: the answer names no user")
    return ForgeUser(id=str(number), login=str(login))


def _body(answer: Answer, *, where: str) -> dict[str, Any]:
    """Empty where it is no object; what is no JSON is called as people are told of it."""
    try:
        body = answer.json()
    except Rejected:
        raise Rejected(
            DelegationRefusal.FORGE_UNAVAILABLE, f"{where} answered with something else"
        ) from None
    return body if isinstance(body, dict) else {}


def child(answer: Answer, *, token: Secret, name: str, where: str) -> Child:
    """Read the narrowed token.

    Raises:
        Rejected: `no_client`, `denied`, `cannot_write`, `forge_unavailable`.

    """
    if answer.status == 401:  # noqa: PLR2004
        raise Rejected(DelegationRefusal.NO_CLIENT, f"{where} refused the App's own id and secret")
    if answer.status == _MISSING:
        raise Rejected(
            DelegationRefusal.DENIED,
            f"the sign-in is no longer valid, or the forge does not know {name!r}",
        )
    if SINGLE_SIGN_ON in answer.headers:
        # Signing in anew begins a session there as well.
        raise Rejected(
            DelegationRefusal.DENIED,
            f"the organization of {name!r} requires single sign-on; sign in there, then promote "
            "again",
        )
    if answer.status != OK:
        raise Rejected(
            DelegationRefusal.CANNOT_WRITE,
            f"the forge gives no token for {name!r}; is the App installed there, and can you "
            "write to it?",
        )
    body = _body(answer, where=where)
    installation = body.get("installation")
    if not isinstance(installation, dict):
        raise Rejected(DelegationRefusal.TOO_STRONG, f"{where} does not say what the token may do")
    narrowed = _token(body.get("token"), where=where)
    text = narrowed.reveal()
    if not text.startswith(_APP_USER) or text == token.reveal():
        raise Rejected(DelegationRefusal.TOO_STRONG, f"{where} did not narrow the token")
    permissions = installation.get("permissions")
    return Child(
        token=narrowed,
        expires_at=_moment(body.get("expires_at")),
        permissions=permissions if isinstance(permissions, dict) else {"unknown": "write"},
        selected=installation.get("repository_selection") == "selected",
    )


def refuse_wide(child: Child, target: Target, *, where: str) -> datetime:
    """Return when the child ends.

    Raises:
        Rejected: `token_too_long_lived`, `token_too_strong`, `cannot_write`.

    """
    name = target.name
    if child.expires_at is None or child.expires_at > target.ends_by:
        raise Rejected(
            DelegationRefusal.TOO_LONG_LIVED,
            f"{where}: the token for {name!r} does not end in time",
        )
    beyond = {k: v for k, v in child.permissions.items() if PERMISSIONS.get(k) != v}
    if beyond or not child.selected:
        raise Rejected(
            DelegationRefusal.TOO_STRONG,
            f"{where}: the token for {name!r} may do more than was asked",
        )
    missing = sorted(PERMISSIONS.keys() - child.permissions.keys() - {"metadata"})
    if missing:
        raise Rejected(
            DelegationRefusal.CANNOT_WRITE,
            f"the App may not write {', '.join(missing)} in {name!r}; the owner of the repository "
            "can grant that",
        )
    return child.expires_at


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def installations(answer: Answer, *, at_most: int, where: str) -> list[int]:
    body = _body(answer, where=where)
    listed, total = body.get("installations"), body.get("total_count")
    found = [i for i in listed if isinstance(i, dict)] if isinstance(listed, list) else []
    numbers = [int(i["id"]) for i in found if shapes.is_id(i.get("id"))]
    if type(total) is not int or total > at_most or total != len(numbers):
        raise Rejected(
            DelegationRefusal.TOO_STRONG, f"{where}: what the token reaches cannot be listed"
        )
    return numbers


def refuse_other_repositories(pages: Sequence[Answer], *, name: str, where: str) -> None:
    """Refuse a token that reaches more than the one repository, or does not reach it.

    Raises:
        Rejected: `token_too_strong` where another repository is reached, `cannot_write` where
            this one is not, or may only be read.

    """
    found: list[dict[str, Any]] = []
    total = 0
    for page in pages:
        body = _body(page, where=where)
        count, listed = body.get("total_count"), body.get("repositories")
        if not isinstance(count, int) or not isinstance(listed, list):
            raise Rejected(
                DelegationRefusal.TOO_STRONG, f"{where}: what the token reaches cannot be listed"
            )
        total += max(count, len(listed))
        found += [r for r in listed if isinstance(r, dict)]
    names = {str(r.get("full_name")).lower() for r in found}
    if total > 1 or names - {name.lower()}:
        raise Rejected(
            DelegationRefusal.TOO_STRONG, f"{where}: the token reaches more than {name!r}"
        )
    rights = found[0].get("permissions") if found else None
    if not isinstance(rights, dict) or rights.get("push") is not True:
        raise Rejected(
            DelegationRefusal.CANNOT_WRITE,
            f"you cannot write to {name!r}; its owner can give you write access",
        )


def refuse_alive(answer: Answer, *, where: str) -> None:
    """Refuse to believe in an end that the forge does not confirm.

    Raises:
        Rejected: `no_client`, `refused`.

    """
    # 404 is GitHub's word for a token that is not valid, which is what was wanted.
    if answer.status in {204, _MISSING}:
        return
    if answer.status == 401:  # noqa: PLR2004
        raise Rejected(DelegationRefusal.NO_CLIENT, f"{where} refused the App's own id and secret")
    raise Rejected(
        DelegationRefusal.REFUSED, f"{where}: the revocation was answered with {answer.status}"
    )
