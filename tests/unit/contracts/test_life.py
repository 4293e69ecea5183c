"""The life of a promotion, event by event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from doubles import stories as s

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    Caution,
    CredentialMode,
    OpeningStep,
    PullRequestUpdated,
)
from countersign.contracts.promotion import (
    APPROVALS_MAX,
    ATTEMPTS_MAX,
    OVERDUE,
    SPENT_MAX,
    Note,
    Promotion,
    State,
)

FAR = datetime(2040, 1, 1, tzinfo=UTC)


def after(*events: Message) -> Promotion:
    promotion = None
    for event in events:
        promotion = advance(promotion, event)
    assert promotion is not None
    return promotion


REQUESTED = s.requested()
STORED = s.requested(mode=CredentialMode.STORED)
STORED_MANUAL = s.requested(mode=CredentialMode.STORED, manual=True)
BY_TWO = s.requested(approvals=2)
RETRIED_BY_ADA = s.retried(2)
BOTH = s.granted("x", attempt=2), s.granted("y", by="grace", attempt=2)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        pytest.param([REQUESTED], State.WAITING, id="requested-waits"),
        pytest.param([STORED], State.OPENING, id="no-consent-needed-opens"),
        pytest.param([STORED_MANUAL], State.WAITING, id="manual-waits"),
        pytest.param([REQUESTED, s.begun("a")], State.ASKED, id="begun-asks"),
        pytest.param([REQUESTED, s.begun("a"), s.expired("a")], State.WAITING, id="expired-waits"),
        pytest.param([REQUESTED, s.begun("a"), s.lost("a")], State.WAITING, id="lost-waits"),
        pytest.param([REQUESTED, s.granted("a")], State.OPENING, id="granted-opens"),
        pytest.param([REQUESTED, s.granted("a"), s.lost("a")], State.WAITING, id="lost-vault"),
        pytest.param([REQUESTED, s.rejected()], State.REJECTED, id="rejected"),
        pytest.param([REQUESTED, s.begun("a"), s.rejected()], State.REJECTED, id="asked-rejected"),
        pytest.param([REQUESTED, s.granted("a"), s.opened()], State.OPEN, id="opened"),
        pytest.param([REQUESTED, s.granted("a"), s.failed()], State.FAILED, id="failed"),
        pytest.param([STORED, s.failed(), s.opened()], State.OPEN, id="failed-and-opened-late"),
        pytest.param(
            [STORED, s.failed(), s.retried(2), s.opened()], State.OPENING, id="late-of-another"
        ),
        pytest.param([STORED, s.opened(), s.merged()], State.DEPLOYING, id="merged-deploys"),
        pytest.param([STORED, s.opened(), s.closed()], State.CLOSED, id="closed"),
        pytest.param([STORED, s.opened(), s.completed()], State.COMPLETED, id="open-completes"),
        pytest.param([STORED, s.merged(), s.undone()], State.UNDONE, id="deploying-undone"),
        pytest.param([STORED, s.failed(), s.retried(2)], State.OPENING, id="retried-opens"),
        pytest.param([REQUESTED, s.rejected(), s.retried(2)], State.WAITING, id="retried-waits"),
        pytest.param([STORED, s.opened(), s.retried(2)], State.OPENING, id="open-is-asked-again"),
        pytest.param(
            [REQUESTED, s.granted("a"), s.opened(), s.retried(2)],
            State.WAITING,
            id="open-waits-when-asked-again",
        ),
        pytest.param([STORED, s.merged(), s.retried(2)], State.OPENING, id="stuck-is-asked-again"),
        pytest.param([STORED, s.opened(), s.rejected()], State.REJECTED, id="open-is-given-up"),
        pytest.param([STORED, s.merged(), s.rejected()], State.REJECTED, id="merged-is-given-up"),
        pytest.param([STORED, s.rejected()], State.OPENING, id="opening-cannot-be-refused"),
        pytest.param(
            [STORED, s.opened(), s.closed(), s.merged()], State.DEPLOYING, id="reopened-and-merged"
        ),
        pytest.param(
            [STORED, s.opened(), s.retried(2), s.merged()], State.DEPLOYING, id="earlier-one-merged"
        ),
        pytest.param([STORED, s.failed(), s.merged()], State.DEPLOYING, id="merged-after-all"),
        pytest.param(
            [STORED, s.merged(), s.undone(), s.retried(2), s.merged()],
            State.OPENING,
            id="merge-told-twice-is-one",
        ),
        pytest.param([STORED, s.merged(), s.merged(attempt=2)], State.DEPLOYING, id="no-such-try"),
        pytest.param([REQUESTED, s.completed()], State.COMPLETED, id="somebody-else-did-it"),
        pytest.param([BY_TWO, s.granted("a")], State.WAITING, id="one-of-two-waits"),
        pytest.param(
            [BY_TWO, s.granted("a", by="ada"), s.granted("b", by="ada")],
            State.WAITING,
            id="one-person-twice-is-one",
        ),
        pytest.param(
            [BY_TWO, s.granted("a", by="ada"), s.granted("b", by="grace")],
            State.OPENING,
            id="two-of-two-opens",
        ),
        pytest.param(
            [BY_TWO, s.granted("a", account="11"), s.granted("b", by="grace", account="11")],
            State.WAITING,
            id="two-people-with-one-account-are-one",
        ),
        pytest.param(
            [BY_TWO, s.granted("a", account="11"), s.granted("b", by="grace", account="12")],
            State.OPENING,
            id="two-people-with-two-accounts-are-two",
        ),
        pytest.param(
            [BY_TWO, s.rejected(), RETRIED_BY_ADA, *BOTH],
            State.WAITING,
            id="who-asked-is-none-of-two",
        ),
        pytest.param(
            [BY_TWO, s.rejected(), RETRIED_BY_ADA, *BOTH, s.granted("z", by="eve", attempt=2)],
            State.OPENING,
            id="two-beside-who-asked",
        ),
        pytest.param(
            [s.requested(approvals=2, solo_mode=True), s.rejected(), RETRIED_BY_ADA, *BOTH],
            State.OPENING,
            id="solo-mode-counts-who-asked",
        ),
        pytest.param(
            [s.requested(approvals=1), s.rejected(), RETRIED_BY_ADA, s.granted("x", attempt=2)],
            State.WAITING,
            id="who-asked-is-not-the-one",
        ),
        pytest.param(
            [s.requested(approvals=1), s.granted("x")],
            State.OPENING,
            id="nobody-asked-for-the-first-attempt",
        ),
        pytest.param(
            [REQUESTED, s.rejected(), RETRIED_BY_ADA, s.granted("x", attempt=2)],
            State.OPENING,
            id="who-asked-may-where-no-number-is-said",
        ),
        pytest.param(
            [BY_TWO, s.granted("a"), s.granted("b", by="grace"), s.lost("a")],
            State.WAITING,
            id="one-of-two-lost-waits",
        ),
    ],
)
def test_promotion_goes_where_its_events_lead(events: list[Message], state: State) -> None:
    assert after(*events).state is state


@pytest.mark.parametrize(
    "event",
    [
        s.begun("b"), s.granted("b"), s.rejected(), s.expired("a"), s.lost("a"), s.opened(),
        s.failed(), s.merged(), s.closed(), s.retried(2), s.superseded(), s.completed(), s.undone(),
    ],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
@pytest.mark.parametrize("end", [s.completed(), s.superseded()], ids=["completed", "superseded"])
def test_nothing_follows_the_end(end: Message, event: Message) -> None:
    over = after(REQUESTED, s.begun("a"), end)

    assert advance(over, event) is over


def test_consent_of_one_outlives_the_unfinished_sign_in_of_another() -> None:
    """Ada consented while Grace was still signing in; Grace's page then ran out of time."""
    promotion = after(REQUESTED, s.begun("a"), s.begun("b", by="grace"), s.granted("a"))

    promotion = after_more(promotion, s.expired("b"))

    assert promotion.state is State.OPENING
    assert [a.approval_id for a in promotion.granted] == ["a"]


