"""A nats-server of others, with what `countersign-topology users` prints, serves everybody."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import reference
from integration.messaging.test_permissions import concrete, probing
from nats.aio.client import Client

from countersign.contracts.messages import EVENTS
from countersign.contracts.subjects import EVENT_ROOT, FLUX_HINT
from countersign.local.demo.layout import free_port
from countersign.messaging.administration import cli, user_commands
from countersign.messaging.administration.local_server import binary
from countersign.messaging.bus import open_bus
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import SERVICES, USERS, permissions
from countersign.process.health import Health

PROGRAM: Final = Path(sys.executable).parent / "countersign-topology"
EXAMPLES: Final = reference.ROOT / "proto" / "examples"
# As a platform team has it: their own users, JetStream, and ours included.
THEIRS: Final = """
listen: 127.0.0.1:{port}
jetstream {{ store_dir: {store!r} }}
accounts {{
  include "countersign.conf"
  OTHERS {{ jetstream: enabled, users: [{{ user: other, password: other }}] }}
}}
"""


@dataclass(frozen=True)
class TheirServer:
    url: str
    keys_dir: Path
    readers_dir: Path

    def settings(self, user: str) -> BusSettings:
        key = self.keys_dir / f"{user}.nk"
        return BusSettings(nats_url=self.url, nkey_file=key, replica=f"{user}-0")

    def run(self, *arguments: str) -> str:
        """Run the program as docs/install.md says, as `topology`; returns what it prints."""
        settings = {
            "COUNTERSIGN_NATS_URL": self.url,
            "COUNTERSIGN_NKEY_FILE": str(self.keys_dir / "topology.nk"),
        }
        done = subprocess.run(
            [PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, **settings},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(name="theirs")
async def theirs_fixture(tmp_path: Path) -> AsyncIterator[TheirServer]:
    port = free_port()
    theirs = TheirServer(f"nats://127.0.0.1:{port}", tmp_path / "users", tmp_path / "readers")
    theirs.run("reader", "add", "chat", "--namespace", "shop", "--dir", str(theirs.readers_dir))
    printed = theirs.run(
        "users", "--dir", str(theirs.keys_dir), "--readers", str(theirs.readers_dir)
    )
    (tmp_path / "countersign.conf").write_text(printed)
    config = tmp_path / "nats-server.conf"
    config.write_text(THEIRS.format(port=port, store=str(tmp_path / "store")))
    process = await asyncio.create_subprocess_exec(
        binary(), "-c", str(config), "-l", str(tmp_path / "log")
    )
    try:
        # It waits until the server answers.
        await asyncio.to_thread(theirs.run, "apply", "--readers", str(theirs.readers_dir))
        yield theirs
    finally:
        process.terminate()
        await process.wait()


async def test_every_event_is_stored_for_who_publishes_it(theirs: TheirServer) -> None:
    stored = set()
    for service in SERVICES:
        async with open_bus(theirs.settings(service), service=service, health=Health()) as bus:
            for model, info in EVENTS.items():
                if service not in info.publishers:
                    continue
                event = model.from_json((EXAMPLES / f"{model.__name__}.json").read_text())
                await bus.publish(event, message_id=f"{service}-{info.name}")
                stored.add(model)

    assert stored == set(EVENTS)


@pytest.mark.parametrize("user", USERS)
async def test_user_may_what_it_needs_and_no_more(theirs: TheirServer, user: str) -> None:
    async with probing(theirs, user) as probe:
        allowed = permissions(user)
        for subject in allowed.publish:
            assert await probe.may_publish(concrete(subject)), subject
        for subject in allowed.subscribe:
            assert await probe.may_subscribe(subject), subject
        assert not await probe.may_publish(f"{EVENT_ROOT}.promotion.requested.a.b.c.d")
        assert not await probe.may_publish("$JS.API.STREAM.DELETE.PROMOTIONS")


async def test_hint_of_flux_reaches_the_watcher(theirs: TheirServer) -> None:
    watcher, flux = await _connected(theirs, "watcher"), await _connected(theirs, "flux")
    try:
        hints = await watcher.subscribe(FLUX_HINT)
        await watcher.flush()
        await flux.publish(FLUX_HINT, b"{}")
        assert (await hints.next_msg(10)).data == b"{}"
    finally:
        await flux.close()
        await watcher.close()


async def test_reader_replays_what_its_namespaces_told(theirs: TheirServer) -> None:
    (model,) = (m for m in EVENTS if m.__name__ == "PromotionRequested")
    event = model.from_json((EXAMPLES / "PromotionRequested.json").read_text())
    async with open_bus(theirs.settings("watcher"), service="watcher", health=Health()) as bus:
        await bus.publish(event, message_id="one")
    chat = Client()
    await chat.connect(theirs.url, nkeys_seed=str(theirs.readers_dir / "chat.nk"))
    try:
        api = chat.jetstream(prefix="countersign-api")
        durable = await api.pull_subscribe_bind(consumer="reader-chat", stream="PROMOTIONS")
        (message,) = await durable.fetch(1, timeout=10)
        assert message.headers is not None
        assert message.headers["ce-type"] == "dev.countersign.promotion.requested.v1"
    finally:
        await chat.close()


async def test_second_call_prints_the_same_keys(theirs: TheirServer) -> None:
    arguments = ("users", "--dir", str(theirs.keys_dir), "--readers", str(theirs.readers_dir))

    assert theirs.run(*arguments) == theirs.run(*arguments)
    writer = (theirs.keys_dir / user_commands.WRITER_KEYS).read_text()
    assert f"nkey: {writer}" in theirs.run(*arguments)


def test_directory_of_readers_that_is_not_there_is_refused(tmp_path: Path, capsys: Any) -> None:
    code = cli.main(["users", "--dir", str(tmp_path / "users"), "--readers", str(tmp_path / "no")])

    said = capsys.readouterr()
    assert (code, said.out) == (user_commands.EXIT_FAILED, "")
    assert f"there is no directory '{tmp_path / 'no'}'" in said.err
    assert not (tmp_path / "users").exists()


async def _connected(theirs: TheirServer, user: str) -> Client:
    client = Client()
    await client.connect(theirs.url, nkeys_seed=str(theirs.keys_dir / f"{user}.nk"))
    return client
