"""Three nodes of the bus in one cluster, each a real nats-server with the users of ours."""

import asyncio
import contextlib
import json
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Final

from doubles.routes import Route, route
from nats.aio.client import Client
from nats.errors import Error as NatsError

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import binary
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.connection import ConnectionState, ask, close, connect
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.streams import DURABLES, STREAMS, with_replicas

NODES: Final = 3
START_S_MAX: Final = 60.0
LOOK_S: Final = 0.2
ASK_S: Final = 2.0


@dataclass
class Node:
    name: str
    directory: Path
    port: int = field(default_factory=free_port)
    routes_port: int = field(default_factory=free_port)
    nobody_port: int = field(default_factory=free_port)
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
    """`keys` are the folder with the seeds of all users; `routes` lead from a node to another."""

    directory: Path
    nodes: tuple[Node, ...]
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    def settings(self, user: str, *nodes: Node) -> BusSettings:
        """Of who knows some of the nodes; without any, all."""
        urls = ",".join(node.url for node in nodes or self.nodes)
        return BusSettings(nats_url=urls, nkey_file=self.keys / f"{user}.nk")

    async def start(self, node: Node) -> None:
        options = ServerOptions(store_dir=node.directory / "store", port=node.port)
        ways = (way for (start, _), way in self.routes.items() if start == node.name)
        routes = ", ".join(f'"nats://127.0.0.1:{way.port}"' for way in ways)
        # Nobody listens at the address that the others are told, nor is a client told of others.
        own = (
            f"server_name: {node.name}\n"
            f"cluster {{ name: countersign, listen: 127.0.0.1:{node.routes_port}\n"
            f"  no_advertise: true, advertise: 127.0.0.1:{node.nobody_port}\n"
            f"  routes: [{routes}] }}\n"
        )
        await node.start(server_config(make_keys(self.keys), options) + own)

    @contextlib.contextmanager
    def cut_off(self, node: Node, *, hanging_up: bool = False) -> Iterator[None]:
        """Let nothing pass between a node and the two others; its clients stay with it.

        With `hanging_up` all three are told that their connections are gone.
        """
        between = [way for ends, way in self.routes.items() if node.name in ends]
        for way in between:
            way.cut()
            if hanging_up:
                way.hang_up()
        try:
            yield
        finally:
            for way in between:
                way.mend()

    def others(self, node: Node) -> list[Node]:
        return [other for other in self.nodes if other is not node]

    async def leader(self, stream: str) -> Node:
        """Return the node that leads it, once there is one."""
        async with asyncio.timeout(START_S_MAX), self.administrator() as client:
            while True:
                with contextlib.suppress(NatsError):
                    answer = await ask(client, f"$JS.API.STREAM.INFO.{stream}", timeout_s=ASK_S)
                    name = json.loads(answer.data).get("cluster", {}).get("leader")
                    if name:
                        return next(node for node in self.nodes if node.name == name)
                await asyncio.sleep(LOOK_S)

    async def provision(self) -> None:
        """Make the streams, with a copy at each node, as soon as the nodes agree on a leader."""
        streams = with_replicas(STREAMS, NODES).values()
        async with asyncio.timeout(START_S_MAX), self.administrator() as client:
            while True:
                with contextlib.suppress(Retryable, Rejected):
                    await apply_topology(client, streams=streams, durables=DURABLES.values())
                    return
                await asyncio.sleep(LOOK_S)

    @asynccontextmanager
    async def administrator(self, *nodes: Node) -> AsyncIterator[Client]:
        state = ConnectionState("topology")
        client = await connect(self.settings("topology", *nodes), service="topology", state=state)
        try:
            yield client
        finally:
            await close(client, state)


@asynccontextmanager
async def three_nodes(directory: Path) -> AsyncIterator[Cluster]:
    async with linked(directory) as cluster:
        for node in cluster.nodes:
            await cluster.start(node)
        await cluster.provision()
        yield cluster


@asynccontextmanager
async def linked(directory: Path) -> AsyncIterator[Cluster]:
    """Three nodes that are not started, and the ways between them."""
    names = (f"n{number}" for number in range(1, NODES + 1))
    cluster = Cluster(directory, tuple(Node(name, directory / name) for name in names))
    async with AsyncExitStack() as stack:
        for start, end in permutations(cluster.nodes, 2):
            way = await stack.enter_async_context(route(end.routes_port))
            cluster.routes[start.name, end.name] = way
        try:
            yield cluster
        finally:
            for node in cluster.nodes:
                await node.kill()
