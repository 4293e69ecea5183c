"""Our CRD takes the place of Weave's, and gives it back, while the watcher runs."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import reference
from apiserver import ApiServer
from doubles.told_cluster import (
    LOOK_S,
    PACE,
    UNTIL_S,
    Told,
    granted,
    promotion_in,
    pull_request,
)
from e2e.mirroring import install

from countersign.contracts import messages as m

OURS: Final = reference.ROOT / "k8s" / "crds" / "pipelines.yaml"
_PATCHES: Final = re.compile(
    r'apiserver_request_total\{[^}]*resource="pipelines"[^}]*subresource="status"[^}]*'
    r'verb="(?:APPLY|PATCH)"[^}]*\} ([0-9.e+]+)'
)
QUIET_S: Final = 4.0
Json = dict[str, Any]


@pytest.fixture
def theirs(apiserver: ApiServer) -> Iterator[Path]:
    """In place; afterwards ours is again."""
    path = reference.skip_without("crds") / "pipelines.yaml"
    install(apiserver, OURS, reference.skip_without("crds") / "gitopsclusters.yaml")
    replace_crd(apiserver, path)
    try:
        yield path
    finally:
        replace_crd(apiserver, OURS)


def replace_crd(server: ApiServer, path: Path) -> None:
    """As the documents say."""
    server.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))


def patches(server: ApiServer) -> float:
    """Attempts to write a status, in vain or not."""
    return sum(map(float, _PATCHES.findall(server.kubectl("get", "--raw", "/metrics"))))


async def test_crd_is_upgraded_and_given_back_while_the_watcher_runs(
    theirs: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    await told.lay(manual=True)
    before = await told.object()

    async with told.watcher() as health:
        await told.until_told("PromotionRequested")
        await assert_writes_are_rare(told)
        assert (await told.status()) == {"observedGeneration": -1}

        replace_crd(told.server, OURS)
        await told.phase("WaitingForApproval")
        first = await promote(told)
        await told.run("dev", "6.9.1")
        second = await told.until(lambda s: promotion_in(s, "prod").get("revision") == "6.9.1")
        assert second["nextPromotion"]["phase"] == "WaitingForApproval"
        assert "WaitingForApproval" in told.server.kubectl("-n", told.space, "get", "pl")

        replace_crd(told.server, theirs)
        await until_pruned(told)
        await told.run("dev", "6.9.2")
        await told.until_told("PromotionSuperseded")
        await assert_writes_are_rare(told)

        replace_crd(told.server, OURS)
        third = await told.until(lambda s: promotion_in(s, "prod").get("revision") == "6.9.2")
        said, not_ready = capsys.readouterr().out, health.not_ready()

    assert third["environments"]["prod"]["chain"]["promotionId"] == first
    reasons = [step["reason"] for step in await told.steps()]
    assert (reasons.count("PromotionRequested"), reasons.count("PromotionSuperseded")) == (3, 1)
    assert said.count("status.not_written") == 2, "once for each time that the CRD was the old one"
    assert not_ready == {}
    assert unchanged(await told.object()) == unchanged(before)


async def promote(told: Told) -> str:
    """All the way, so that the next one hangs on it; its id."""
    ref = await told.reference()
    await told.publish("approval", granted(ref))
    opened = m.PullRequestOpened(promotion=ref, pull_request=pull_request())
    merged = m.PullRequestMerged(promotion=ref, pull_request=pull_request())
    await told.publish("pr-writer", opened, merged)
    await told.run("prod", "6.9.0")
    await told.phase("Completed")
    return ref.promotion_id


async def until_pruned(told: Told) -> None:
    status = await told.until(lambda s: "nextPromotion" not in s)
    assert status["environments"]["prod"] == {
        "targets": status["environments"]["prod"]["targets"],
        "waitingApproval": {"revision": "6.9.1"},
    }


async def assert_writes_are_rare(told: Told) -> None:
    """What cannot be written is tried again, though never at once."""
    before = patches(told.server)
    async with asyncio.timeout(UNTIL_S):
        while patches(told.server) == before:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
    before = patches(told.server)
    await asyncio.sleep(QUIET_S)
    assert patches(told.server) - before <= QUIET_S / PACE.retry_s


def unchanged(manifest: Json) -> Json:
    kept = {k: v for k, v in manifest["metadata"].items() if k in {"uid", "generation", "labels"}}
    return {"metadata": kept, "spec": manifest["spec"]}
