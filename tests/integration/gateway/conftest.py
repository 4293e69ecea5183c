"""The gateway as a process, on a real bus; the test plays the other services."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from doubles.streams import provision

from countersign.contracts.message import Message
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, open_bus
from countersign.process.health import Health

PATIENCE_S = 20.0
PEOPLE = """people:
- {id: grace, name: Grace Hopper, groups: [developers]}
- {id: ada, name: Ada Lovelace, groups: [platform]}
- {id: alan, name: Alan Turing, groups: [viewers]}
"""


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with local_server(tmp_path / "nats") as server:
        await provision(server)
        yield server


@dataclass
class Publishers:
    """The other services, by their NATS users."""

    nats: LocalServer

    @asynccontextmanager
    async def connected(self, service: str) -> AsyncIterator[Bus]:
        settings = self.nats.settings(service, replica=f"{service}-test")
        async with open_bus(settings, service=service, health=Health()) as bus:
            yield bus

    async def publish(self, service: str, *events: Message) -> None:
        async with self.connected(service) as bus:
            for i, event in enumerate(events):
                await bus.publish(
                    event, message_id=f"{type(event).__name__}-{i}-{os.urandom(4).hex()}"
                )


@pytest.fixture
def publishers(nats: LocalServer) -> Publishers:
    return Publishers(nats)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(nats: LocalServer, tmp_path: Path, *, port: int) -> dict[str, str]:
    people = tmp_path / "people.yaml"
    people.write_text(PEOPLE)
    forges = tmp_path / "forges.yaml"
    forges.write_text(
        "forges:\n- {name: GitHub, kind: github, origin: 'http://localhost:3000', minutes: 15}\n"
    )
    settings = nats.settings("gateway")
    return {
        "PATH": os.environ["PATH"],
        "COUNTERSIGN_NATS_URL": settings.nats_url,
        "COUNTERSIGN_NKEY_FILE": str(settings.nkey_file),
        "COUNTERSIGN_PEOPLE_FILE": str(people),
        "COUNTERSIGN_FORGES_FILE": str(forges),
        "COUNTERSIGN_PORT": str(port),
        "COUNTERSIGN_LOG_LEVEL": "info",
    }


@dataclass
class Gateway:
    """A running gateway."""

    url: str
    log: Path
    process: asyncio.subprocess.Process
    clients: list[httpx2.AsyncClient] = field(default_factory=list)

    async def client(self, person: str = "grace") -> httpx2.AsyncClient:
        """Somebody signed in."""
        client = httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE_S)
        self.clients.append(client)
        token = form_token((await client.get("/sign-in")).text)
        answer = await client.post("/sign-in", data={"form_token": token, "person": person})
        assert answer.status_code == 303
        return client


def form_token(html: str) -> str:
    return html.split('name="form_token" value="', 1)[1].split('"', 1)[0]


@asynccontextmanager
async def running_gateway(variables: dict[str, str], log: Path) -> AsyncIterator[Gateway]:
    url = f"http://127.0.0.1:{variables['COUNTERSIGN_PORT']}"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "countersign.gateway", env=variables, stderr=output
        )
    try:
        async with asyncio.timeout(PATIENCE_S), httpx2.AsyncClient() as client:
            while True:
                assert process.returncode is None, log
                with contextlib.suppress(httpx2.TransportError):
                    if (await client.get(f"{url}/sign-in")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        gateway = Gateway(url=url, log=log, process=process)
        yield gateway
        for client in gateway.clients:
            await client.aclose()
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_S)


@pytest.fixture
async def gateway(nats: LocalServer, tmp_path: Path) -> AsyncIterator[Gateway]:
    variables = environment(nats, tmp_path, port=free_port())
    async with running_gateway(variables, tmp_path / "gateway.log") as running:
        yield running
