"""The alert rules, tried by the program of Prometheus: which fire, and that no other does."""

import subprocess

import prerequisites
import pytest
from reference import ROOT

HERE = ROOT / "k8s" / "monitoring"


@pytest.fixture
def promtool() -> str:
    return prerequisites.path_or_skip(prerequisites.PROMTOOL)


def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", "rules_test.yaml"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
