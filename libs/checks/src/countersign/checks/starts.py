"""Services try what they need once they have started, and tell in their log what is missing.

This happens beside the service's work and hinders none of it. Where everything starts together,
most of what is missing comes within minutes, so it is told only if it has not. It is tried on, ever
more rarely, until it is mended; what was found good is not tried again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from countersign.checks.model import LASTING, Finding
from countersign.checks.words import advice
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.tasks.cancellation import keeping_cancellation
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import gauge

log = get_logger()

# The start itself has the machine first.
FIRST_S: Final = 5.0
PATIENCE_S: Final = 300.0
PAUSE_S_MAX: Final = 900.0
DETAIL_CHARACTERS_MAX: Final = 300
_FAULTS: Final = gauge(
    "start_faults",
    "What was missing or wrong when the service started, and is still.",
    ("kind", "fault"),
)

Check = Callable[[], AsyncIterator[Finding]]
# Subject, name and fault.
_Key = tuple[str, str, str]


@asynccontextmanager
async def tried_at_start(*checks: Check, clocks: Clocks = MACHINE) -> AsyncIterator[None]:
    """Try in the background what a service needs, as long as the block runs."""
    task = asyncio.create_task(try_all(checks, clocks=clocks), name="start-checks")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def try_all(checks: Sequence[Check], *, clocks: Clocks = MACHINE) -> None:
    """Try until all is good; whatever a check does, nothing is raised."""
    patient_until = clocks.monotonic() + PATIENCE_S
    pause_s = FIRST_S
    told: frozenset[_Key] = frozenset()
    while checks:
        await clocks.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)
        with keeping_cancellation():
            found = [(check, await _faults(check)) for check in checks]
        late = clocks.monotonic() >= patient_until
        now = {_key(f): f for _, some in found for f in some if late or f.fault in LASTING}
        _tell(now, told=told)
        told = frozenset(now)
        checks = [check for check, some in found if some]
    log.info("start.sound")


async def _faults(check: Check) -> list[Finding]:
    try:
        return [finding async for finding in check() if finding.is_serious]
    except Exception:  # a bug of ours; the service does its work all the same
        log.exception("start.check_failed")
        return []


def _key(finding: Finding) -> _Key:
    return finding.subject.value, finding.name, finding.fault or ""


def _tell(now: Mapping[_Key, Finding], *, told: frozenset[_Key]) -> None:
    """Tell what is new, and what is mended."""
    _FAULTS.clear()
    for (subject, name, fault), finding in now.items():
        _FAULTS.labels(kind=subject, fault=fault).inc()
        if (subject, name, fault) not in told:
            log.warning(
                "start.fault",
                subject=subject,
                name=name,
                fault=fault,
                detail=" ".join(finding.detail.split())[:DETAIL_CHARACTERS_MAX],
                advice=advice(finding),
            )
    for subject, name, fault in told - now.keys():
        log.info("start.mended", subject=subject, name=name, fault=fault)
