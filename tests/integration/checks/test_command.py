"""`countersign-check` tells all that is wrong with settings in one run, and tries the rest."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from doubles.local_forge import free_socket

from countersign.checks.model import Fault, Subject
from countersign.checks.words import BAD, TOLERATED
from countersign.process.processes import bare_environment
from countersign.setup.checks.configuration import read_configuration

LIST = """
forges:
- name: Our Gitea
  kind: gitea
  origin: https://git.example/
  clientID: made-up
"""


@pytest.fixture
def variables(tmp_path: Path) -> Mapping[str, str]:
    (tmp_path / "forges.yaml").write_text(LIST)
    with free_socket() as nobody:
        url = f"nats://127.0.0.1:{nobody.getsockname()[1]}"
    return {
        "COUNTERSIGN_PUBLIC_URL": "https://board.example.org/path",
        "COUNTERSIGN_FORGES_FILE": str(tmp_path / "forges.yaml"),
        "COUNTERSIGN_OIDC_ISSUER": "https://login.example.org",
        "COUNTERSIGN_OIDC_CLIENT_SECRET_FILE": "/var/run/countersign/oidc/client-secret",
        "COUNTERSIGN_NATS_URL": url,
    }


def test_all_that_is_wrong_is_found_and_the_bus_tried_all_the_same(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    configuration = read_configuration(variables)

    found = {one.name: one.fault for one in configuration.findings}
    assert found == {
        "COUNTERSIGN_PUBLIC_URL": Fault.WRONG_SETTING,
        "forges 'Our Gitea', origin": Fault.WRONG_SETTING,
        "forges 'Our Gitea', clientID": Fault.WRONG_SETTING,
        "COUNTERSIGN_OIDC_ISSUER": Fault.UNKNOWN_SETTING,
    }
    assert configuration.bus is not None


def test_bus_without_tls_on_another_machine_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_NATS_URL", "nats://nats.nats:4222")

    found = {one.name: one for one in read_configuration({}).findings}

    assert found["COUNTERSIGN_NATS_URL"].fault is Fault.WRONG_SETTING
    assert "tls://" in found["COUNTERSIGN_NATS_URL"].detail


def test_forge_list_that_nobody_names_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = read_configuration({}).findings

    assert (found.subject, found.fault) == (Subject.SETTING, Fault.NOT_SET)


def test_command_counts_what_fails_in_its_last_line(variables: Mapping[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "countersign.setup.checks"],
        env={**bare_environment(), **variables, "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    *lines, last = ran.stdout.splitlines()
    failed = [line for line in lines if line.startswith(BAD)]
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert last.split()[:3] == [str(len(failed)), "of", str(len(lines))]
    assert any(line.startswith(TOLERATED) for line in lines)
    assert any("countersign-oidc" in line for line in failed)
    assert any(Subject.BUS in line.split() for line in failed)
