"""Questions to Bitbucket Cloud about a stored token. Pure.

It tells an account and the scopes, and neither an end nor a use: both stay unknown.
"""

import re
from typing import Final

from countersign.contracts.messages import (
    TokenKind,
    TokenOwnerStanding,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects import shapes
from countersign.dialects.bitbucket_cloud import answers
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.inspection import (
    FORBIDDEN,
    UNAUTHORIZED,
    Inspection,
    InspectionDialect,
    Question,
    ScopeRules,
    asking,
    not_told,
    refused,
    scopes_in_header,
)

# Words of access tokens and consumers, and those of API tokens.
# Source: https://developer.atlassian.com/cloud/bitbucket/rest/intro/#authentication
SCOPES: Final = ScopeRules(
    sufficient=frozenset({"pullrequest:write", "write:pullrequest:bitbucket"}),
    powerful=frozenset(
        {
            "account:write",
            "project:admin",
            "repository:admin",
            "repository:delete",
            "webhook",
            "pipeline:write",
            "pipeline:variable",
            "runner:write",
            "admin:project:bitbucket",
            "admin:repository:bitbucket",
            "admin:workspace:bitbucket",
            "admin:pipeline:bitbucket",
            "delete:repository:bitbucket",
            "write:webhook:bitbucket",
            "write:pipeline:bitbucket",
            "write:ssh-key:bitbucket",
        }
    ),
    harmless=frozenset(
        {
            "account",
            "repository",
            "repository:write",
            "pullrequest",
            "read:user:bitbucket",
            "read:account",
            "read:repository:bitbucket",
            "write:repository:bitbucket",
            "read:pullrequest:bitbucket",
            "read:workspace:bitbucket",
        }
    ),
    meanings={
        "account:write": "change its owner's account",
        "project:admin": "administer projects",
        "repository:admin": "change settings and rights of every repository that it reaches",
        "repository:delete": "delete any repository that it reaches",
        "webhook": "make and delete webhooks",
        "pipeline:write": "run pipelines, which see their secrets",
        "pipeline:variable": "read and change variables of pipelines",
        "runner:write": "make and delete runners",
        "admin:project:bitbucket": "administer projects",
        "admin:repository:bitbucket": "change settings and rights of every repository",
        "admin:workspace:bitbucket": "administer workspaces",
        "admin:pipeline:bitbucket": "change settings and variables of pipelines",
        "delete:repository:bitbucket": "delete any repository that its owner administers",
        "write:webhook:bitbucket": "make and change webhooks",
        "write:pipeline:bitbucket": "run pipelines, which see their secrets",
        "write:ssh-key:bitbucket": "add SSH keys to its owner's account, and so push as them",
        "pullrequest:write": "write pull requests of every repository that it reaches",
        "repository:write": "push to every repository that it reaches",
    },
)
_SCOPE: Final = re.compile(r"[a-z0-9:_-]{1,64}")
# Prefixes as the vendor's staff tells them: of API tokens, and of access tokens of a repository,
# project or workspace, which look alike.
_OF_PERSONS: Final = "ATAT"
_OF_REPOSITORIES: Final = "ATCT"
# Disabled since June 2026.
_APP_PASSWORD: Final = "ATBB"  # noqa: S105 - a prefix


def token_kind(token: Secret) -> TokenKind:
    """Tell the kind by the form, as far as that goes."""
    text = token.reveal()
    if text.startswith(_OF_PERSONS):
        return TokenKind.PERSONAL
    if text.startswith(_APP_PASSWORD):
        return TokenKind.CLASSIC
    return TokenKind.REPOSITORY if text.startswith(_OF_REPOSITORIES) else TokenKind.OTHER


def _inspect(question: Question) -> Conversation[Inspection]:
    answer = yield from ask(asking("/user"), question.credential)
    if answer.status == UNAUTHORIZED:
        return refused(question.kind)
    scopes = scopes_in_header(answer, _SCOPE)
    if answer.status == FORBIDDEN and scopes is not None:
        # The forge knows it, and keeps back whose it is: one of a repository, or without the scope.
        return Inspection(kind=question.kind, validity=TokenValidity.VALID, scopes=scopes)
    account = answer.accepted
    if account is None:
        return not_told(question.kind, answer)
    kind = shapes.text_at(account, "type")
    return Inspection(
        kind=question.kind,
        validity=TokenValidity.VALID,
        owner=answers.user_of(account),
        is_person={"user": True, "app_user": False, "team": False}.get(kind),
        standing=TokenOwnerStanding.ACTIVE
        if shapes.text_at(account, "account_status") == "active"
        else TokenOwnerStanding.UNSPECIFIED,
        scopes=scopes,
    )


INSPECTION: Final = InspectionDialect(
    kind_of=token_kind,
    inspect=_inspect,
    scoped=frozenset(
        {TokenKind.PERSONAL, TokenKind.REPOSITORY, TokenKind.CLASSIC, TokenKind.OTHER}
    ),
    scopes=SCOPES,
    advice="use an access token of that repository",
    outdated=frozenset({TokenKind.CLASSIC}),
)
