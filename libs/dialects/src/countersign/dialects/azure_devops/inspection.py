"""Questions to Azure DevOps about a stored token. Pure.

It tells whose a token is, and of a personal one neither scopes nor an end: those are told to a
person's sign-in alone. A token of Entra ID says both itself as long as it is not encrypted, which
is believed once Azure DevOps accepted it.
Source: https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/manage-personal-access-tokens-via-api
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.contracts.wire.times import plausible
from countersign.dialects import shapes
from countersign.dialects.azure_devops import answers, requests, words
from countersign.dialects.azure_devops.scopes import SCOPES
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation.web_tokens import claims_in, is_web_token
from countersign.dialects.exchange import OK, Answer, Basic, Token
from countersign.dialects.inspection import (
    Inspection,
    InspectionDialect,
    Question,
    unanswered,
)
from countersign.dialects.refusals import ForgeRefusal

SCOPES_MAX: Final = 64
_SCOPE: Final = re.compile(r"[a-z0-9._]{1,64}")
# What the name of an account begins with.
# Source: https://learn.microsoft.com/en-us/rest/api/azure/devops/graph/
_ARE_PERSONS: Final = {"aad": True, "msa": True, "aadsp": False, "svc": False}
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_READ_HERE: Final = frozenset({words.NON_AUTHORITATIVE, 302, 401, 403, 404})


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the form: one of Entra ID is a JSON Web Token."""
    return TokenKind.OAUTH_APP if is_web_token(token) else TokenKind.PERSONAL


def _inspect(question: Question) -> Conversation[Inspection]:
    """Ask in the organization that the token is for: nothing else knows whose it is."""
    if not question.owners:
        return unanswered(
            question.kind,
            TokenReason.NOT_INSPECTED,
            detail="no repository that it may be used for says in which organization to ask",
        )
    asked = requests.inspect(question.owners[0], passes=_READ_HERE)
    answer = yield from ask(asked, question.credential)
    refusal = words.ERRORS.reason(answer)
    if refusal is ForgeRefusal.SIGN_ON_WANTED:
        return unanswered(question.kind, TokenReason.SIGN_ON_WANTED)
    if refusal is ForgeRefusal.UNAUTHORIZED or answer.status == _UNAUTHORIZED:
        return _refused(question)
    account = _account(answer)
    if account is None:
        why = TokenReason.FORBIDDEN if answer.status == _FORBIDDEN else TokenReason.NOT_UNDERSTOOD
        return unanswered(question.kind, why, detail=f"it answered {answer.status}")
    owner = answers.account_of(account)
    # Whoever is nobody there may read what is public, with a token or without.
    return _of_account(question, account) if owner else _refused(question)


def _refused(question: Question) -> Inspection:
    return Inspection(kind=question.kind, validity=TokenValidity.INVALID, why=TokenReason.REFUSED)


def _of_account(question: Question, account: dict[str, Any]) -> Inspection:
    claims = claims_in(_secret_of(question.credential))
    ends, begins = (_moment(claims.get(name)) for name in ("exp", "iat"))
    kind, _, _ = shapes.text_at(account, "subjectDescriptor").partition(".")
    active = shapes.part_at(account, "isActive") is True
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=answers.account_of(account),
        is_person=_ARE_PERSONS.get(kind),
        standing=TokenOwnerStanding.ACTIVE if active else TokenOwnerStanding.UNSPECIFIED,
        scopes=_scopes(claims.get("scp")),
        expires_at=ends,
        expiry_known=ends is not None,
        created_at=begins,
    )


def _secret_of(token: Token) -> Secret:
    return token.password if isinstance(token, Basic) else token


def _scopes(told: Any) -> tuple[str, ...] | None:
    """Return those of a person's token; one of an application itself has none."""
    if not isinstance(told, str):
        return None
    return tuple(sorted(s for s in set(told.split()) if _SCOPE.fullmatch(s)))[:SCOPES_MAX]


def _moment(told: Any) -> datetime | None:
    try:
        return plausible(datetime.fromtimestamp(told, UTC)) if type(told) is int else None
    except (ValueError, OverflowError, OSError):
        return None


def _account(answer: Answer) -> dict[str, Any] | None:
    try:
        body = answer.json() if answer.status == OK else None
    except Rejected:
        return None
    found = shapes.part_at(body, "authenticatedUser")
    return found if isinstance(found, dict) else None


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.OAUTH_APP, TokenKind.PERSONAL}),
    scopes=SCOPES,
    advice="use a service principal that may write to that repository alone",
)
