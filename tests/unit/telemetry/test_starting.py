"""The first seconds of a service, as an administrator sees them."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.contracts.errors import Rejected
from countersign.process.configuration import ExistingFile, ExistingFolder
from countersign.process.refusals import ProcessRefusal
from countersign.process.startup import read_arguments, refusals_told
from countersign.telemetry.settings import TelemetrySettings


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", hide_input_in_errors=True)

    forges_file: ExistingFile = Field(description="YAML file with the list of forges")
    secrets_dir: ExistingFolder = Field(description="folder with the Secrets as files")


def test_help_describes_every_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["countersign-x", "--help"])

    with pytest.raises(SystemExit) as ended:
        read_arguments("countersign-x", "Does x.", Settings, TelemetrySettings)

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Does x." in said
    assert "  COUNTERSIGN_FORGES_FILE  YAML file with the list of forges (required)\n" in said
    assert "  COUNTERSIGN_LOG_LEVEL    lowest level that is logged (default: info)\n" in said


def test_arguments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["countersign-x", "--token=made-up"])

    with pytest.raises(SystemExit) as ended:
        read_arguments("countersign-x", "Does x.", Settings)

    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "COUNTERSIGN_FORGES_FILE: "),
        ({}, "COUNTERSIGN_SECRETS_DIR: "),
        ({"FORGES_FILE": "/nowhere", "SECRETS_DIR": "/"}, "there is no file '/nowhere'"),
        ({"FORGES_FILE": __file__, "SECRETS_DIR": "/nowhere"}, "there is no folder '/nowhere'"),
    ],
)
def test_bad_settings_are_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: Any, says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"COUNTERSIGN_{name}", value)

    with pytest.raises(SystemExit) as ended, refusals_told("countersign-x"):
        Settings()

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("countersign-x: COUNTERSIGN_")
    assert says in said
    assert len(said.splitlines()) == 1


def test_all_settings_that_are_wrong_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUNTERSIGN_LOG_LEVEL", "loud")
    monkeypatch.setenv("COUNTERSIGN_HEALTH_PORT", "made-up-password")

    with (
        pytest.raises(SystemExit),
        refusals_told("countersign-x", Settings, TelemetrySettings),
    ):
        Settings()

    said = capsys.readouterr().err
    for variable in ("FORGES_FILE", "SECRETS_DIR", "LOG_LEVEL", "HEALTH_PORT"):
        assert said.count(f"COUNTERSIGN_{variable}: ") == 1
    assert "made-up-password" not in said
    assert len(said.splitlines()) == 1


class Claims(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", hide_input_in_errors=True)

    required: dict[str, str] = Field(description="JSON")


def test_setting_that_is_not_json_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUNTERSIGN_REQUIRED", "{made-up-password")

    with pytest.raises(SystemExit) as ended, refusals_told("countersign-x"):
        Claims()

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "required" in said
    assert "made-up-password" not in said


def test_refusal_is_told_by_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, refusals_told("countersign-x"):
        raise Rejected(ProcessRefusal.BAD_DOCUMENT, f"{Path('forges.yaml')} is not YAML: line 2")

    assert ended.value.code == 2
    assert capsys.readouterr().err == "countersign-x: forges.yaml is not YAML: line 2\n"


def test_bug_is_not_taken_for_a_setting() -> None:
    with pytest.raises(KeyError), refusals_told("countersign-x"):
        raise KeyError("k")
