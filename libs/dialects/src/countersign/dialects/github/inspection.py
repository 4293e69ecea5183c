"""Reads what GitHub tells of the token that asks. Pure.

Source: https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/token-expiration-and-revocation
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.contracts.wire.times import plausible
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.exchange import OK, Answer, Request
from countersign.dialects.github.limits import LIMITS, SINGLE_SIGN_ON, is_spent
from countersign.dialects.github.scopes import SCOPES, SEES_MEMBERS
from countersign.dialects.inspection import (
    Inspection,
    InspectionDialect,
    Question,
    refused,
    scopes_in_header,
)

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
_ETAG: Final = re.compile(r'(?:W/)?"[A-Za-z0-9+/=_-]{1,128}"')
_SCOPE: Final = re.compile(r"[a-z_:]{1,64}")
_OWNERS_MAX: Final = 3
_EXPIRY_HEADER: Final = "github-authentication-token-expiration"
_EXPIRY_FORMATS: Final = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z")
_API_TYPE: Final = "application/vnd.github+json"
_API_VERSION: Final = "2022-11-28"
_MOVED, _UNAUTHORIZED, _FORBIDDEN, _BROKEN = 300, 401, 403, 500
_MEMBER, _NO_MEMBER, _UNCHANGED = 204, 302, 304


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the prefix; tokens from before 2021 have none."""
    text = token.reveal()
    found = (kind for prefix, kind in _KIND_BY_PREFIX.items() if text.startswith(prefix))
    return next(found, TokenKind.OTHER)


def _inspect(question: Question) -> Conversation[Inspection]:
    before = question.before
    version = before.version if before and before.validity is TokenValidity.VALID else ""
    answer = yield from ask(request(question.kind, version=version), question.credential)
    if before is not None and answer.status == _UNCHANGED:
        found = _unchanged(answer, before, now=question.now)
    else:
        found = read(answer, kind=question.kind, now=question.now)
    return (yield from _with_standing(found, question))


def _unchanged(answer: Answer, before: Inspection, *, now: datetime) -> Inspection:
    """Keep what was told; a condition that holds costs nothing of the owner's limit.

    Source: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
    """
    told = _of_headers(answer, kind=before.kind, now=now)
    return replace(
        before,
        scopes=before.scopes if told.scopes is None else told.scopes,
        expires_at=told.expires_at or before.expires_at,
        rest_until=told.rest_until,
    )


def _with_standing(found: Inspection, question: Question) -> Conversation[Inspection]:
    """Ask if the owner is in the organizations; only where the token may see all members.

    "302: Response if requester is not an organization member", and the requester is who is asked
    about.
    Source: https://docs.github.com/en/rest/orgs/members#check-organization-membership-for-a-user
    """
    owner = found.owner
    if owner is None or not found.is_person or not SEES_MEMBERS & frozenset(found.scopes or ()):
        return found
    standing = TokenOwnerStanding.UNSPECIFIED
    for name in question.owners[:_OWNERS_MAX]:
        if name.casefold() == owner.login.casefold():
            continue
        answer = yield from ask(_membership(name, owner.login), question.credential)
        if answer.status == _NO_MEMBER:
            return replace(found, standing=TokenOwnerStanding.NOT_A_MEMBER)
        if answer.status == _MEMBER:
            standing = TokenOwnerStanding.ACTIVE
    return replace(found, standing=standing)


def _membership(organization: str, login: str) -> Request:
    return Request(
        name="inspect token",
        method="GET",
        url=f"/orgs/{quote(organization, safe='')}/members/{quote(login, safe='')}",
        accept=_API_TYPE,
        headers={"X-GitHub-Api-Version": _API_VERSION},
        passes=frozenset(range(_MOVED, _BROKEN)),
    )


def request(kind: TokenKind, *, version: str = "") -> Request:
    """Ask whose it is; the headers of the answer tell the rest.

    With the version of the last answer the forge may say no more than that it still holds.

    Source: https://docs.github.com/en/rest/users/users#get-the-authenticated-user
    Source: https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
    """
    bot = kind is TokenKind.APP_INSTALLATION
    return Request(
        name="inspect token",
        method="GET",
        url="/installation/repositories?per_page=1" if bot else "/user",
        accept=_API_TYPE,
        headers={
            "X-GitHub-Api-Version": _API_VERSION,
            **({"If-None-Match": version} if version else {}),
        },
        passes=frozenset(range(_MOVED, 600)),
    )


