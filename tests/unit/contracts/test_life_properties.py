"""What holds for the life of a promotion whatever order its events come in."""

from collections.abc import Iterable

from doubles import stories as s
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CredentialMode,
    OpeningStep,
    PromotionRequested,
    PullRequestMerged,
)
from countersign.contracts.promotion import ATTEMPT_OVER, OVER, Promotion, State

ATTEMPTS = st.integers(min_value=1, max_value=3)
IDS = st.sampled_from("abc")
PEOPLE = st.sampled_from(["ada", "grace", "eve"])
ACCOUNTS = st.sampled_from(["", "11", "12"])
REQUESTS = st.builds(
    s.requested,
    mode=st.sampled_from([CredentialMode.DELEGATED, CredentialMode.STORED]),
    manual=st.booleans(),
    approvals=st.integers(min_value=0, max_value=2),
    solo_mode=st.booleans(),
)
STEPS = st.sampled_from(OpeningStep)
EVENTS: st.SearchStrategy[Message] = st.one_of(
    st.builds(s.begun, IDS, by=PEOPLE, attempt=ATTEMPTS),
    st.builds(s.granted, IDS, by=PEOPLE, attempt=ATTEMPTS, account=ACCOUNTS),
    st.builds(s.expired, IDS, attempt=ATTEMPTS),
    st.builds(s.lost, IDS, attempt=ATTEMPTS),
    st.builds(s.rejected, attempt=ATTEMPTS),
    st.builds(s.progressed, STEPS, attempt=ATTEMPTS),
    st.builds(s.opened, attempt=ATTEMPTS),
    st.builds(s.failed, attempt=ATTEMPTS),
    st.builds(s.merged, attempt=ATTEMPTS),
    st.builds(s.closed, attempt=ATTEMPTS),
    st.builds(s.retried, ATTEMPTS),
    st.builds(s.undone, attempt=ATTEMPTS),
    st.builds(s.requested),
)
ENDS = st.sampled_from([s.completed(), s.superseded()])
RANK = [State.WAITING, State.ASKED, State.OPENING, State.OPEN, State.DEPLOYING]


def fold(request: PromotionRequested, events: Iterable[Message]) -> Promotion:
    promotion = advance(None, request)
    for event in events:
        promotion = advance(promotion, event)
    assert promotion is not None
    return promotion


@given(request=REQUESTS, events=st.lists(EVENTS, max_size=25))
def test_event_that_comes_twice_changes_nothing(
    request: PromotionRequested, events: list[Message]
) -> None:
    twice = [event for event in events for _ in range(2)]

    assert fold(request, twice) == fold(request, events)


@given(request=REQUESTS, events=st.lists(EVENTS, max_size=15), end=ENDS)
def test_nothing_that_comes_late_changes_an_end(
    request: PromotionRequested, events: list[Message], end: Message
) -> None:
    over = fold(request, [*events, end])

    assert over.state in OVER
    assert fold(request, [*events, end, *events]) == over


@given(request=REQUESTS, events=st.lists(EVENTS, max_size=15))
def test_events_of_attempts_that_are_over_change_nothing(
    request: PromotionRequested, events: list[Message]
) -> None:
    """A replay of all earlier attempts after a retry leaves the new attempt as it is."""
    attempt = fold(request, events).attempt
    promotion = fold(request, [*events, s.closed(attempt=attempt), s.undone(attempt=attempt)])
    assert promotion.state in ATTEMPT_OVER
    fresh = advance(promotion, s.retried(attempt + 1))
    assert fresh is not None

    # A merge counts whenever it is told; see `a_merge_counts_once`.
    late = [
        e
        for e in events
        if getattr(e, "promotion", s.ref()).attempt <= attempt
        and not isinstance(e, PullRequestMerged)
    ]

    again = fresh
    for event in late:
        following = advance(again, event)
        assert following is not None
        again = following
    assert again == fresh


@given(request=REQUESTS, data=st.data())
def test_facts_of_one_attempt_end_alike_in_any_order(
    request: PromotionRequested, data: st.DataObject
) -> None:
    """Opening, progress and merge come from different services and may overtake each other."""
    facts = [s.progressed(OpeningStep.READING), s.opened(), s.merged(), s.completed()]
    ordered = fold(request, facts)

    shuffled = fold(request, data.draw(st.permutations(facts)))

    assert shuffled.state is ordered.state is State.COMPLETED


