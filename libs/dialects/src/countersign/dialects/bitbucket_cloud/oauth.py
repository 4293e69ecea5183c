"""Signing in at Bitbucket Cloud. Pure.

An OAuth consumer has its scopes by itself: none are asked for, and those of the token are read. Its
tokens reach all repositories of a person, end after two hours, and nobody can end one before.
Source: https://developer.atlassian.com/cloud/bitbucket/oauth-2/
"""

from typing import Any, Final
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.bitbucket_cloud import answers, requests
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation import token_answers
from countersign.dialects.delegation.oauth import (
    Challenge,
    Delegated,
    Grant,
    OAuthDialect,
    Registration,
)
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Request

# What a promotion needs is the last and the account; it implies the others.
SCOPES: Final = frozenset(
    {"account", "repository", "repository:write", "pullrequest", "pullrequest:write"}
)
_TIMEOUT_S: Final = 5.0
_OVER: Final = frozenset({"invalid_grant"})
_OURS: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"}
)
_REFUSED: Final = frozenset({400, 401, 403})


def _issuers(forge: Forge) -> frozenset[str]:
    return frozenset({forge.origin, f"{forge.origin}/"})


def _authorize_url(at: Registration, challenge: Challenge) -> str:
    """Ask without a challenge: Bitbucket documents no PKCE, and the secret proves who asks."""
    query = {
        "client_id": at.client_id,
        "redirect_uri": at.redirect_uri,
        "response_type": "code",
        "state": challenge.state,
    }
    return f"{at.forge.origin}/site/oauth2/authorize?{urlencode(query)}"


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    request = Request(
        name="exchange the code",
        method="POST",
        url=f"{at.forge.origin}/site/oauth2/access_token",
        form={
            "grant_type": "authorization_code",
            "code": grant.code,
            "redirect_uri": at.redirect_uri,
        },
        basic=at.credentials,
        passes=_REFUSED,
        timeout_s=_TIMEOUT_S,
    )
    answer = yield from ask(request)
    body = token_answers.object_of(answer, where=at.where)
    if answer.status != answers.OK:
        word = token_answers.error_word(body)
        raise token_answers.exchange_refusal(word, over=_OVER, ours=_OURS, where=at.where)
    return Delegated(
        token=token_answers.token_in(body, where=at.where),
        expires_in_s=token_answers.lifetime_in(body),
        scopes=_scopes(body),
    )


def _scopes(body: dict[str, Any]) -> frozenset[str]:
    """Read them by their newer and their older name."""
    told = body.get("scope") or body.get("scopes")
    return frozenset(told.replace(",", " ").split()) if isinstance(told, str) else frozenset()


def _whose(at: Registration, token: Secret) -> Conversation[ForgeUser]:
    answer = yield from ask(requests.user(), token)
    found = answers.user_of(answer.json()) if answer.status == answers.OK else None
    if found is None:
        raise Rejected(
            DelegationRefusal.DENIED,
            f"{at.where}: the answer names no user; the OAuth consumer needs Account: Read",
        )
    return found


OAUTH: Final = OAuthDialect(
    issuers=_issuers,
    authorize_url=_authorize_url,
    exchange=_exchange,
    whose=_whose,
    scopes=SCOPES,
)
