"""What time brings: another try at what failed, and word of replicas that are gone."""

import pytest
from doubles.approval_house import Call, House, failed, opened, requested, settle

from countersign.approval.assembly import Service
from countersign.approval.model import RETRY_DELAYS_S
from countersign.approval.schedule import MISSES_MAX
from countersign.contracts import messages as m

STORED = {
    "mode": m.CredentialMode.STORED,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


async def fail(
    house: House, *, attempt: int = 1, reason: m.FailureReason = m.FailureReason.RATE_LIMITED
) -> None:
    event = failed(reason, attempt=attempt, at=house.clock())
    await house.stream.publish(event, message_id=f"failed-{attempt}")


async def test_attempt_that_failed_for_a_passing_reason_repeats_itself_a_few_times(
    house: House, approval: Service
) -> None:
    await house.request(**STORED)

    for attempt, delay_s in enumerate(RETRY_DELAYS_S, start=1):
        await fail(house, attempt=attempt)
        house.clock.pass_(seconds=delay_s - 1)
        await approval.schedule.tick()
        assert house.state(approval) == "failed"
        house.clock.pass_(seconds=1)
        await approval.schedule.tick()
        assert house.state(approval) == "opening"
    await fail(house, attempt=len(RETRY_DELAYS_S) + 1)
    house.clock.pass_(days=1)
    await approval.schedule.tick()

    assert house.state(approval) == "failed"
    assert [e.promotion.attempt for e in house.stream.of(m.PromotionRetried)] == [2, 3, 4]
    assert all(e.by is None for e in house.stream.of(m.PromotionRetried))


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (m.FailureReason.NO_MARKER, STORED),
        (m.FailureReason.RATE_LIMITED, {}),
        (m.FailureReason.RATE_LIMITED, {**STORED, "manual": True}),
    ],
    ids=["lasting reason", "delegated", "manual"],
)
async def test_attempt_that_a_person_must_look_at_does_not_repeat_itself(
    house: House, approval: Service, reason: m.FailureReason, changes: dict[str, object]
) -> None:
    await house.request(**changes)
    await fail(house, reason=reason)
    house.clock.pass_(days=1)

    await approval.schedule.tick()

    assert house.stream.of(m.PromotionRetried) == []


async def test_two_replicas_repeat_an_attempt_once(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request(**STORED)
        await fail(house)
        house.clock.pass_(minutes=1)

        await zero.schedule.tick()
        await one.schedule.tick()

        assert len(house.stream.of(m.PromotionRetried)) == 1


async def test_approval_of_a_replica_that_died_is_lost_after_three_silences(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        begun = await house.grant(zero)
        house.stream.listeners.remove(zero)
        house.replicas.gone.add("approval-0")

        for _ in range(MISSES_MAX - 1):
            await one.schedule.probe()
        assert house.stream.of(m.ApprovalLost) == []
        await one.schedule.probe()

        (event,) = house.stream.of(m.ApprovalLost)
        assert (event.approval_id, event.replica) == (begun.approval_id, "approval-0")
        assert house.state(one) == "waiting"
        again = await house.begin(one)
        assert again.replica == "approval-1"


async def test_sign_in_at_a_replica_that_died_is_lost_too(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        await house.begin(zero)
        house.replicas.gone.add("approval-0")

        for _ in range(MISSES_MAX):
            await one.schedule.probe()

        assert house.state(one) == "waiting"


async def test_silence_between_answers_loses_nothing(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        await house.grant(zero)

        for _ in range(4):
            house.replicas.gone.add("approval-0")
            await one.schedule.probe()
            await one.schedule.probe()
            house.replicas.gone.clear()
            await one.schedule.probe()

        assert house.stream.of(m.ApprovalLost) == []


async def test_replica_that_holds_nothing_of_worth_is_not_asked_after(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        await house.grant(zero)
        await house.stream.publish(opened(), message_id="opened")

        await one.schedule.probe()
        await zero.schedule.probe()

        assert house.replicas.asked == []


async def test_process_of_the_same_name_loses_what_its_forerunner_held(house: House) -> None:
    async with house.running("approval-0") as (before,):
        await house.request()
        await house.grant(before)
        house.stream.listeners.clear()

        async with house.running("approval-0") as (after,):
            assert house.state(after) == "opening"
            await after.schedule.lose_own()

            assert house.state(after) == "waiting"


async def test_replicas_answer_for_what_they_hold_themselves(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        begun = await house.begin(one)
        assert begun.replica == "approval-1"
        done = await house.complete(one, house.forge.sign_in(begun.authorize_url, "ada"))
        assert done.problem is None

        assert house.state(zero) == house.state(one) == "opening"
        assert zero.handlers.vault.jobs == ()
        assert len(one.handlers.vault.jobs) == 1


async def test_news_that_could_not_be_told_is_told_later(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    house.clock.pass_(minutes=11)
    house.stream.away = True
    await approval.schedule.tick()
    assert house.stream.of(m.ApprovalExpired) == []

    house.stream.away = False
    await approval.schedule.tick()

    assert [e.approval_id for e in house.stream.of(m.ApprovalExpired)] == [begun.approval_id]


async def test_news_that_the_stream_refuses_stops_nothing(house: House, approval: Service) -> None:
    house.stream.refused = {m.ApprovalExpired, m.ApprovalRevoked}
    await house.request()
    await house.grant(approval)
    house.clock.pass_(minutes=16)

    await approval.schedule.tick()
    await settle(approval)

    assert house.forge.living == []


async def test_ping_is_answered_with_the_replicas_name(approval: Service) -> None:
    request = m.PingRequest(replica="approval-0")

    response = await approval.handlers.on_ping(request, Call("approval"))

    assert response.replica == "approval-0"


async def test_promotion_that_is_over_is_forgotten(house: House, approval: Service) -> None:
    await house.request()
    await house.stream.publish(
        m.PromotionCompleted(promotion=requested().promotion), message_id="completed"
    )

    assert approval.promotions.all == ()
    assert house.state(approval) == "over"
