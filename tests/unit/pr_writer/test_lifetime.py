"""An executor is ended by the kernel, whatever it waits for."""

import asyncio
import signal
import socket
import sys

from unit.pr_writer.test_redeeming import job

from countersign.contracts.identity import consent_digest
from countersign.contracts.revision import parse_revision
from countersign.pr_writer.jobs.channel import open_channel
from countersign.pr_writer.jobs.frames import PROGRESS

LIFETIME_S = 1
WAIT_S = 15.0
# As the zygote runs it, but for so short.
PROGRAM = f"""
import socket, ssl, sys
from countersign.pr_writer.executor import executing
parent, parser = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:])
executing.run(parent, parser, tls=ssl.create_default_context(), lifetime_s={LIFETIME_S})
"""


async def test_executor_that_waits_too_long_is_ended_by_the_kernel() -> None:
    """It waits for its delegation, and would for twenty seconds: nobody answers."""
    (ours, theirs), (parsers, executors) = socket.socketpair(), socket.socketpair()
    fds = theirs.fileno(), executors.fileno()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *map(str, fds), pass_fds=fds
    )
    theirs.close()
    executors.close()
    channel = await open_channel(ours)
    asked = job()
    revision = parse_revision("6.9.0")
    content = asked.request.content.model_copy(update={"revision": revision, "identity": "6.9.0"})
    request = asked.request.model_copy(update={"content": content})
    consent = asked.consent.model_copy(update={"digest": consent_digest(request)})
    consented = asked.model_copy(update={"request": request, "consent": consent})
    try:
        await channel.send(consented.model_dump_json(by_alias=True).encode(), timeout_s=WAIT_S)
        told = await channel.receive(timeout_s=WAIT_S)
        ended = await asyncio.wait_for(process.wait(), WAIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await channel.close()
        parsers.close()

    assert told.startswith(PROGRESS)
    assert ended == -signal.SIGALRM
