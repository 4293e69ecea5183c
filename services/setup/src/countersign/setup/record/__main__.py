"""`countersign-record`: seal the record, verify it, write it out.

Reads the stream as the NATS user `record`; the key that seals is the administrator's.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.record.chain import Found, Seal, StoredEvent, Walk, flaws_of_seals
from countersign.contracts.record.retold import flaws_of_rows, rows
from countersign.contracts.record.tables import csv_head, csv_line
from countersign.messaging.administration.stored_events import open_promotions
from countersign.messaging.settings import BusSettings
from countersign.process.clocks import MACHINE
from countersign.process.faults.validation import wrong_settings
from countersign.setup.record import files, keys, sealing
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-record"
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
# Beyond that something is wrong as a whole.
FLAWS_MAX: Final = 100


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    work = {"seal": _seal, "verify": _verify, "rows": _rows}.get(options.command)
    if work is None:
        _parser().print_help()
        return EXIT_USAGE
    try:
        return asyncio.run(work(options))
    except ValidationError as error:
        places = "; ".join(map(str, wrong_settings(error)))
        print(f"{PROGRAM}: settings: {places}", file=sys.stderr)
        return EXIT_USAGE
    except (Rejected, Retryable) as error:
        print(f"{PROGRAM}: {error.message}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Seals, verifies and writes out the record of promotions.",
        epilog="The stream is read at COUNTERSIGN_NATS_URL with the nkey seed in "
        "COUNTERSIGN_NKEY_FILE, which is that of the NATS user record.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    sealing_ = commands.add_parser("seal", help="sign what the stream holds since the last seal")
    sealing_.add_argument("--key", type=Path, required=True, help="Ed25519 private key, PEM")
    verifying = commands.add_parser("verify", help="check seals, events, and an export of the page")
    verifying.add_argument("--public-key", type=Path, required=True, help="its public half, PEM")
    verifying.add_argument("--rows", type=Path, help="record.jsonl as the page exported it")
    for each in (sealing_, verifying):
        each.add_argument("--seals", type=Path, required=True, help="file of seals")
    writing = commands.add_parser("rows", help="write the whole record to standard output")
    writing.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    for each in (verifying, writing):
        each.add_argument(
            "--archive",
            type=Path,
            action="append",
            default=[],
            help="events that were dropped from the stream, oldest first; may be repeated",
        )
        each.add_argument("--no-stream", action="store_true", help="read archives alone")
    return parser


async def _seal(options: argparse.Namespace) -> int:
    key = keys.private_key(options.key)
    seals = files.read_seals(options.seals)
    last = seals[-1] if seals else None
    async with open_promotions(BusSettings()) as stored:
        state = stored.state
        events = stored.events(first=sealing.next_sequence(last, state))
        made = await sealing.seal(events, last=last, state=state, key=key, now=MACHINE.wall())
    if made is None:
        print("nothing new to seal")
        return 0
    files.append_seal(options.seals, made)
    # A copy for whoever keeps the log.
    print(f"sealed up to event {made.sequence}: {made.line()}")
    return 0


async def _events(options: argparse.Namespace) -> tuple[list[StoredEvent], str]:
    """Those of the archives, then those of the stream; and when that was made, if it was asked."""
    found, made = list(files.read_events(options.archive)), ""
    if not options.no_stream:
        async with open_promotions(BusSettings()) as stored:
            made = stored.state.created.isoformat()
            first = max(stored.state.first_sequence, found[-1].sequence + 1 if found else 1)
            found += [event async for event in stored.events(first=first)]
    return found, made


async def _verify(options: argparse.Namespace) -> int:
    key = keys.public_key(options.public_key)
    seals = files.read_seals(options.seals)
    events, made = await _events(options)
    walk = Walk(seals=_of_stream(seals, made))
    flaws = [*_flaws(options, seals, events, walk, key)]
    for found in flaws[:FLAWS_MAX]:
        print(f"event {found.sequence}: {found.flaw.value}")
    last = walk.seals[-1].sequence if walk.seals else 0
    open_ended = sum(e.sequence > last for e in events)
    print(
        f"{len(seals)} seals, {walk.checked} compared with {len(events)} events; "
        f"{open_ended} events are not sealed yet; {len(flaws)} flaws"
    )
    return EXIT_FAILED if flaws else 0


def _of_stream(seals: Sequence[Seal], made: str) -> list[Seal]:
    wanted = made or (seals[-1].stream if seals else "")
    return [seal for seal in seals if seal.stream == wanted]


def _flaws(
    options: argparse.Namespace,
    seals: Sequence[Seal],
    events: Sequence[StoredEvent],
    walk: Walk,
    key: Ed25519PublicKey,
) -> Iterator[Found]:
    yield from flaws_of_seals(seals, is_genuine=lambda seal: keys.is_genuine(seal, key))
    yield from walk.over(events)
    if options.rows:
        yield from flaws_of_rows(files.read_rows(options.rows), events)


async def _rows(options: argparse.Namespace) -> int:
    events, _ = await _events(options)
    found = rows(events)
    if options.format == "csv":
        sys.stdout.write(csv_head())
        sys.stdout.writelines(map(csv_line, found))
    else:
        sys.stdout.writelines(row.line() + "\n" for row in found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
