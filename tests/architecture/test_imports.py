"""The rule of direction, and what the linter of imports cannot say."""

import subprocess
import sys
from pathlib import Path

import pytest
import sources
from reference import ROOT

LIBRARIES_WITHOUT_CLOCK = ("libs/contracts",)


def test_imports_keep_their_direction() -> None:
    """`importlinter.toml` is kept; its output names file and line of what breaks it."""
    linter = Path(sys.executable).with_name("lint-imports")

    command = [str(linter), "--config", "importlinter.toml"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_namespace_stays_open() -> None:
    """A stray `countersign/__init__.py` would hide all other members."""
    assert not list(ROOT.glob("*/*/src/countersign/__init__.py"))


def test_only_telemetry_knows_the_sdk_of_opentelemetry() -> None:
    allowed = "libs/telemetry/"
    guilty = [
        sources.name(path)
        for path in sources.python_files("libs", "services")
        if not sources.name(path).startswith(allowed)
        and any(module.startswith("opentelemetry.sdk") for module in sources.imported(path))
    ]

    assert guilty == []


@pytest.mark.parametrize(
    "service", ["watcher", "approval", "pr-writer", "auditor", "gateway", "bridge"]
)
def test_service_has_the_files_that_every_service_has(service: str) -> None:
    package = ROOT / "services" / service / "src/countersign" / service.replace("-", "_")
    expected = {"__main__.py", "settings.py", "bootstrap.py"}

    assert expected <= {path.name for path in package.glob("*.py")}
    assert (ROOT / "services" / service / "README.md").is_file()


def test_contracts_ask_no_clock_and_no_dice() -> None:
    guilty = [
        sources.name(path)
        for path in sources.python_files(*LIBRARIES_WITHOUT_CLOCK)
        if {"time", "random", "secrets", "os", "uuid"} & set(sources.imported(path))
    ]

    assert guilty == []
