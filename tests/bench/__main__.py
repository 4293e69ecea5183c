"""Prints the figures of docs/performance.md, one benchmark after another; never fails a test run.

Run: `.venv/bin/python tests/bench [--only NAME ...]`.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# What each prints is in its own docstring; the order puts what matters most first.
NAMES: Final = (
    "writing",
    "parsing",
    "watching",
    "merging",
    "board",
    "idle",
    "bus",
    "replaying",
    "keeping",
    "hints",
    "cluster",
    "forge_calls",
)
TOTAL_S: Final = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=str(NAMES))
    chosen = parser.parse_args().only or NAMES
    started = time.monotonic()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {_load()}\n", flush=True)
    for name in chosen:
        _run(name, left_s=TOTAL_S - (time.monotonic() - started))
    print(f"all after {time.monotonic() - started:.0f} s, {_load()}")
    return 0


def _run(name: str, *, left_s: float) -> None:
    print(f"== {name}", flush=True)
    if left_s <= 0:
        print("left out: the others took all the time\n", flush=True)
        return
    command = [sys.executable, str(Path(__file__).parent / f"{name}.py")]
    code = _wait(command, timeout_s=left_s)
    note = "" if code == 0 else f"ended with {code}; its figures are incomplete\n"
    print(note, flush=True)


def _wait(command: Sequence[str], *, timeout_s: float) -> int | str:
    with subprocess.Popen(command) as process:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            # As Ctrl-C does, so that it ends what it started.
            process.send_signal(signal.SIGINT)
            return f"no end after {timeout_s:.0f} s"


def _load() -> str:
    return "load " + " ".join(f"{load:.1f}" for load in os.getloadavg())


if __name__ == "__main__":
    raise SystemExit(main())
