"""The pr-writer's parser as a process of its own, under its own limits, without a zygote."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from countersign.pr_writer.executor.manifests.parser_client import Parser
from countersign.pr_writer.jobs.channel import open_channel
from countersign.process.processes import bare_environment

_PROGRAM = """
import socket, sys
from countersign.pr_writer.parser import parsing
parsing.run(socket.socket(fileno=int(sys.argv[1])))
"""


@asynccontextmanager
async def running_parser() -> AsyncIterator[Parser]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            env=bare_environment(),
        )
    channel = await open_channel(ours)
    try:
        yield Parser(channel)
    finally:
        await channel.close()
        await process.wait()
