"""Files are edited, and the streams tell what follows."""

from pathlib import Path
from typing import Any

import pytest
from doubles.watched import pipeline_manifest, release, write

from countersign.contracts import messages as m
from countersign.messaging.bus import Bus


def requests(heard: Any) -> dict[str, m.PromotionRequested]:
    return {e.promotion.environment: e for e in heard.of(m.PromotionRequested)}


def lay(cluster_dir: Path, *names: str, **versions: str) -> None:
    write(cluster_dir / "pipelines" / "checkout.yaml", pipeline_manifest(*names))
    for name, version in versions.items():
        write(cluster_dir / name / "podinfo.yaml", release(name, version))


def opened(request: m.PromotionRequested) -> m.PullRequestOpened:
    return m.PullRequestOpened(promotion=request.promotion, pull_request=pull_request(request))


def pull_request(request: m.PromotionRequested) -> m.PullRequestRef:
    to = request.destination
    return m.PullRequestRef(
        kind=to.kind,
        origin=to.origin,
        repository_id="1",
        owner=to.owner,
        repository=to.repository,
        number=7,
    )


async def merge(bus: Bus, request: m.PromotionRequested) -> None:
    name = request.promotion.promotion_id
    await bus.publish(opened(request), message_id=f"opened:{name}")
    merged = m.PullRequestMerged(promotion=request.promotion, pull_request=pull_request(request))
    await bus.publish(merged, message_id=f"merged:{name}")


async def test_revision_walks_from_dev_to_prod(
    watch: Any, heard: Any, writer: Bus, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "staging", "prod", dev="6.8.4", staging="6.8.4", prod="6.8.4")
    async with watch():
        await heard.until(lambda: heard.of(m.PipelineObserved))
        write(cluster_dir / "dev" / "podinfo.yaml", release("dev", "6.9.0"))
        for name in ("staging", "prod"):
            await heard.until(lambda name=name: name in requests(heard))
            request = requests(heard)[name]
            assert request.content.identity == "6.9.0"
            await merge(writer, request)
            await heard.until(lambda: heard.of(m.PullRequestMerged))
            file = cluster_dir / name / "podinfo.yaml"
            write(file, release(name, "6.9.0", phase="progressing"))
            write(file, release(name, "6.9.0"))
            await heard.until(
                lambda name=name: (
                    name in [e.promotion.environment for e in heard.of(m.PromotionCompleted)]
                )
            )

    assert len(heard.of(m.PromotionRequested)) == 2
    assert (cluster_dir / "pipelines" / ".shop.checkout.status.yaml").is_file()


async def test_two_watchers_ask_once(watch: Any, heard: Any, cluster_dir: Path) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.8.4", prod="6.8.4")
    async with watch(replica="watcher-0"), watch(replica="watcher-1"):
        for version in ("6.9.0", "6.9.1", "6.9.2"):
            write(cluster_dir / "dev" / "podinfo.yaml", release("dev", version))
            await heard.until(
                lambda version=version: (
                    version in [e.content.identity for e in heard.of(m.PromotionRequested)]
                )
            )

    ids = [e.promotion.promotion_id for e in heard.of(m.PromotionRequested)]
    assert len(ids) == len(set(ids))
    ended = [e.promotion.promotion_id for e in heard.of(m.PromotionSuperseded)]
    assert len(ended) == len(set(ended))


async def test_watcher_says_nothing_new_after_a_restart(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: heard.of(m.PipelineObserved) and requests(heard))
    said = len(heard.events)

    write(cluster_dir / "dev" / "other.yaml", release("elsewhere", "1.0.0"))
    async with watch():
        write(cluster_dir / "dev" / "podinfo.yaml", release("dev", "6.9.1"))
        # Superseded, requested and observed: nothing of before.
        await heard.until(lambda: len(heard.events) >= said + 3)

    assert len(heard.events) == said + 3


