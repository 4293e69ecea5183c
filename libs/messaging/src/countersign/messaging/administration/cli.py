"""`countersign-topology`: make the streams and durables, list dead letters, keep users and readers.

Runs as the NATS user `topology`, the only one that may manage them; users and readers are files.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from pydantic import ValidationError

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.record.chain import Seal
from countersign.messaging.administration import (
    reader_commands,
    reader_files,
    user_commands,
)
from countersign.messaging.administration.provisioning import apply_topology, dead_letters
from countersign.messaging.administration.reader_list import without_keys
from countersign.messaging.administration.retention import (
    TOMBSTONE_AGE,
    retain_pipelines,
    retain_promotions,
)
from countersign.messaging.connection import ConnectionState, close, connect
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import TOPOLOGY
from countersign.messaging.topology.readers import Reader
from countersign.messaging.topology.readers import durables as reader_durables
from countersign.messaging.topology.streams import DURABLES, STREAMS, with_replicas
from countersign.process.clocks import MACHINE
from countersign.process.faults.validation import wrong_settings
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-topology"
CONNECT_TIMEOUT_S: Final = 60.0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
_LETTERS_DEFAULT: Final = 100
# A shorter age would drop what people still look at.
DAYS_MIN: Final = 7
DAYS_MAX: Final = 36_500


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    if options.command == "reader":
        return reader_commands.run(options)
    if options.command == "users":
        return user_commands.run(options)
    try:
        settings = BusSettings()
    except ValidationError as error:
        places = "; ".join(map(str, wrong_settings(error)))
        print(f"{PROGRAM}: settings: {places}", file=sys.stderr)
        return EXIT_USAGE
    try:
        return asyncio.run(_run(settings, options))
    except (Rejected, Retryable) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Streams and durables of Countersign: create, update, show.",
        epilog="Connects to COUNTERSIGN_NATS_URL with the nkey seed in COUNTERSIGN_NKEY_FILE.",
    )
    parser.add_argument("--dry-run", action="store_true", help="the same as `apply --dry-run`")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    applying = commands.add_parser("apply", help="create what is missing, update what differs")
    # SUPPRESS: without it the default here would undo the option given before the command.
    applying.add_argument(
        "--dry-run",
        action="store_true",
        default=argparse.SUPPRESS,
        help="only print what would change",
    )
    applying.add_argument(
        "--replicas", type=int, choices=(1, 3, 5), default=1, help="copies of each stream"
    )
    applying.add_argument(
        "--readers", type=Path, help="directory or list of readers, who get durables"
    )
    retaining = commands.add_parser(
        "retain",
        help="drop promotions that are over for long, and what is left of deleted Pipelines",
        description="Drops the oldest events up to the first promotion that is not over, or not "
        "for so long. The chain of promotions is kept in the status of each Pipeline.",
    )
    retaining.add_argument(
        "--older-than-days", type=_days, required=True, help="how long they are over, at least"
    )
    retaining.add_argument(
        "--archive", type=Path, help="file that they are appended to first, a JSON object a line"
    )
    retaining.add_argument(
        "--seals", type=Path, help="file of seals on the record: drop nothing that is not sealed"
    )
    retaining.add_argument(
        "--dry-run", action="store_true", default=argparse.SUPPRESS, help="only print the count"
    )
    listing = commands.add_parser("dead-letters", help="list what could not be handled")
    listing.add_argument("--limit", type=int, default=_LETTERS_DEFAULT, help="at most so many")
    user_commands.declare(
        commands.add_parser(
            "users", help="keys of our users, and what a NATS of yours needs of them"
        )
    )
    reader_commands.declare(commands.add_parser("reader", help="keys of tools that read events"))
    return parser


async def _run(settings: BusSettings, options: argparse.Namespace) -> int:
    if options.command is None and not options.dry_run:
        _parser().print_help()
        return EXIT_USAGE
    state = ConnectionState(TOPOLOGY)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            client = await connect(settings, service=TOPOLOGY, state=state)
    except TimeoutError:
        raise Retryable(
            BusRefusal.UNAVAILABLE, f"{settings.nats_url}: {state.reason() or 'no answer'}"
        ) from None
    try:
        if options.command == "retain":
            return await _retain(client, options)
        if options.command == "dead-letters":
            return await _list(client, limit=options.limit)
        return await _apply(
            client,
            dry_run=options.dry_run,
            replicas=getattr(options, "replicas", 1),
            readers=getattr(options, "readers", None),
        )
    finally:
        await close(client, state)


async def _apply(client: Client, *, dry_run: bool, replicas: int, readers: Path | None) -> int:
    known = _known(readers) if readers is not None else ()
    changes = await apply_topology(
        client,
        streams=with_replicas(STREAMS, replicas).values(),
        durables=(*DURABLES.values(), *reader_durables(known)),
        dry_run=dry_run,
    )
    for change in changes:
        print("\n".join(change.lines()))
    if not changes:
        print("nothing to change")
    elif dry_run:
        print(f"{len(changes)} to change; nothing was")
    else:
        print(f"{len(changes)} changed")
    return 0


def _known(place: Path) -> tuple[Reader, ...]:
    return reader_files.load(place) if place.is_dir() else without_keys(place)


def _seals(path: Path) -> list[Seal]:
    """Read a file that `countersign-record` wrote; one that is not there is a mistake."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(BusRefusal.REFUSED, f"{path}: cannot be read: {error}") from None
    return [Seal.parse(line) for line in lines if line.strip()]


def _days(written: str) -> timedelta:
    days = int(written)
    if not DAYS_MIN <= days <= DAYS_MAX:
        raise ValueError(written)
    return timedelta(days=days)


async def _retain(client: Client, options: argparse.Namespace) -> int:
    now, dry_run = MACHINE.wall(), bool(options.dry_run)
    dropped = await retain_promotions(
        client,
        before=now - options.older_than_days,
        archive=options.archive,
        seals=_seals(options.seals) if options.seals else None,
        dry_run=dry_run,
    )
    pipelines = await retain_pipelines(client, before=now - TOMBSTONE_AGE, dry_run=dry_run)
    done = "would be dropped" if dry_run else "dropped"
    print(f"{dropped.events} events of promotions, {pipelines} deleted Pipelines {done}")
    if dropped.held_by:
        print(f"promotion {dropped.held_by} is not over, and what follows is kept with it")
    return 0


async def _list(client: Client, *, limit: int) -> int:
    letters = await dead_letters(client, limit=limit)
    for buried in letters:
        letter = buried.letter
        print(
            f"{buried.sequence}\t{buried.recorded_at}\t{letter.consumer}\t"
            f"{letter.stream}/{letter.sequence}\t{letter.deliveries}x\t{letter.subject}\t"
            f"{letter.reason}"
        )
    print(f"{len(letters)} dead letters", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
