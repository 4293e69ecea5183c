"""Progress that ends where it began is not told; any other is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from doubles.flux_recordings import Promoter, applications, lines
from doubles.watched import Cluster, pipeline_manifest, release

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.contracts.messages import PipelineObserved
from countersign.kube.flux.rules import read_object
from countersign.watcher.decision.decisions import decide
from countersign.watcher.decision.stages import QUIET_MAX
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.inventory import Inventory

# From there on nothing happens in the recording but what happens at every interval.
AT_REST_FROM = 45


def timed(manifest: dict[str, Any]) -> datetime | None:
    """A moment after the last thing that the object tells of itself."""
    conditions = manifest.get("status", {}).get("conditions", [])
    times = [datetime.fromisoformat(c["lastTransitionTime"]) for c in conditions]
    return max(times) + timedelta(milliseconds=700) if times else None


def test_nothing_is_told_of_what_flux_does_at_every_interval() -> None:
    inventory, apps = Inventory(), applications("ks-noise")
    pipelines = [read_object(app.pipeline()) for app in apps]
    inventory.apply(Changes(changed={p.key: p for p in pipelines}))
    promoter = Promoter(inventory, apps)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    told: list[int] = []
    for line, kind, manifest in lines("ks-noise"):
        record = read_object(manifest)
        gone = frozenset({record.key}) if kind == "DELETED" else frozenset()
        inventory.apply(Changes(changed={} if gone else {record.key: record}, removed=gone))
        promoter.now = now = max(now, timed(manifest) or now)
        told += [line for _, e in promoter.look(line) if isinstance(e, PipelineObserved)]

    assert told
    assert [line for line in told if line >= AT_REST_FROM] == []


def cluster() -> Cluster:
    world = Cluster(
        pipeline_manifest("dev", "prod"), release("dev", "6.9.0"), release("prod", "6.9.0")
    )
    world.step()
    return world


def moving(version: str = "6.9.0", *, was: str = "6.9.0", ago_s: float) -> dict[str, Any]:
    manifest = release("dev", version, phase="progressing", was=was)
    started_at = cluster().now - timedelta(seconds=ago_s)
    for condition in manifest["status"]["conditions"]:
        condition["lastTransitionTime"] = started_at.isoformat()
    return manifest


def test_progress_of_what_runs_is_told_when_it_takes_longer() -> None:
    world = cluster().apply(moving(ago_s=1))
    world.step()
    dev = world.observed.environments[0]
    assert dev.condition is Is.HEALTHY
    again_at = decide(world.situation()).again_at
    assert again_at is not None

    world.now = again_at
    world.step()

    assert world.observed.environments[0].condition is Is.PROGRESSING


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(moving("6.9.1", ago_s=1), id="another-revision"),
        pytest.param(moving(ago_s=QUIET_MAX.total_seconds() + 5), id="for-long"),
        pytest.param(moving(ago_s=-60), id="a-clock-ahead"),
        pytest.param(release("dev", "6.9.0", phase="failed"), id="failed"),
    ],
)
def test_what_may_end_elsewhere_is_told_at_once(manifest: dict[str, Any]) -> None:
    world = cluster().apply(manifest)

    world.step()

    assert world.observed.environments[0].condition is not Is.HEALTHY


def test_watcher_that_starts_amid_progress_says_what_it_sees() -> None:
    world = cluster().apply(moving(ago_s=1))
    world.observed = None

    world.step()

    assert world.observed.environments[0].condition is Is.PROGRESSING
