"""Which events ask for what, and what is remembered between them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from countersign.contracts.identity import consent_digest
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalGranted,
    Content,
    CredentialMode,
    Destination,
    ObjectRef,
    Person,
    PipelineRef,
    PromotionRef,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
    Revision,
)
from countersign.contracts.promotion import State
from countersign.messaging.envelope import Received
from countersign.pr_writer.executor.describing import Particulars, describe, plain
from countersign.pr_writer.jobs.model import JOBS, Consent, OpenJob, mode_to_open
from countersign.pr_writer.jobs.outcomes import Known
from countersign.pr_writer.parent.memory import Memory
from countersign.pr_writer.parent.projection import PROMOTIONS_PER_ENVIRONMENT_MAX, Projection

AT = datetime(2026, 1, 1, tzinfo=UTC)
STORED, DELEGATED = CredentialMode.STORED, CredentialMode.DELEGATED


def ref(name: str = "p1", attempt: int = 1) -> PromotionRef:
    pipeline = PipelineRef(namespace="ns", name="app", uid="u")
    return PromotionRef(promotion_id=name, pipeline=pipeline, environment="prod", attempt=attempt)


def requested(
    mode: CredentialMode = STORED, *, manual: bool = False, name: str = "p1"
) -> PromotionRequested:
    return PromotionRequested(
        promotion=ref(name),
        app=ObjectRef(kind="HelmRelease", name="app"),
        from_environment="staging",
        content=Content(identity="6.9.0", revision=Revision(recorded="6.9.0")),
        destination=Destination(
            origin="https://forge.example", owner="o", repository="r", base_branch="main"
        ),
        marker_key="ns:app:prod",
        mode=mode,
        manual=manual,
        requested_at=AT,
    )


def granted(mode: CredentialMode) -> ApprovalGranted:
    return ApprovalGranted(
        promotion=ref(),
        approval_id="a1",
        by=Person(id="ada"),
        mode=mode,
        consent_digest=consent_digest(requested(mode)),
        granted_at=AT,
    )


def pull(number: int = 1) -> PullRequestRef:
    return PullRequestRef(origin="https://forge.example", owner="o", repository="r", number=number)


def opened(number: int = 1, name: str = "p1", mode: CredentialMode = STORED) -> PullRequestOpened:
    return PullRequestOpened(
        promotion=ref(name), pull_request=pull(number), mode=mode, opened_at=AT
    )


FAILED = PullRequestFailed(promotion=ref(), message="no", failed_at=AT)
RETRIED = PromotionRetried(promotion=ref(attempt=2), retried_at=AT)


def projection() -> Projection:
    return Projection(clock=lambda: AT, monotonic=lambda: 0.0)


def projection_of(*events: Message) -> Projection:
    board = projection()
    for event in events:
        board.fold(event, trace={})
    return board


@pytest.mark.parametrize(
    ("events", "mode"),
    [
        ([requested()], STORED),
        ([requested(manual=True)], None),
        ([requested(DELEGATED)], None),
        ([requested(CredentialMode.APP)], CredentialMode.APP),
        ([requested(DELEGATED), granted(DELEGATED)], DELEGATED),
        ([requested(manual=True), granted(STORED)], STORED),
        ([requested(manual=True), granted(DELEGATED)], DELEGATED),
        ([requested(), opened(), requested()], None),
        ([requested(DELEGATED), granted(DELEGATED), FAILED, granted(DELEGATED)], None),
        ([requested(), FAILED, RETRIED], STORED),
        ([requested(DELEGATED), granted(DELEGATED), FAILED, RETRIED], None),
        ([requested(), RETRIED], None),
    ],
)
def test_event_asks_for_a_pull_request_only_as_the_state_says(
    events: list[Message], mode: CredentialMode | None
) -> None:
    entry = projection_of(*events).get("p1")
    assert entry is not None

    assert mode_to_open(entry.promotion, events[-1]) is mode


def test_board_keeps_the_pull_request_of_a_superseded_promotion() -> None:
    superseded = PromotionSuperseded(promotion=ref(), reason="newer", superseded_at=AT)
    board = projection_of(requested(), superseded, opened(), requested(name="p2"))

    old, new = board.get("p1"), board.get("p2")
    assert old is not None
    assert new is not None
    assert (old.promotion.state, old.pull) == (State.SUPERSEDED, pull())
    assert board.previous_pulls(new) == (1,)


def test_merged_pull_request_is_no_previous_one() -> None:
    merged = PullRequestMerged(promotion=ref(), pull_request=pull(), merged_at=AT)
    board = projection_of(requested(), opened(), merged, requested(name="p2"))

    entry = board.get("p2")
    assert entry is not None
    assert board.previous_pulls(entry) == ()


def test_board_forgets_the_oldest_of_a_lane() -> None:
    names = [f"p{n}" for n in range(PROMOTIONS_PER_ENVIRONMENT_MAX + 2)]
    board = projection_of(*(requested(name=name) for name in names))

    assert board.get("p0") is None
    assert len(board.records()) == PROMOTIONS_PER_ENVIRONMENT_MAX


async def test_board_says_when_the_stream_was_applied_so_far() -> None:
    board = projection()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(board.reached(received(7), timeout_s=5))
        await board.apply(received(7))

    assert waiting.done()
    with pytest.raises(TimeoutError):
        await board.reached(received(8), timeout_s=0.01)


async def test_board_takes_no_place_in_a_lost_stream_for_one_in_the_new() -> None:
    """A job must not be taken for settled because the old stream was longer."""
    board = projection()
    await board.apply(received(25))
    later = AT + timedelta(seconds=1)

    with pytest.raises(TimeoutError):
        await board.reached(received(2, at=later), timeout_s=0.01)

    board.restart("PROMOTIONS")
    await board.apply(received(2, at=later))
    await board.reached(received(2, at=later), timeout_s=5)


async def test_place_stays_reached_when_the_servers_clock_steps_back() -> None:
    board = projection()
    await board.apply(received(7))
    await board.apply(received(8, at=AT - timedelta(minutes=5)))

    await board.reached(received(7), timeout_s=0.01)


def received(sequence: int, *, at: datetime = AT) -> Received:
    return Received(
        message=requested(),
        subject="",
        stream="PROMOTIONS",
        sequence=sequence,
        recorded_at=at,
        headers={},
    )


def job(**changes: object) -> OpenJob:
    made = OpenJob.model_validate(
        {
            "kind": "open",
            "request": requested(),
            "attempt": 1,
            "access": {
                "mode": STORED,
                "forge": {"name": "F", "kind": "github", "origin": "https://forge.example"},
            },
            "consent": {"digest": "0" * 64},
        }
    )
    return made.model_copy(update=changes)


def test_job_survives_its_way_to_the_executor() -> None:
    made = job(known=Known(markers={"a": ("k",)}, files={"x": "a"}))

    assert JOBS.validate_json(made.to_json()) == made


def test_memory_adds_what_is_learned_to_what_is_known() -> None:
    memory = Memory()
    memory.learn(job(), Known(markers={"a": (), "b": ("k",)}, files={"x": "b"}))
    memory.learn(job(), Known(markers={"b": ("k", "l")}, files={"y": "b"}))

    known = memory.recall(job())

    assert known.markers == {"a": (), "b": ("k", "l")}
    assert known.files == {"x": "b", "y": "b"}


@pytest.mark.parametrize(
    "text",
    ["@org/team", "x @all y", "fixes #1", "closes GH-12", "<script>", "a\u202eb", "https://x/1"],
)
def test_title_mentions_nobody_and_closes_nothing(text: str) -> None:
    shown = plain(text)

    assert not any(bad in shown for bad in ("@", "#", "GH-", "<", "\u202e", "://"))


def test_title_keeps_a_commit_as_people_say_it() -> None:
    assert plain("to prod: main@4f2c1e9") == "to prod: main@4f2c1e9"


def test_body_shows_what_comes_from_elsewhere_as_code_alone() -> None:
    hostile = "`@org/team` fixes #1 <!-- x --> | y\n# z"
    person = Person(id="p", name=hostile)

    text = describe(
        job(consent=Consent(digest="0" * 64, approver=person)),
        Particulars(files={hostile: hostile}, commits=[hostile]),
        author=None,
    )

    for line in text.body.splitlines():
        outside = "".join(line.split("`")[::2]) if not line.startswith("```") else ""
        assert "@" not in outside
        assert "#" not in outside.replace("Replaces #", "")
        assert "<" not in outside
    assert "Countersign-Promotion: p1" in text.body
