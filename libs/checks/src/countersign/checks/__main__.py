"""Tries the forges on standard input, and writes what was found as JSON; see `apart`."""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

from countersign.checks.apart import write_findings
from countersign.checks.forges import check_forge
from countersign.checks.model import Finding
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.telemetry.logs import configure_logs


def main() -> None:
    configure_logs(service="checks", level="warning")
    asked = sys.stdin.buffer.read()
    if not asked:
        return  # who asks died before it could
    found = asyncio.run(_look(ForgeList.model_validate_json(asked).forges))
    # Who asked may have died meanwhile; what is buffered would be written once more at the end.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), write_findings(found).encode())


async def _look(forges: tuple[Forge, ...]) -> list[Finding]:
    return [found for forge in forges async for found in check_forge(forge, now=_now)]


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
