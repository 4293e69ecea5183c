"""`countersign-demo`: everything on this machine until Ctrl-C; with `--auto`, a walk through it."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import HOST, Layout, Ports, choose_ports, displaced
from countersign.local.demo.running import Running, only_one, running
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.releasing import release
from countersign.local.demo.walk.walking import Venue, walk_all
from countersign.local.demo.welcome import welcome
from countersign.local.refusals import LocalRefusal
from countersign.telemetry.logs import configure_logs

PROGRAM = "countersign-demo"
_PORT_MAX = 65535
_CANARY_TIMEOUT_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    layout = Layout(given.dir.resolve())
    try:
        if given.release:
            print(f"released {given.release} {release(layout, given.release)} to dev")
            return 0
        with only_one(layout):
            ports = choose_ports(layout, gateway=given.port)
            taken = 0 if given.port else displaced(layout, ports)
            if taken:
                where = f"the board is at {ports.gateway_url}; PORT= or --port chooses another"
                print(f"port {taken} is taken: {where}", flush=True)
            return asyncio.run(_auto(layout, ports) if given.auto else _stay(layout, ports))
    except (Rejected, Retryable) as error:
        print(f"{PROGRAM}: {error.message}", file=sys.stderr)
    except ExceptionGroup as group:
        for reason in _reasons(group):
            print(f"{PROGRAM}: {reason}", file=sys.stderr)
    except asyncio.CancelledError:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
    return 1


async def _stay(layout: Layout, ports: Ports) -> int:
    _cancel_on_signal()
    print("starting a bus, a forge, a cluster and five services …", flush=True)
    try:
        async with running(layout, ports):
            print(welcome(layout, ports), flush=True)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("stopped; the next start goes on from here", flush=True)
    return 0


def _cancel_on_signal() -> None:
    """The first signal ends this task, which stops everything; more of them hurry nothing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked: list[int] = []

    def ask() -> None:
        if task is not None and not asked:
            asked.append(1)
            print("stopping …", flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)


async def _auto(layout: Layout, ports: Ports) -> int:
    _cancel_on_signal()
    began = time.monotonic()
    async with running(layout, ports) as system:
        print(f"started in {time.monotonic() - began:.1f} s", flush=True)
        walked = Venue(ports=ports, release=lambda name: release(layout, name))
        answers = await walk_all(walked, say=lambda line: print(line, flush=True))
        canary = await _canary(ports)
        told = await _metrics(system)
        places = Places(
            directory=layout.root, pids=frozenset({os.getpid()}), answers=(*answers, *told)
        )
        result = await look_for_leaks(canary, places)
        print(result.line, flush=True)
        if system.supervisor.restarts:
            raise Rejected(
                LocalRefusal.RESTARTED,
                f"{system.supervisor.restarts} processes ended by themselves",
            )
    print(f"done in {time.monotonic() - began:.1f} s", flush=True)
    return 1 if result.finds else 0


async def _metrics(system: Running) -> tuple[bytes, ...]:
    """Collect the metrics of every service; they must still be given after a walk."""
    async with httpx2.AsyncClient(timeout=_CANARY_TIMEOUT_S, trust_env=False) as client:
        answers = [
            await client.get(f"http://{HOST}:{port}/metrics")
            for port in system.health_ports.values()
        ]
    return tuple(answer.raise_for_status().content for answer in answers)


async def _canary(ports: Ports) -> str:
    """Fetch the canary that every delegated token holds: only now, so that nobody else ever had it.

    Raises:
        Rejected: `no_tokens`; nothing was delegated, so there is nothing to look for.

    """
    async with httpx2.AsyncClient(timeout=_CANARY_TIMEOUT_S, trust_env=False) as client:
        answer = await client.get(f"{ports.forge_url}/_local/canary")
    answer.raise_for_status()
    found = answer.json()
    if not found["issued"]:
        raise Rejected(LocalRefusal.NO_TOKENS, "the forge issued no token; nothing was delegated")
    return str(found["canary"])


def _reasons(group: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _reasons(error)
        elif isinstance(error, Rejected | Retryable):
            yield error.message
        else:
            yield f"{type(error).__name__}: {error}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Countersign on this machine: a bus, five services, a forge and a cluster, "
        "all for demonstrations only. State is kept, so a second start goes on.",
    )
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where its state is kept")
    parser.add_argument(
        "--auto",
        action="store_true",
        help="walk a revision from dev to prod as a person would, look for leaks, and stop",
    )
    parser.add_argument(
        "--release",
        metavar="PIPELINE",
        help="while it runs: release something new of checkout, catalog, search or website to dev",
    )
    parser.add_argument("--port", type=_port, help="of the board (default: 8080, or a free one)")
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= _PORT_MAX:
        raise argparse.ArgumentTypeError(f"want 1 to {_PORT_MAX}")
    return value


if __name__ == "__main__":
    sys.exit(main())
