"""A real nats-server is tried as services do at their start, and as `countersign-check` does."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nkeys
import pytest
from doubles.local_forge import free_socket
from doubles.streams import provision
from doubles.three_nodes import START_S_MAX, linked

from countersign.checks.bus import check_bus, check_own_bus
from countersign.checks.model import Fault, Finding
from countersign.contracts.errors import Retryable
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.connection import Trial, close, connect
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import SERVICES, TOPOLOGY
from countersign.messaging.topology.streams import READS, STREAMS


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with local_server(tmp_path) as running:
        yield running


async def tried(settings: BusSettings, service: str) -> list[Finding]:
    return [finding async for finding in check_own_bus(settings, service=service)]


async def refused(settings: BusSettings, *, within_s: float = 1.0) -> Finding:
    """The one finding about a bus that takes nobody in."""
    checking = check_bus(settings, user="auditor", streams=(), connect_s=within_s)
    (found,) = [finding async for finding in checking]
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_sound_bus_has_no_fault_for_any_service(server: LocalServer, service: str) -> None:
    await provision(server)

    found = await tried(server.settings(service), service)

    assert [finding.name for finding in found[1:]] == list(READS[service])
    assert [finding.fault for finding in found] == [None] * len(found)


async def test_sound_bus_has_no_fault_for_the_command(server: LocalServer) -> None:
    await provision(server)
    settings = server.settings(TOPOLOGY)

    found = [one async for one in check_bus(settings, user=TOPOLOGY, streams=STREAMS)]

    assert len(found) == 1 + len(STREAMS)
    assert {finding.fault for finding in found} == {None}


async def test_stream_that_nobody_made_is_missing(server: LocalServer) -> None:
    found = await tried(server.settings("auditor"), "auditor")

    assert found[0].fault is None
    assert {finding.fault for finding in found[1:]} == {Fault.STREAM_MISSING}


async def test_user_who_may_not_ask_about_a_stream_is_told_so(server: LocalServer) -> None:
    await provision(server)

    # The auditor reads no promotions.
    found = [
        one
        async for one in check_bus(
            server.settings("auditor"), user="auditor", streams=("PROMOTIONS", "TOKENS")
        )
    ]

    assert [finding.fault for finding in found] == [None, Fault.PERMISSION_MISSING, None]


async def test_key_that_the_bus_does_not_know_is_refused(
    server: LocalServer, tmp_path: Path, capfd: Any
) -> None:
    stranger = tmp_path / "stranger.nk"
    stranger.write_bytes(bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)))
    settings = server.settings("auditor").model_copy(update={"nkey_file": stranger})

    found = await refused(settings, within_s=2.0)

    assert found.fault is Fault.KEY_REFUSED
    # Who tries complains of nothing in the log; what is done with the finding is others' to say.
    assert capfd.readouterr().err == ""


async def test_bus_that_is_away_is_unreachable_and_found_when_it_is_back(
    server: LocalServer,
) -> None:
    await provision(server)
    await server.stop()
    away = await refused(server.settings("watcher"))
    await server.start()
    back = await tried(server.settings("watcher"), "watcher")

    assert away.fault is Fault.CONNECTION_REFUSED
    assert {finding.fault for finding in back} == {None}


async def test_stream_that_is_gone_while_others_are_there_is_the_one_missing(
    server: LocalServer,
) -> None:
    await provision(server)
    await server.stop()
    (store,) = (server.directory / "store").glob("**/streams/TOKENS")
    shutil.rmtree(store)
    await server.start()

    found = await tried(server.settings("gateway"), "gateway")

    assert {f.name for f in found if f.fault is Fault.STREAM_MISSING} == {"TOKENS"}


async def test_bus_of_which_too_few_servers_run_is_told(tmp_path: Path) -> None:
    async with linked(tmp_path) as cluster:
        alone = cluster.nodes[0]
        await cluster.start(alone)
        settings = cluster.settings(TOPOLOGY, alone)
        async with asyncio.timeout(START_S_MAX):
            while True:
                found = [one async for one in check_bus(settings, user=TOPOLOGY, streams=STREAMS)]
                # Not yet there, or there and not yet answering.
                if len(found) > 1 and Fault.UNREACHABLE not in {one.fault for one in found}:
                    break
        client = await connect(settings, service=TOPOLOGY, state=(state := Trial("test")))
        try:
            with pytest.raises(Retryable) as unable:
                await apply_topology(client, streams=STREAMS.values(), durables=())
        finally:
            await close(client, state)

    assert {one.fault for one in found[1:]} == {Fault.NO_MAJORITY}
    assert unable.value.reason == BusRefusal.NO_MAJORITY


async def test_bus_that_is_away_is_told_by_the_cause() -> None:
    with free_socket() as nobody:
        port = nobody.getsockname()[1]
        settings = BusSettings(nats_url=f"nats://user:made-up@127.0.0.1:{port}")
        found = await refused(settings)

    assert found.fault is Fault.CONNECTION_REFUSED
    assert "made-up" not in repr(found)
