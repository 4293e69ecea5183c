"""Forges are tried in a process of its own, for a service that must not read what they answer.

It ends with its answer, so that what it needed for that is not kept. It is run as
`python -m countersign.checks`.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from typing import Any, Final

from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.forge_list import ForgeList
from countersign.process.processes import bare_environment

TIMEOUT_S: Final = 120.0


async def check_forges_apart(forges: ForgeList) -> AsyncIterator[Finding]:
    """Try whether each answers, and compare clocks."""
    if not forges.forges:
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countersign.checks"),
        stdin=PIPE,
        stdout=PIPE,
        env=bare_environment(),
    )
    told = b""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            asked = forges.model_dump_json(by_alias=True).encode()
            told, _ = await process.communicate(asked)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        findings = read_findings(told)
    except ValueError:
        # Killed, for its memory or with its service's own; what it wrote so far is no answer.
        findings = [_untried(f"it ended with {process.returncode}")]
    for finding in findings:
        yield finding


def write_findings(findings: Iterable[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings])


def read_findings(told: bytes) -> list[Finding]:
    """Read what the process wrote.

    Raises:
        ValueError: it wrote something else, or ended before.

    """
    return [_finding(one) for one in json.loads(told)]


def _untried(detail: str) -> Finding:
    return Finding(subject=Subject.FORGE, name="of the list", fault=Fault.NOT_TRIED, detail=detail)


def _finding(one: dict[str, Any]) -> Finding:
    return Finding(
        subject=Subject(one["subject"]),
        name=str(one["name"]),
        fault=Fault(one["fault"]) if one["fault"] else None,
        detail=str(one["detail"]),
        hint=str(one["hint"]),
    )
