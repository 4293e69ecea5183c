"""`countersign-topology users`: keys of our users, and what a server needs of them."""

import argparse
import sys
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.server_config import accounts, make_keys
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.readers import Reader

EXIT_FAILED: Final = 1
_WRITER: Final = "pr-writer"
# Its public key, by which approval knows who may redeem.
WRITER_KEYS: Final = "writer-nkeys"


def declare(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Makes the keys that are missing, and prints our account with the rights of each user, "
        "for `accounts { … }` of a nats-server."
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("users"), help="where the keys are (users)"
    )
    parser.add_argument("--readers", type=Path, help="directory of readers, who get accounts too")


def run(options: argparse.Namespace) -> int:
    folder: Path = options.dir
    try:
        readers = _readers(options.readers)
        keys = make_keys(folder)
        (folder / WRITER_KEYS).write_text(keys[_WRITER], encoding="utf-8")
    except (Rejected, OSError) as error:
        print(f"countersign-topology: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(accounts(keys, readers))
    print(f"keys of {', '.join(keys)}: {folder}/<user>.nk", file=sys.stderr)
    return 0


def _readers(folder: Path | None) -> tuple[Reader, ...]:
    # To print none for a name that is mistyped would end all of them.
    if folder is not None and not folder.is_dir():
        raise Rejected(BusRefusal.NOT_FOUND, f"there is no directory {str(folder)!r}")
    return reader_files.load(folder) if folder is not None else ()
