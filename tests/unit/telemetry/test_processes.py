"""The end of a process, in processes."""

import os
import signal
import subprocess
import sys
import textwrap
from typing import Any, Never

import pytest

from countersign.process.processes import single_error


def run(body: Any, *, signals: Any = (), environment: Any = None) -> Any:
    """Run a program; when it says `ready`, signal it; return what became of it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )
    try:
        out = ""
        for number in signals:
            out += process.stdout.readline()
            process.send_signal(number)
        rest, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out + rest, err


MAIN = """
    import asyncio, sys
    from countersign.telemetry.logs import configure_logs
    from countersign.process.processes import run_until_signal

    async def main():
        try:
            print("ready")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep({cleaning_s})
            print("cleaned")

    configure_logs(service="watcher", level="info")
    sys.exit(run_until_signal(main(), grace_s={grace_s}))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_process_after_cleaning_up(number: Any) -> None:
    code, out, _ = run(MAIN.format(cleaning_s=0.01, grace_s=5), signals=[number])

    assert code == 0
    assert out == "ready\ncleaned\n"


def test_cleaning_up_for_ever_is_cut_short() -> None:
    code, out, err = run(MAIN.format(cleaning_s=60, grace_s=0.1), signals=[signal.SIGTERM])

    assert code == 75
    assert "cleaned" not in out
    assert "process.overdue" in err


def test_error_of_the_program_is_not_hidden() -> None:
    code, _, err = run("""
        from countersign.process.processes import run_until_signal

        async def main():
            raise KeyError("k")

        run_until_signal(main())
    """)

    assert code == 1
    assert "KeyError" in err


def test_memory_of_the_process_cannot_be_read_or_dumped() -> None:
    code, out, err = run("""
        import ctypes, resource
        from countersign.process.processes import forbid_dumps

        forbid_dumps()
        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
    """)

    assert (code, err) == (0, "")
    assert out == "0 (0, 0)\n"


def test_collector_that_is_down_stops_nobody() -> None:
    """Traces are lost; the process works and ends in time."""
    code, out, err = run(
        """
        from countersign.process.setup import TelemetrySettings, telemetry
        from countersign.telemetry.tracing import carrier, span

        with telemetry("watcher", TelemetrySettings()):
            for _ in range(100):
                with span("work"):
                    assert carrier()["traceparent"].startswith("00-")
            print("worked")
        """,
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    )

    assert (code, out) == (0, "worked\n"), err


def test_group_of_one_is_that_error() -> Never:
    with pytest.raises(KeyError), single_error():
        raise ExceptionGroup("g", [KeyError("k")])


def test_group_of_several_stays_a_group() -> Never:
    with pytest.raises(ExceptionGroup), single_error():
        raise ExceptionGroup("g", [KeyError("k"), ValueError("v")])
