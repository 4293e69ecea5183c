"""Whatever the stream holds, the other promotions go on."""

from datetime import UTC, datetime, timedelta

import pytest
from doubles.approval_house import Clock, House, Received, failed, requested
from doubles.extremes import TIMES, events
from doubles.github_oauth import GitHubDouble
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.message import Message

STORED = {
    "mode": m.CredentialMode.STORED,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


def other(promotion_id: str) -> m.PromotionRef:
    pipeline = m.PipelineRef(namespace="shop", name=promotion_id[:4], uid="uid-2", generation=1)
    return m.PromotionRef(
        promotion_id=promotion_id, pipeline=pipeline, environment="prod", attempt=1
    )


@pytest.mark.parametrize("moment", TIMES, ids=str)
async def test_absurd_time_of_one_failure_keeps_no_other_from_being_repeated(
    house: House, approval: Service, moment: datetime
) -> None:
    await house.request(**STORED)
    bad = requested(**STORED, promotion=other("b" * 16))
    await approval.reactions.on_event(Received(bad))
    event = failed(m.FailureReason.RATE_LIMITED).model_copy(
        update={"promotion": bad.promotion, "failed_at": moment}
    )
    await approval.reactions.on_event(Received(event))
    good = failed(m.FailureReason.RATE_LIMITED, at=house.clock())
    await house.stream.publish(good, message_id="failed")
    house.clock.pass_(minutes=1)

    await approval.schedule.tick()

    assert house.state(approval) == "opening"


async def test_failure_told_by_a_clock_that_is_ahead_is_repeated_in_time(
    house: House, approval: Service
) -> None:
    await house.request(**STORED)
    ahead = failed(m.FailureReason.RATE_LIMITED, at=house.clock() + timedelta(hours=1))
    await house.stream.publish(ahead, message_id="failed")
    await approval.schedule.tick()
    house.clock.pass_(seconds=10)

    await approval.schedule.tick()

    assert house.state(approval) == "opening"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(heard=st.lists(events(), max_size=6))
async def test_events_with_extreme_values_end_nothing(heard: list[Message]) -> None:
    clock = Clock()
    house = House(clock=clock, forge=GitHubDouble(now=clock))
    service = house.build()
    house.stream.listeners.append(service)
    for event in heard:
        await service.reactions.on_event(Received(event))
    await house.request(**STORED)
    good = failed(m.FailureReason.RATE_LIMITED, at=clock())
    await house.stream.publish(good, message_id="failed")
    clock.pass_(minutes=1)

    await service.schedule.tick()
    await service.schedule.probe()

    assert house.state(service) == "opening"
    assert clock() > datetime(2030, 1, 1, tzinfo=UTC)
