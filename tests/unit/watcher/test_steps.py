"""Steps as Events: what they say, how they are called, and when there are too many."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from doubles import stories
from reference import ROOT

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal
from countersign.watcher.pulls.sources import without_foreign_page
from countersign.watcher.status.events import PIPELINE_STEPS_MAX, QUEUE_MAX, RECENT, StepEvents
from countersign.watcher.status.steps import NOTE_BYTES_MAX, event_object, step_of

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PROMOTION_EVENTS = sorted(
    (e for e in EVENTS if "promotion" in e.model_fields), key=lambda e: e.__name__
)
# Told by the status only, or of no interest after it is over.
UNTOLD = {
    m.ApprovalBegun,
    m.ApprovalRevoked,
    m.PullRequestProgressed,
    m.PullRequestUpdated,
    m.TokenUsed,
}


def golden(kind: type[Message]) -> Message:
    raw = (ROOT / "proto" / "examples" / f"{kind.__name__}.json").read_bytes()
    return kind.from_json(raw)


def made(event: Message, *, instance: str = "watcher-0") -> dict[str, Any]:
    step = step_of(event)
    assert step is not None
    return event_object(event, step, recorded_at=NOW, instance=instance)


@pytest.mark.parametrize("kind", PROMOTION_EVENTS, ids=lambda kind: kind.__name__)
def test_each_event_of_a_promotion_is_told_or_known_to_be_untold(kind: type[Message]) -> None:
    step = step_of(golden(kind))

    assert (step is None) == (kind in UNTOLD)


@pytest.mark.parametrize("kind", [k for k in PROMOTION_EVENTS if k not in UNTOLD])
def test_step_is_a_short_sentence_about_its_pipeline(kind: type[Message]) -> None:
    event = golden(kind)
    ref: m.PromotionRef = event.promotion  # type: ignore[attr-defined]

    told = made(event)

    assert told["note"].startswith(f"{ref.environment}: ")
    assert len(told["note"].encode()) <= NOTE_BYTES_MAX
    assert told["regarding"]["uid"] == ref.pipeline.uid
    assert told["metadata"]["namespace"] == ref.pipeline.namespace


def test_watchers_tell_a_step_under_one_name_and_two_steps_under_two() -> None:
    opened = stories.opened()

    names = {made(opened, instance=i)["metadata"]["name"] for i in ("watcher-0", "watcher-1")}
    names |= {made(stories.opened(attempt=2))["metadata"]["name"]}
    names |= {made(stories.granted(f"a{n}"))["metadata"]["name"] for n in range(2)}

    assert len(names) == 4


def test_long_names_and_messages_are_cut() -> None:
    pipeline = m.PipelineRef(namespace="shop", name="x" * 253, uid="u")
    ref = m.PromotionRef(promotion_id="p", pipeline=pipeline, environment="prod")
    failed = m.PullRequestFailed(promotion=ref, message="ü" * 5000)

    told = made(failed, instance="y" * 500)

    assert len(told["metadata"]["name"]) <= 253
    assert len(told["note"].encode()) <= NOTE_BYTES_MAX
    assert len(told["reportingInstance"]) == 128


def test_command_that_does_not_fit_is_left_out() -> None:
    pipeline = m.PipelineRef(namespace="shop", name="checkout", uid="u")
    ref = m.PromotionRef(promotion_id="p", pipeline=pipeline, environment="prod")
    message = f"Countersign may not read it: `kubectl create role {'x' * NOTE_BYTES_MAX}`"

    told = made(m.PullRequestFailed(promotion=ref, message=message))

    assert "kubectl" not in told["note"]
    assert "may not read it" in told["note"]


class Answers:
    """A `ClusterApi` that fails as it is told to, then takes everything."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.bodies: list[Manifest] = []
        self.asked = asyncio.Event()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        del method, path, query, content_type
        if self.failures:
            raise self.failures.pop(0)
        self.bodies.append(body or {})
        self.asked.set()
        return {}


async def run(events: StepEvents, api: Answers) -> None:
    job = asyncio.create_task(events.run())
    async with asyncio.timeout(5):
        await api.asked.wait()
    await asyncio.sleep(0.05)
    job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job


def steps(api: Answers) -> StepEvents:
    return StepEvents(api, clock=lambda: NOW, sleep=asyncio.sleep, instance="watcher-0")


@pytest.mark.parametrize(
    "failure",
    [
        Rejected(ClusterRefusal.CONFLICT, "another watcher told it"),
        Rejected(ClusterRefusal.FORBIDDEN, "may not"),
        Retryable(ClusterRefusal.UNAVAILABLE, "busy", after_s=0.01),
        RuntimeError("an error of ours"),
    ],
)
async def test_what_cannot_be_told_holds_up_nothing(failure: Exception) -> None:
    api = Answers(failure)
    events = steps(api)

    events.on_event(stories.opened(), recorded_at=NOW)
    events.on_event(stories.merged(), recorded_at=NOW)
    await run(events, api)

    assert api.bodies[-1]["reason"] == "PullRequestMerged"


async def test_what_is_old_was_told_when_it_was_new() -> None:
    api = Answers()
    events = steps(api)

    events.on_event(stories.opened(), recorded_at=NOW - RECENT - timedelta(seconds=1))
    events.on_event(stories.merged(), recorded_at=NOW)
    await run(events, api)

    assert [body["reason"] for body in api.bodies] == ["PullRequestMerged"]


async def test_pipeline_that_is_tried_without_end_is_told_of_so_often() -> None:
    api = Answers()
    events = steps(api)

    for attempt in range(1, 100):
        events.on_event(stories.failed(attempt=attempt), recorded_at=NOW)
    await run(events, api)

    assert len(api.bodies) == PIPELINE_STEPS_MAX


async def test_more_than_the_queue_holds_is_dropped() -> None:
    api = Answers()
    events = steps(api)

    for number in range(QUEUE_MAX + 50):
        pipeline = m.PipelineRef(namespace="shop", name="checkout", uid=f"u{number}")
        ref = m.PromotionRef(promotion_id="p", pipeline=pipeline, environment="prod")
        events.on_event(m.PromotionCompleted(promotion=ref), recorded_at=NOW)
    await run(events, api)

    assert len(api.bodies) <= QUEUE_MAX
    assert json.dumps(api.bodies[0])


@pytest.mark.parametrize("kind", [m.PullRequestOpened, m.PullRequestMerged, m.PullRequestClosed])
@pytest.mark.parametrize(
    ("origins", "linked"),
    [(frozenset({"https://other.example"}), False), (None, True)],
    ids=["not listed", "no list"],
)
def test_only_listed_forges_are_linked(
    kind: type[Message], origins: frozenset[str] | None, *, linked: bool
) -> None:
    event = golden(kind)
    origin = event.pull_request.origin  # type: ignore[attr-defined]

    note = made(without_foreign_page(event, origins))["note"]

    assert (origin in note) == linked
    assert origin in made(without_foreign_page(event, frozenset({origin})))["note"]
