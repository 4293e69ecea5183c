"""A fault at a service's start is told once, in time, and hinders nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import REGISTRY

from countersign.checks.model import LASTING, Fault, Finding, Subject
from countersign.checks.starts import PATIENCE_S, PAUSE_S_MAX, Check, tried_at_start, try_all
from countersign.checks.words import ADVICE
from countersign.process.clocks import Clocks
from countersign.telemetry.logs import configure_logs

MONTH_S = 30 * 86400.0


@dataclass
class Time:
    """Passes by sleeping alone; whoever sleeps beyond the end is left there."""

    end_s: float = MONTH_S
    now_s: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s > self.end_s:
            self.over.set()
            await asyncio.Event().wait()

    @property
    def clocks(self) -> Clocks:
        return Clocks(monotonic=lambda: self.now_s, sleep=self.sleep)


@dataclass
class Tried:
    """One thing, and its fault at each time."""

    fault_at: Callable[[float], Fault | None]
    time: Time
    name: str = "TOKENS"
    detail: str = "stream\n not found"
    looks_s: list[float] = field(default_factory=list)

    async def __call__(self) -> AsyncIterator[Finding]:
        self.looks_s.append(self.time.now_s)
        yield Finding(subject=Subject.CLUSTER, name="another", detail="is there")
        yield Finding(
            subject=Subject.STREAM,
            name=self.name,
            fault=self.fault_at(self.time.now_s),
            detail=self.detail,
        )


@pytest.fixture
def lines(capsys: Any) -> Any:
    configure_logs(service="watcher", level="info")
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def run(*checks: Check, time: Time) -> None:
    """Until all is good, or time has ended."""
    task = asyncio.create_task(try_all(checks, clocks=time.clocks))
    over = asyncio.create_task(time.over.wait())
    await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    over.cancel()
    await asyncio.wait({task, over})


def gauged(fault: Fault) -> float | None:
    return REGISTRY.get_sample_value(
        "countersign_start_faults", {"kind": Subject.STREAM, "fault": fault}
    )


async def test_sound_start_tells_nothing_and_looks_once(lines: Any) -> None:
    time = Time()
    tried = Tried(lambda _: None, time)

    await run(tried, time=time)

    assert len(tried.looks_s) == 1
    assert [line["event"] for line in lines()] == ["start.sound"]


async def test_what_comes_while_everything_starts_is_no_fault(lines: Any) -> None:
    time = Time()
    tried = Tried(lambda s: Fault.STREAM_MISSING if s < PATIENCE_S / 2 else None, time)

    await run(tried, time=time)

    assert len(tried.looks_s) > 1
    assert tried.looks_s[-1] < PATIENCE_S
    assert [line["event"] for line in lines()] == ["start.sound"]


async def test_what_stays_away_is_told_in_one_line_and_once(lines: Any) -> None:
    time = Time(end_s=86400.0)
    tried = Tried(lambda _: Fault.STREAM_MISSING, time)

    await run(tried, time=time)

    (line,) = lines()
    assert line["event"] == "start.fault"
    assert line["level"] == "warning"
    assert (line["subject"], line["name"], line["fault"]) == ("stream", "TOKENS", "stream_missing")
    assert line["detail"] == "stream not found"
    assert line["advice"] == ADVICE[Fault.STREAM_MISSING]
    assert gauged(Fault.STREAM_MISSING) == 1


@pytest.mark.parametrize("fault", sorted(LASTING))
async def test_what_only_other_settings_mend_is_told_at_once(lines: Any, fault: Fault) -> None:
    time = Time(end_s=PATIENCE_S / 10)

    await run(Tried(lambda _: fault, time), time=time)

    (line,) = lines()
    assert line["fault"] == fault


async def test_what_is_mended_is_told_and_no_more_counted(lines: Any) -> None:
    time = Time()
    tried = Tried(lambda s: Fault.STREAM_MISSING if s < 2 * PATIENCE_S else None, time)

    await run(tried, time=time)

    assert [line["event"] for line in lines()] == ["start.fault", "start.mended", "start.sound"]
    assert gauged(Fault.STREAM_MISSING) is None


async def test_another_fault_of_the_same_thing_is_told(lines: Any) -> None:
    time = Time(end_s=86400.0)
    late = 2 * PATIENCE_S
    tried = Tried(lambda s: Fault.STREAM_MISSING if s < late else Fault.STREAM_FULL, time)

    await run(tried, time=time)

    told = [line["fault"] for line in lines() if line["event"] == "start.fault"]
    assert told == [Fault.STREAM_MISSING, Fault.STREAM_FULL]


async def test_what_is_good_is_not_tried_again_and_the_rest_ever_more_rarely() -> None:
    time = Time(end_s=86400.0)
    good = Tried(lambda _: None, time, name="PROMOTIONS")
    bad = Tried(lambda _: Fault.STREAM_MISSING, time)

    await run(good, bad, time=time)

    assert len(good.looks_s) == 1
    pauses = [b - a for a, b in zip(bad.looks_s, bad.looks_s[1:], strict=False)]
    assert sorted(pauses) == pauses
    assert pauses[-1] == PAUSE_S_MAX


async def test_check_that_fails_itself_stops_no_other(lines: Any) -> None:
    async def broken() -> AsyncIterator[Finding]:
        raise ZeroDivisionError
        yield Finding(subject=Subject.BUS, name="never")

    time = Time(end_s=86400.0)
    missing = Tried(lambda _: Fault.STREAM_MISSING, time)

    await run(broken, missing, time=time)

    assert [line["event"] for line in lines()] == ["start.check_failed", "start.fault"]


async def test_service_neither_waits_for_its_checks_nor_ends_with_them() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def hangs() -> AsyncIterator[Finding]:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        yield Finding(subject=Subject.BUS, name="never")

    async with tried_at_start(hangs, clocks=Time().clocks):
        assert not asked.is_set()
        await asked.wait()

    assert ended.is_set()


async def test_check_that_forgets_its_cancellation_keeps_no_service_from_ending() -> None:
    """As `wait_for` of Python 3.11 may."""
    looking, time = asyncio.Event(), Time()

    async def forgetful() -> AsyncIterator[Finding]:
        looking.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield Finding(subject=Subject.BUS, name="bus", fault=Fault.UNREACHABLE)

    async with asyncio.timeout(5), tried_at_start(forgetful, clocks=time.clocks):
        await looking.wait()
