"""Projections against a real nats-server that stops, forgets and is replaced."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Never

import pytest
from doubles.made_up_refusals import MadeUp

from countersign.contracts.errors import Rejected
from countersign.messaging import direct_get
from countersign.messaging.bus import Bus, Pace, Received
from countersign.messaging.leader_reads import stream_state
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

USUAL = Pace()


@dataclass
class Seen:
    """A projection: what was applied, in order."""

    received: list[Received] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ids(self) -> list[str]:
        return [received.message_id for received in self.received]

    def restarted(self, stream: str) -> None:
        self.restarts.append(stream)
        self.received.clear()


@asynccontextmanager
async def following(
    bus: Bus,
    *streams: str,
    apply: Callable[[Received], Awaitable[None] | None] | None = None,
    pace: Pace = USUAL,
) -> AsyncIterator[Seen]:
    seen = Seen()
    bus.pace = pace

    def on_event(received: Received) -> Awaitable[None] | None:
        seen.received.append(received)
        return apply(received) if apply is not None else None

    task = asyncio.create_task(
        follow(
            bus,
            streams=streams or ("PROMOTIONS",),
            apply=on_event,
            caught_up=seen.caught_up,
            restarted=seen.restarted,
        )
    )
    try:
        waiting = asyncio.create_task(seen.caught_up.wait())
        await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def publish(bus: Any, event_of: Any, *numbers: int) -> None:
    for number in numbers:
        await bus.publish(event_of(f"p{number}"), message_id=f"m{number}")


async def stored(bus: Bus, count: int) -> None:
    async with asyncio.timeout(5):
        while (await stream_state(bus.client, "PROMOTIONS")).last_sequence < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_everything_stored_is_applied_in_order_before_it_is_caught_up(
    server: Any, bus_of: Any, requested: Any, monkeypatch: Any
) -> None:
    """Also when it takes several batches."""
    monkeypatch.setattr(direct_get, "BATCH_MESSAGES", 7)
    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        await publish(watcher, requested, *range(30))

        async with following(gateway) as seen:
            assert seen.ids == [f"m{n}" for n in range(30)]

    assert [r.sequence for r in seen.received] == list(range(1, 31))
    assert seen.received[0].message == requested("p0")
    assert seen.received[0].subject.startswith("countersign.v1.")


async def test_empty_stream_is_caught_up_at_once(server: Any, bus_of: Any) -> None:
    async with bus_of("gateway") as gateway, following(gateway) as seen:
        assert seen.caught_up.is_set()
        assert seen.received == []


async def test_what_is_published_afterwards_is_applied_live(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway) as seen,
    ):
        await publish(watcher, requested, *range(20))
        await until(lambda: len(seen.ids) == 20, timeout_s=2)

    assert seen.ids == [f"m{n}" for n in range(20)]


async def test_nothing_is_lost_or_repeated_between_replay_and_live(
    server: Any, bus_of: Any, requested: Any, until: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(direct_get, "BATCH_MESSAGES", 5)
    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        await publish(watcher, requested, *range(40))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(publish(watcher, requested, *range(40, 120)))
            async with following(gateway) as seen:
                await until(lambda: len(seen.ids) >= 120)

    assert seen.ids == [f"m{n}" for n in range(120)]


async def test_streams_are_followed_together(
    server: Any, bus_of: Any, requested: Any, deleted: Any, until: Any
) -> None:
    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        await watcher.publish(requested(), message_id="promotion")
        await watcher.publish(deleted(), message_id="pipeline")

        async with following(gateway, "PROMOTIONS", "PIPELINES", "TOKENS") as seen:
            assert sorted(seen.ids) == ["pipeline", "promotion"]


async def test_only_the_last_of_a_pipeline_is_replayed(
    server: Any, bus_of: Any, deleted: Any
) -> None:
    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        for number in range(5):
            await watcher.publish(deleted("one"), message_id=f"one-{number}")
        await watcher.publish(deleted("two"), message_id="two-0")

        async with following(gateway, "PIPELINES") as seen:
            assert seen.ids == ["one-4", "two-0"]


async def test_lost_live_message_is_read_when_the_next_one_comes(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway) as seen,
    ):
        dropped = drop_live(gateway, {"2", "3"})
        await publish(watcher, requested, 1, 2, 3, 4)
        await until(lambda: len(seen.ids) == 4, timeout_s=2)

    assert dropped == ["2", "3"]
    assert seen.ids == ["m1", "m2", "m3", "m4"]


async def test_lost_last_message_is_noticed_without_another(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway, pace=Pace(check_s=0.2)) as seen,
    ):
        dropped = drop_live(gateway, {"2"})
        await publish(watcher, requested, 1, 2)
        await until(lambda: seen.ids == ["m1", "m2"], timeout_s=2)

    assert dropped == ["2"]


def drop_live(bus: Any, sequences: Any) -> Any:
    """Lose republished messages on their way, as a slow consumer does."""
    dropped = []
    for subscription in bus.client._subs.values():
        if subscription.subject.startswith("countersign.v1."):
            put = subscription._pending_queue.put_nowait

            def lossy(message: Any, put: Any = put) -> None:
                if message.headers["Nats-Sequence"] in sequences:
                    dropped.append(message.headers["Nats-Sequence"])
                else:
                    put(message)

            subscription._pending_queue.put_nowait = lossy
    return dropped


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_restart_of_the_server_loses_and_repeats_nothing(
    *, server: Any, bus_of: Any, requested: Any, until: Any, end: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway) as seen,
    ):
        await publish(watcher, requested, 1, 2)
        await until(lambda: len(seen.ids) == 2)
        await getattr(server, end)()
        await server.start()
        await until(lambda: watcher.client.is_connected)
        await publish(watcher, requested, 3, 4)
        await until(lambda: len(seen.ids) >= 4)

    assert seen.ids == ["m1", "m2", "m3", "m4"]
    assert seen.restarts == []


async def test_stream_made_anew_is_replayed_from_its_first(
    *, server: Any, bus_of: Any, requested: Any, until: Any, remove: Any, make_topology: Any
) -> None:
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway) as seen,
    ):
        await publish(watcher, requested, 1, 2, 3)
        await until(lambda: len(seen.ids) == 3)
        await remove("PROMOTIONS")
        await make_topology()
        await until(lambda: watcher.client.is_connected)
        await publish(watcher, requested, 9)
        await until(lambda: seen.ids == ["m9"])

    assert seen.restarts == ["PROMOTIONS"]


async def test_stream_made_anew_and_already_longer_is_replayed_from_its_first(
    *, server: Any, bus_of: Any, requested: Any, until: Any, remove: Any, make_topology: Any
) -> None:
    async with bus_of("gateway") as gateway, following(gateway) as seen:
        async with bus_of("watcher") as watcher:
            await publish(watcher, requested, 1)
        await until(lambda: len(seen.ids) == 1)
        await remove("PROMOTIONS")
        await make_topology()
        async with bus_of("watcher") as watcher:
            await publish(watcher, requested, 7, 8, 9)
        await until(lambda: seen.ids == ["m7", "m8", "m9"])

    assert seen.restarts == ["PROMOTIONS"]


@pytest.fixture
def restore(server: Any) -> Any:
    """Copy the store, and put the copy back later, as from a backup."""

    @asynccontextmanager
    async def from_copy() -> AsyncIterator[None]:
        store, copy = server.directory / "store", server.directory / "copy"
        await server.stop()
        shutil.copytree(store, copy)
        await server.start()
        yield
        await server.stop()
        shutil.rmtree(store)
        copy.rename(store)
        await server.start()

    return from_copy


@pytest.mark.parametrize("later", [1, 2, 3], ids=["shorter", "as-long", "longer"])
async def test_stream_restored_from_an_older_copy_is_replayed_from_its_first(
    *, server: Any, bus_of: Any, requested: Any, until: Any, restore: Any, later: int
) -> None:
    """However far it has grown since: other messages stand where ours stood."""
    async with bus_of("gateway") as gateway, following(gateway, pace=Pace(check_s=0.2)) as seen:
        async with bus_of("watcher") as watcher:
            await publish(watcher, requested, 1)
        async with restore():
            async with bus_of("watcher") as watcher:
                await publish(watcher, requested, 2, 3)
            await until(lambda: seen.ids == ["m1", "m2", "m3"])
            # Nothing is heard of what comes now.
            drop_live(gateway, {"2", "3", "4"})
        others = [f"m{number}" for number in range(7, 7 + later)]
        async with bus_of("watcher") as watcher:
            await publish(watcher, requested, *range(7, 7 + later))
        await until(lambda: seen.ids == ["m1", *others])

    assert seen.restarts == ["PROMOTIONS"]


async def test_stream_whose_last_messages_were_replaced_is_the_same(
    *, server: Any, bus_of: Any, deleted: Any, until: Any
) -> None:
    """What stood there is gone, which is what that stream does."""
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway, "PIPELINES", pace=Pace(check_s=0.2)) as seen,
    ):
        await watcher.publish(deleted("podinfo"), message_id="m1")
        await until(lambda: seen.ids == ["m1"])
        drop_live(gateway, {"2"})
        await watcher.publish(deleted("podinfo"), message_id="m2")
        await until(lambda: seen.ids == ["m1", "m2"])

    assert seen.restarts == []


async def test_missing_stream_is_not_ready_until_it_is_there(
    bare_server: Any, bus_of: Any, requested: Any, make_topology: Any, until: Any
) -> None:
    health = Health()
    async with bus_of("gateway", health=health) as gateway:
        task = asyncio.create_task(
            follow(gateway, streams=("PROMOTIONS",), apply=lambda _received: None)
        )
        await until(lambda: "stream" in health.not_ready().get("projection-promotions", ""))
        await make_topology()
        await until(lambda: health.not_ready() == {})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_malformed_and_refused_are_left_out(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    def apply(received: Any) -> None:
        if received.message_id == "m2":
            raise Rejected(MadeUp.UNKNOWN, "not ours")

    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway, apply=apply) as seen,
    ):
        await publish(watcher, requested, 1)
        await watcher.client.request("countersign-in.v1.promotion.requested.a.b.c.d", b"{")
        await watcher.client.request("countersign-in.v1.promotion.requested.a", b"{}")
        await publish(watcher, requested, 2, 3)
        await until(lambda: len(seen.ids) == 3)

    assert seen.ids == ["m1", "m2", "m3"]
    assert [r.sequence for r in seen.received] == [1, 4, 5]


async def test_bug_in_a_projection_ends_following(server: Any, bus_of: Any, requested: Any) -> None:
    def apply(received: Any) -> Never:
        raise ZeroDivisionError

    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        await publish(watcher, requested, 1)

        with pytest.raises(ZeroDivisionError):
            async with following(gateway, apply=apply):
                pass


@pytest.mark.parametrize("when", ["live", "replayed"])
async def test_answer_of_the_server_steered_into_a_stream_is_left_out(
    *, server: Any, bus_of: Any, requested: Any, granted: Any, until: Any, when: Any
) -> None:
    forged = json.loads(requested().to_json()) | json.loads(granted().to_json())

    async def steer(watcher: Any) -> None:
        await watcher.client.request(
            "countersign-in.v1.promotion.requested.apps.podinfo.prod.p1",
            json.dumps(forged).encode(),
            headers={"ce-id": "honest"},
        )
        await watcher.client.publish(
            "$JS.API.DIRECT.GET.PROMOTIONS",
            b'{"seq": 1}',
            reply="countersign-in.v1.approval.granted.apps.podinfo.prod.p1",
        )
        await stored(watcher, 2)
        await publish(watcher, requested, 3)

    async with bus_of("watcher") as watcher, bus_of("gateway") as gateway:
        if when == "replayed":
            await steer(watcher)
        async with following(gateway) as seen:
            if when == "live":
                await steer(watcher)
            await until(lambda: "m3" in seen.ids)

    assert seen.received[-1].sequence == 3
    assert seen.ids == ["honest", "m3"]


async def test_answer_steered_to_a_follower_is_no_event(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    """What Direct Get holds sent to where events are heard, under another name."""
    async with (
        bus_of("watcher") as watcher,
        bus_of("gateway") as gateway,
        following(gateway) as seen,
    ):
        await publish(watcher, requested, 1)
        await watcher.client.publish(
            "$JS.API.DIRECT.GET.PROMOTIONS",
            b'{"seq": 1}',
            reply="countersign.v1.approval.granted.apps.podinfo.prod.p1",
        )
        await publish(watcher, requested, 2)
        await until(lambda: len(seen.ids) >= 2)

    assert seen.ids == ["m1", "m2"]
