"""The five services at rest: time to ready, memory (PSS), and how much of a core they use.

Runs the demonstration in a folder of its own and looks at its processes. Memory that processes
share is divided among them (PSS); services forbid others of the same user to look, so this needs
root or CAP_SYS_PTRACE.
Run: `.venv/bin/python tests/bench/idle.py [--seconds 20]`.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
SETTLE_S: Final = 5.0
READY_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 60.0
GOAL_MIB: Final = 350
GOAL_CORE_PERCENT: Final = 2.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to watch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "demo.log"
        command = [str(Path(sys.executable).parent / "countersign-demo"), "--dir", f"{directory}/d"]
        started = time.monotonic()
        with log.open("wb") as file:
            demo = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            ready_s = _until_ready(demo, log, started)
            time.sleep(SETTLE_S)
            _report(demo.pid, options.seconds, ready_s)
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(STOP_TIMEOUT_S)
    return 0


def _until_ready(demo: "subprocess.Popen[bytes]", log: Path, started: float) -> float:
    """The demonstration tells where to click when everything is ready."""
    while time.monotonic() - started < READY_TIMEOUT_S:
        text = log.read_text(errors="replace")
        if re.search(r"http://127\.0\.0\.1:\d+", text):
            return time.monotonic() - started
        if demo.poll() is not None:
            raise SystemExit(f"the demonstration ended:\n{text}")
        time.sleep(0.05)
    raise SystemExit(f"the demonstration is not ready after {READY_TIMEOUT_S} s:\n{text}")


def _report(pid: int, seconds: float, ready_s: float) -> None:
    by_service = _processes(pid)
    before = {process: _cpu_s(process) for group in by_service.values() for process in group}
    began = time.monotonic()
    time.sleep(seconds)
    watched_s = time.monotonic() - began
    print(f"everything ready after {ready_s:.1f} s\n")
    print(f"{'service':<12}{'processes':>10}{'PSS MiB':>10}{'% of a core':>13}")
    total_mib = total_percent = 0.0
    for service in SERVICES:
        group = by_service[service]
        mib = sum(_pss_kib(process) for process in group) / 1024
        percent = 100 * sum(_cpu_s(p) - before[p] for p in group) / watched_s
        total_mib, total_percent = total_mib + mib, total_percent + percent
        print(f"{service:<12}{len(group):>10}{mib:>10.1f}{percent:>13.2f}")
    print(f"{'together':<12}{'':>10}{total_mib:>10.1f}{total_percent:>13.2f}")
    print(f"{'goal':<12}{'':>10}{GOAL_MIB:>10}{GOAL_CORE_PERCENT:>13.2f}")


def _processes(root: int) -> dict[str, list[int]]:
    """Processes below the demonstration by the service they belong to."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        children[int(fields[1])].append(int(stat.parent.name))
    found: dict[str, list[int]] = {service: [] for service in SERVICES}
    waiting = [(child, "") for child in children[root]]
    while waiting:
        process, service = waiting.pop()
        service = service or _service(process)
        if service:
            found[service].append(process)
        waiting += [(child, service) for child in children[process]]
    return found


def _service(process: int) -> str:
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    names = {Path(word).name for word in words}
    return next((name for name in SERVICES if f"countersign-{name}" in names), "")


def _pss_kib(process: int) -> int:
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1])


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    raise SystemExit(main())