def test_merge_told_before_the_opening_does_not_hide_the_author() -> None:
    """A webhook can be faster than our own event."""
    early = after(STORED, s.merged(), s.opened())
    late = after(STORED, s.opened(), s.merged())

    assert early.state is late.state is State.DEPLOYING
    assert early.author == late.author
    assert early.files == late.files


def test_step_does_not_run_backwards_on_redelivery() -> None:
    promotion = after(STORED, s.progressed(OpeningStep.OPENING), s.progressed(OpeningStep.READING))

    assert promotion.step is OpeningStep.OPENING


def test_spent_approval_does_not_return() -> None:
    promotion = after(REQUESTED, s.begun("a"), s.lost("a"))

    assert advance(promotion, s.granted("a")) is promotion
    assert advance(promotion, s.begun("a")) is promotion


def test_failure_of_a_spent_approval_does_not_end_the_attempt() -> None:
    """Its writer stood still meanwhile; another approval may be on its way."""
    promotion = after(REQUESTED, s.granted("a"), s.lost("a"), s.granted("b"))

    assert advance(promotion, s.failed(approval_id="a")) is promotion
    assert after_more(promotion, s.failed(approval_id="b")).state is State.FAILED


def test_approval_of_an_earlier_attempt_does_not_carry_a_later_one() -> None:
    promotion = after(REQUESTED, s.granted("a"), s.failed(), s.retried(2))

    assert advance(promotion, s.granted("a", attempt=2)) is promotion
    assert advance(promotion, s.granted("b", attempt=1)) is promotion


def test_expiry_that_overtakes_its_beginning_wins() -> None:
    promotion = after(REQUESTED, s.expired("a"), s.begun("a"))

    assert promotion.state is State.WAITING


def test_waiting_promotion_tells_why_it_waits_again() -> None:
    assert after(REQUESTED, s.begun("a"), s.expired("a")).note is Note.EXPIRED
    assert after(REQUESTED, s.granted("a"), s.lost("a")).note is Note.LOST
    assert after(REQUESTED, s.granted("a"), s.lost("a"), s.begun("b")).note is Note.NONE


