"""The programs of docs/subscribe.md as processes."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PRINTED_S_MAX = 120
# How a program of the document is run, in a folder of its own.
Command = Callable[[str, Path], tuple[str, ...]]


@asynccontextmanager
async def killed_at_end(
    command: tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    printed: Path | None = None,
    stderr: int | None = None,
) -> AsyncIterator[Process]:
    """Run it, with what it prints in a file, and kill it with its children."""
    with (printed or Path(os.devnull)).open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdin=DEVNULL, stdout=out, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        # `tsx` and `sh` start the program proper.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def until_printed(texts: Collection[str], *paths: Path) -> None:
    """Wait until each file has all of the texts."""
    async with asyncio.timeout(PRINTED_S_MAX):
        while True:
            if all(text in path.read_text() for text in texts for path in paths):
                return
            await asyncio.sleep(0.1)
