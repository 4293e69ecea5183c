"""Variables that look like ours and are read by nobody are told once, at the start."""

import json
from typing import Any

import pytest

from countersign.process.faults.variables import unknown_variables
from countersign.process.setup import TelemetrySettings, telemetry


def found(*names: str) -> dict[str, str]:
    return {one.name: one.meant for one in unknown_variables(dict.fromkeys(names, "made-up"))}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("COUNTERSIGN_OIDC_ISSUER", "COUNTERSIGN_OIDC_ISSUER_URL"),
        ("COUNTERSIGN_HEALHT_PORT", "COUNTERSIGN_HEALTH_PORT"),
        ("COUNTERSIGN_ZZZZ", ""),
    ],
)
def test_name_that_nobody_reads_is_found_with_what_was_meant(name: str, meant: str) -> None:
    assert found(name, "COUNTERSIGN_OIDC_ISSUER_URL", "HOME") == {name: meant}


def test_variables_that_kubernetes_makes_of_services_are_none_of_ours() -> None:
    of = "COUNTERSIGN_GATEWAY"
    made = (
        f"{of}_SERVICE_HOST", f"{of}_SERVICE_PORT", f"{of}_SERVICE_PORT_HTTP", f"{of}_PORT",
        f"{of}_PORT_80_TCP", f"{of}_PORT_80_TCP_PROTO", f"{of}_PORT_80_TCP_PORT",
        f"{of}_PORT_80_TCP_ADDR", "COUNTERSIGN_SERVICE_HOST", "COUNTERSIGN_SERVICE_PORT",
    )  # fmt: skip

    assert found(*made) == {}
    # Without such a Service it is a setting that somebody meant.
    assert set(found(f"{of}_PORT")) == {f"{of}_PORT"}


def test_service_tells_them_once_at_its_start_and_not_what_they_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("COUNTERSIGN_OIDC_ISSUER", "made-up-value")

    with telemetry("watcher", TelemetrySettings()):
        pass

    told = capsys.readouterr().err
    lines = [json.loads(line) for line in told.splitlines()]
    (line,) = [one for one in lines if one["variable"] == "COUNTERSIGN_OIDC_ISSUER"]
    assert (line["event"], line["level"]) == ("settings.unknown", "warning")
    assert line["meant"] == "COUNTERSIGN_OIDC_ISSUER_URL"
    assert "made-up-value" not in told