@pytest.mark.parametrize("number", [1, 3, 0])
def test_retry_must_name_the_next_attempt(number: int) -> None:
    promotion = after(STORED, s.failed())

    assert advance(promotion, s.retried(number)) is promotion


def test_unrelated_event_before_the_request_makes_no_promotion() -> None:
    assert advance(None, s.opened()) is None


def test_new_attempt_starts_without_what_the_last_one_left() -> None:
    promotion = after(STORED, s.opened(), s.closed(), s.retried(2))

    assert promotion.attempt == 2
    assert promotion.ref.attempt == 2
    assert promotion.pull_request is None
    assert promotion.failure_message == ""
    assert not promotion.may_be_retried_at(FAR)


def after_more(promotion: Promotion, event: Message) -> Promotion:
    following = advance(promotion, event)
    assert following is not None
    return following


@pytest.mark.parametrize("caution", [Caution.DOWNGRADE, Caution.FOREIGN_CONTENT, Caution.HINDERED])
def test_promotion_with_a_caution_waits_for_a_person_in_every_mode(caution: Caution) -> None:
    request = STORED.model_copy(update={"cautions": (caution,)})

    assert after(request).state is State.WAITING
    assert after(request, s.granted("a")).state is State.OPENING


def test_merge_after_a_closing_tells_who_merged() -> None:
    promotion = after(STORED, s.opened(), s.closed(), s.merged())

    assert promotion.merged
    assert promotion.merged_by == s.merged().by


def test_pull_request_of_an_earlier_try_stays_known() -> None:
    promotion = after(STORED, s.opened(), s.retried(2))

    assert promotion.pull_request is None
    (earlier,) = promotion.earlier
    assert (earlier.attempt, earlier.pull_request) == (1, s.opened().pull_request)


@pytest.mark.parametrize(
    ("events", "state"),
    [([STORED, s.opened()], State.OPEN), ([STORED, s.merged()], State.DEPLOYING)],
    ids=["open", "deploying"],
)
def test_what_does_not_end_may_be_asked_again_and_given_up_after_a_while(
    events: list[Message], state: State
) -> None:
    promotion = replace(after(*events), changed_at=s.START)
    due_at = s.START + OVERDUE[state]

    for may in (promotion.may_be_retried_at, promotion.may_be_given_up_at):
        assert not may(due_at - timedelta(seconds=1))
        assert may(due_at)


@pytest.mark.parametrize(
    "odd", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)], ids=str
)
def test_what_is_open_since_a_time_that_nobody_can_mean_is_overdue(odd: datetime) -> None:
    promotion = replace(after(REQUESTED, s.opened()), changed_at=odd)

    assert promotion.overdue_at is None
    assert promotion.may_be_given_up_at(FAR)


def test_what_waits_is_never_overdue() -> None:
    assert not after(REQUESTED).may_be_given_up_at(FAR)
    assert not after(REQUESTED).may_be_retried_at(FAR)


def test_tries_end_somewhere() -> None:
    promotion = after(STORED, s.failed())

    assert promotion.may_be_retried_at(FAR)
    assert not replace(promotion, attempt=ATTEMPTS_MAX).may_be_retried_at(FAR)


def test_what_is_remembered_of_sign_ins_is_bounded() -> None:
    promotion: Promotion | None = after(REQUESTED)
    for number in range(2 * SPENT_MAX):
        promotion = advance(promotion, s.begun(f"a{number}"))
        if number % 2:
            promotion = advance(promotion, s.expired(f"a{number}"))

    assert promotion is not None
    assert promotion.state is State.ASKED
    assert len(promotion.approvals) <= APPROVALS_MAX
    assert len(promotion.spent) <= SPENT_MAX
    last = f"a{2 * SPENT_MAX - 1}"
    assert advance(promotion, s.begun(last)) is promotion


MERGED = s.merged().model_copy(update={"merged_at": s.START})


def seen_open(minute: int, *, attempt: int = 1) -> PullRequestUpdated:
    return PullRequestUpdated(
        promotion=s.ref(attempt),
        pull_request=s.PULL_REQUEST,
        updated_at=s.START + timedelta(minutes=minute),
    )


def test_promotion_returns_when_its_pull_request_is_seen_open_after_all() -> None:
    """Whoever knows a webhook's secret can forge the news of a merge."""
    promotion = after(STORED, s.opened(), MERGED, seen_open(5))

    assert (promotion.state, promotion.merged, promotion.merged_by) == (State.OPEN, False, None)
    assert after(STORED, s.opened(), MERGED, seen_open(5), MERGED).state is State.DEPLOYING


@pytest.mark.parametrize("minute", [-60, 0, 2])
def test_promotion_stays_merged_where_it_was_seen_open_before(minute: int) -> None:
    assert after(STORED, s.opened(), MERGED, seen_open(minute)).state is State.DEPLOYING


def test_pull_request_of_another_try_that_is_open_says_nothing_of_a_merge() -> None:
    promotion = after(STORED, s.opened(), MERGED, seen_open(5, attempt=2))

    assert promotion.state is State.DEPLOYING
