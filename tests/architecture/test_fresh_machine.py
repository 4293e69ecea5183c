"""On a machine that has Python, git and make, make's verbs get the rest or say what to type."""

import os
import shutil
import subprocess
from pathlib import Path

import prerequisites
import pytest
from reference import ROOT

PROVIDE, PYTHON = ROOT / ".ci/provide", ROOT / ".ci/python"
TOOLS = ("bash", "env", "dirname", "xargs", "echo", "true")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is all of `PATH`, with a shell and nothing that anybody would install."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        path = shutil.which(name)
        assert path is not None
        (folder / name).symlink_to(path)
    return folder


def _program(machine: Path, name: str, script: str) -> None:
    path = machine / name
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


def _run(machine: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": str(machine), "HOME": str(machine.parent)}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=60
    )


def _apt(machine: Path, *, code: int = 0) -> Path:
    """A package manager that notes what it was asked; so does whoever makes it root's."""
    log = machine.parent / "apt.log"
    note = f'echo "$*" >> {log}; exit {code}'
    _program(machine, "apt-get", note)
    _program(machine, "apt-cache", '[ "$2" = python3.13-venv ]')
    _program(machine, "sudo", 'shift; exec "$@"')
    return log


def test_absent_programs_are_installed_where_that_may_be_done(machine: Path) -> None:
    log = _apt(machine)
    _program(machine, "git", "exit 0")

    done = _run(machine, PROVIDE, "git", "browser", "node")

    assert done.returncode == 0, done.stderr
    asked = log.read_text().splitlines()[-1].split()
    assert asked[0] == "install"
    assert {"chromium", "nodejs", "npm"} <= set(asked)
    assert "git" not in asked


@pytest.mark.parametrize("apt", ["none", "failing"])
def test_command_is_said_and_nothing_fails_where_none_may_be_installed(
    machine: Path, apt: str
) -> None:
    if apt != "none":
        _apt(machine, code=1)

    done = _run(machine, PROVIDE, "git", "node")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("git nodejs npm")


def test_nothing_is_asked_where_everything_is_there(machine: Path) -> None:
    log = _apt(machine)
    for name in ("git", "make", "node", "npm", "google-chrome"):
        _program(machine, name, "exit 0")
    _program(machine, "fc-list", "echo DejaVu")

    done = _run(machine, PROVIDE, "git", "make", "node", "browser")

    assert (done.returncode, done.stdout, log.exists()) == (0, "", False)


def test_newest_python_that_runs_is_found(machine: Path) -> None:
    _program(machine, "python3.14", "exit 127")  # as a shim of pyenv
    _program(machine, "python3.13", "exit 0")
    _program(machine, "python3.11", "exit 0")

    done = _run(machine, PYTHON)

    assert done.stdout.strip() == str(machine / "python3.13")


def test_named_python_is_taken(machine: Path) -> None:
    _program(machine, "python3.13", "exit 0")
    _program(machine, "python3.11", "exit 0")

    done = _run(machine, PYTHON, "python3.11")

    assert done.stdout.strip() == str(machine / "python3.11")


def test_python_is_installed_where_there_is_none(machine: Path) -> None:
    _apt(machine)
    _program(
        machine, "apt-get", f'[ "$1" = update ] || : > {machine}/python3.13; chmod +x {machine}/*'
    )
    (machine / "chmod").symlink_to(shutil.which("chmod") or "")

    done = _run(machine, PYTHON)

    assert done.stdout.strip() == str(machine / "python3.13"), done.stderr


@pytest.mark.parametrize("named", [(), ("python2",)], ids=["none", "named"])
def test_message_names_every_python_that_would_do(machine: Path, named: tuple[str, ...]) -> None:
    done = _run(machine, PYTHON, *named)

    assert done.returncode == 1
    assert all(version in done.stderr for version in SUPPORTED)


def test_every_python_on_the_machine_is_listed(machine: Path) -> None:
    kept = machine.parent / ".pyenv/versions/3.12.1/bin"
    kept.mkdir(parents=True)
    _program(kept, "python3.12", "exit 0")
    _program(machine, "python3.11", "exit 0")

    done = _run(machine, PYTHON, "--all")

    assert done.stdout.split() == [str(kept / "python3.12"), str(machine / "python3.11")]


def test_absent_program_skips_with_the_command_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)

    with pytest.raises(pytest.skip.Exception) as skipped:
        prerequisites.path_or_skip(prerequisites.BROWSER)

    assert prerequisites.BROWSER.remedy in str(skipped.value)


@pytest.mark.parametrize("wanted", prerequisites.PREREQUISITES, ids=lambda p: p.package)
def test_what_tests_ask_for_is_what_is_installed(
    machine: Path, wanted: prerequisites.Prerequisite
) -> None:
    done = _run(machine, PROVIDE, "git", "browser", "node", "promtool")

    assert wanted.package in done.stdout.splitlines()[-1].split()
