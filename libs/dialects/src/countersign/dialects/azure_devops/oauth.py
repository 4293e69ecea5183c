"""Signing in at Entra ID for Azure DevOps. Pure.

People of one tenant sign in at its own address. A token reaches the code of all repositories that
a person may write to, ends after about an hour, and nobody can end one before. Without the scope
`offline_access` there is nothing to refresh it with.
Source: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow and
https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/entra-oauth
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.azure_devops import answers, requests
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation.code_flow import CodeFlow
from countersign.dialects.delegation.device import Pending
from countersign.dialects.delegation.device_flow import DeviceFlow
from countersign.dialects.delegation.oauth import (
    Delegated,
    Grant,
    OAuthDialect,
    Registration,
    SignInByCode,
)
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.delegation.web_tokens import claims_in

# Azure DevOps among the resources of Entra ID, by its two names.
RESOURCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"
_RESOURCES: Final = (RESOURCE, "https://app.vssps.visualstudio.com")
# Code and pull requests; it implies reading.
WRITE: Final = "vso.code_write"
SCOPES: Final = frozenset({WRITE, "vso.code"})
# `common` and its like would let in people of any tenant.
_ONE_TENANT: Final = re.compile(r"https?://[^/]+/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?")


def _base(at: Registration) -> str:
    """Return where people of the one tenant sign in.

    Raises:
        Rejected: `no_client`; the entry names none.

    """
    if not _ONE_TENANT.fullmatch(at.forge.sign_in):
        raise Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{at.where}: its entry does not say where people of one tenant sign in; the "
            "administrator can set signIn: https://login.microsoftonline.com/<id of the tenant>",
        )
    return at.forge.sign_in.rstrip("/")


def _issuers(forge: Forge) -> frozenset[str]:
    return frozenset({f"{forge.sign_in.rstrip('/')}/v2.0"}) if forge.sign_in else frozenset()


_FLOW: Final = CodeFlow(
    authorize_path="/oauth2/v2.0/authorize",
    exchange_path="/oauth2/v2.0/token",
    scopes=frozenset({f"{RESOURCE}/{WRITE}"}),
    base=_base,
)


# Entra ID says where a code is typed; it names one of these, at no origin of its sign-in.
# Source: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code
CODE_PAGES: Final = frozenset(
    {
        "https://microsoft.com/devicelogin",
        "https://www.microsoft.com/devicelogin",
        "https://www.microsoft.com/link",
        "https://login.microsoft.com/device",
    }
)
# Its page asks for no secret where a code begins; an application that has one proves itself when it
# asks for the token, so nobody else can use our name for that.
# Source: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code
_DEVICE_FLOW: Final = DeviceFlow(
    code_flow=_FLOW,
    begin_path="/oauth2/v2.0/devicecode",
    proves_itself=False,
    pages=CODE_PAGES,
)


def _exchange(at: Registration, grant: Grant) -> Conversation[Delegated]:
    return _for_us(at, (yield from _FLOW.exchange(at, grant)))


def _poll_device(at: Registration, code: Secret) -> Conversation[Delegated | Pending]:
    found = yield from _DEVICE_FLOW.poll(at, code)
    return found if isinstance(found, Pending) else _for_us(at, found)


def _for_us(at: Registration, delegated: Delegated) -> Delegated:
    """Return the token with its scopes, and refuse one that is meant for anybody else.

    The answer names the resource in front of each scope. The token itself is Azure DevOps' alone to
    read, which has begun to encrypt them; as long as one can be read, it must say the same.
    """
    claims = claims_in(delegated.token)
    tenant = _ONE_TENANT.fullmatch(at.forge.sign_in)
    if claims and (
        str(claims.get("aud")).rstrip("/") not in _RESOURCES
        or tenant is None
        or claims.get("tid") != tenant[1]
    ):
        raise Rejected(
            DelegationRefusal.NO_CLIENT,
            f"{at.where}: the token is for another resource or of another tenant than asked for",
        )
    inside = claims.get("scp")
    told = _of_resource(delegated.scopes or ()) | frozenset(
        inside.split() if isinstance(inside, str) else ()
    )
    return replace(delegated, scopes=told)


def _of_resource(scopes: Iterable[str]) -> frozenset[str]:
    """Take the resource from in front of its scopes; what is another's stays what it is."""
    prefixes = tuple(f"{name}/" for name in _RESOURCES)
    return frozenset(
        next((scope.removeprefix(p) for p in prefixes if scope.startswith(p)), scope)
        for scope in scopes
    )


def _whose(at: Registration, token: Secret, owner: str) -> Conversation[ForgeUser]:
    answer = yield from ask(requests.user(owner), token)
    found = answers.viewer_in(answer)
    if found is None:
        raise Rejected(
            DelegationRefusal.DENIED,
            f"{at.where}: the answer names no user; is this account in the organization?",
        )
    return found


OAUTH: Final = OAuthDialect(
    issuers=_issuers,
    authorize_url=_FLOW.authorize_url,
    exchange=_exchange,
    whose=_whose,
    by_code=SignInByCode(begin=_DEVICE_FLOW.begin, poll=_poll_device, pages=CODE_PAGES),
    scopes=lambda _: SCOPES,
)
