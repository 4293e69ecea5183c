"""What becomes of messages of a durable, on a real nats-server."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Never

import pytest
from doubles.made_up_refusals import MadeUp

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.refusals import ForgeRefusal
from countersign.messaging.administration.provisioning import dead_letters
from countersign.messaging.bus import Work
from countersign.messaging.topology.streams import DURABLES
from countersign.messaging.work import worker
from countersign.process.health import Health

JOBS = "pr-writer-jobs"
CONSUMER = f"$JS.API.CONSUMER.INFO.PROMOTIONS.{JOBS}"


async def unsettled(client: Any) -> tuple[int, int]:
    """How many wait for settlement, and how many were not delivered yet."""
    info = json.loads((await client.request(CONSUMER)).data)
    return info["num_ack_pending"], info["num_pending"]


async def settled(client: Any) -> None:
    async with asyncio.timeout(10):
        while await unsettled(client) != (0, 0):  # noqa: ASYNC110 (the server tells no event)
            await asyncio.sleep(0.02)


async def letters(connect_as: Any) -> Any:
    async with connect_as("topology") as client:
        return [buried.letter for buried in await dead_letters(client, limit=10)]


async def test_message_is_handled_once_and_acknowledged(
    server: Any, bus_of: Any, requested: Any, connect_as: Any
) -> None:
    seen = []

    async def on_job(received: Any) -> None:
        seen.append((received.message, received.deliveries, received.stream, received.sequence))

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert seen == [(requested(), 1, "PROMOTIONS", 1)]
    assert await letters(connect_as) == []


async def test_only_what_the_durable_filters_is_delivered(
    server: Any, bus_of: Any, requested: Any, granted: Any, until: Any
) -> None:
    seen = []

    async def on_job(received: Any) -> None:
        seen.append(type(received.message).__name__)

    async with (
        bus_of("watcher") as watcher,
        bus_of("approval") as approval,
        bus_of("pr-writer") as writer,
        writer.serving(work=(Work(JOBS, on_job),)),
    ):
        await watcher.publish(requested(), message_id="m1")
        await approval.publish(granted(), message_id="m2")
        await settled(writer.client)

    assert seen == ["PromotionRequested", "ApprovalGranted"]


async def test_retryable_is_delivered_again_after_its_delay(
    server: Any, bus_of: Any, requested: Any
) -> None:
    at = []

    async def on_job(received: Any) -> None:
        at.append((received.deliveries, asyncio.get_running_loop().time()))
        if received.deliveries < 3:
            raise Retryable(ForgeRefusal.RATE_LIMITED, "later", after_s=0.3)

    async with (
        bus_of("watcher") as watcher,
        bus_of("pr-writer") as writer,
        writer.serving(work=(Work(JOBS, on_job),)),
    ):
        await watcher.publish(requested(), message_id="m1")
        await settled(writer.client)

    assert [deliveries for deliveries, _ in at] == [1, 2, 3]
    assert at[1][1] - at[0][1] >= 0.25
    assert at[2][1] - at[1][1] >= 0.25


async def test_retryable_is_a_dead_letter_after_the_last_try(
    server: Any, bus_of: Any, requested: Any, connect_as: Any, monkeypatch: Any
) -> None:
    tries = []
    monkeypatch.setattr(worker, "DURABLES", {JOBS: replace(DURABLES[JOBS], tries_max=3)})

    async def on_job(received: Any) -> Never:
        tries.append(received.deliveries)
        raise Retryable(ForgeRefusal.FORGE_UNAVAILABLE, "503", after_s=0.01)

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert tries == [1, 2, 3]
    (letter,) = await letters(connect_as)
    assert letter.reason == "forge_unavailable"
    assert letter.deliveries == 3


async def test_rejected_is_a_dead_letter_at_once(
    server: Any, bus_of: Any, requested: Any, connect_as: Any
) -> None:
    tries = []

    async def on_job(received: Any) -> Never:
        tries.append(received.deliveries)
        raise Rejected(MadeUp.NO_MARKER, "there is none")

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert tries == [1]
    (letter,) = await letters(connect_as)
    assert (letter.reason, letter.stream, letter.sequence, letter.consumer) == (
        "no_marker",
        "PROMOTIONS",
        1,
        JOBS,
    )
    assert letter.body == requested().to_json()


async def test_bug_is_a_dead_letter_that_does_not_repeat_what_the_error_said(
    server: Any, bus_of: Any, requested: Any, connect_as: Any
) -> None:
    async def on_job(received: Any) -> Never:
        raise KeyError("made-up-token")

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    (letter,) = await letters(connect_as)
    assert letter.reason == "internal: KeyError"


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"{}", b"[]", b"null", b"x" * 900_000],
    ids=["truncated", "no-utf8", "lacks-fields", "list", "null", "large"],
)
async def test_poison_is_a_dead_letter_and_others_go_on(
    server: Any, bus_of: Any, requested: Any, connect_as: Any, body: Any
) -> None:
    seen = []

    async def on_job(received: Any) -> None:
        seen.append(received.sequence)

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.client.request("countersign-in.v1.promotion.requested.a.b.c.d", body)
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert seen == [2]
    (letter,) = await letters(connect_as)
    assert letter.reason == "malformed"
    assert letter.body == body[:524_288]


async def test_body_of_another_promotion_than_its_subject_names_is_malformed(
    server: Any, bus_of: Any, requested: Any, connect_as: Any
) -> None:
    async def on_job(received: Any) -> Never:
        raise AssertionError("not reached")

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.client.request(
            "countersign-in.v1.promotion.requested.apps.podinfo.prod.p2", requested("p1").to_json()
        )
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert [letter.reason for letter in await letters(connect_as)] == ["malformed"]


async def test_answer_of_the_server_steered_into_the_stream_is_not_work(
    server: Any, bus_of: Any, requested: Any, granted: Any, connect_as: Any
) -> None:
    """A service may read the stream; with an intake subject as the reply of that request it makes
    the server store the answer there, as if somebody else had published it.
    """
    seen = []

    async def on_job(received: Any) -> None:
        seen.append(type(received.message).__name__)

    forged = json.loads(requested().to_json()) | json.loads(granted().to_json())
    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        # Reads as a PromotionRequested, which a watcher may publish, and as an ApprovalGranted.
        await watcher.client.request(
            "countersign-in.v1.promotion.requested.apps.podinfo.prod.p1",
            json.dumps(forged).encode(),
        )
        await watcher.client.publish(
            "$JS.API.DIRECT.GET.PROMOTIONS",
            b'{"seq": 1}',
            reply="countersign-in.v1.approval.granted.apps.podinfo.prod.p1",
        )
        await watcher.client.flush()
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert seen == ["PromotionRequested"]
    assert [letter.reason for letter in await letters(connect_as)] == ["steered"]


async def test_handler_that_outlasts_the_acknowledgement_wait_runs_once(
    server: Any, bus_of: Any, requested: Any, connect_as: Any, monkeypatch: Any
) -> None:
    short = replace(DURABLES[JOBS], ack_wait_s=0.6)
    monkeypatch.setattr(worker, "DURABLES", {JOBS: short})
    async with connect_as("topology") as topology:
        body = {"stream_name": "PROMOTIONS", "config": short.config()}
        await topology.request(
            f"$JS.API.CONSUMER.DURABLE.CREATE.PROMOTIONS.{JOBS}", json.dumps(body).encode()
        )
    runs = []

    async def on_job(received: Any) -> None:
        runs.append(received.deliveries)
        await asyncio.sleep(2)  # the server's clock cannot be moved

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    assert runs == [1]


async def test_handler_that_takes_too_long_is_tried_again(
    server: Any, bus_of: Any, requested: Any
) -> None:
    runs = []

    async def on_job(received: Any) -> None:
        runs.append(received.deliveries)
        if received.deliveries == 1:
            await asyncio.Event().wait()

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job, timeout_s=0.1),)):
            await settled(writer.client)

    assert runs == [1, 2]


async def test_at_most_as_many_run_at_once_as_are_allowed(
    server: Any, bus_of: Any, requested: Any
) -> None:
    running = most = 0

    async def on_job(received: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)  # long enough to overlap
        running -= 1

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        for number in range(20):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        async with writer.serving(work=(Work(JOBS, on_job, at_once=3),)):
            await settled(writer.client)

    assert most == 3


async def test_slow_message_does_not_hold_up_the_others(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    release, done = asyncio.Event(), []

    async def on_job(received: Any) -> None:
        if received.sequence == 1:
            await release.wait()
        done.append(received.sequence)

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        for number in range(10):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        async with writer.serving(work=(Work(JOBS, on_job, at_once=2),)):
            await until(lambda: len(done) == 9)
            release.set()
            await settled(writer.client)

    assert done == [2, 3, 4, 5, 6, 7, 8, 9, 10, 1]


async def test_two_replicas_share_the_work(server: Any, bus_of: Any, requested: Any) -> None:
    by_replica = {"a": [], "b": []}

    def on_job_of(replica: Any) -> Any:
        async def on_job(received: Any) -> None:
            by_replica[replica].append(received.sequence)
            await asyncio.sleep(0.005)  # leave something to the other

        return on_job

    async with (
        bus_of("watcher") as watcher,
        bus_of("pr-writer", replica="a") as one,
        bus_of("pr-writer", replica="b") as two,
        one.serving(work=(Work(JOBS, on_job_of("a"), at_once=2),)),
        two.serving(work=(Work(JOBS, on_job_of("b"), at_once=2),)),
    ):
        for number in range(30):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        await settled(one.client)

    assert sorted(by_replica["a"] + by_replica["b"]) == list(range(1, 31))
    assert by_replica["a"]
    assert by_replica["b"]


async def test_what_runs_at_the_end_is_finished_and_the_rest_given_back(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    started, finished = [], []

    async def on_job(received: Any) -> None:
        started.append(received.sequence)
        await asyncio.sleep(0.2)  # still running when the end comes
        finished.append(received.sequence)

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        for number in range(6):
            await watcher.publish(requested(f"p{number}"), message_id=f"m{number}")
        async with writer.serving(work=(Work(JOBS, on_job, at_once=2),)):
            await until(lambda: len(started) == 2)
        first = list(finished)
        waiting, undelivered = await unsettled(writer.client)
        async with writer.serving(work=(Work(JOBS, on_job, at_once=6),)):
            await until(lambda: len(finished) == 6, timeout_s=3)

    assert first == [1, 2]
    assert waiting + undelivered == 4
    assert sorted(finished) == [1, 2, 3, 4, 5, 6]


async def test_missing_durable_is_not_ready_and_not_a_hot_loop(
    *, server: Any, bus_of: Any, requested: Any, remove: Any, make_topology: Any, until: Any
) -> None:
    """Recovers by itself when the durable is made again."""
    health, seen = Health(), []

    async def on_job(received: Any) -> None:
        seen.append(received.message_id)

    async with (
        bus_of("watcher") as watcher,
        bus_of("pr-writer", health=health) as writer,
        writer.serving(work=(Work(JOBS, on_job),)),
    ):
        await until(lambda: health.not_ready() == {})
        await remove(f"PROMOTIONS/obs/{JOBS}")
        await until(lambda: f"work-{JOBS}" in health.not_ready())
        sent = writer.client.stats["out_msgs"]
        await asyncio.sleep(1)  # a hot loop would show
        assert writer.client.stats["out_msgs"] - sent < 10
        await make_topology()
        await watcher.publish(requested(), message_id="m1")
        await until(lambda: seen == ["m1"])
        assert health.not_ready() == {}


async def test_trace_goes_on_from_publisher_to_worker(
    server: Any, bus_of: Any, requested: Any, spans: Any
) -> None:
    async def on_job(received: Any) -> None:
        pass

    async with bus_of("watcher") as watcher, bus_of("pr-writer") as writer:
        await watcher.publish(requested(), message_id="m1")
        async with writer.serving(work=(Work(JOBS, on_job),)):
            await settled(writer.client)

    by_name = {span.name: span for span in spans()}
    published = by_name["publish promotion.requested"]
    worked = by_name["process promotion.requested"]
    assert worked.parent.span_id == published.context.span_id
    assert "podinfo" not in worked.name
    for each in (published, worked):
        assert each.attributes["messaging.destination.template"].endswith("{promotion_id}")
        assert "messaging.destination.name" not in each.attributes
