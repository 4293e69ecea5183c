"""The projection: what is late, doubled or foreign changes nothing."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.doubles import NOW, Scene
from unit.gateway.gallery import many_pipelines
from unit.gateway.stories import GRACE, Pipeline, credential

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    GateState,
    OpeningStep,
    PipelineDeleted,
    PipelineRef,
    SecretRef,
    TokenKind,
    TokenUsed,
)
from countersign.contracts.record.decisions import Heard
from countersign.contracts.subjects import DELEGATED_CREDENTIAL, stream_of
from countersign.gateway.model import PipelineKey
from countersign.gateway.view.projection import HISTORY_PER_GATE_MAX, Position, Projection


def whole_life() -> list[Message]:
    story = Pipeline("checkout").promotion("prod", "6.9.0", current="6.8.4")
    failed = [story.requested, story.begun(), story.granted(), story.failed(), story.revoked()]
    again = [story.retried(), story.begun(approval="b"), story.granted(approval="b")]
    steps: list[Message] = [story.progressed(s) for s in list(OpeningStep)[1:]]
    rest = [story.opened(4), story.updated("1 check", 4), story.merged(4), story.completed()]
    return [*failed, *again, *steps, *rest]


def test_oldest_that_is_over_is_forgotten_first_and_the_record_says_so() -> None:
    waiting = Pipeline("waiting").promotion("prod", "1.0.0").requested
    done = [
        [story.requested, story.completed()]
        for story in (Pipeline(f"p{n}").promotion("prod", "1.0.0") for n in range(4))
    ]
    projection = Projection(kept_max=3)

    for i, event in enumerate([waiting, *(e for events in done for e in events)], start=1):
        heard = Heard(sequence=i, recorded_at=NOW, traceparent="")
        projection.apply(event, stream=stream_of(type(event)), heard=heard)

    assert [t.promotion.request.promotion.pipeline.name for t in projection.timelines.values()] == [
        "waiting",
        "p2",
        "p3",
    ]
    assert len(projection.records) == 3
    assert not projection.record_is_whole


def told(events: list[Message]) -> Projection:
    projection = Projection()
    for i, event in enumerate(events, start=1):
        heard = Heard(sequence=i, recorded_at=NOW)
        projection.apply(event, stream=stream_of(type(event)), heard=heard)
    return projection


@given(at=st.data())
def test_event_that_is_stored_twice_changes_nothing(at: st.DataObject) -> None:
    events = whole_life()
    first = at.draw(st.integers(0, len(events) - 1))
    place = at.draw(st.integers(first + 1, len(events)))
    doubled = [*events[:place], events[first], *events[place:]]

    once, twice = told(events), told(doubled)

    assert once.timelines == twice.timelines
    assert once.records == twice.records


@given(seed=st.integers(0, 10_000))
def test_event_that_is_delivered_again_changes_nothing(seed: int) -> None:
    events = whole_life()
    projection = told(events)
    before = dict(projection.timelines), projection.position
    chance = random.Random(seed)  # noqa: S311

    for i in chance.sample(range(1, len(events) + 1), len(events)):
        event = events[i - 1]
        heard = Heard(sequence=i, recorded_at=NOW)
        assert projection.apply(event, stream=stream_of(type(event)), heard=heard) is None

    assert (dict(projection.timelines), projection.position) == before


@given(st.permutations(whole_life()))
def test_events_in_any_order_make_no_error(events: list[Message]) -> None:
    projection = told(events)

    for timeline in projection.timelines.values():
        assert timeline.promotion.promotion_id == timeline.promotion_id


def test_history_of_a_gate_is_bounded_and_keeps_what_is_under_way() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    first = pipeline.promotion("prod", "0.0.0")
    scene.tell(first.requested)
    for i in range(1, HISTORY_PER_GATE_MAX + 20):
        story = pipeline.promotion("prod", f"1.0.{i}")
        scene.tell(story.requested, story.superseded())

    timelines = scene.projection.at_gate(PipelineKey("shop", "checkout"), "prod")

    assert len(timelines) == HISTORY_PER_GATE_MAX
    assert first.id in {e.promotion_id for e in timelines}
    assert len(scene.projection.timelines) == HISTORY_PER_GATE_MAX


def test_pipeline_of_the_same_name_made_anew_does_not_show_old_promotions() -> None:
    scene, old = Scene(), Pipeline("checkout")
    scene.tell(old.promotion("prod", "6.9.0").requested)
    fresh = Pipeline("checkout")
    fresh.ref = fresh.ref.model_copy(update={"uid": "another"})

    scene.tell(
        fresh.observed(
            fresh.environment("staging", "1.0.0", gate=None), fresh.environment("prod", "1.0.0")
        )
    )

    track = scene.projection.track(PipelineKey("shop", "checkout"))
    assert track is not None
    assert track.gates[0].promotion_id == ""


def test_deletion_of_an_earlier_object_leaves_the_later_one() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")
    scene.tell(pipeline.observed())
    earlier = PipelineRef(namespace="shop", name="checkout", uid="earlier")

    scene.tell(PipelineDeleted(pipeline=earlier))
    kept = scene.projection.track(PipelineKey("shop", "checkout"))
    scene.tell(PipelineDeleted(pipeline=pipeline.ref))

    assert kept is not None
    assert scene.projection.track(PipelineKey("shop", "checkout")) is None


def test_use_of_a_delegation_is_no_stored_credential() -> None:
    scene = Scene()
    secret = SecretRef(namespace="shop", name=DELEGATED_CREDENTIAL)

    scene.tell(TokenUsed(credential=secret), credential("a", owner="b", kind=TokenKind.CLASSIC))

    assert [k.name for k in scene.projection.credentials] == ["a"]
    assert scene.projection.used == {}


def test_login_is_what_the_forge_called_the_person_last() -> None:
    scene = Scene()
    story = Pipeline("checkout").promotion("prod", "6.9.0")
    scene.tell(*story.to_open(3))
    origin = story.requested.destination.origin

    assert scene.projection.login_of(GRACE.id, origin=origin) == "grace"
    assert scene.projection.login_of(GRACE.id, origin="https://elsewhere.example") == ""


def test_stream_made_anew_takes_only_what_it_told_along() -> None:
    """Others may have told all of theirs again already, and do not do it twice."""
    scene = Scene()
    many_pipelines(scene, count=3)
    scene.tell(credential("a", owner="b", kind=TokenKind.CLASSIC))
    projection = scene.projection
    told, pipelines = dict(projection.timelines), dict(projection.pipelines)
    assert told

    projection.forget("PIPELINES")
    assert (projection.pipelines, projection.timelines, len(projection.credentials)) == (
        {},
        told,
        1,
    )
    assert projection.position.pipelines == 0
    assert projection.tracks() == []

    projection.forget("PROMOTIONS")
    projection.forget("TOKENS")
    assert replace(projection, latest_at=None, changed={}) == Projection(links=projection.links)
    assert pipelines


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("1.2.3", Position(1, 2, 3)),
        ("", None),
        ("1.2", None),
        ("1.2.x", None),
        ("-1.2.3", None),
        ("1.2.³", None),
        ("1.2.3.4", None),
    ],
)
def test_position_reads_only_what_it_wrote(text: str, position: Position | None) -> None:
    assert Position.parse(text) == position


def test_gate_says_that_a_promotion_will_be_offered_shortly() -> None:
    scene, pipeline = Scene(), Pipeline("checkout")

    scene.tell(
        pipeline.observed(
            pipeline.environment("staging", "6.9.0", gate=None),
            pipeline.environment("prod", "6.8.4", gate=GateState.PENDING, promotion_id="soon"),
        )
    )

    track = scene.projection.track(PipelineKey("shop", "checkout"))
    assert track is not None
    assert track.gates[0].sentence[-1] == " will be offered for prod shortly"
