"""Delegation at an independent peer: npm's oidc-provider, spoken to as each kind of forge."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from doubles.oauth_peers import (
    EACH,
    ELSEWHERE,
    ENTRA,
    GITLAB,
    LIVES_S,
    OTHER_TENANT,
    STATE,
    VERIFIER,
    WITH_DEVICE_FLOW,
    Like,
    Peer,
    peer,
    peers,
)
from doubles.oidc_provider import IdentityProvider, type_there

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.device import Pending
from countersign.dialects.delegation.oauth import Delegated, Grant
from countersign.dialects.delegation.refusals import DelegationRefusal

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(installed: Path) -> AsyncIterator[IdentityProvider]:
    async with peers(installed) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def at(running: IdentityProvider, like: Like) -> AsyncIterator[Peer]:
    async with peer(running, like) as made:
        yield made


def each(*likes: Like) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("like", likes, ids=[like.client_id for like in likes])


@each(*EACH)
async def test_code_is_exchanged_once_and_what_it_gave_is_ended_or_forgotten(at: Peer) -> None:
    client = at.client()
    back = await at.consent()

    delegated = await client.exchange(Grant(code=Secret(back["code"]), verifier=VERIFIER))
    client.refuse_unfit(delegated)
    before = await at.is_alive(delegated.token)
    if client.revokes:
        await client.revoke(delegated.token)
    after = await at.is_alive(delegated.token)
    if client.revokes:
        await client.revoke(delegated.token)

    assert back["state"] == STATE
    assert (delegated.expires_in_s, delegated.scopes) == (LIVES_S, at.like.told)
    assert client.revokes is client.capabilities.revocable
    assert (before, after) == (True, not client.revokes)


@each(*(like for like in EACH if like is not ENTRA))
async def test_answer_to_a_browser_names_who_gave_it(at: Peer) -> None:
    """All but Entra ID are named by their origin, as the peer is."""
    assert (await at.consent())["iss"] in at.client().issuers


@each(*EACH)
async def test_code_that_was_used_gives_nothing_and_ends_what_it_gave(at: Peer) -> None:
    client, grant = at.client(), await at.grant()
    delegated = await client.exchange(grant)

    with pytest.raises(Rejected) as caught:
        await client.exchange(grant)

    assert caught.value.reason == at.like.over
    assert grant.code.reveal() not in caught.value.message
    # What its reader reads without asking lives as long as it says.
    assert await at.is_alive(delegated.token) is (at.like is ENTRA)


@each(*EACH)
async def test_code_is_worth_nothing_without_our_secret(at: Peer) -> None:
    grant = await at.grant()

    with pytest.raises(Rejected) as caught:
        await at.client(secret="made-up").exchange(grant)

    assert caught.value.reason == at.like.no_client
    assert grant.code.reveal() not in caught.value.message


@each(*(like for like in EACH if like.challenged))
async def test_code_is_worth_nothing_without_its_verifier(at: Peer) -> None:
    code = (await at.grant()).code
    other = Secret("another-verifier-0123456789-abcdefghij-0123456789")

    with pytest.raises(Rejected) as caught:
        await at.client().exchange(Grant(code=code, verifier=other))

    assert caught.value.reason == at.like.over
    assert code.reveal() not in caught.value.message


@each(*EACH)
async def test_person_who_says_no_gives_no_code(at: Peer) -> None:
    back = await at.consent(decline=True)

    assert (back["error"], back["state"]) == ("access_denied", STATE)
    assert "code" not in back


@each(ELSEWHERE, OTHER_TENANT)
async def test_token_for_another_resource_or_of_another_tenant_is_refused(at: Peer) -> None:
    grant = await at.grant()

    with pytest.raises(Rejected, match="resource") as caught:
        await at.client().exchange(grant)

    assert caught.value.reason == DelegationRefusal.NO_CLIENT


@each(*WITH_DEVICE_FLOW)
async def test_typed_code_gives_a_token_once_and_what_it_gave_is_ended(at: Peer) -> None:
    client = at.client()
    begun = await client.begin_device()
    before = await client.poll_device(begun.secret)

    await type_there(begun.shown.url, begun.shown.text, "grace")
    delegated = await client.poll_device(begun.secret)
    with pytest.raises(Rejected) as again:
        await client.poll_device(begun.secret)

    assert begun.shown.url == f"{at.running.issuer}/oauth/device"
    assert isinstance(before, Pending)
    assert isinstance(delegated, Delegated)
    client.refuse_unfit(delegated)
    assert (delegated.expires_in_s, delegated.scopes) == (LIVES_S, at.like.told)
    assert again.value.reason == DelegationRefusal.EXPIRED
    assert await at.is_alive(delegated.token) is (at.like is ENTRA)


@each(*WITH_DEVICE_FLOW)
async def test_person_who_aborts_at_the_peer_gives_no_token(at: Peer) -> None:
    client = at.client()
    begun = await client.begin_device()

    await type_there(begun.shown.url, begun.shown.text, "grace", decline=True)
    with pytest.raises(Rejected) as caught:
        await client.poll_device(begun.secret)

    assert caught.value.reason == DelegationRefusal.DENIED
    assert begun.secret.reveal() not in caught.value.message


@each(*WITH_DEVICE_FLOW)
async def test_device_code_that_nobody_gave_is_over(at: Peer) -> None:
    with pytest.raises(Rejected) as caught:
        await at.client().poll_device(Secret("made-up-device-code"))

    assert caught.value.reason == DelegationRefusal.EXPIRED


@each(GITLAB, ENTRA)
async def test_typed_code_is_worth_nothing_without_our_secret(at: Peer) -> None:
    begun = await at.client().begin_device()
    await type_there(begun.shown.url, begun.shown.text, "grace")

    with pytest.raises(Rejected) as caught:
        await at.client(secret="made-up").poll_device(begun.secret)

    assert caught.value.reason == DelegationRefusal.NO_CLIENT


@each(GITLAB)
async def test_code_to_be_typed_is_not_begun_without_our_secret(at: Peer) -> None:
    with pytest.raises(Rejected) as caught:
        await at.client(secret="made-up").begin_device()

    assert caught.value.reason == DelegationRefusal.NO_CLIENT
