"""Tries the forges on standard input, and writes what was found as JSON; see `apart`."""

import asyncio
import sys
from datetime import UTC, datetime

from countersign.checks.apart import write_findings
from countersign.checks.forges import check_forge
from countersign.checks.model import Finding
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.telemetry.logs import configure_logs


def main() -> None:
    configure_logs(service="checks", level="warning")
    forges = ForgeList.model_validate_json(sys.stdin.buffer.read())
    print(write_findings(asyncio.run(_look(forges.forges))))


async def _look(forges: tuple[Forge, ...]) -> list[Finding]:
    return [found for forge in forges async for found in check_forge(forge, now=_now)]


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
