"""Signing in at Gitea and Forgejo, and what a token may do there. Pure.

What was asked for is not what is given: no scope, and words that are not understood, mean
everything there, and a consent keeps the scope that it was given first. So the forge is asked what
each token may do. Nobody but the person can end a token: it is forgotten, and ends after an hour
by itself.
Source: https://docs.gitea.com/development/oauth2-provider
"""

from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation import token_answers
from countersign.dialects.delegation.code_flow import (
    OVER,
    TIMEOUT_S,
    CodeFlow,
    own_issuers,
    whose,
)
from countersign.dialects.delegation.oauth import Delegated, Grant, OAuthDialect, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import OK, Request
from countersign.dialects.gitea import answers, requests

# Whose it is, and code and pull requests of the repositories that the person may write to.
SCOPES: Final = frozenset({"read:user", "write:repository"})
# Asked for besides where pull requests are given labels, whose numbers it tells.
LABELLING: Final = frozenset({"read:issue"})
_NEEDED: Final = "write:repository"
_SCOPE_CHARACTERS_MAX: Final = 1024
_NO_TOKEN: Final = Secret("")
_FLOW: Final = CodeFlow(
    authorize_path="/login/oauth/authorize",
    exchange_path="/login/oauth/access_token",
    scopes=SCOPES,
    labelling=LABELLING,
    # A code that is over, used, unknown or another's, and a wrong secret, are the same word there.
    over=OVER | {"unauthorized_client"},
    doubt=", or the secret on the forge list is wrong",
)


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    delegated = yield from _FLOW.exchange(at, grant)
    return replace(delegated, scopes=(yield from _scopes(at, delegated.token)))


def _scopes(at: Registration, token: Secret) -> Conversation[frozenset[str]]:
    """Ask what the token may do.

    An expired, refused or foreign token is answered with a text and 401, that of a deactivated
    person with a page.
    Source: https://www.rfc-editor.org/rfc/rfc7662
    """
    answer = yield from ask(_introspection(at, token))
    if answer.status != OK:
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
    if scopes and scopes <= _FLOW.scopes_at(at.forge) and _NEEDED not in scopes:
        raise Rejected(
            DelegationRefusal.CANNOT_WRITE,
            f"{at.where}: the token may not write; take the application away in your settings "
            "there and promote again",
        )
    return scopes


def _prove(at: Registration) -> Conversation[None]:
    """Ask about no token: only who does not show the right secret is asked who they are.

    Of a token that it does not know it says so before it looks at the secret.
    Source: https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
    """
    answer = yield from ask(_introspection(at, _NO_TOKEN))
    if "www-authenticate" in answer.headers:
        raise Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{at.where} does not take the client secret; is it right, and the application there a "
            "confidential client?",
        )


def _introspection(at: Registration, token: Secret) -> Request:
    return Request(
        name="ask what the token may do",
        method="POST",
        url=f"{at.forge.origin}/login/oauth/introspect",
        form={"token": token},
        basic=at.credentials,
        accept="*/*",
        passes=frozenset({401}),
        timeout_s=TIMEOUT_S,
    )


OAUTH: Final = OAuthDialect(
    issuers=own_issuers,
    authorize_url=_FLOW.authorize_url,
    exchange=_exchange,
    prove=_prove,
    whose=whose(requests.user(), answers.user_of),
    scopes=_FLOW.scopes_at,
)
