"""`countersign-topology reader`: keys of tools, and what a server has to know of them."""

import argparse
import sys
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.messaging.administration import nsc_commands, reader_files
from countersign.messaging.administration.server_config import reader_fragments

EXIT_FAILED: Final = 1


def declare(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    adding = commands.add_parser("add", help="make a key, or change what it may read")
    adding.add_argument("name", help="of the tool: a-z, 0-9 and '-'")
    adding.add_argument(
        "--namespace", action="append", default=[], help="may be repeated; without it, everything"
    )
    revoking = commands.add_parser("revoke", help="forget a key")
    revoking.add_argument("name")
    for each in (adding, revoking):
        each.add_argument(
            "--jwt", action="store_true", help="for a server whose accounts are JWTs: print for nsc"
        )
    for each in (adding, revoking, commands.add_parser("list", help="who may read what")):
        each.add_argument(
            "--dir", type=Path, default=Path("readers"), help="where they are (readers)"
        )


def run(options: argparse.Namespace) -> int:
    try:
        match options.action:
            case "add":
                _add(options)
            case "revoke":
                _revoke(options)
            case _:
                for each in reader_files.load(options.dir):
                    scope = ", ".join(each.namespaces) or "everything"
                    print(f"{each.name}\t{each.public_key}\t{scope}")
    except (Rejected, OSError) as error:
        _say(f"countersign-topology: {error}")
        return EXIT_FAILED
    return 0


def _add(options: argparse.Namespace) -> None:
    folder: Path = options.dir
    reader = reader_files.add(folder, options.name, namespaces=tuple(options.namespace))
    durables = f"countersign-topology apply --readers {folder}"
    if options.jwt:
        print(nsc_commands.adding(reader, folder=str(folder)))
        _say(f"for the tool alone, once nsc made it: {folder / reader.name}.creds")
        _say(f"next: run what is printed above, and then {durables}")
        return
    print(reader_fragments(reader_files.load(folder)))
    _say(f"key of {reader.name}, for the tool alone: {reader_files.seed_of(folder, reader.name)}")
    # Tried with 2.15: an account that is new has its imports from the second time on.
    _say(f"next: put this into the server's configuration, reload it twice, and run {durables}")


def _revoke(options: argparse.Namespace) -> None:
    reader_files.revoke(options.dir, options.name)
    if options.jwt:
        print(nsc_commands.revoking(options.name))
        _say("next: run what is printed above; connections end when the server has it")
        return
    print(reader_fragments(reader_files.load(options.dir)))
    _say("next: put this into the server's configuration, and reload it")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
