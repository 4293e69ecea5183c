"""The search for delegated tokens that were left anywhere, proved by one left on purpose."""

import asyncio
import base64
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.local.demo.walk.scanning import Find, Scanner
from countersign.local.refusals import LocalRefusal

_CONTROL_S_MAX: Final = 30.0
# PR_SET_DUMPABLE; the control is to be found in a process like those that hold tokens.
_CONTROL_PROGRAM: Final = (
    "import ctypes, sys; assert ctypes.CDLL(None).prctl(4, 0) == 0; "
    "print('planted', flush=True); sys.stdin.read()"
)


@dataclass(frozen=True, kw_only=True)
class Places:
    """The places to search."""

    directory: Path
    pids: frozenset[int]
    answers: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    finds: tuple[Find, ...]
    controls: int
    places: int
    bytes_read: int
    closed: int

    @property
    def line(self) -> str:
        """Describe it for a person, in one line."""
        closed = f", {self.closed} environments closed to this user" if self.closed else ""
        head = f"canary {'found' if self.finds else 'not found'}"
        where = "".join(f"; {f.encoding} in {f.place}" for f in self.finds)
        return (
            f"{head} in {self.places} places, {self.bytes_read / 1e6:.1f} MB{closed}; "
            f"all {self.controls} controls found{where}"
        )


async def look_for_leaks(canary: str, places: Places) -> Result:
    """Search everything twice: with tokens planted, which must be found, and without.

    Raises:
        Rejected: `blind`; a planted token was not found. `unreadable`.

    """
    async with _planted(canary, places.directory) as (pid, expected):
        found = await asyncio.to_thread(_search, Scanner(canary), places, {pid})
        seen = {find.place for find in found}
        missed = [place for place in expected if place not in seen]
        if missed:
            raise Rejected(
                LocalRefusal.BLIND, f"a planted token was not found in {', '.join(missed)}"
            )
    scanner = Scanner(canary)
    finds = await asyncio.to_thread(_search, scanner, places, set())
    return Result(
        finds=tuple(finds),
        controls=len(expected),
        places=scanner.places,
        bytes_read=scanner.bytes_read,
        closed=scanner.closed,
    )


def _search(scanner: Scanner, places: Places, more_pids: Iterable[int]) -> list[Find]:
    finds = list(scanner.search_tree(places.directory))
    finds += scanner.search_processes({*places.pids, *more_pids})
    for number, answer in enumerate(places.answers):
        finds += scanner.search(answer, f"answer {number}")
    return finds


@asynccontextmanager
async def _planted(canary: str, directory: Path) -> AsyncIterator[tuple[int, tuple[str, ...]]]:
    """Tokens where none may be: plain and encoded in files, in a process that is not dumpable."""
    token = f"ghu_{canary}"
    plain, encoded = directory / "logs" / "control.log", directory / "control.bin"
    plain.write_text(f'{{"event":"control","token":"{token}"}}\n')
    encoded.write_bytes(b"\x00" * 7 + base64.b64encode(f"x-access-token:{token}".encode()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CONTROL_PROGRAM, token,
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={**os.environ, "CONTROL": token},
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async with asyncio.timeout(_CONTROL_S_MAX):
            await process.stdout.readline()
        expected = [str(plain), str(encoded), f"/proc/{process.pid}/cmdline"]
        if os.geteuid() == 0:
            expected.append(f"/proc/{process.pid}/environ")
        yield process.pid, tuple(expected)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        plain.unlink()
        encoded.unlink()
