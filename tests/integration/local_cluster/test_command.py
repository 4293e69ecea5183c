"""`countersign-cluster` as a process."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from doubles.local_cluster import commit

COMMAND = (sys.executable, "-m", "countersign.local.cluster")
DEADLINE_S = 30.0


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield process
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_command_plays_until_it_is_terminated(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    repository = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "dev"},
        "spec": {"url": "https://charts.example.invalid"},
    }
    commit(git, {"clusters/dev/charts.yaml": yaml.safe_dump(repository)})
    arguments = ("--dir", str(directory), "--git", str(git), "--interval", "0.05")

    async with started(*arguments) as process:
        file = directory / "dev.HelmRepository.charts.yaml"
        # A file of another process: nothing here could set an event.
        while not (file.exists() and "stored artifact" in file.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)

    assert process.returncode == 0


async def test_command_explains_a_repository_that_is_not_there(tmp_path: Path) -> None:
    arguments = (
        "--dir",
        str(tmp_path / "cluster"),
        "--git",
        str(tmp_path / "no.git"),
        "--wait",
        "0",
    )

    async with started(*arguments) as process:
        assert process.stderr is not None
        said = await process.stderr.read()

    assert process.returncode == 2
    assert b"no such folder" in said
    assert b"Traceback" not in said


async def test_command_explains_a_bad_control_file(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"
    commit(git, {"README.md": "empty"})
    (tmp_path / ".control.yaml").write_text("fail: [{name: podinfo, how: explode}]")

    async with started("--dir", str(tmp_path), "--git", str(git)) as process:
        assert process.stderr is not None
        said = await process.stderr.read()

    assert process.returncode == 2
    assert b"fail.0.how" in said


async def test_command_waits_for_a_repository_that_is_being_made(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"

    async with started("--dir", str(tmp_path / "cluster"), "--git", str(git)) as process:
        assert process.stdout is not None
        await process.stdout.readline()
        commit(git, {"README.md": "made later"})
        assert process.stderr is not None
        while b"commit.applied" not in await process.stderr.readline():
            continue
        process.terminate()

    assert process.returncode == 0


async def test_command_has_help() -> None:
    async with started("--help") as process:
        assert process.stdout is not None
        said = await process.stdout.read()

    assert process.returncode == 0
    assert b"nothing is deployed" in said
