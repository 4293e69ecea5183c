"""Signing in at GitLab, and what a token may do there. Pure.

A token of the scope `api` may do all that the person may, for there is none for code and merge
requests alone. It ends after two hours, and is revoked after its use.
Source: https://docs.gitlab.com/api/oauth2/
"""

from typing import Final
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
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
from countersign.dialects.gitlab import answers, requests

# Source: https://docs.gitlab.com/integration/oauth_provider/#view-all-authorized-applications
SCOPES: Final = frozenset({"api"})
_TIMEOUT_S: Final = 5.0
_OVER: Final = frozenset({"invalid_grant"})
_OURS: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"}
)
_REFUSED: Final = frozenset({400, 401, 403})


def _issuers(forge: Forge) -> frozenset[str]:
    return frozenset({forge.origin, f"{forge.origin}/"})


def _authorize_url(at: Registration, challenge: Challenge) -> str:
    query = {
        "client_id": at.client_id,
        "redirect_uri": at.redirect_uri,
        "response_type": "code",
        "scope": " ".join(sorted(SCOPES)),
        "state": challenge.state,
        "code_challenge": challenge.code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{at.forge.origin}/oauth/authorize?{urlencode(query)}"


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    form: dict[str, str | Secret] = {
        "grant_type": "authorization_code",
        "client_id": at.client_id,
        "client_secret": at.secret(),
        "code": grant.code,
        "code_verifier": grant.verifier,
        "redirect_uri": at.redirect_uri,
    }
    request = Request(
        name="exchange the code",
        method="POST",
        url=f"{at.forge.origin}/oauth/token",
        form=form,
        passes=_REFUSED,
        timeout_s=_TIMEOUT_S,
    )
    answer = yield from ask(request)
    body = token_answers.object_of(answer, where=at.where)
    if answer.status != answers.OK:
        word = token_answers.error_word(body)
        raise token_answers.exchange_refusal(word, over=_OVER, ours=_OURS, where=at.where)
    scope = body.get("scope")
    return Delegated(
        token=token_answers.token_in(body, where=at.where),
        expires_in_s=token_answers.lifetime_in(body),
        scopes=frozenset(scope.split()) if isinstance(scope, str) else frozenset(),
    )


def _whose(at: Registration, token: Secret) -> Conversation[ForgeUser]:
    answer = yield from ask(requests.user(), token)
    found = answers.user_of(answer.json()) if answer.status == answers.OK else None
    if found is None:
        raise Rejected(DelegationRefusal.DENIED, f"{at.where}: the answer names no user")
    return found


def _revoke(at: Registration, token: Secret) -> Conversation[None]:
    """End it; GitLab answers so of one that has ended already, too.

    Source: https://docs.gitlab.com/api/oauth2/#revoke-a-token
    """
    request = Request(
        name="revoke the token",
        method="POST",
        url=f"{at.forge.origin}/oauth/revoke",
        form={"client_id": at.client_id, "client_secret": at.secret(), "token": token},
        passes=_REFUSED,
        timeout_s=_TIMEOUT_S,
    )
    answer = yield from ask(request)
    if answer.status in {401, 403}:
        raise Rejected(
            DelegationRefusal.NO_CLIENT, f"{at.where} refused the application's own id and secret"
        )
    if answer.status != answers.OK:
        raise Rejected(
            DelegationRefusal.REFUSED,
            f"{at.where}: the revocation was answered with {answer.status}",
        )


OAUTH: Final = OAuthDialect(
    issuers=_issuers,
    authorize_url=_authorize_url,
    exchange=_exchange,
    whose=_whose,
    revoke=_revoke,
    scopes=SCOPES,
    advice="let access tokens of the application expire, in its settings",
)
