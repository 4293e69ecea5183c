"""Keeps processes running: starts them, starts them again when they die, stops them all."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Retryable
from countersign.local.refusals import LocalRefusal

BACKOFF_S_FIRST: Final = 0.5
BACKOFF_S_MAX: Final = 10.0
# Who lived so long died of something else than its start.
SETTLED_S: Final = 20.0
STOP_S_MAX: Final = 10.0
READY_S_MAX: Final = 30.0
_POLL_S: Final = 0.05
_LOG_LINES: Final = 5
# What a process inherits; all else comes from its own settings.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k in _INHERITED or k.startswith("OTEL_")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **settings}


@dataclass(frozen=True, kw_only=True)
class Program:
    """A process to run, its settings and its log."""

    name: str
    command: tuple[str, ...]
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Owns the processes. `say` prints one line for a person."""

    def __init__(self, *, say: Callable[[str], None], stop_s_max: float = STOP_S_MAX) -> None:
        self._say = say
        self._stop_s_max = stop_s_max
        self._running: dict[str, Process] = {}
        self._stop = asyncio.Event()
        self.restarts = 0

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    async def supervise(self, program: Program) -> None:
        """Run it until `stop`; a process that ends by itself is started again."""
        loop = asyncio.get_running_loop()
        pause_s = BACKOFF_S_FIRST
        while not self._stop.is_set():
            started = loop.time()
            process = await _start(program)
            self._running[program.name] = process
            status = await process.wait()
            if self._stop.is_set():
                return
            if loop.time() - started > SETTLED_S:
                pause_s = BACKOFF_S_FIRST
            self.restarts += 1
            self._say(
                f"{program.name} ended ({_ending(status)}); starting it again in {pause_s:g} s, "
                f"see {program.log}"
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stop.wait()
            pause_s = min(pause_s * 2, BACKOFF_S_MAX)

    async def stop(self, *, last: Collection[str] = ()) -> None:
        """Ask all to end, wait, and end those that do not; `last` are asked when others ended."""
        self._stop.set()
        await self._end([p for name, p in self._running.items() if name not in last])
        await self._end([p for name, p in self._running.items() if name in last])

    async def _end(self, processes: Sequence[Process]) -> None:
        alive = [p for p in processes if p.returncode is None]
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        waits = [asyncio.create_task(process.wait()) for process in alive]
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=self._stop_s_max)
        for process in alive:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        if late:
            await asyncio.wait(late)


async def run_once(program: Program) -> None:
    """Run it to its end.

    Raises:
        Retryable: `failed`; with the last lines of its log.

    """
    process = await _start(program)
    status = await process.wait()
    if status != 0:
        raise Retryable(
            LocalRefusal.FAILED, f"{program.name} {_ending(status)}:\n{last_lines(program.log)}"
        )


async def until_ready(name: str, *, probe: Callable[[], object], log: Path) -> None:
    """Call `probe` until it no longer raises `OSError`.

    Raises:
        Retryable: `not_ready`; with the last lines of its log.

    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_S_MAX
    reason = ""
    while loop.time() < deadline:
        try:
            await asyncio.to_thread(probe)
        except OSError as error:
            reason = str(error)
            await asyncio.sleep(_POLL_S)
        else:
            return
    raise Retryable(
        LocalRefusal.NOT_READY,
        f"{name} is not ready after {READY_S_MAX:g} s: {reason}\n{last_lines(log)}",
    )


def last_lines(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"


async def _start(program: Program) -> Process:
    with program.log.open("ab") as log:
        # A session of its own: Ctrl-C reaches us alone, and we stop the others in order.
        return await asyncio.create_subprocess_exec(
            *program.command,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(program.settings),
            start_new_session=True,
        )


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"signal {signal.Signals(-status).name}"
