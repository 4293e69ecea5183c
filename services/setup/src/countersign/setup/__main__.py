"""`countersign-setup`: what an installation needs once."""

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.http_api import cluster_api
from countersign.kube.refusals import ClusterRefusal
from countersign.process.faults.validation import wrong_settings
from countersign.setup.keys import Setup
from countersign.setup.settings import Settings
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-setup"
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
TRIES: Final = 10
PAUSE_S: Final = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    if options.command is None:
        _parser().print_help()
        return EXIT_USAGE
    try:
        settings = Settings()
    except ValidationError as error:
        places = "; ".join(map(str, wrong_settings(error)))
        return _complain(f"settings: {places}", EXIT_USAGE)
    try:
        changed = asyncio.run(_make(settings))
    except (Rejected, Retryable) as error:
        return _complain(error.message, EXIT_FAILED)
    print("\n".join(f"+ secret {name}" for name in changed) or "nothing to change")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Makes what an installation in a cluster needs once.",
        epilog="Settings: COUNTERSIGN_KUBE_URL, COUNTERSIGN_NAMESPACE, COUNTERSIGN_BUS, "
        "COUNTERSIGN_BUS_NODES, COUNTERSIGN_READERS_FILE.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(
        "keys",
        help="make the keys of the bus's users, its certificate and its configuration, as Secrets",
    )
    return parser


async def _make(settings: Settings) -> list[str]:
    if not settings.kube.in_use:
        raise Rejected(
            ClusterRefusal.NO_CLUSTER, "COUNTERSIGN_KUBE_URL is not set; say which cluster"
        )
    async with cluster_api(settings.kube) as api:
        setup = Setup(
            api=api,
            settings=settings,
            now=lambda: datetime.now(UTC),
            dice=secrets.token_bytes,
        )
        for left in reversed(range(TRIES)):
            try:
                return await setup.make()
            except (Rejected, Retryable) as error:
                # A Role that was applied together with the Job may count a moment later.
                passing = isinstance(error, Retryable) or error.reason in {
                    ClusterRefusal.FORBIDDEN,
                    ClusterRefusal.CONFLICT,
                }
                if not passing or not left:
                    raise
                await asyncio.sleep(PAUSE_S)
    raise AssertionError("the last try returns or raises")


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
