"""What goes wrong on purpose: processes die or stand still, the forge fails, the bus forgets.

No clock is stepped: all processes of a machine share the one that it has. What stepped clocks do is
tested where clocks are handed in. Nor is a disk filled, which would be everybody's: to who
publishes, a stream that takes nothing any more is the same.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import nats.errors
from e2e.systems import bus_pid
from e2e.witnessing import REPEATED, Witness, connected

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import EVENTS, ApprovalGranted, PromotionRequested
from countersign.local.demo import programs
from countersign.local.demo.programs import SERVICES, Bus
from countersign.local.demo.running import Running
from countersign.local.demo.supervisor import run_once
from countersign.local.demo.walk.scanning import with_descendants
from countersign.messaging.publishing import AlreadyExists, Stamp, publish_event
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.streams import STREAMS

_PROMOTIONS: Final = "PROMOTIONS"
_BUS_S: Final = 2.0
_ROOM_S_MAX: Final = 60.0
# What a bus that is killed meanwhile may do to us.
_AWAY: Final = (TimeoutError, Retryable, OSError, nats.errors.Error)
BUS: Final = "bus"
WRITER: Final = "pr-writer"
_PAUSE_S: Final = (0.3, 2.5)
_DEATH_S_MAX: Final = 5.0
_LOOK_S: Final = 0.05
_API: Final = {"path": "/api/*", "method": "POST", "count": 1}
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {**_API, "latency_ms": 700, "count": 3},
    {**_API, "status": 429, "retry_after_s": 1},
    {**_API, "status": 502},
    {**_API, "contains": "createCommitOnBranch", "drop_after_success": True},
    {**_API, "contains": "createPullRequest", "drop_after_success": True},
    {**_API, "contains": "createCommitOnBranch", "cut": True},
    {**_API, "contains": "createPullRequest", "cut": True},
    {"path": "/login/oauth/access_token", "count": 1, "status": 502},
)
# What is not known to have failed may still happen.
LATE: Final[tuple[dict[str, Any], ...]] = (
    {**_API, "contains": "createCommitOnBranch", "effect_after_ms": 4_000},
    {**_API, "contains": "createPullRequest", "effect_after_ms": 6_000},
    {**_API, "contains": "createPullRequest", "effect_after_ms": 15_000},
)


@dataclass
class Nemeses:
    """Does harm, and keeps account of it: what else dies, died by itself."""

    started: Running
    witness: Witness
    faults: tuple[dict[str, Any], ...] = FAULTS
    # The forge takes several pull requests for one branch, and the stream is full at times.
    harsh: bool = False
    killed: Counter[str] = field(default_factory=Counter)
    forgot: bool = False
    _pids: set[int] = field(default_factory=set)

    def kill(self, name: str) -> None:
        """SIGKILL a service or the bus, if it runs; it is started again by who minds it."""
        pid = self.pid(name)
        if pid is None or pid in self._pids:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._pids.add(pid)
            self.killed[name] += 1

    def pid(self, name: str) -> int | None:
        if name == BUS:
            return bus_pid(self.started)
        return self.started.supervisor.pids.get(name)

    def kill_executor(self, chance: random.Random) -> None:
        """SIGKILL a process below the pr-writer: zygote, parser or executor."""
        parent = self.started.supervisor.pids[WRITER]
        children = sorted(with_descendants({parent}) - {parent})
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(children), signal.SIGKILL)

    @asynccontextmanager
    async def standing_still(self, name: str) -> AsyncIterator[None]:
        """SIGSTOP it and all below it; SIGCONT at the end."""
        pid = self.pid(name)
        family = with_descendants({pid}) if pid else set()
        _signal(family, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(family, signal.SIGCONT)

    async def fail_forge(self, *faults: dict[str, Any]) -> None:
        url = f"{self.started.ports.forge_url}/_local/faults"
        plan = {"rules": list(faults), "duplicates": "allow" if self.harsh else "refuse"}
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.put(url, json=plan)
        assert answer.is_success, answer.text

    async def repeat(self, chance: random.Random, *, kind: type[Any], after: int = 0) -> None:
        """Publish something once more that was published, with its publisher's own rights."""
        said = [r for r in self.witness.heard[after:] if isinstance(r.message, kind)]
        if not said:
            return
        event, service = chance.choice(said).message, min(EVENTS[kind].publishers)
        name = f"{REPEATED}{chance.randrange(1 << 32)}"
        with contextlib.suppress(TimeoutError, Retryable, AlreadyExists):
            # The bus may be the one that was killed.
            async with asyncio.timeout(1), connected(self.started, service) as client:
                stamp = Stamp(source="/chaos", message_id=name, at=datetime.now(UTC))
                await publish_event(client, event, stamp=stamp, create_once=False)

    async def fill_stream(self, chance: random.Random) -> None:
        """Let the stream of promotions take nothing for a while, and lose nothing."""
        try:
            with contextlib.suppress(*_AWAY):
                await self._limit_stream(bytes_max=1)
            await asyncio.sleep(chance.uniform(*_PAUSE_S))
        finally:
            await self.make_room()

    async def make_room(self) -> None:
        """Give the stream its room again; the bus may have to come back first."""
        async with asyncio.timeout(_ROOM_S_MAX):
            while True:
                with contextlib.suppress(*_AWAY):
                    return await self._limit_stream(bytes_max=STREAMS[_PROMOTIONS].bounds.bytes_max)
                await asyncio.sleep(_LOOK_S)

    async def _limit_stream(self, *, bytes_max: int) -> None:
        config = {**STREAMS[_PROMOTIONS].config(), "max_bytes": bytes_max}
        subject = f"$JS.API.STREAM.UPDATE.{_PROMOTIONS}"
        async with asyncio.timeout(_BUS_S), connected(self.started, "topology") as client:
            answer = await client.request(subject, json.dumps(config).encode(), timeout=_BUS_S)
        if "error" in json.loads(answer.data):
            raise Retryable(BusRefusal.UNAVAILABLE, "the bus has no stream yet")

    async def forget_everything(self) -> None:
        """Lose the bus with its whole store, and make the streams anew."""
        pid = bus_pid(self.started)
        assert pid is not None
        store = self.started.layout.bus / "store"
        assert store.is_dir()
        self.forgot = True
        # Nothing is awaited in between, so that who starts it again finds nothing.
        self.kill(BUS)
        deadline_s = time.monotonic() + _DEATH_S_MAX
        while _is_alive(pid) and time.monotonic() < deadline_s:
            time.sleep(0.01)  # noqa: ASYNC251 - for the same reason
        shutil.rmtree(store)
        async with asyncio.timeout(_DEATH_S_MAX):
            while bus_pid(self.started) in {None, pid}:  # noqa: ASYNC110 - a process tells nobody
                await asyncio.sleep(_LOOK_S)
        await run_once(programs.topology(self.started.layout, self.bus))

    @property
    def bus(self) -> Bus:
        layout = self.started.layout
        url = f"nats://127.0.0.1:{self.started.ports.bus}"
        return Bus(url=url, keys_dir=layout.bus / "keys", writers=layout.bus / "writer-nkeys")

    async def torment(self, chance: random.Random) -> str:
        """One misfortune; returns its name."""
        match chance.randrange(9 if self.harsh else 8):
            case 0 | 1 | 2:
                self.kill(chance.choice((*SERVICES, BUS)))
                return "kills"
            case 3:
                self.kill_executor(chance)
                return "kills of an executor"
            case 4:
                async with self.standing_still(chance.choice((*SERVICES, BUS))):
                    await asyncio.sleep(chance.uniform(*_PAUSE_S))
                return "pauses"
            case 5:
                await self.repeat(chance, kind=chance.choice((ApprovalGranted, PromotionRequested)))
                return "repetitions"
            case 8:
                await self.fill_stream(chance)
                return "full streams"
            case _:
                await self.fail_forge(chance.choice(self.faults))
                return "failures of the forge"


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
