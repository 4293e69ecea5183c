"""Questions to Bitbucket Data Center about a stored token. Pure.

An HTTP access token of an account, a project or a repository look alike. Of an account's the forge
tells all, by the id that is written in it; of the others that they are good, and no more.
"""

import base64
import binascii
import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import requests
from countersign.dialects.bitbucket_server.accounts import account
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Basic
from countersign.dialects.inspection import (
    Inspection,
    InspectionDialect,
    Question,
    ScopeRules,
    asking,
    refused,
    scopes_in,
    unanswered,
)
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.questions import Ask, asking_with

# Source: https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html
SCOPES: Final = ScopeRules(
    sufficient=frozenset({"REPO_WRITE", "REPO_ADMIN"}),
    # None is narrowed to a repository; what there is of a project's comes besides.
    unbounded=frozenset({"REPO_WRITE", "REPO_ADMIN"}),
    powerful=frozenset({"REPO_ADMIN", "PROJECT_ADMIN"}),
    harmless=frozenset({"REPO_READ", "PROJECT_READ"}),
    meanings={
        "REPO_WRITE": "push to every repository that its owner may write to",
        "REPO_ADMIN": "change settings and rights of every repository that its owner administers",
        "PROJECT_WRITE": "push to every repository of every project that its owner may write to",
        "PROJECT_ADMIN": "change settings and rights of every project that its owner administers",
    },
)
_SCOPE: Final = re.compile(r"[A-Z_]{1,64}")
_PREFIX: Final = "BBDC-"
_ID: Final = re.compile(rb"([0-9]{1,20}):")


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the form; whose it is tells more."""
    return TokenKind.PERSONAL if _id_of(token) else TokenKind.OTHER


def _id_of(token: Secret) -> str:
    """Return the id that is written in an HTTP access token, before its secret; empty for none."""
    text = token.reveal().removeprefix(_PREFIX)
    try:
        found = _ID.match(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""
    return found[1].decode() if found else ""


def _inspect(question: Question) -> Conversation[Inspection]:
    ask = asking_with(question.credential)
    try:
        (told,) = yield from ask(requests.anything())
        found = yield from account(ask, told)
    except Rejected as error:
        if error.reason == ForgeRefusal.UNAUTHORIZED:
            return refused(question.kind)
        forbidden = error.reason == ForgeRefusal.FORBIDDEN
        why = TokenReason.FORBIDDEN if forbidden else TokenReason.NOT_UNDERSTOOD
        return unanswered(question.kind, why, detail=error.message)
    if found.user is None:
        # It is a project's or a repository's, and does not say which.
        return Inspection(kind=TokenKind.REPOSITORY, validity=TokenValidity.VALID)
    body = yield from _of_itself(ask, question, slug=shapes.text_at(found.node, "slug"))
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=found.user,
        is_person={"NORMAL": True, "SERVICE": False}.get(shapes.text_at(found.node, "type")),
        standing=_standing(shapes.part_at(found.node, "active")),
        scopes=scopes_in(body.get("permissions"), _SCOPE),
        expires_at=_moment(body, "expiryDate"),
        expiry_known="expiryDate" in body,
        created_at=_moment(body, "createdDate"),
        last_used_at=_moment(body, "lastAuthenticated"),
    )


def _of_itself(ask: Ask, question: Question, *, slug: str) -> Conversation[dict[str, Any]]:
    """Ask for what is known of the token; nothing where it may not be asked."""
    held = question.credential
    token_id = _id_of(held.password if isinstance(held, Basic) else held)
    if not token_id or not slug:
        return {}
    url = f"/access-tokens/latest/users/{quote(slug, safe='')}/{token_id}"
    (answer,) = yield from ask(asking(url))
    body = answer.accepted or {}
    return body if str(body.get("id")) == token_id else {}


def _standing(active: Any) -> TokenOwnerStanding:
    if not isinstance(active, bool):
        return TokenOwnerStanding.UNSPECIFIED
    return TokenOwnerStanding.ACTIVE if active else TokenOwnerStanding.DEACTIVATED


def _moment(body: dict[str, Any], name: str) -> datetime | None:
    """Read milliseconds, or the text that the description has."""
    return shapes.moment_of(body.get(name), per_s=1000) or shapes.moment_at(body, name)


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.PERSONAL}),
    scopes=SCOPES,
    advice="use one of an account that may write to that repository alone",
)
