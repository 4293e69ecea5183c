"""Dropping what is over for long: what is not stays, and nobody who follows is misled."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.messaging.conftest import promotion

from countersign.contracts.messages import ObjectRef, PipelineObserved, PromotionSuperseded
from countersign.messaging.administration import cli
from countersign.messaging.administration.retention import (
    Dropped,
    retain_pipelines,
    retain_promotions,
)
from countersign.messaging.leader_reads import stream_state
from countersign.messaging.projections.follower import follow

DAY = timedelta(days=1)


def later() -> datetime:
    """A time at which all that is stored now is old."""
    return datetime.now(UTC) + DAY


def superseded(promotion_id: str) -> PromotionSuperseded:
    return PromotionSuperseded(promotion=promotion(promotion_id), reason="newer")


async def tell(bus: Any, *events: Any) -> None:
    for number, event in enumerate(events):
        await bus.publish(event, message_id=f"{type(event).__name__}-{number}")


async def replayed(bus: Any, stream: str) -> list[Any]:
    seen: list[Any] = []
    caught_up = asyncio.Event()
    following = asyncio.create_task(
        follow(
            bus,
            streams=(stream,),
            apply=lambda received: seen.append(received.message),
            caught_up=caught_up,
        )
    )
    async with asyncio.timeout(10):
        await caught_up.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return seen


async def test_beginning_goes_up_to_the_first_promotion_that_is_not_over(
    server: Any, bus_of: Any, connect_as: Any, requested: Any
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(
            watcher,
            requested("over-1"),
            requested("over-2"),
            superseded("over-1"),
            requested("open"),
            superseded("over-2"),
        )
        dropped = await retain_promotions(topology, before=later())
        left = await replayed(watcher, "PROMOTIONS")

    assert dropped == Dropped(events=3, held_by="open")
    assert [(type(e).__name__, e.promotion.promotion_id) for e in left] == [
        ("PromotionRequested", "open"),
        ("PromotionSuperseded", "over-2"),
    ]


async def test_what_is_not_over_for_long_stays(
    server: Any, bus_of: Any, connect_as: Any, requested: Any
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("over"), superseded("over"))

        dropped = await retain_promotions(topology, before=datetime.now(UTC) - DAY)

        assert dropped == Dropped(events=0)
        assert len(await replayed(watcher, "PROMOTIONS")) == 2


async def test_dropped_twice_drops_what_late_events_left(
    server: Any, bus_of: Any, connect_as: Any, requested: Any
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("over"), requested("open"), superseded("over"))
        await retain_promotions(topology, before=later())
        await watcher.publish(superseded("open"), message_id="end-of-open")

        dropped = await retain_promotions(topology, before=later())

        assert dropped == Dropped(events=3)
        state = await stream_state(topology, "PROMOTIONS")
        assert (state.first_sequence, state.last_sequence) == (5, 4)


async def test_who_follows_goes_on_after_all_was_dropped(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, until: Any
) -> None:
    restarts: list[str] = []
    seen: list[Any] = []
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        connect_as("topology") as topology,
    ):
        gateway.pace = gateway.pace.__class__(check_s=0.1)
        following = asyncio.create_task(
            follow(
                gateway,
                streams=("PROMOTIONS",),
                apply=seen.append,
                restarted=restarts.append,
            )
        )
        await tell(watcher, requested("over"), superseded("over"))
        await until(lambda: len(seen) == 2)
        await retain_promotions(topology, before=later())
        await asyncio.sleep(0.3)
        await watcher.publish(requested("next"), message_id="next")
        await until(lambda: len(seen) == 3)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert restarts == []


async def test_dropped_events_are_in_the_archive(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.jsonl"
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("over"), superseded("over"))
        await retain_promotions(topology, before=later(), archive=archive)

    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2]
    assert json.loads(lines[0]["body"])["promotion"]["promotionId"] == "over"


async def test_archive_that_cannot_be_written_keeps_everything(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, tmp_path: Path
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("over"), superseded("over"))

        with pytest.raises(Exception, match="refused"):
            await retain_promotions(topology, before=later(), archive=tmp_path / "none" / "x")

        assert len(await replayed(watcher, "PROMOTIONS")) == 2


async def test_nothing_is_kept_of_a_deleted_pipeline(
    server: Any, bus_of: Any, connect_as: Any, deleted: Any
) -> None:
    def observed(name: str) -> PipelineObserved:
        return PipelineObserved(
            pipeline=deleted(name).pipeline, app=ObjectRef(kind="HelmRelease", name=name)
        )

    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(
            watcher,
            observed("gone"),
            observed("back"),
            deleted("gone"),
            deleted("back"),
            observed("back"),
        )

        assert await retain_pipelines(topology, before=datetime.now(UTC) - DAY) == 0
        assert await retain_pipelines(topology, before=later(), dry_run=True) == 1
        assert await retain_pipelines(topology, before=later()) == 1
        left = await replayed(watcher, "PIPELINES")

    assert {event.pipeline.name for event in left} == {"back"}
    assert isinstance(left[-1], PipelineObserved)


@pytest.mark.parametrize("days", ["0", "6", "-1", "x", "99999"])
def test_age_that_would_drop_what_people_look_at_is_refused(days: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["retain", "--older-than-days", days])
