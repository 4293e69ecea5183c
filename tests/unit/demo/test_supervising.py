"""Processes that die are started again, and all are stopped."""

import asyncio
import sys
from pathlib import Path

import pytest

from countersign.contracts.errors import Retryable
from countersign.local.demo.supervisor import Program, Supervisor, environment, run_once

WAIT_S = 20.0


def program(tmp_path: Path, code: str, **settings: str) -> Program:
    return Program(
        name="it", command=(sys.executable, "-c", code), log=tmp_path / "it.log", settings=settings
    )


async def test_process_that_dies_is_started_again_and_told(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    supervisor = Supervisor(say=said.put_nowait)

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        group.create_task(supervisor.supervise(program(tmp_path, "raise SystemExit(3)")))
        lines = [await said.get() for _ in range(2)]
        await supervisor.stop()

    assert all("exit status 3" in line and "it.log" in line for line in lines)
    assert supervisor.restarts >= 2


async def test_process_that_ignores_the_request_to_end_is_ended(tmp_path: Path) -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('up'); signal.pause()"
    supervisor = Supervisor(say=print, stop_s_max=0.3)
    one = program(tmp_path, code)

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        group.create_task(supervisor.supervise(one))
        while not (one.log.exists() and "up" in one.log.read_text()):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)
        await supervisor.stop()

    assert supervisor.restarts == 0


async def test_program_that_fails_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Retryable) as caught:
        await run_once(program(tmp_path, "import sys; sys.exit('no-such-thing')"))

    assert "no-such-thing" in caught.value.message


def test_process_inherits_nothing_but_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "made-up")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    made = environment({"COUNTERSIGN_X": "1"})

    assert "SOME_TOKEN" not in made
    assert made["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    assert made["COUNTERSIGN_X"] == "1"
