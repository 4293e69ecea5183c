"""All that a peer gave ends by itself: a minute of real time, waited for at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Final

import pytest
from doubles.oauth_peers import EACH, LIVES_S, WITH_DEVICE_FLOW, Peer, peer, peers
from doubles.oidc_provider import type_there

from countersign.contracts.errors import Rejected
from countersign.dialects.delegation.device import INTERVAL_S, DeviceCode, Pending
from countersign.dialects.delegation.oauth import Delegated
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.process.clocks import MACHINE

# As a peer and we may count them, and as loaded machines do.
EARLY_S: Final = 2.0
LATE_S: Final = 30.0
DEVICE_CODE_LIVES_S: Final = 30


@pytest.fixture
async def all_of_them(installed: Path) -> AsyncIterator[tuple[Peer, ...]]:
    """One provider, which wants five seconds between two questions about a code."""
    ttl = {"DeviceCode": DEVICE_CODE_LIVES_S}
    async with (
        peers(installed, pace_s=INTERVAL_S, ttl=ttl) as running,
        AsyncExitStack() as stack,
    ):
        yield tuple([await stack.enter_async_context(peer(running, like)) for like in EACH])


async def token_ends(at: Peer) -> None:
    began = monotonic()  # before it began, so that no slow answer shortens its life
    delegated = await at.delegated()
    assert delegated.expires_in_s == LIVES_S

    async with asyncio.timeout(LIVES_S + LATE_S):
        while await at.is_alive(delegated.token):
            await MACHINE.sleep(0.5)
    assert monotonic() - began >= LIVES_S - EARLY_S


async def unused_code_ends(at: Peer) -> None:
    """The peer gives codes for a minute."""
    grant = await at.grant()
    await MACHINE.sleep(LIVES_S + EARLY_S)

    with pytest.raises(Rejected) as caught:
        await at.client().exchange(grant)

    assert caught.value.reason == at.like.over


async def nobody_types(at: Peer) -> None:
    client = at.client()
    begun = await client.begin_device()
    assert begun.expires_in_s == DEVICE_CODE_LIVES_S
    await MACHINE.sleep(DEVICE_CODE_LIVES_S + EARLY_S)

    with pytest.raises(Rejected) as caught:
        await client.poll_device(begun.secret)

    assert caught.value.reason == DelegationRefusal.EXPIRED


async def hasty_question_is_slowed_down(at: Peer) -> None:
    client = at.client()
    begun = await client.begin_device()

    first = await client.poll_device(begun.secret)
    hasty = await client.poll_device(begun.secret)
    assert first == Pending()
    assert isinstance(hasty, Pending)
    assert hasty.slow_down

    await type_there(begun.shown.url, begun.shown.text, "grace")
    assert isinstance(await patiently(at, begun, hasty), Delegated)


async def patiently(at: Peer, begun: DeviceCode, told: Pending) -> Delegated | Pending:
    """Ask once more after the pause that the answer before makes of the forge's own."""
    assert begun.interval_s == INTERVAL_S
    await MACHINE.sleep(told.pause_s(begun.interval_s))
    return await at.client().poll_device(begun.secret)


async def test_all_that_a_peer_gave_ends_in_its_time(all_of_them: tuple[Peer, ...]) -> None:
    with_device_flow = [at for at in all_of_them if at.like in WITH_DEVICE_FLOW]

    async with asyncio.TaskGroup() as tasks:
        for at in all_of_them:
            tasks.create_task(token_ends(at))
            tasks.create_task(unused_code_ends(at))
        for at in with_device_flow:
            tasks.create_task(nobody_types(at))
            tasks.create_task(hasty_question_is_slowed_down(at))

    assert len(with_device_flow) == len(WITH_DEVICE_FLOW)
