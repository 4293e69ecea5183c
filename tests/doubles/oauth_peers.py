"""npm's oidc-provider as a forge: addresses and clients of each kind, and a browser there.

The provider knows nothing of us, so a mistake in a dialect cannot hide in a double of our own.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import httpx2
from doubles.oidc_provider import IdentityProvider, provider, sign_in_there
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import (
    Challenge,
    Delegated,
    Grant,
    Registration,
    challenge_of,
)
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.forges.http import ForgeHttp
from countersign.forges.oauth import OAuthClient

HOME: Final = "http://127.0.0.1:8080"
REDIRECT_URI: Final = f"{HOME}/sign-in/callback"
STATE: Final = "made-up-state"
# As forges make them: letters, digits and hyphens, the same in whatever form they are sent.
CLIENT_SECRET: Final = "made-up-secret-of-an-application"
VERIFIER: Final = Secret("made-up-verifier-0123456789-abcdefghij-0123456789")
TENANT: Final = "7f3c1f8e-0b6d-4a52-9a35-3f1f1c5f9d10"
RESOURCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"
LIVES_S: Final = 60
_DEVICE_GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
Kind = Literal[
    "azure-devops", "bitbucket-cloud", "bitbucket-server", "forgejo", "gitea", "github", "gitlab"
]


@dataclass(frozen=True, kw_only=True)
class Like:
    """A kind of forge, as far as the peer can stand for it.

    Args:
        kind: of our entry.
        told: scopes that our client is told of, none where it is told of none.
        challenged: whether PKCE is known.
        over: our reason for a code that gives nothing, in the peer's words for it.
        no_client: the same for a secret that is wrong.
        name: of our client there, where one kind has several.

    """

    kind: Kind
    told: frozenset[str] | None
    challenged: bool = True
    over: DelegationRefusal = DelegationRefusal.EXPIRED
    no_client: DelegationRefusal = DelegationRefusal.NO_CLIENT
    name: str = ""

    @property
    def client_id(self) -> str:
        return f"countersign-{self.name or self.kind}"


GITLAB: Final = Like(kind="gitlab", told=frozenset({"api"}))
# It has words of its own for both, which the peer does not say.
GITHUB: Final = Like(
    kind="github",
    told=None,
    over=DelegationRefusal.DENIED,
    no_client=DelegationRefusal.DENIED,
)
ENTRA: Final = Like(kind="azure-devops", told=frozenset({"vso.code_write"}))
ELSEWHERE: Final = Like(kind="azure-devops", told=None, name="elsewhere")
OTHER_TENANT: Final = Like(kind="azure-devops", told=None, name="other-tenant")
BITBUCKET_CLOUD: Final = Like(
    kind="bitbucket-cloud",
    told=frozenset({"account", "repository:write", "pullrequest:write"}),
    challenged=False,
)
_GITEA: Final = frozenset({"read:user", "write:repository"})
EACH: Final = (
    GITLAB,
    GITHUB,
    ENTRA,
    BITBUCKET_CLOUD,
    Like(kind="bitbucket-server", told=frozenset({"REPO_WRITE"})),
    Like(kind="gitea", told=_GITEA),
    Like(kind="forgejo", told=_GITEA),
)
WITH_DEVICE_FLOW: Final = (GITLAB, GITHUB, ENTRA)

_AUTHORIZE, _TOKEN, _REVOKE = "/oauth/authorize", "/oauth/token", "/oauth/revoke"
_INTROSPECT, _DEVICE = "/oauth/introspect", "/oauth/authorize_device"
_ENTRA_PATH: Final = f"/{TENANT}/oauth2/v2.0"
_ENTRA_SCOPE: Final = f"{RESOURCE}/vso.code_write"
_PROOF: Final = {"client_secret": CLIENT_SECRET}
# An application of GitHub and a consumer of Bitbucket Cloud have by themselves what they may do.
_GITHUBS: Final = {"scope": "api"}
_CONSUMERS: Final = {"scope": " ".join(sorted(BITBUCKET_CLOUD.told or ()))}
# The peer's own are GitLab's; the others lead there, with what a forge does not want said.
_ADDRESSES: Final[Mapping[str, Any]] = {
    **{path: {"is": path} for path in (_AUTHORIZE, _TOKEN, _REVOKE, _INTROSPECT, _DEVICE)},
    "/login/oauth/authorize": {
        "is": _AUTHORIZE,
        "adds": {GITHUB.client_id: {"response_type": "code", **_GITHUBS}},
    },
    "/login/oauth/access_token": {
        "is": _TOKEN,
        "adds": {GITHUB.client_id: {"grant_type": "authorization_code", **_PROOF}},
    },
    "/login/device/code": {"is": _DEVICE, "adds": {GITHUB.client_id: {**_GITHUBS, **_PROOF}}},
    f"/api/v3/applications/{GITHUB.client_id}/token": {"is": _REVOKE},
    "/login/oauth/introspect": {"is": _INTROSPECT},
    "/rest/oauth2/latest/authorize": {"is": _AUTHORIZE},
    "/rest/oauth2/latest/token": {"is": _TOKEN},
    "/site/oauth2/authorize": {
        "is": _AUTHORIZE,
        "adds": {BITBUCKET_CLOUD.client_id: _CONSUMERS},
    },
    "/site/oauth2/access_token": {"is": _TOKEN},
    f"{_ENTRA_PATH}/authorize": {"is": _AUTHORIZE},
    f"{_ENTRA_PATH}/token": {"is": _TOKEN},
    f"{_ENTRA_PATH}/devicecode": {"is": _DEVICE, "adds": {ENTRA.client_id: _PROOF}},
}


def _resource(audience: str, tenant: str) -> Mapping[str, Any]:
    claims = {"tid": tenant, "scp": "vso.code_write"}
    resource = {"resource": f"urn:{audience}", "audience": audience, "scope": _ENTRA_SCOPE}
    return {**resource, "accessTokenTTL": LIVES_S, "claims": claims}


_MORE: Final[Mapping[str, Any]] = {
    "clients": [
        {
            "client_id": like.client_id,
            "client_secret": CLIENT_SECRET,
            "grant_types": ["authorization_code", _DEVICE_GRANT_TYPE],
        }
        for like in (*EACH, ELSEWHERE, OTHER_TENANT)
    ],
    "routes": {
        "authorization": _AUTHORIZE,
        "token": _TOKEN,
        "revocation": _REVOKE,
        "introspection": _INTROSPECT,
        "device_authorization": _DEVICE,
        "code_verification": "/oauth/device",
    },
    "scopes": sorted(frozenset().union(*(like.told or () for like in EACH)) | {_ENTRA_SCOPE}),
    "unchallenged": [BITBUCKET_CLOUD.client_id],
    "prefixes": {GITHUB.client_id: "ghu_"},
    "addresses": _ADDRESSES,
    "resources": {
        ENTRA.client_id: _resource(RESOURCE, TENANT),
        ELSEWHERE.client_id: _resource("00000003-0000-0000-c000-000000000000", TENANT),
        OTHER_TENANT.client_id: _resource(RESOURCE, "00000000-0000-0000-0000-000000000000"),
    },
}


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The peer, our client of it, and a browser that says yes there."""

    like: Like
    running: IdentityProvider
    http: ForgeHttp

    def client(self, *, secret: str = CLIENT_SECRET) -> OAuthClient:
        registration = Registration(
            forge=self.http.forge,
            client_id=self.like.client_id,
            secret=lambda: Secret(secret),
            redirect_uri=REDIRECT_URI,
        )
        return OAuthClient(self.http, registration, now=lambda: datetime.now(UTC))

    async def consent(self, *, decline: bool = False) -> dict[str, str]:
        """Go where the browser is sent, and return what comes back."""
        challenge = Challenge(state=STATE, code_challenge=challenge_of(VERIFIER))
        url = self.client().authorize_url(challenge)
        back = await sign_in_there(url, "grace", home=REDIRECT_URI, decline=decline)
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    async def grant(self) -> Grant:
        return Grant(code=Secret((await self.consent())["code"]), verifier=VERIFIER)

    async def delegated(self) -> Delegated:
        return await self.client().exchange(await self.grant())

    async def is_alive(self, token: Secret) -> bool:
        """Ask the peer; of a token that its reader can read, its keys say so."""
        async with httpx2.AsyncClient(trust_env=False, base_url=self.running.issuer) as client:
            if self.like.kind == ENTRA.kind:
                keys = KeySet.import_key_set((await client.get("/jwks")).json())
                return is_sound(token, keys)
            proof = {"client_id": self.like.client_id, "client_secret": CLIENT_SECRET}
            form = {"token": token.reveal(), **proof}
            found: bool = (await client.post(_INTROSPECT, data=form)).json()["active"]
        return found


def is_sound(token: Secret, keys: KeySet) -> bool:
    """Tell whether those keys signed it for Azure DevOps, and it has not ended."""
    claims = jwt.decode(token.reveal(), keys).claims
    try:
        JWTClaimsRegistry(aud={"essential": True, "value": RESOURCE}).validate(claims)
    except JoseError:
        return False
    return True


@asynccontextmanager
async def peers(installed: Path, **more: Any) -> AsyncIterator[IdentityProvider]:
    """One provider that stands for all."""
    async with provider(installed, redirect_origin=HOME, more={**_MORE, **more}) as running:
        yield running


@asynccontextmanager
async def peer(running: IdentityProvider, like: Like) -> AsyncIterator[Peer]:
    entry = Forge(
        name="Peer",
        kind=like.kind,
        origin=running.issuer,
        sign_in=f"{running.issuer}/{TENANT}" if like.kind == ENTRA.kind else "",
        broad_tokens="accept",
    )
    async with ForgeHttp(entry) as http:
        yield Peer(like=like, running=running, http=http)
