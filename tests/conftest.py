"""What all tests share. Fixtures of one component live beside its tests."""

import logging
import os
from collections.abc import Iterator

import pytest
import reference
import structlog
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Two busy cores make deadlines of milliseconds a lottery.
settings.register_profile(
    "fuzz", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# A run judges the change, not the dice; `make fuzz` is for those.
settings.register_profile("countersign", settings.get_profile("fuzz"), derandomize=True)
settings.load_profile("fuzz" if os.environ.get("COUNTERSIGN_FUZZ_MINUTES") else "countersign")

# Hypothesis makes a failing example smaller for five minutes at most, and only then shows it.
SHRINKING_S = 400

NO_SKIPS = "COUNTERSIGN_NO_SKIPS"
# They start the whole system, which many of them at once would slow down beyond what they wait for.
# So they are two queues, about as long, whose tests mostly wait.
WHOLE_SYSTEM = {
    "system, harmed": ("tests/e2e/test_chaos", "tests/e2e/test_random", "tests/e2e/test_bad"),
    "system": ("tests/e2e/", "tests/browser/test_", "tests/integration/demo/"),
}

# All others start servers and programs, and beside others on two cores such a test may be starved.
PURE = ("tests/architecture/", "tests/laws/", "tests/unit/")


def queue_of(nodeid: str) -> str:
    """Return the queue that a test waits in; none for one that starts less than a system."""
    return next((q for q, paths in WHOLE_SYSTEM.items() if nodeid.startswith(paths)), "")


# Of an error in a page, all locals of all frames take seconds to draw.
PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


class TwoSystemsAtATime(LoadScopeScheduling):
    """File by file, but those that start the whole system in two queues.

    `--dist loadgroup` does that too, but renames tests in a way that pytest 9.2 ignores.
    """

    def _split_scope(self, nodeid: str) -> str:
        return queue_of(nodeid) or nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoSystemsAtATime:
    return TwoSystemsAtATime(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The longest queues begin first.
    items.sort(key=lambda item: not queue_of(item.nodeid))
    for item in items:
        # Alone, a test fails at once; beside others it is tried again, and both tries are told.
        if hasattr(config, "workerinput") and not item.nodeid.startswith(PURE):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.timeout(SHRINKING_S))
            item.add_marker(pytest.mark.property)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Commands that are called in a test configure logs, for this process as for their own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    *others, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*others, PLAIN])
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


def pytest_xdist_auto_num_workers() -> int:
    """Return two more than there are cores: those that start the whole system mostly wait."""
    return (os.cpu_count() or 1) + len(WHOLE_SYSTEM)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With `COUNTERSIGN_NO_SKIPS=1` a skipped test is a failure of the run.

    But not one that asks for reference material on a machine that has none.
    """
    if _skipped(session.config) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"failed at first: {report.nodeid}", yellow=True)
        terminalreporter.line(report.longreprtext)
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
    # The vendors' material is not ours to bring along.
    return [report for report in found if reference.ABSENT not in str(report.longrepr)]
