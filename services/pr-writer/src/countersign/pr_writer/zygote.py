"""The zygote: idle, single-threaded, holding nothing. It forks a parser and an executor per job.

What they need is imported once, here, so that a job costs a fork and not a start of Python. It is
run as `python -m countersign.pr_writer.zygote <descriptor>`.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import ssl
import sys
from typing import Final, NoReturn

from countersign.pr_writer.executor import executing, redeeming
from countersign.pr_writer.jobs.frames import JOB, READY
from countersign.pr_writer.parser import parsing
from countersign.process.processes import forbid_dumps
from countersign.telemetry.logs import configure_logs

# What the HTTP client imports as late as its first request: 30 ms that no job should wait for.
_LATE_IMPORTS: Final = (
    "anyio._backends._asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
    "h11",
    "httpcore2",
    "httpcore2._async.http11",
    "truststore",
)


def main() -> None:
    """Serve until the parent closes its end."""
    control = socket.socket(fileno=int(sys.argv[1]))
    forbid_dumps()
    configure_logs(service="pr-writer", level="warning")
    # Children are nobody's to wait for; their channels tell how they ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tls = ssl.create_default_context()
    for name in _LATE_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # The first key takes 4 ms, whoever makes it. Random numbers part ways at each fork.
    redeeming.make_key()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(ConnectionError):  # the parent died while we started
        control.sendall(READY)
    while True:
        try:
            message, fds, _, _ = socket.recv_fds(control, len(JOB), 1)
        except ConnectionError:
            return  # the parent died with something of ours unread
        if not message or not fds:
            return
        serve(socket.socket(fileno=fds[0]), control, tls=tls)


def serve(parent: socket.socket, control: socket.socket, *, tls: ssl.SSLContext) -> None:
    """Fork the parser before the executor, so that it is nobody's child who has a token."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        for unused in (parent, control, ours):
            unused.close()
        _parse(theirs)
    theirs.close()
    if os.fork() == 0:
        control.close()
        _execute(parent, ours, tls=tls)
    ours.close()
    parent.close()


def _parse(sock: socket.socket) -> NoReturn:
    try:
        parsing.run(sock)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        os._exit(1)
    os._exit(0)


def _execute(parent: socket.socket, parser: socket.socket, *, tls: ssl.SSLContext) -> NoReturn:
    try:
        executing.run(parent, parser, tls=tls)
    except BaseException as error:  # noqa: BLE001 - the same; and its text could hold anything
        try:
            executing.fail(parent, error)
        finally:
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
