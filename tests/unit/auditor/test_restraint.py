"""Our questions stay within the declared share of an account's limit; a forge may fail in peace."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from countersign.auditor.checks.restraint import QUESTIONS_MAX, Account, Restraint
from countersign.dialects.github.limits import LIMITS as GITHUB
from countersign.dialects.limits import STANDARD, Quota

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ADA = Account(origin="https://git.example", owner="7")
GRACE = Account(origin=ADA.origin, owner="8")


def restraint(share: float = 0.02) -> Restraint:
    return Restraint(share=share, jitter=lambda: 0.5)


def quota(limit: int = 5000, remaining: int = 4000) -> Quota:
    return Quota(limit=limit, remaining=remaining, resets_at_s=(NOW + 20 * MINUTE).timestamp())


@given(
    share=st.floats(min_value=0.005, max_value=0.5),
    limit=st.integers(min_value=60, max_value=15_000),
    pauses_s=st.lists(st.integers(min_value=0, max_value=600), max_size=200),
)
def test_no_hour_holds_more_questions_than_the_share(
    share: float, limit: int, pauses_s: list[int]
) -> None:
    ours, now, asked = restraint(share), NOW, list[datetime]()
    for pause_s in pauses_s:
        now += timedelta(seconds=pause_s)
        if ours.rest_until(ADA, now=now) is None:
            for _ in range(QUESTIONS_MAX):
                ours.asked(ADA, now=now, quota=quota(limit, limit))
                asked.append(now)

    allowed = max(limit * share, QUESTIONS_MAX)
    assert all(sum(w <= at < w + HOUR for at in asked) <= allowed for w in set(asked))


def test_share_that_is_spent_comes_back_after_an_hour() -> None:
    ours = restraint(share=0.01)
    for _ in range(50):
        ours.asked(ADA, now=NOW, quota=quota())

    assert ours.rest_until(ADA, now=NOW + MINUTE) == NOW + HOUR
    assert ours.rest_until(GRACE, now=NOW + MINUTE) is None
    assert ours.rest_until(ADA, now=NOW + HOUR) is None


def test_answer_that_nothing_changed_costs_nothing() -> None:
    ours = restraint(share=0.01)
    for _ in range(500):
        ours.asked(ADA, now=NOW, quota=quota(), counts=False)

    assert ours.rest_until(ADA, now=NOW) is None


def test_what_is_left_of_a_scarce_limit_is_its_owners() -> None:
    ours = restraint()
    ours.asked(ADA, now=NOW, quota=quota(remaining=499))

    assert ours.rest_until(ADA, now=NOW) == NOW + 20 * MINUTE


def test_forge_that_fails_is_left_alone_with_growing_rests_and_others_are_not() -> None:
    ours, rests = restraint(), list[timedelta]()
    for _ in range(12):
        ours.failed(ADA.origin, now=NOW)
        until = ours.rest_until(GRACE, now=NOW)
        rests.append(until - NOW if until else timedelta())

    assert rests[:4] == [timedelta(), MINUTE / 2, MINUTE, 2 * MINUTE]
    assert rests[-1] == 30 * MINUTE
    assert ours.rest_until(Account(origin="https://other.example", owner="7"), now=NOW) is None
    ours.answered(ADA.origin)
    assert ours.rest_until(ADA, now=NOW) is None


def test_quota_is_read_from_the_headers_of_each_kind() -> None:
    now_s = NOW.timestamp()
    github = {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "12",
        "x-ratelimit-reset": str(int(now_s) + 60),
    }
    standard = {"ratelimit-limit": "2000", "ratelimit-remaining": "7", "ratelimit-reset": "30"}

    assert GITHUB.quota(github, now_s) == Quota(limit=5000, remaining=12, resets_at_s=now_s + 60)
    assert STANDARD.quota(standard, now_s) == Quota(limit=2000, remaining=7, resets_at_s=now_s + 30)
    for strange in ({}, github | {"x-ratelimit-limit": "-1"}, github | {"x-ratelimit-limit": "0"}):
        assert GITHUB.quota(strange, now_s) is None
