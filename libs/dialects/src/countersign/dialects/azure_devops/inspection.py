"""Questions to Azure DevOps about a stored token. Pure.

It tells whose a token is, and of a personal one neither scopes nor an end: those are told to a
person's sign-in alone. A token of Entra ID says both itself as long as it is not encrypted, which
is believed once Azure DevOps accepted it.
Source: https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/manage-personal-access-tokens-via-api
"""

import re
from typing import Any, Final

from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.azure_devops import answers, requests, words
from countersign.dialects.azure_devops.scopes import SCOPES
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation.web_tokens import claims_in, is_web_token
from countersign.dialects.exchange import Basic, Token
from countersign.dialects.inspection import (
    UNAUTHORIZED,
    Inspection,
    InspectionDialect,
    Question,
    not_told,
    refused,
    scopes_in,
    unanswered,
)
from countersign.dialects.refusals import ForgeRefusal

_SCOPE: Final = re.compile(r"[a-z0-9._]{1,64}")
# What the name of an account begins with.
# Source: https://learn.microsoft.com/en-us/rest/api/azure/devops/graph/
_ARE_PERSONS: Final = {"aad": True, "msa": True, "aadsp": False, "svc": False}
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
    if refusal is ForgeRefusal.UNAUTHORIZED or answer.status == UNAUTHORIZED:
        return refused(question.kind)
    account = shapes.part_at(answer.accepted, "authenticatedUser")
    if not isinstance(account, dict):
        return not_told(question.kind, answer)
    owner = answers.account_of(account)
    # Whoever is nobody there may read what is public, with a token or without.
    return _of_account(question, account) if owner else refused(question.kind)


def _of_account(question: Question, account: dict[str, Any]) -> Inspection:
    claims = claims_in(_secret_of(question.credential))
    ends, begins = (shapes.moment_of(claims.get(name)) for name in ("exp", "iat"))
    kind, _, _ = shapes.text_at(account, "subjectDescriptor").partition(".")
    active, told = shapes.part_at(account, "isActive") is True, claims.get("scp")
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=answers.account_of(account),
        is_person=_ARE_PERSONS.get(kind),
        standing=TokenOwnerStanding.ACTIVE if active else TokenOwnerStanding.UNSPECIFIED,
        # Of a person's; one of an application itself has none.
        scopes=scopes_in(told.split(), _SCOPE) if isinstance(told, str) else None,
        expires_at=ends,
        expiry_known=ends is not None,
        created_at=begins,
    )


def _secret_of(token: Token) -> Secret:
    return token.password if isinstance(token, Basic) else token


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.OAUTH_APP, TokenKind.PERSONAL}),
    scopes=SCOPES,
    advice="use a service principal that may write to that repository alone",
)
