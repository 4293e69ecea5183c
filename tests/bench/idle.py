"""The five services at rest: time to ready, memory (PSS), and how much of a core they use.

Runs the demonstration in a folder of its own and looks at its processes. Memory that processes
share is divided among them (PSS); services forbid others of the same user to look, so this needs
root or CAP_SYS_PTRACE. How long a service takes to start is found by starting it once more, beside
the one that runs, with the same settings and other ports.
Run: `.venv/bin/python tests/bench/idle.py [--seconds 30] [--starts 3]`.
"""

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Final

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
# The demonstration releases a first revision, and what was observed is looked at once more.
SETTLE_S: Final = 15.0
READY_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 60.0
GOAL_MIB: Final = 350
GOAL_CORE_PERCENT: Final = 2.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to watch")
    parser.add_argument("--starts", type=int, default=3, help="how often to start each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
        prefix="countersign-idle-", ignore_cleanup_errors=True
    ) as directory:
        log = Path(directory) / "demo.log"
        command = [str(Path(sys.executable).parent / "countersign-demo"), "--dir", f"{directory}/d"]
        started = time.monotonic()
        with log.open("wb") as file:
            demo = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            ready_s = _until_ready(demo, log, started)
            time.sleep(SETTLE_S)
            _report(demo.pid, options.seconds, ready_s)
            _report_starts(demo.pid, options.starts)
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
    # Executors come and go; what those used that are gone is not seen.
    by_service = _processes(pid)
    print(f"everything ready after {ready_s:.1f} s\n")
    print(f"{'service':<12}{'processes':>10}{'PSS MiB':>10}{'% of a core':>13}")
    total_mib = total_percent = 0.0
    for service in SERVICES:
        group = by_service[service]
        mib = sum(_pss_kib(process) for process in group) / 1024
        percent = 100 * sum(_cpu_s(p) - before.get(p, 0.0) for p in group) / watched_s
        total_mib, total_percent = total_mib + mib, total_percent + percent
        print(f"{service:<12}{len(group):>10}{mib:>10.1f}{percent:>13.2f}")
    print(f"{'together':<12}{'':>10}{total_mib:>10.1f}{total_percent:>13.2f}")
    print(f"{'goal':<12}{'':>10}{GOAL_MIB:>10}{GOAL_CORE_PERCENT:>13.2f}")


def _report_starts(pid: int, times: int) -> None:
    by_service = _processes(pid)
    print(f"\n{'service':<12}{'ready after s':>15}{'CPU s':>8}")
    for service in SERVICES:
        if not by_service[service]:
            continue
        taken = [_start_again(by_service[service][0]) for _ in range(times)]
        ready_s, cpu_s = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"{service:<12}{ready_s:>15.2f}{cpu_s:>8.2f}")


def _start_again(process: int) -> tuple[float, float]:
    """Seconds until another of its kind is ready, and the CPU's seconds within."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    pairs = Path(f"/proc/{process}/environ").read_bytes().decode().rstrip("\0").split("\0")
    port = _free_port()
    environment = dict(pair.split("=", 1) for pair in pairs) | {
        "COUNTERSIGN_HEALTH_PORT": str(port),
        "COUNTERSIGN_PORT": str(_free_port()),
        "COUNTERSIGN_WEBHOOK_PORT": str(_free_port()),
        "COUNTERSIGN_REPLICA": f"bench-{port}",
    }
    started = time.monotonic()
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as again:
        try:
            while not _is_ready(port):
                if again.poll() is not None or time.monotonic() - started > READY_TIMEOUT_S:
                    raise SystemExit(f"{words[-1]} does not start a second time")
                time.sleep(0.01)
            return time.monotonic() - started, _cpu_s(again.pid)
        finally:
            again.terminate()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


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
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # an executor that did its job meanwhile
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _cpu_s(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    raise SystemExit(main())