@given(request=REQUESTS, data=st.data())
def test_opening_and_merge_end_alike_in_either_order(
    request: PromotionRequested, data: st.DataObject
) -> None:
    facts: list[Message] = [s.opened(), s.merged()]
    ordered = fold(request, facts)

    shuffled = fold(request, data.draw(st.permutations(facts)))

    assert (shuffled.state, shuffled.author, shuffled.files, shuffled.pull_request) == (
        ordered.state,
        ordered.author,
        ordered.files,
        ordered.pull_request,
    )


class Life(RuleBasedStateMachine):
    """Any events at all, with what must hold after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.promotion: Promotion | None = None
        self.before: Promotion | None = None
        self.gone: set[str] = set()

    @precondition(lambda self: self.promotion is None)
    @rule(request=REQUESTS)
    def request(self, request: PromotionRequested) -> None:
        self._take(request)

    @rule(event=EVENTS)
    def happen(self, event: Message) -> None:
        if isinstance(event, PromotionRequested) and self.promotion is None:
            return
        self._take(event)

    @precondition(lambda self: self.promotion is not None)
    @rule(end=ENDS)
    def end(self, end: Message) -> None:
        self._take(end)

    def _take(self, event: Message) -> None:
        self.before = self.promotion
        self.promotion = advance(self.promotion, event)
        if self.promotion is not None:
            self.gone |= set(self.promotion.spent)

    @invariant()
    def approvals_that_are_spent_never_return(self) -> None:
        if self.promotion is not None:
            live = {a.approval_id for a in self.promotion.approvals}
            assert not live & self.gone
            assert set(self.promotion.spent) == self.gone

    @invariant()
    def an_end_is_an_end(self) -> None:
        if self.before is not None and self.before.state in OVER:
            assert self.promotion is self.before

    @invariant()
    def attempts_count_one_by_one(self) -> None:
        if self.before is not None and self.promotion is not None:
            assert self.promotion.attempt - self.before.attempt in {0, 1}

    @invariant()
    def a_try_moves_backwards_only_by_the_end_of_a_sign_in(self) -> None:
        before, now = self.before, self.promotion
        if before is None or now is None or now.attempt != before.attempt:
            return
        if before.state not in RANK or now.state not in RANK:
            return
        if RANK.index(now.state) < RANK.index(before.state):
            assert before.state in {State.ASKED, State.OPENING}
            # It was lost, or it was the first of several that the promotion needs.
            lost = len(now.spent) > len(before.spent)
            given = len(now.granted) > len(before.granted)
            assert lost or (given and before.state is State.ASKED)

    @invariant()
    def nothing_opens_without_the_consent_it_needs(self) -> None:
        now = self.promotion
        if now is not None and now.state is State.OPENING and now.needs_consent:
            people = {a.by.id for a in now.granted}
            request = now.request
            if request.approvals and not request.solo_mode and now.requester:
                people -= {now.requester.id}
            accounts = {a.forge_user.id if a.forge_user else a.by.id for a in now.granted}
            assert min(len(people), len(accounts)) >= now.approvals_needed

    @invariant()
    def a_spent_try_stays_spent_until_it_is_retried(self) -> None:
        before, now = self.before, self.promotion
        if before is None or now is None or before.state not in ATTEMPT_OVER:
            return
        if now.state is not before.state:
            assert (
                now.state in OVER
                or now.attempt == before.attempt + 1
                # A forge tells of a merge that was thought to come to nothing.
                or now.merged_attempts > before.merged_attempts
                # Or of an opening that nobody knew to have succeeded.
                or (before.state is State.FAILED and now.state is State.OPEN)
            )

    @invariant()
    def a_merge_counts_once(self) -> None:
        before, now = self.before, self.promotion
        if before is None or now is None or before.state is State.DEPLOYING:
            return
        if now.state is State.DEPLOYING:
            assert len(now.merged_attempts) == len(before.merged_attempts) + 1

    @invariant()
    def where_consent_is_under_way_somebody_is_known(self) -> None:
        now = self.promotion
        if now is not None and now.state is State.ASKED:
            assert any(not a.is_given for a in now.approvals)


TestLife = Life.TestCase
