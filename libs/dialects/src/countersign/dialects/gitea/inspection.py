"""Questions to Gitea and Forgejo about a stored token. Pure.

A personal token never ends. Gitea tells any of them what it is since 1.27, and before that its
scopes as it refuses it for the want of one. Forgejo lists a person's tokens to any token that may
read the user. When a token was used last is this very question, where it is asked itself.
"""

import re
from dataclasses import replace
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.exchange import OK, Answer, Basic
from countersign.dialects.gitea import answers
from countersign.dialects.inspection import (
    FORBIDDEN,
    UNAUTHORIZED,
    Inspection,
    InspectionDialect,
    Question,
    ScopeRules,
    asking,
    refused,
    scopes_in,
    unanswered,
)

SCOPES: Final = ScopeRules(
    sufficient=frozenset({"write:repository", "all"}),
    labelling=frozenset({"read:issue", "write:issue", "all"}),
    # Neither vendor narrows a scope to a repository.
    unbounded=frozenset({"write:repository", "all"}),
    powerful=frozenset(
        {"all", "write:admin", "read:admin", "write:user", "write:organization", "write:package"}
    ),
    harmless=frozenset(
        {"read:user", "read:repository", "read:issue", "write:issue", "read:misc", "public-only"}
        | {"read:organization", "read:notification", "read:activitypub", "read:package"}
    ),
    meanings={
        "all": "do everything that its owner can, of administration too",
        "write:repository": "read and write code, settings and pull requests of every repository "
        "that its owner can, and delete what they administer",
        "write:admin": "administer the whole server",
        "read:admin": "read what administrators of the server can",
        "write:user": "change its owner's account, keys among it, and so push as them",
        "write:organization": "change and delete organizations of its owner, and their teams",
        "write:package": "publish and delete packages of its owner",
        "write:notification": "mark notifications of its owner",
        "write:activitypub": "act in the fediverse in its owner's name",
        "write:misc": "change what belongs to no other scope",
    },
)
_PERSONAL: Final = re.compile(r"[0-9a-f]{40}")
_SCOPE: Final = re.compile(r"[a-z_:-]{1,64}")
_TOLD: Final = re.compile(r"token scope=([a-z_:,-]{1,1024})")
_LAST: Final = 8
_LISTED_MAX: Final = 50
_REPOSITORIES_MAX: Final = 100
_REPOSITORY: Final = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}")
# To the token of whoever was deactivated or forbidden to sign in; other refusals speak of scopes.
_PROHIBITED: Final = b"prohibited from signing in"
_PROHIBITED_BYTES_MAX: Final = 1024


def token_kind(token: Secret) -> TokenKind:
    """Tell a personal token by its form; one of an application is a signed JWT."""
    personal = _PERSONAL.fullmatch(token.reveal())
    return TokenKind.PERSONAL if personal else TokenKind.OAUTH_APP


def _inspect(question: Question) -> Conversation[Inspection]:
    endless = question.kind is TokenKind.PERSONAL
    answer = yield from ask(asking("/user"), question.credential)
    if answer.status == UNAUTHORIZED:
        return refused(question.kind)
    if answer.status == FORBIDDEN and _PROHIBITED in answer.body[:_PROHIBITED_BYTES_MAX]:
        return Inspection(
            kind=question.kind,
            validity=TokenValidity.INVALID,
            why=TokenReason.OWNER_DEACTIVATED,
            standing=TokenOwnerStanding.DEACTIVATED,
            expiry_known=endless,
        )
    told = yield from _current(question)
    if told is None and answer.status != OK:
        forbidden = answer.status == FORBIDDEN
        return Inspection(
            kind=question.kind,
            validity=TokenValidity.UNKNOWN,
            why=TokenReason.FORBIDDEN if forbidden else TokenReason.NOT_UNDERSTOOD,
            scopes=_told_scopes(answer),
            expiry_known=endless,
        )
    body = _body(answer) if answer.status == OK else shapes.part_at(told, "user")
    owner = answers.user_of(body)
    if owner is None:
        return unanswered(question.kind, TokenReason.NOT_UNDERSTOOD)
    row = told
    if row is None:
        listing = asking(f"/users/{owner.login}/tokens?limit={_LISTED_MAX}")
        row = _listed((yield from ask(listing, question.credential)), question.credential)
    reached, active = shapes.part_at(row, "repositories"), shapes.part_at(body, "active") is True
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=owner,
        standing=TokenOwnerStanding.ACTIVE if active else TokenOwnerStanding.UNSPECIFIED,
        scopes=scopes_in(shapes.part_at(row, "scopes"), _SCOPE),
        repositories=_names(reached) if isinstance(reached, list) else None,
        created_at=shapes.moment_at(row, "created_at"),
        last_used_at=shapes.moment_at(row, "last_used_at") if told is None else None,
        expiry_known=endless,
    )


def _current(question: Question) -> Conversation[Any]:
    """Ask what the token is; none where the forge does not tell, as of one of an application.

    Source: https://github.com/go-gitea/gitea/blob/main/routers/api/v1/token/token.go
    """
    # Who does not have it answers with a text.
    asked = replace(asking("/token"), accept="*/*")
    answer = yield from ask(asked, question.credential)
    return _body(answer) if answer.status == OK else None


def _listed(answer: Answer, credential: Secret | Basic) -> Any:
    """Return the token among its owner's, found by its last characters; none if several fit."""
    token = credential.password if isinstance(credential, Basic) else credential
    listed = _body(answer) if answer.status == OK else None
    found = [
        row
        for row in (listed if isinstance(listed, list) else [])
        if shapes.text_at(row, "token_last_eight") == token.reveal()[-_LAST:]
    ]
    return found[0] if len(found) == 1 else None


def _names(repositories: list[Any]) -> tuple[str, ...]:
    named = (shapes.text_at(row, "full_name") for row in repositories[:_REPOSITORIES_MAX])
    return tuple(sorted({name for name in named if _REPOSITORY.fullmatch(name)}))


def _told_scopes(answer: Answer) -> tuple[str, ...] | None:
    told = _TOLD.search(shapes.text_at(_body(answer), "message"))
    return scopes_in(told[1].split(","), _SCOPE) if told else None


def _body(answer: Answer) -> Any:
    try:
        return answer.json()
    except Rejected:
        return None


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset({TokenKind.PERSONAL}),
    scopes=SCOPES,
    advice="use one of an account that may write to that repository alone",
)
