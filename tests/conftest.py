"""What all tests share. Fixtures of one component live beside its tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Two busy cores make deadlines of milliseconds a lottery.
settings.register_profile(
    "countersign", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.load_profile("countersign")

NO_SKIPS = "COUNTERSIGN_NO_SKIPS"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With `COUNTERSIGN_NO_SKIPS=1` a skipped test is a failure of the run."""
    if _skipped(session.config) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if found := _skipped(config):
        terminalreporter.section("skips are failures here", red=True)
        for report in found:
            terminalreporter.line(f"SKIPPED {report.nodeid}")


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    # Workers of xdist have no reporter; their controller decides.
    if os.environ.get(NO_SKIPS) != "1" or reporter is None:
        return []
    found: list[pytest.TestReport] = reporter.stats.get("skipped", [])
    return found
