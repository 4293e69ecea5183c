"""Signing in at Gitea and Forgejo, and what a token may do there. Pure.

What was asked for is not what is given: no scope, and words that are not understood, mean
everything there, and a consent keeps the scope that it was given first. So the forge is asked what
each token may do. Nobody but the person can end a token: it is forgotten, and ends after an hour
by itself.
Source: https://docs.gitea.com/development/oauth2-provider
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
from countersign.dialects.gitea import answers, requests

# Whose it is, and code and pull requests of the repositories that the person may write to.
SCOPES: Final = frozenset({"read:user", "write:repository"})
_NEEDED: Final = "write:repository"
_TIMEOUT_S: Final = 5.0
_OK: Final = 200
_SCOPE_CHARACTERS_MAX: Final = 1024
# A code that is over, used, unknown or another's, and a wrong secret, are the same word there.
_OVER: Final = frozenset({"unauthorized_client", "invalid_grant"})
_DOUBT: Final = ", or the secret on the forge list is wrong"
_OURS: Final = frozenset({"invalid_client", "invalid_request", "unsupported_grant_type"})


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
    return f"{at.forge.origin}/login/oauth/authorize?{urlencode(query)}"


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    form: dict[str, str | Secret] = {
        "grant_type": "authorization_code",
        "client_id": at.client_id,
        "client_secret": at.secret(),
        "code": grant.code,
        "code_verifier": grant.verifier,
        "redirect_uri": at.redirect_uri,
    }
    answer = yield from ask(
        Request(
            name="exchange the code",
            method="POST",
            url=f"{at.forge.origin}/login/oauth/access_token",
            form=form,
            passes=frozenset({400, 401}),
            timeout_s=_TIMEOUT_S,
        )
    )
    body = token_answers.object_of(answer, where=at.where)
    if answer.status != _OK:
        word = token_answers.error_word(body)
        raise token_answers.exchange_refusal(
            word, over=_OVER, ours=_OURS, where=at.where, doubt=_DOUBT
        )
    token = token_answers.token_in(body, where=at.where)
    scopes = yield from _scopes(at, token)
    return Delegated(token=token, expires_in_s=token_answers.lifetime_in(body), scopes=scopes)


def _scopes(at: Registration, token: Secret) -> Conversation[frozenset[str]]:
    """Ask what the token may do.

    An expired, refused or foreign token is answered with a text and 401, that of a deactivated
    person with a page.
    Source: https://www.rfc-editor.org/rfc/rfc7662
    """
    answer = yield from ask(
        Request(
            name="ask what the token may do",
            method="POST",
            url=f"{at.forge.origin}/login/oauth/introspect",
            form={"token": token},
            basic=at.credentials,
            accept="*/*",
            passes=frozenset({401}),
            timeout_s=_TIMEOUT_S,
        )
    )
    if answer.status != _OK:
        raise Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{at.where} does not say what the token may do ({answer.status}); is the application "
            "there a confidential client?",
        )
    told = token_answers.object_of(answer, where=at.where)
    # Where none was asked for there is no such field, and the token may do everything.
    scope, audience = told.get("scope") or "", told.get("aud")
    ours = told.get("active") is True and isinstance(audience, list) and at.client_id in audience
    if not ours or not isinstance(scope, str) or len(scope) > _SCOPE_CHARACTERS_MAX:
        raise Rejected(
            DelegationRefusal.DENIED, f"{at.where} does not know the token for one of ours"
        )
    scopes = frozenset(scope.split())
    if scopes and scopes <= SCOPES and _NEEDED not in scopes:
        raise Rejected(
            DelegationRefusal.CANNOT_WRITE,
            f"{at.where}: the token may not write; take the application away in your settings "
            "there and promote again",
        )
    return scopes


def _whose(at: Registration, token: Secret) -> Conversation[ForgeUser]:
    answer = yield from ask(requests.user(), token)
    found = answers.user_of(answer.json()) if answer.status == _OK else None
    if found is None:
        raise Rejected(DelegationRefusal.DENIED, f"{at.where}: the answer names no user")
    return found


OAUTH: Final = OAuthDialect(
    issuers=_issuers,
    authorize_url=_authorize_url,
    exchange=_exchange,
    whose=_whose,
    scopes=SCOPES,
)
