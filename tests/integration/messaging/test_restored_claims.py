"""The bus is restored, with other keys, from copies of its disks that were taken while it ran."""

import asyncio
import shutil
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from doubles.three_nodes import Cluster, Node, three_nodes
from integration.messaging.test_follower import following

from countersign.contracts.messages import PromotionRequested
from countersign.messaging.bus import open_bus
from countersign.process.health import Health

BEFORE, AFTER = 20, 20
READ_S_MAX = 60.0


@pytest.mark.timeout(240)
async def test_what_was_acknowledged_before_the_copies_is_there_afterwards(
    tmp_path: Path, requested: Callable[[str], PromotionRequested]
) -> None:
    copies = tmp_path / "copies"
    async with three_nodes(tmp_path / "first") as cluster:
        settings = cluster.settings("watcher")
        async with open_bus(settings, service="watcher", health=Health()) as bus:
            for number in range(BEFORE):
                await bus.publish(requested(f"p{number}"), message_id=f"m{number}")
            for node in cluster.nodes:
                _snapshot(node, copies)
                # The next copy is of a later moment.
                for number in range(BEFORE, BEFORE + AFTER):
                    name = f"{node.name}-{number}"
                    await bus.publish(requested(name), message_id=name)

    async with _restored(tmp_path / "second", copies) as again:
        settings = again.settings("gateway")
        async with (
            open_bus(settings, service="gateway", health=Health()) as bus,
            following(bus) as reader,
            asyncio.timeout(READ_S_MAX),
        ):
            while len(reader.received) < BEFORE:  # noqa: ASYNC110 (it tells no event)
                await asyncio.sleep(0.05)
            seen = reader.ids

    assert seen[:BEFORE] == [f"m{number}" for number in range(BEFORE)]
    keys = [
        (tmp_path / place / "keys" / "gateway.nk").read_bytes() for place in ("first", "second")
    ]
    assert keys[0] != keys[1]


def _snapshot(node: Node, copies: Path) -> None:
    """Copy its disk as of one moment, as a snapshot of a volume is."""
    node.signal(signal.SIGSTOP)
    try:
        shutil.copytree(node.directory / "store", copies / node.name)
    finally:
        node.signal(signal.SIGCONT)


def _restored(directory: Path, copies: Path) -> AbstractAsyncContextManager[Cluster]:
    for copy in copies.iterdir():
        shutil.copytree(copy, directory / copy.name / "store")
    return three_nodes(directory)