def read(answer: Answer, *, kind: TokenKind, now: datetime) -> Inspection:
    """Read the answer to `request`."""
    known = _of_headers(answer, kind=kind, now=now)
    if answer.status == _UNAUTHORIZED:
        return refused(kind)
    if answer.status == OK:
        return _accepted(answer, known)
    why = _why_unknown(answer)
    plain = why in {TokenReason.LIMITED, TokenReason.SIGN_ON_WANTED, TokenReason.FORBIDDEN}
    detail = "" if plain else f"it answered {answer.status}"
    return replace(known, why=why, detail=detail, rest_until=_rest(answer, now=now))


def _of_headers(answer: Answer, *, kind: TokenKind, now: datetime) -> Inspection:
    headers = answer.headers
    text = headers.get(_EXPIRY_HEADER, "")
    expires_at = _moment(text)
    return Inspection(
        kind=kind,
        validity=TokenValidity.UNKNOWN,
        scopes=scopes_in_header(answer, _SCOPE),
        expires_at=expires_at,
        expiry_known=expires_at is not None,
        rest_until=_wait(headers, now=now) if is_spent(headers) else None,
        version=_version(headers),
    )


def _version(headers: Mapping[str, str]) -> str:
    etag = headers.get("etag", "")
    return etag if _ETAG.fullmatch(etag) else ""


def _accepted(answer: Answer, known: Inspection) -> Inspection:
    """A 200 counts only when it is GitHub's own: a sign-in page answers 200 as well."""
    if "json" not in answer.headers.get("content-type", ""):
        return replace(known, why=TokenReason.NOT_THE_FORGE, detail="it answered with a page")
    try:
        body = answer.json()
    except Rejected:
        body = None
    if not isinstance(body, dict):
        return replace(known, why=TokenReason.NOT_UNDERSTOOD)
    if known.kind in _ENDLESS_WITHOUT_HEADER and _EXPIRY_HEADER not in answer.headers:
        known = replace(known, expiry_known=True)
    if known.kind is TokenKind.APP_INSTALLATION:
        if isinstance(body.get("total_count"), int):
            return replace(known, validity=TokenValidity.VALID, is_person=False)
        return replace(known, why=TokenReason.NOT_UNDERSTOOD)
    owner = _owner(body)
    if owner is None:
        return replace(known, why=TokenReason.NOT_UNDERSTOOD, detail="it names no account")
    is_person = {"User": True, "Bot": False, "Organization": False}.get(str(body.get("type")))
    return replace(known, validity=TokenValidity.VALID, owner=owner, is_person=is_person)


def _owner(body: Mapping[str, Any]) -> ForgeUser | None:
    number, login = body.get("id"), body.get("login")
    if not shapes.is_id(number) or not shapes.is_login(login):
        return None
    return ForgeUser(id=str(number), login=str(login))


def _why_unknown(answer: Answer) -> TokenReason:
    status = answer.status
    if LIMITS.is_limit(answer):
        return TokenReason.LIMITED
    if status == _FORBIDDEN:
        wanted = SINGLE_SIGN_ON in answer.headers
        return TokenReason.SIGN_ON_WANTED if wanted else TokenReason.FORBIDDEN
    if status < OK or OK < status < _UNAUTHORIZED:
        return TokenReason.NOT_THE_FORGE
    return TokenReason.UNAVAILABLE if status >= _BROKEN else TokenReason.NOT_UNDERSTOOD


def _rest(answer: Answer, *, now: datetime) -> datetime | None:
    return _wait(answer.headers, now=now) if LIMITS.is_limit(answer) else None


def _wait(headers: Mapping[str, str], *, now: datetime) -> datetime:
    return now + timedelta(seconds=LIMITS.wait_s(headers, now.timestamp()))


def _moment(text: str) -> datetime | None:
    for form in _EXPIRY_FORMATS:
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - `plausible` sets the zone
            return plausible(found)
        except ValueError:
            continue
    return None


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    # The others have permissions, which GitHub does not tell.
    scoped=frozenset({TokenKind.CLASSIC, TokenKind.OAUTH_APP}),
    scopes=SCOPES,
    advice="use a fine-grained token for that repository",
    outdated=frozenset({TokenKind.CLASSIC}),
)
