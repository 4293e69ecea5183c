"""Nobody fills the record: what is under way is not begun again, and a person has a pace."""

import pytest
from doubles.approval_house import Call, Clock, House, Received, person

from countersign.approval.assembly import Service
from countersign.approval.promotions.pace import (
    OF_ALL_MAX,
    OF_ONE_PROMOTION_MAX,
    WINDOW_S,
    Pace,
    deed_of,
)
from countersign.contracts import messages as m
from countersign.contracts.errors import Retryable


async def test_sign_in_under_way_is_taken_up_again_without_another_event(
    house: House, approval: Service
) -> None:
    await house.request()
    first = await house.begin(approval)

    for _ in range(50):
        again = await house.begin(approval)
    done = await house.complete(approval, house.forge.sign_in(again.authorize_url, "ada"))

    assert again.approval_id == first.approval_id
    assert again.expires_at == first.expires_at
    assert len(house.stream.of(m.ApprovalBegun)) == 1
    assert house.stream.of(m.ApprovalExpired) == []
    assert done.problem is None


async def test_person_who_begins_from_ever_new_sessions_is_slowed_down(
    house: House, approval: Service
) -> None:
    await house.request()
    for number in range(OF_ONE_PROMOTION_MAX):
        await house.begin(approval, session=f"{number:064d}")

    with pytest.raises(Retryable) as caught:
        await house.begin(approval, session="f" * 64)
    events = len(house.stream.events)

    assert caught.value.reason == "limit"
    assert caught.value.after_s is not None
    assert 0 < caught.value.after_s <= WINDOW_S
    house.clock.pass_(seconds=caught.value.after_s)
    await approval.schedule.tick()
    assert (await house.begin(approval, session="f" * 64)).authorize_url
    assert len(house.stream.events) > events


async def test_rejecting_and_asking_again_is_slowed_down(house: House, approval: Service) -> None:
    await house.request()
    who = person("ada")
    reject = m.RejectRequest(promotion_id="p" * 16, person=who, reason="no")
    retry = m.RetryRequest(promotion_id="p" * 16, person=who)

    for _ in range(OF_ONE_PROMOTION_MAX // 2):
        await approval.handlers.on_reject(reject, Call("gateway"))
        await approval.handlers.on_retry(retry, Call("gateway"))

    with pytest.raises(Retryable, match="limit"):
        await approval.handlers.on_reject(reject, Call("gateway"))

    assert len(house.stream.events) <= 1 + OF_ONE_PROMOTION_MAX


async def test_limit_of_one_person_is_nobody_elses(house: House, approval: Service) -> None:
    await house.request()
    for number in range(OF_ONE_PROMOTION_MAX):
        await house.begin(approval, session=f"{number:064d}")

    assert (await house.begin(approval, by="grace")).authorize_url


def test_all_promotions_together_have_a_pace_of_their_own() -> None:
    clock = Clock()
    pace = Pace(monotonic_s=lambda: clock.monotonic_s, now=clock)
    for number in range(OF_ALL_MAX):
        pace.take("ada", f"p{number}")

    with pytest.raises(Retryable, match="limit"):
        pace.take("ada", "another")
    pace.take("grace", "another")
    clock.pass_(seconds=WINDOW_S)
    pace.take("ada", "another")


async def test_limit_is_one_for_all_replicas(house: House, approval: Service) -> None:
    other = house.build()
    house.stream.listeners.append(other)
    await house.request()
    for number in range(OF_ONE_PROMOTION_MAX):
        await house.begin((approval, other)[number % 2], session=f"{number:064d}")

    for service in (approval, other):
        with pytest.raises(Retryable, match="limit"):
            await house.begin(service, session="f" * 64)


async def test_replica_that_starts_anew_has_the_limit_still(
    house: House, approval: Service
) -> None:
    await house.request()
    for number in range(OF_ONE_PROMOTION_MAX):
        await house.begin(approval, session=f"{number:064d}")
    house.clock.pass_(seconds=WINDOW_S / 2)
    fresh = house.build()
    for event in house.stream.events:
        await fresh.reactions.on_event(Received(event))

    with pytest.raises(Retryable, match="limit") as caught:
        await house.begin(fresh, session="f" * 64)

    assert caught.value.after_s == WINDOW_S / 2
    house.clock.pass_(seconds=WINDOW_S / 2)
    assert (await house.begin(fresh, session="f" * 64)).authorize_url


async def test_consent_counts_once_from_its_beginning_to_its_end(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))

    deeds = [e for e in house.stream.events if deed_of(e, None) is not None]
    entry = approval.promotions.find("p" * 16)

    assert [type(e) for e in deeds] == [m.ApprovalBegun, m.ApprovalGranted]
    assert entry is not None
    assert deed_of(deeds[1], entry.promotion) is None
