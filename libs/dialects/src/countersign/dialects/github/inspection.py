"""What GitHub's answers say about the token that asked. Pure.

Unknown stays unknown: what GitHub does not tell is not guessed. No message ever quotes the token.
Source: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/token-expiration-and-revocation
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser, TokenKind, TokenValidity
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github.limits import LIMITS, is_spent

# Source: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
_KIND_BY_PREFIX: Final = {
    "github_pat_": TokenKind.FINE_GRAINED,
    "ghp_": TokenKind.CLASSIC,
    "gho_": TokenKind.OAUTH_APP,
    "ghu_": TokenKind.APP_USER,
    "ghs_": TokenKind.APP_INSTALLATION,
}
# Without the header these never expire; an application's tokens always do, when is not told here.
_ENDLESS_WITHOUT_HEADER: Final = frozenset(
    {TokenKind.CLASSIC, TokenKind.FINE_GRAINED, TokenKind.OAUTH_APP}
)
_SENDABLE: Final = re.compile(r"[A-Za-z0-9_.~+/=-]{8,1024}")
_SCOPE: Final = re.compile(r"[a-z_:]{1,64}")
SCOPES_MAX: Final = 64  # GitHub has about forty
_EXPIRY_HEADER: Final = "github-authentication-token-expiration"
_EXPIRY_FORMATS: Final = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z")
_API_TYPE: Final = "application/vnd.github+json"
_API_VERSION: Final = "2022-11-28"
_OK, _MOVED, _UNAUTHORIZED, _FORBIDDEN, _BROKEN = 200, 300, 401, 403, 500


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What one question told.

    Args:
        kind: by the token's prefix.
        validity: unknown unless GitHub itself accepted or refused the token.
        reason: why it is not valid or not known, for a person.
        owner: whose it is; none for an installation.
        is_person: whether the owner is a person's account; none where that is not told.
        scopes: of classic and OAuth tokens; none for kinds that have permissions instead.
        expires_at: none with `expiry_known`: never.
        expiry_known: whether GitHub told about the expiry at all.
        rest_until: before this nothing more may be asked with this token.

    """

    kind: TokenKind
    validity: TokenValidity
    reason: str = ""
    owner: ForgeUser | None = None
    is_person: bool | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    expiry_known: bool = False
    rest_until: datetime | None = None


def token_kind(token: Secret) -> TokenKind:
    """By its prefix; tokens from before 2021 have none."""
    text = token.reveal()
    found = (kind for prefix, kind in _KIND_BY_PREFIX.items() if text.startswith(prefix))
    return next(found, TokenKind.OTHER)


def is_sendable(token: Secret) -> bool:
    """Whether it could be a token; a line break in a header would end up in an error's text."""
    return bool(_SENDABLE.fullmatch(token.reveal()))


def request(kind: TokenKind) -> Request:
    """The one question: whose it is. Its headers tell the rest.

    Source: https://docs.github.com/en/rest/users/users#get-the-authenticated-user
    Source: https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
    """
    bot = kind is TokenKind.APP_INSTALLATION
    return Request(
        name="inspect token",
        method="GET",
        url="/installation/repositories?per_page=1" if bot else "/user",
        accept=_API_TYPE,
        headers={"X-GitHub-Api-Version": _API_VERSION},
        passes=frozenset(range(_MOVED, 600)),
    )


def unanswered(kind: TokenKind, *, reason: str, rest_until: datetime | None = None) -> Inspection:
    """Nothing was learned."""
    return Inspection(
        kind=kind, validity=TokenValidity.UNKNOWN, reason=reason, rest_until=rest_until
    )


def read(answer: Answer, *, kind: TokenKind, now: datetime) -> Inspection:
    """What the answer to `request` says."""
    known = _of_headers(answer.headers, kind=kind, now=now)
    if answer.status == _UNAUTHORIZED:
        return Inspection(
            kind=kind,
            validity=TokenValidity.INVALID,
            reason="the forge refused it (401): it has expired, was revoked or never existed",
        )
    if answer.status == _OK:
        return _accepted(answer, known)
    return replace(known, reason=_unknown_reason(answer), rest_until=_rest(answer, now=now))


def _of_headers(headers: Mapping[str, str], *, kind: TokenKind, now: datetime) -> Inspection:
    text = headers.get(_EXPIRY_HEADER, "")
    expires_at = _moment(text)
    return Inspection(
        kind=kind,
        validity=TokenValidity.UNKNOWN,
        scopes=_scopes(headers.get("x-oauth-scopes")),
        expires_at=expires_at,
        expiry_known=expires_at is not None,
        rest_until=_wait(headers, now=now) if is_spent(headers) else None,
    )


def _accepted(answer: Answer, known: Inspection) -> Inspection:
    """A 200 counts only when it is GitHub's own: a sign-in page answers 200 as well."""
    if "json" not in answer.headers.get("content-type", ""):
        return replace(known, reason="something else than the forge answered, with a page")
    try:
        body = answer.json()
    except Rejected:
        body = None
    if not isinstance(body, dict):
        return replace(known, reason="the forge's answer is not what it documents")
    if known.kind in _ENDLESS_WITHOUT_HEADER and _EXPIRY_HEADER not in answer.headers:
        known = replace(known, expiry_known=True)
    if known.kind is TokenKind.APP_INSTALLATION:
        if isinstance(body.get("total_count"), int):
            return replace(known, validity=TokenValidity.VALID, is_person=False)
        return replace(known, reason="the forge's answer is not what it documents")
    owner = _owner(body)
    if owner is None:
        return replace(known, reason="the forge's answer names no account")
    is_person = {"User": True, "Bot": False, "Organization": False}.get(str(body.get("type")))
    return replace(known, validity=TokenValidity.VALID, owner=owner, is_person=is_person)


def _owner(body: Mapping[str, Any]) -> ForgeUser | None:
    number, login = body.get("id"), body.get("login")
    if not shapes.is_id(number) or not shapes.is_login(login):
        return None
    return ForgeUser(id=str(number), login=str(login))


def _unknown_reason(answer: Answer) -> str:
    status, headers = answer.status, answer.headers
    if LIMITS.is_limit(answer):
        return "the forge limits our questions; it is asked again later"
    if status == _FORBIDDEN and "x-github-sso" in headers:
        return "the organization wants single sign-on for this token; its owner must authorize it"
    if status == _FORBIDDEN:
        return "the forge forbids this token to say whose it is (403)"
    if status < _OK or _OK < status < _UNAUTHORIZED:
        return f"something else than the forge answered ({status}); is there a proxy or sign-in?"
    if status >= _BROKEN:
        return f"the forge cannot answer now ({status})"
    return f"the forge answered {status}"


def _rest(answer: Answer, *, now: datetime) -> datetime | None:
    return _wait(answer.headers, now=now) if LIMITS.is_limit(answer) else None


def _wait(headers: Mapping[str, str], *, now: datetime) -> datetime:
    return now + timedelta(seconds=LIMITS.wait_s(headers, now.timestamp()))


def _scopes(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    parts = (part.strip() for part in text.split(","))
    return tuple(sorted({p for p in parts if _SCOPE.fullmatch(p)}))[:SCOPES_MAX]


def _moment(text: str) -> datetime | None:
    for form in _EXPIRY_FORMATS:
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is set below
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