async def test_pending_promotion_is_found_again_when_every_stream_was_deleted(
    watch: Any, heard: Any, empty_bus: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
        before = requests(heard)["prod"]
        await empty_bus()
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
        again = requests(heard)["prod"]

    assert again.promotion == before.promotion


async def test_pending_promotion_is_found_again_on_an_empty_bus(
    watch: Any, heard: Any, empty_bus: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: bool(requests(heard)))
    before = requests(heard)["prod"]
    await empty_bus()

    async with watch():
        await heard.until(lambda: bool(requests(heard)))
        again = requests(heard)["prod"]

    assert again.promotion == before.promotion


async def test_merged_promotion_keeps_its_id_on_an_empty_bus(
    watch: Any, heard: Any, writer: Bus, empty_bus: Any, cluster_dir: Path
) -> None:
    status = cluster_dir / "pipelines" / ".shop.checkout.status.yaml"
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: bool(requests(heard)))
        before = requests(heard)["prod"]
        await merge(writer, before)
        await heard.until_soon(status.is_file)
    await empty_bus()

    async with watch():
        await heard.until(lambda: bool(requests(heard)))
        again = requests(heard)["prod"]

    assert again.promotion == before.promotion


async def test_deleted_pipeline_ends_its_promotions(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
        (cluster_dir / "pipelines" / "checkout.yaml").unlink()
        await heard.until(lambda: bool(heard.of(m.PipelineDeleted)))

    (ended,) = heard.of(m.PromotionSuperseded)
    assert ended.promotion == requests(heard)["prod"].promotion


async def test_pipeline_deleted_while_the_watcher_was_away_is_ended(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
    (cluster_dir / "pipelines" / "checkout.yaml").unlink()

    async with watch():
        await heard.until(lambda: bool(heard.of(m.PipelineDeleted)))

    assert heard.of(m.PromotionSuperseded)


async def test_broken_file_ends_nothing_even_over_a_restart(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    file = cluster_dir / "pipelines" / "checkout.yaml"
    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
        write(file, "apiVersion: [broken\n  kind: {")
        await heard.until(
            lambda: any(
                f.code == "file_unreadable" for f in heard.of(m.PipelineObserved)[-1].findings
            )
        )
    async with watch():
        lay(cluster_dir, "dev", "prod", dev="6.9.1", prod="6.8.4")
        await heard.until(lambda: bool(heard.of(m.PromotionSuperseded)))

    assert not heard.of(m.PipelineDeleted)
    assert heard.of(m.PromotionSuperseded)[0].reason == "dev runs 6.9.1 now"


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "no_environments"),
        (("dev", "dev"), "duplicate_environment"),
        (("dev", ""), "empty_environment_name"),
    ],
)
async def test_bad_environments_are_said_and_lose_nothing(
    names: tuple[str, ...], code: str, watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))
        lay(cluster_dir, *names)
        await heard.until(
            lambda: code in [f.code for f in heard.of(m.PipelineObserved)[-1].findings]
        )
        lay(cluster_dir, "dev", "prod")
        await heard.until(lambda: not heard.of(m.PipelineObserved)[-1].findings)

    assert not heard.of(m.PromotionSuperseded)
    assert len(heard.of(m.PromotionRequested)) == 1


@pytest.mark.parametrize("name", ["eu.west", "Prod EU", "prod/eu", "PROD", "prod-ü-日本", "a=b*>"])
async def test_environment_may_have_any_name(
    name: str, watch: Any, heard: Any, cluster_dir: Path
) -> None:
    manifest = pipeline_manifest("dev", name)
    manifest["spec"]["environments"][1]["targets"] = [{"namespace": "prod-0"}]
    write(cluster_dir / "checkout.yaml", [manifest, release("dev", "6.9.0")])
    write(cluster_dir / "prod.yaml", release("prod", "6.8.4"))

    async with watch():
        await heard.until(lambda: name in requests(heard))


async def test_hidden_and_foreign_files_are_left_alone(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    write(cluster_dir / ".git" / "hidden.yaml", pipeline_manifest("a", "b"))
    write(cluster_dir / "notes.txt", "no YAML: [")
    write(cluster_dir / "values.yaml", "replicas: 3\n---\n- a list\n---\njust text\n")

    async with watch():
        await heard.until(lambda: requests(heard) and heard.of(m.PipelineObserved))

    assert heard.of(m.PipelineObserved)[-1].findings == ()


async def test_request_has_an_id_that_every_watcher_makes_alike(
    watch: Any, heard: Any, cluster_dir: Path
) -> None:
    lay(cluster_dir, "dev", "prod", dev="6.9.0", prod="6.8.4")
    async with watch():
        await heard.until(lambda: bool(requests(heard)))

    received = next(r for r in heard.events if isinstance(r.message, m.PromotionRequested))
    assert received.message_id.startswith("promotion.requested:")
