"""Delegation at an independent peer: npm's oidc-provider, with the addresses that GitLab has.

It knows nothing of us, so a mistake in the dialect cannot hide in a double of our own.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from doubles.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    fetch,
    provider,
    sign_in_there,
    type_there,
)

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.device import Pending
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

HOME = "http://127.0.0.1:8080"
REDIRECT_URI = f"{HOME}/sign-in/callback"
VERIFIER = Secret("made-up-verifier-0123456789-abcdefghij-0123456789")
ROUTES = {
    "authorization": "/oauth/authorize",
    "token": "/oauth/token",
    "revocation": "/oauth/revoke",
    "introspection": "/oauth/introspect",
    "device_authorization": "/oauth/authorize_device",
    "code_verification": "/oauth/device",
}
# Those of GitHub, which asks for no secret.
GITHUB_ROUTES = {
    "token": "/login/oauth/access_token",
    "device_authorization": "/login/device/code",
    "code_verification": "/login/device",
}


@dataclass
class Peer:
    """The peer, our client of it, and a browser that says yes there."""

    entry: Forge
    http: ForgeHttp
    client_id: str = CLIENT_ID

    def client(self, *, secret: str = CLIENT_SECRET) -> OAuthClient:
        registration = Registration(
            forge=self.entry,
            client_id=self.client_id,
            secret=lambda: Secret(secret),
            redirect_uri=REDIRECT_URI,
        )
        return OAuthClient(self.http, registration, now=lambda: datetime.now(UTC))

    async def consent(self, *, decline: bool = False) -> dict[str, str]:
        """Go where the browser is sent, and return what comes back."""
        challenge = Challenge(state="made-up-state", code_challenge=challenge_of(VERIFIER))
        url = self.client().authorize_url(challenge)
        back = await sign_in_there(url, "grace", home=REDIRECT_URI, decline=decline)
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    async def code(self) -> Secret:
        return Secret((await self.consent())["code"])

    async def introspect(self, token: Secret) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(
                f"{self.entry.origin}{ROUTES['introspection']}",
                data={
                    "token": token.reveal(),
                    "client_id": CLIENT_ID,
                    "client_secret": CLIENT_SECRET,
                },
            )
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch(tmp_path_factory.mktemp("oidc-provider"))


@pytest.fixture
async def peer(installed: Path) -> AsyncIterator[Peer]:
    async with provider(installed, redirect_origin=HOME, routes=ROUTES) as running:
        entry = Forge(name="Peer", kind="gitlab", origin=running.issuer, broad_tokens="accept")
        async with ForgeHttp(entry) as http:
            yield Peer(entry, http)


async def test_code_is_exchanged_once_and_what_it_gave_can_be_ended(peer: Peer) -> None:
    client = peer.client()
    back = await peer.consent()
    grant = Grant(code=Secret(back["code"]), verifier=VERIFIER)

    delegated = await client.exchange(grant)
    client.refuse_unfit(delegated)
    before = await peer.introspect(delegated.token)
    await client.revoke(delegated.token)
    after = await peer.introspect(delegated.token)
    await client.revoke(delegated.token)

    assert back["state"] == "made-up-state"
    assert back["iss"] in client.issuers
    assert (delegated.expires_in_s, delegated.scopes) == (60, frozenset({"api"}))
    assert (before["active"], before["client_id"]) == (True, CLIENT_ID)
    assert after["active"] is False


async def test_code_that_was_used_gives_nothing_and_ends_what_it_gave(peer: Peer) -> None:
    client = peer.client()
    grant = Grant(code=await peer.code(), verifier=VERIFIER)
    delegated = await client.exchange(grant)

    with pytest.raises(Rejected) as caught:
        await client.exchange(grant)

    assert caught.value.reason == DelegationRefusal.EXPIRED
    assert (await peer.introspect(delegated.token))["active"] is False


async def test_code_is_worth_nothing_without_its_verifier_or_our_secret(peer: Peer) -> None:
    code = await peer.code()
    other = Secret("another-verifier-0123456789-abcdefghij-0123456789")

    with pytest.raises(Rejected) as wrong_secret:
        await peer.client(secret="made-up").exchange(Grant(code=code, verifier=VERIFIER))
    with pytest.raises(Rejected) as wrong_verifier:
        await peer.client().exchange(Grant(code=code, verifier=other))

    assert wrong_secret.value.reason == DelegationRefusal.NO_CLIENT
    assert wrong_verifier.value.reason == DelegationRefusal.EXPIRED
    for refusal in (wrong_secret.value, wrong_verifier.value):
        assert code.reveal() not in refusal.message


async def test_person_who_says_no_gives_no_code(peer: Peer) -> None:
    back = await peer.consent(decline=True)

    assert (back["error"], back["state"]) == ("access_denied", "made-up-state")
    assert "code" not in back


@pytest.fixture
async def like_github(installed: Path) -> AsyncIterator[Peer]:
    async with provider(installed, redirect_origin=HOME, routes=GITHUB_ROUTES) as running:
        entry = Forge(name="Peer", kind="github", origin=running.issuer)
        async with ForgeHttp(entry) as http:
            yield Peer(entry, http, PUBLIC_CLIENT_ID)


async def test_typed_code_gives_a_token_once_and_what_it_gave_can_be_ended(peer: Peer) -> None:
    client = peer.client()
    begun = await client.begin_device()
    before = await client.poll_device(begun.secret)

    await type_there(begun.shown.url, begun.shown.text, "grace")
    delegated = await client.poll_device(begun.secret)
    with pytest.raises(Rejected) as again:
        await client.poll_device(begun.secret)

    assert begun.shown.url == f"{peer.entry.origin}/oauth/device"
    assert isinstance(before, Pending)
    assert isinstance(delegated, Delegated)
    client.refuse_unfit(delegated)
    assert (delegated.expires_in_s, delegated.scopes) == (60, frozenset({"api"}))
    assert again.value.reason == DelegationRefusal.EXPIRED
    assert (await peer.introspect(delegated.token))["active"] is False


async def test_person_who_aborts_at_the_peer_gives_no_token(peer: Peer) -> None:
    client = peer.client()
    begun = await client.begin_device()

    await type_there(begun.shown.url, begun.shown.text, "grace", decline=True)
    with pytest.raises(Rejected) as caught:
        await client.poll_device(begun.secret)

    assert caught.value.reason == DelegationRefusal.DENIED
    assert begun.secret.reveal() not in caught.value.message


async def test_device_code_is_worth_nothing_without_our_secret(peer: Peer) -> None:
    begun = await peer.client().begin_device()
    await type_there(begun.shown.url, begun.shown.text, "grace")

    with pytest.raises(Rejected) as polled:
        await peer.client(secret="made-up").poll_device(begun.secret)
    with pytest.raises(Rejected) as started:
        await peer.client(secret="made-up").begin_device()

    assert polled.value.reason == DelegationRefusal.NO_CLIENT
    assert started.value.reason == DelegationRefusal.NO_CLIENT


async def test_githubs_way_of_typing_a_code_is_understood_by_the_peer(like_github: Peer) -> None:
    """As far as the peer can go: it gives no token for no scope, which is what GitHub Apps ask."""
    client = like_github.client()
    begun = await client.begin_device()
    before = await client.poll_device(begun.secret)

    await type_there(begun.shown.url, begun.shown.text, "grace", decline=True)
    with pytest.raises(Rejected) as denied:
        await client.poll_device(begun.secret)
    with pytest.raises(Rejected) as unknown:
        await client.poll_device(Secret("made-up-device-code"))

    assert begun.shown.url == f"{like_github.entry.origin}/login/device"
    assert isinstance(before, Pending)
    assert denied.value.reason == DelegationRefusal.DENIED
    assert unknown.value.reason == DelegationRefusal.EXPIRED
