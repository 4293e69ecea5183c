"""Asking a forge, in its own way, about a token that is stored. Pure.

Unknown stays unknown: what a forge does not tell is not guessed. No text ever quotes the token.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Request, Token, get

# No forge has more words for what a token may do.
SCOPES_MAX: Final = 64
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
_SENDABLE: Final = re.compile(r"[A-Za-z0-9_.~+/=-]{8,4096}")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The outcome of one question.

    Args:
        kind: as the forge divides them.
        validity: unknown unless the forge itself accepted or refused the token.
        why: it is not valid or not known.
        detail: what the forge or the way to it said besides, for a person.
        owner: whose it is; none for what belongs to no account.
        is_person: whether the owner is a person's account; none where that is not told.
        standing: of the owner's account, where the forge tells.
        scopes: none for kinds that have permissions instead, and where they are not told.
        repositories: the only ones that it reaches, `owner/name`; none where it reaches others, or
            the forge does not tell.
        expires_at: none with `expiry_known`: never.
        expiry_known: whether the forge told about the expiry at all.
        created_at: where the forge tells.
        last_used_at: by anybody, where the forge tells.
        rest_until: before this nothing more may be asked with this token.
        version: of the answer, by which the forge can be asked if it has changed (an ETag).

    """

    kind: TokenKind
    validity: TokenValidity
    why: TokenReason = TokenReason.UNSPECIFIED
    detail: str = ""
    owner: ForgeUser | None = None
    is_person: bool | None = None
    standing: TokenOwnerStanding = TokenOwnerStanding.UNSPECIFIED
    scopes: tuple[str, ...] | None = None
    repositories: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    expiry_known: bool = False
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    rest_until: datetime | None = None
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class ScopeRules:
    """The meaning of scopes to a promotion.

    Args:
        sufficient: any one of them is enough to open a pull request.
        labelling: any one of them is enough to set labels, where that takes one.
        unbounded: reach every repository of the owner.
        powerful: change what no promotion needs.
        harmless: neither needed nor a danger.
        meanings: the abilities that each gives, after "it can".

    """

    sufficient: frozenset[str]
    labelling: frozenset[str] = frozenset()
    unbounded: frozenset[str] = frozenset()
    powerful: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()
    meanings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question about a token.

    Args:
        credential: the token as it is presented.
        kind: the kind that it seems to be.
        now: the moment of asking.
        owners: of the repositories that it is for, as the forge list lets it reach them.
        before: the last answer about this very token, for forges that tell if it is still true.

    """

    credential: Token
    kind: TokenKind
    now: datetime
    owners: tuple[str, ...] = ()
    before: Inspection | None = None


@dataclass(frozen=True, kw_only=True)
class InspectionDialect:
    """One kind of forge.

    Args:
        kind_of: by the token's form.
        inspect: asks the forge; fails only as the transport does.
        scoped: kinds of tokens that have scopes, and what those mean.
        advice: what is better than a token with unbounded scopes.
        outdated: kinds in whose place the forge has a narrower one.

    """

    kind_of: Callable[[Secret], TokenKind]
    inspect: Callable[[Question], Conversation[Inspection]]
    scoped: frozenset[TokenKind] = frozenset()
    scopes: ScopeRules = field(default=ScopeRules(sufficient=frozenset()))
    advice: str = "use one that reaches that repository alone"
    outdated: frozenset[TokenKind] = frozenset()


def is_sendable(token: Secret) -> bool:
    """Say if it could be a token; a line break in a header would end up in an error's text."""
    return bool(_SENDABLE.fullmatch(token.reveal()))


def asking(url: str) -> Request:
    """Ask with a token; what refuses it is read by whoever asks."""
    return get("inspect token", url, frozenset({UNAUTHORIZED, FORBIDDEN, NOT_FOUND}))


def scopes_in(told: object, form: re.Pattern[str]) -> tuple[str, ...] | None:
    """Return what is a word of the forge, each once; none where there is no list of them."""
    if not isinstance(told, list):
        return None
    found = {scope for scope in told if isinstance(scope, str) and form.fullmatch(scope)}
    return tuple(sorted(found))[:SCOPES_MAX]


def scopes_in_header(answer: Answer, form: re.Pattern[str]) -> tuple[str, ...] | None:
    """Return those of the header that two vendors tell them in; none where it is not there."""
    told = answer.headers.get("x-oauth-scopes")
    return None if told is None else scopes_in([word.strip() for word in told.split(",")], form)


def refused(kind: TokenKind) -> Inspection:
    """Return the inspection of a token that the forge does not know."""
    return Inspection(kind=kind, validity=TokenValidity.INVALID, why=TokenReason.REFUSED)


def not_told(kind: TokenKind, answer: Answer) -> Inspection:
    """Return the inspection of a token of which the forge tells nothing with that answer."""
    forbidden = answer.status == FORBIDDEN
    why = TokenReason.FORBIDDEN if forbidden else TokenReason.NOT_UNDERSTOOD
    return unanswered(kind, why, detail=f"it answered {answer.status}")


def unanswered(
    kind: TokenKind,
    why: TokenReason,
    *,
    detail: str = "",
    rest_until: datetime | None = None,
) -> Inspection:
    """Return an inspection that learned nothing."""
    return Inspection(
        kind=kind, validity=TokenValidity.UNKNOWN, why=why, detail=detail, rest_until=rest_until
    )
