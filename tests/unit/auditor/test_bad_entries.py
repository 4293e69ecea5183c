"""Whatever the streams hold, the other credentials are checked."""

import pytest
from doubles.auditing import KEY, START, Service, build, observed, use
from doubles.extremes import TIMES, events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.auditor.model import CredentialKey
from countersign.contracts.message import Message
from countersign.contracts.messages import SecretRef, TokenChecked, TokenValidity

OTHER = CredentialKey("apps", "other")


@pytest.fixture
def service() -> Service:
    return build()


@pytest.mark.parametrize("moment", TIMES, ids=str)
async def test_plan_for_a_day_that_never_comes_is_not_kept(
    service: Service, moment: object
) -> None:
    service.hear(observed(use()))
    event = TokenChecked(
        credential=KEY.ref, validity=TokenValidity.VALID, origin="https://git.example"
    )
    absurd = event.model_copy(
        update={"checked_at": moment, "next_check_at": moment, "uses": (use(),)}
    )
    service.hear(absurd)
    service.schedule.begin()

    await service.schedule.step()

    assert service.prober.asked
    assert service.bus.last.checked_at == START


async def test_secret_that_cannot_be_checked_keeps_no_other_from_being_checked(
    service: Service,
) -> None:
    named = use().model_copy(update={"secret": SecretRef(namespace="apps", name="other")})
    service.hear(observed(use(), named))
    service.secrets.broken = KEY

    await service.schedule.step()

    assert [e.credential.name for e in service.bus.events] == ["other"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(heard=st.lists(events(), max_size=6))
async def test_events_with_extreme_values_end_nothing(heard: list[Message]) -> None:
    service = build()
    for event in heard:
        service.hear(event)
    service.hear(observed(use()))

    service.schedule.begin()
    await service.schedule.step()

    assert any(e.credential == KEY.ref for e in service.bus.events)
