"""Nobody fills the record: what is under way is not begun again, and a person has a pace."""

import pytest
from doubles.approval_house import Call, House, person

from countersign.approval.assembly import Service
from countersign.approval.consent.pace import OF_ALL_MAX, OF_ONE_PROMOTION_MAX, WINDOW_S, Pace
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
    now_s = [0.0]
    pace = Pace(monotonic_s=lambda: now_s[0])
    for number in range(OF_ALL_MAX):
        pace.take("ada", f"p{number}")

    with pytest.raises(Retryable, match="limit"):
        pace.take("ada", "another")
    pace.take("grace", "another")
    now_s[0] += WINDOW_S
    pace.take("ada", "another")
