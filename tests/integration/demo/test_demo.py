"""The demonstration as its user has it: one command, real processes, one directory."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

COMMAND = Path(sys.executable).with_name("countersign-demo")
WALK_S_MAX = 110
START_S_MAX = 60

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def walk(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "--auto", "--dir", directory],
        check=False, capture_output=True, text=True, timeout=WALK_S_MAX,
    )  # fmt: skip


@contextmanager
def started(directory: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demonstration, once it has said where the board is; interrupted in the end."""
    process = subprocess.Popen(
        [COMMAND, "--dir", directory, *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.match(r"\s+Board\s+(http://127\.0\.0\.1:\d+)", line):
                yield process, found[1]
                break
        else:
            pytest.fail(f"it ended before it was ready: {''.join(lines)}")
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=START_S_MAX)
        assert process.returncode == 0, rest


def children_of(process: subprocess.Popen[str]) -> dict[str, int]:
    """Name of a service to its process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(entry) == process.pid:
            words = (entry / "cmdline").read_bytes().split(b"\x00")
            names = [Path(os.fsdecode(word)).name for word in words if b"countersign-" in word]
            found[names[0] if names else os.fsdecode(words[0])] = int(entry.name)
    return found


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_walk_brings_revisions_to_production_and_is_repeated(tmp_path: Path) -> None:
    """Both flows, both kinds of application; a second walk goes on from there."""
    for version in ("6.9.0", "6.9.1"):
        done = walk(tmp_path / "demo")

        assert done.returncode == 0, done.stdout + done.stderr
        for author, pipeline in (("ada", "checkout"), ("flux-bot", "catalog")):
            for environment in ("test", "staging", "prod"):
                where = rf"shop/{pipeline} {environment} {re.escape(version)}"
                url = r"http://localhost:\d+/shop/gitops/pull/\d+"
                assert re.search(rf"(?m)^opened {url} by {author} {where}$", done.stdout)
                assert re.search(rf"(?m)^completed {where}$", done.stdout)
        assert re.search(r"(?m)^completed shop/website prod main@[0-9a-f]{7}$", done.stdout)
        assert re.search(r"(?m)^held back shop/search staging: ", done.stdout)
        assert re.search(r"(?m)^canary not found in \d+ places.*controls found$", done.stdout)


def test_demonstration_mends_itself_and_ends_cleanly(tmp_path: Path) -> None:
    with started(tmp_path / "demo") as (process, board):
        assert httpx2.get(f"{board}/sign-in", trust_env=False).status_code == 200
        before = children_of(process)
        os.kill(before["countersign-gateway"], signal.SIGKILL)
        assert process.stdout is not None
        told = next(line for line in process.stdout if "gateway" in line)

    assert "ended (signal SIGKILL); starting it again" in told
    assert len(before) == 8
    assert not [pid for pid in before.values() if Path(f"/proc/{pid}").exists()]


def test_second_demonstration_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    with started(tmp_path / "demo"):
        second = walk(tmp_path / "demo")

    assert second.returncode == 1
    assert "runs already" in second.stderr


def test_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [COMMAND, "--dir", tmp_path / "demo", "--port", str(port)],
            check=False, capture_output=True, text=True, timeout=START_S_MAX,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr == f"countersign-demo: port {port} is taken; choose another --port\n"
