"""Starts everything in order, says when it is ready, stops everything."""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import httpx2

from countersign.contracts.errors import Rejected
from countersign.local.demo import programs
from countersign.local.demo.layout import HOST, Layout, Ports, free_port
from countersign.local.demo.programs import READER, SERVICES, Bus
from countersign.local.demo.seeding import seed
from countersign.local.demo.supervisor import Program, Supervisor, run_once, until_ready
from countersign.local.refusals import LocalRefusal
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.administration.server_config import make_keys

_PROBE_TIMEOUT_S: Final = 2.0
_BUS_CHECK_S: Final = 0.5
# Delegations are revoked there while the services end.
_STOPPED_LAST: Final = frozenset({"forge"})


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running demonstration, for tests and the walk."""

    layout: Layout
    ports: Ports
    supervisor: Supervisor
    health_ports: Mapping[str, int]


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Hold the lock on the directory, so that one demonstration runs in it.

    Raises:
        Rejected: `running`; the directory is in use.

    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with (layout.root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Rejected(
                LocalRefusal.RUNNING,
                f"a demonstration runs already in {layout.root}; stop it first",
            ) from None
        yield


@asynccontextmanager
async def running(
    layout: Layout,
    ports: Ports,
    *,
    furnish: Callable[[Layout, Ports], None] = seed,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    has_forge: bool = True,
) -> AsyncIterator[Running]:
    """Everything, ready; stopped again when the context ends.

    `furnish` writes what is there before anything starts; `settings` of services, by their names,
    go before the demonstration's own. Where it has no forge of its own, another is at its address.

    Raises:
        Retryable: `failed`, `not_ready`; with what the program said last.

    """
    furnish(layout, ports)
    server = LocalServer(layout.bus, port=ports.bus)
    reader_files.add(server.readers_dir, READER)
    await server.start()
    _link_log(layout)
    supervisor = Supervisor(say=_say)
    keys = make_keys(server.keys_dir)
    writers = layout.bus / "writer-nkeys"
    writers.write_text(keys["pr-writer"], encoding="utf-8")
    bus = Bus(url=server.url, keys_dir=server.keys_dir, writers=writers)
    try:
        await run_once(programs.topology(layout, bus))
        async with asyncio.TaskGroup() as group:
            guard = group.create_task(_guard(server))
            health = {name: free_port() for name in SERVICES}
            services = [
                programs.service(name, layout=layout, ports=ports, bus=bus, health_port=port)
                for name, port in health.items()
            ]
            services = [_with(program, (settings or {}).get(program.name)) for program in services]
            if has_forge:
                await _start_forge(group, supervisor, layout=layout, ports=ports)
            for program in (programs.cluster(layout, ports), *services):
                group.create_task(supervisor.supervise(program))
            await _until_ready(services, health)
            try:
                yield Running(
                    layout=layout, ports=ports, supervisor=supervisor, health_ports=health
                )
            finally:
                guard.cancel()
                await supervisor.stop(last=_STOPPED_LAST)
    finally:
        await supervisor.stop(last=_STOPPED_LAST)
        await server.stop()


async def _start_forge(
    group: asyncio.TaskGroup, supervisor: Supervisor, *, layout: Layout, ports: Ports
) -> None:
    """Start it before all others, who read the repositories that it makes."""
    forge = programs.forge(layout, ports)
    group.create_task(supervisor.supervise(forge))
    await _until_answering(forge, f"{ports.forge_url}/login")


async def _until_ready(services: Sequence[Program], health: Mapping[str, int]) -> None:
    async with asyncio.TaskGroup() as waiting:
        for program in services:
            url = f"http://{HOST}:{health[program.name]}/readyz"
            waiting.create_task(_until_answering(program, url))


def _with(program: Program, settings: Mapping[str, str] | None) -> Program:
    return replace(program, settings={**program.settings, **(settings or {})})


async def _until_answering(program: Program, url: str) -> None:
    await until_ready(program.name, probe=lambda: _answers(url), log=program.log)


def _answers(url: str) -> None:
    try:
        status = httpx2.get(url, timeout=_PROBE_TIMEOUT_S, trust_env=False).status_code
    except httpx2.TransportError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    if status != httpx2.codes.OK:
        raise ConnectionError(f"{url} answers {status}")


async def _guard(server: LocalServer) -> None:
    """The bus is no program of the supervisor's; it is started again on the same store."""
    while True:
        await asyncio.sleep(_BUS_CHECK_S)
        if not server.running:
            _say("nats-server ended; starting it again")
            await server.start()


def _link_log(layout: Layout) -> None:
    with contextlib.suppress(FileExistsError):
        (layout.logs / "nats-server.log").symlink_to(layout.bus.resolve() / "nats-server.log")


def _say(line: str) -> None:
    print(f"demo: {line}", flush=True)
