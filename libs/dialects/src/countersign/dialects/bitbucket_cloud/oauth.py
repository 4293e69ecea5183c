"""Signing in at Bitbucket Cloud. Pure.

An OAuth consumer has its scopes by itself: none are asked for, and those of the token are read. Its
tokens reach all repositories of a person, end after two hours, and nobody can end one before.
Source: https://developer.atlassian.com/cloud/bitbucket/oauth-2/
"""

from typing import Final

from countersign.dialects.bitbucket_cloud import answers, requests
from countersign.dialects.delegation.code_flow import CodeFlow, own_issuers, whose
from countersign.dialects.delegation.oauth import OAuthDialect

# What a promotion needs is the last and the account; it implies the others.
SCOPES: Final = frozenset(
    {"account", "repository", "repository:write", "pullrequest", "pullrequest:write"}
)
# Bitbucket documents no PKCE, and the secret proves who asks.
_FLOW: Final = CodeFlow(
    authorize_path="/site/oauth2/authorize",
    exchange_path="/site/oauth2/access_token",
    is_challenged=False,
    secret_in_form=False,
)

OAUTH: Final = OAuthDialect(
    issuers=own_issuers,
    authorize_url=_FLOW.authorize_url,
    exchange=_FLOW.exchange,
    whose=whose(requests.user(), answers.user_of, advice="the OAuth consumer needs Account: Read"),
    scopes=lambda _: SCOPES,
)
