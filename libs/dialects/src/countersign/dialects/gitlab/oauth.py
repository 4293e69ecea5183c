"""Signing in at GitLab, and what a token may do there. Pure.

A token of the scope `api` may do all that the person may, for there is none for code and merge
requests alone. It ends after two hours, and is revoked after its use.
Source: https://docs.gitlab.com/api/oauth2/
"""

from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation.code_flow import (
    REFUSED,
    TIMEOUT_S,
    CodeFlow,
    own_issuers,
    whose,
)
from countersign.dialects.delegation.device_flow import DeviceFlow
from countersign.dialects.delegation.oauth import OAuthDialect, Registration, SignInByCode
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import OK, Request
from countersign.dialects.gitlab import answers, requests

# Source: https://docs.gitlab.com/integration/oauth_provider/#view-all-authorized-applications
SCOPES: Final = frozenset({"api"})
_FLOW: Final = CodeFlow(
    authorize_path="/oauth/authorize", exchange_path="/oauth/token", scopes=SCOPES
)
# Source: https://docs.gitlab.com/api/oauth2/#device-authorization-grant-flow
_DEVICE_FLOW: Final = DeviceFlow(code_flow=_FLOW, begin_path="/oauth/authorize_device")


def _revoke(at: Registration, token: Secret) -> Conversation[None]:
    """End it; GitLab answers so of one that has ended already, too.

    Source: https://docs.gitlab.com/api/oauth2/#revoke-a-token
    """
    request = Request(
        name="revoke the token",
        method="POST",
        url=f"{at.forge.origin}/oauth/revoke",
        form={"client_id": at.client_id, "client_secret": at.secret(), "token": token},
        passes=REFUSED,
        timeout_s=TIMEOUT_S,
    )
    answer = yield from ask(request)
    if answer.status in {401, 403}:
        raise Rejected(
            DelegationRefusal.NO_CLIENT, f"{at.where} refused the application's own id and secret"
        )
    if answer.status != OK:
        raise Rejected(
            DelegationRefusal.REFUSED,
            f"{at.where}: the revocation was answered with {answer.status}",
        )


OAUTH: Final = OAuthDialect(
    issuers=own_issuers,
    authorize_url=_FLOW.authorize_url,
    exchange=_FLOW.exchange,
    whose=whose(requests.user(), answers.user_of),
    by_code=SignInByCode(begin=_DEVICE_FLOW.begin, poll=_DEVICE_FLOW.poll),
    revoke=_revoke,
    scopes=_FLOW.scopes_at,
    advice="let access tokens of the application expire, in its settings",
)
