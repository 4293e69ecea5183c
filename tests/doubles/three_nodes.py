"""Three nodes of the bus in one cluster, each a real nats-server with the users of ours."""

import asyncio
import contextlib
import json
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import binary
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.streams import DURABLES, STREAMS, with_replicas

NODES: Final = 3
START_S_MAX: Final = 60.0
LOOK_S: Final = 0.2


@dataclass
class Node:
    name: str
    directory: Path
    port: int = field(default_factory=free_port)
    routes_port: int = field(default_factory=free_port)
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self, config: str) -> None:
        path = self.directory / "nats-server.conf"
        self.directory.mkdir(parents=True, exist_ok=True)
        path.write_text(config)
        log = str(self.directory / "nats-server.log")
        self.process = await asyncio.create_subprocess_exec(
            binary(), "-c", str(path), "-l", log, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


@dataclass
class Cluster:
    """`keys` are the folder with the seeds of all users."""

    directory: Path
    nodes: tuple[Node, ...]

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    def settings(self, user: str, *nodes: Node) -> BusSettings:
        """Of who knows some of the nodes; without any, all."""
        urls = ",".join(node.url for node in nodes or self.nodes)
        return BusSettings(nats_url=urls, nkey_file=self.keys / f"{user}.nk")

    async def start(self, node: Node) -> None:
        options = ServerOptions(store_dir=node.directory / "store", port=node.port)
        routes = ", ".join(f'"nats://127.0.0.1:{other.routes_port}"' for other in self.nodes)
        own = (
            f"server_name: {node.name}\n"
            f"cluster {{ name: countersign, listen: 127.0.0.1:{node.routes_port}\n"
            f"  routes: [{routes}] }}\n"
        )
        await node.start(server_config(make_keys(self.keys), options) + own)

    async def leader(self, stream: str) -> Node:
        async with self._administrator() as client:
            answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=10)
        name = json.loads(answer.data)["cluster"]["leader"]
        return next(node for node in self.nodes if node.name == name)

    async def provision(self) -> None:
        """Make the streams, with a copy at each node, as soon as the nodes agree on a leader."""
        streams = with_replicas(STREAMS, NODES).values()
        async with asyncio.timeout(START_S_MAX), self._administrator() as client:
            while True:
                with contextlib.suppress(Retryable, Rejected):
                    await apply_topology(client, streams=streams, durables=DURABLES.values())
                    return
                await asyncio.sleep(LOOK_S)

    @asynccontextmanager
    async def _administrator(self) -> AsyncIterator[Client]:
        state = ConnectionState("topology")
        client = await connect(self.settings("topology"), service="topology", state=state)
        try:
            yield client
        finally:
            await close(client, state)


@asynccontextmanager
async def three_nodes(directory: Path) -> AsyncIterator[Cluster]:
    names = (f"n{number}" for number in range(1, NODES + 1))
    cluster = Cluster(directory, tuple(Node(name, directory / name) for name in names))
    try:
        for node in cluster.nodes:
            await cluster.start(node)
        await cluster.provision()
        yield cluster
    finally:
        for node in cluster.nodes:
            await node.kill()
