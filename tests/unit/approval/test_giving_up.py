"""What is open or merged and does not end may be asked for again, and given up, after a while."""

import pytest
from doubles.approval_house import House, person
from doubles.stories import PULL_REQUEST

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected
from countersign.contracts.promotion import OVERDUE, State

ID = "p" * 16
STORED = {
    "mode": m.CredentialMode.STORED,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


async def stuck(house: House, state: State) -> None:
    request = await house.request(**STORED)
    ref, now = request.promotion, house.clock()
    await house.stream.publish(
        m.PullRequestOpened(promotion=ref, pull_request=PULL_REQUEST, opened_at=now),
        message_id="opened",
    )
    if state is State.DEPLOYING:
        await house.stream.publish(
            m.PullRequestMerged(promotion=ref, pull_request=PULL_REQUEST, merged_at=now),
            message_id="merged",
        )


@pytest.mark.parametrize("state", [State.OPEN, State.DEPLOYING])
async def test_what_does_not_end_is_given_up_after_a_while(
    house: House, approval: Service, state: State
) -> None:
    await stuck(house, state)
    decisions = approval.handlers.decisions
    with pytest.raises(Rejected):
        await decisions.reject(ID, person("ada"), reason="never mind")

    house.clock.pass_(seconds=OVERDUE[state].total_seconds())
    await decisions.reject(ID, person("ada"), reason="never mind")

    assert house.state(approval) == "rejected"


@pytest.mark.parametrize("state", [State.OPEN, State.DEPLOYING])
async def test_what_does_not_end_is_asked_for_again_after_a_while(
    house: House, approval: Service, state: State
) -> None:
    await stuck(house, state)
    decisions = approval.handlers.decisions
    with pytest.raises(Rejected):
        await decisions.retry(ID, person("ada"))

    house.clock.pass_(seconds=OVERDUE[state].total_seconds())

    assert await decisions.retry(ID, person("ada")) == 2
