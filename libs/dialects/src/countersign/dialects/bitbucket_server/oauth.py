"""Signing in at Bitbucket Data Center, by an incoming application link. Pure.

A token reaches all repositories of a person, ends after an hour, and nobody can end one before but
the person, in their settings.
Source: https://confluence.atlassian.com/bitbucketserver/bitbucket-oauth-2-0-provider-api-1108483661.html
"""

from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.bitbucket_server import requests
from countersign.dialects.bitbucket_server.accounts import account
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation.code_flow import CodeFlow, own_issuers
from countersign.dialects.delegation.oauth import Delegated, Grant, OAuthDialect, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.repositories.questions import asking_with

# It brings the others, and writes pull requests.
ASKED: Final = frozenset({"REPO_WRITE"})
SCOPES: Final = ASKED | {"REPO_READ", "PUBLIC_REPOS"}
_FLOW: Final = CodeFlow(
    authorize_path="/rest/oauth2/latest/authorize",
    exchange_path="/rest/oauth2/latest/token",
    scopes=ASKED,
)


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    """An answer without scopes gives what was asked for.

    Source: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    """
    delegated = yield from _FLOW.exchange(at, grant)
    return replace(delegated, scopes=delegated.scopes or ASKED)


def _whose(at: Registration, token: Secret, _owner: str) -> Conversation[ForgeUser]:
    ask = asking_with(token)
    (told,) = yield from ask(requests.anything())
    found = (yield from account(ask, told)).user
    if found is None:
        raise Rejected(DelegationRefusal.DENIED, f"{at.where}: the answer names no user")
    return found


OAUTH: Final = OAuthDialect(
    issuers=own_issuers,
    authorize_url=_FLOW.authorize_url,
    exchange=_exchange,
    whose=_whose,
    scopes=lambda _: SCOPES,
)
