"""What is not healthy below any more is not promoted, unless a person says so."""

from typing import Any

import pytest
from doubles.approval_house import Call, House, Received, person

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected

PIPELINE = m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1)
STORED = {
    "mode": m.CredentialMode.STORED,
    "manual": True,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


def below(
    condition: m.EnvironmentCondition = m.EnvironmentCondition.HEALTHY, runs: str = "6.9.1"
) -> dict[str, Any]:
    return {
        "condition": condition,
        "content": m.Content(identity=runs, revision=m.Revision(recorded=runs)),
    }


async def observe(
    service: Service,
    staging: dict[str, Any],
    *,
    generation: int = 1,
    gate: m.Gate | None = None,
) -> None:
    environments = (
        m.EnvironmentObserved(name="staging", **staging),
        m.EnvironmentObserved(name="prod", gate=gate),
    )
    pipeline = PIPELINE.model_copy(update={"generation": generation})
    event = m.PipelineObserved(
        pipeline=pipeline,
        app=m.ObjectRef(kind="HelmRelease", name="checkout"),
        environments=environments,
    )
    await service.reactions.on_event(Received(event))


BAD = [
    below(condition)
    for condition in m.EnvironmentCondition
    if condition is not m.EnvironmentCondition.HEALTHY
] + [below(runs="6.9.2"), {"condition": m.EnvironmentCondition.HEALTHY}]


@pytest.mark.parametrize("staging", BAD, ids=range(len(BAD)))
async def test_nobody_begins_what_is_not_healthy_below(
    house: House, approval: Service, staging: dict[str, Any]
) -> None:
    await house.request()
    await observe(approval, staging)

    with pytest.raises(Rejected, match="not_healthy"):
        await house.begin(approval)

    assert house.stream.of(m.ApprovalBegun) == []


async def test_person_who_says_so_promotes_all_the_same_and_that_is_told(
    house: House, approval: Service
) -> None:
    await house.request()
    await observe(approval, below(m.EnvironmentCondition.FAILED))

    begun = await house.begin(approval, despite_blocked=True)
    done = await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))
    redemption = house.redemption(begun.approval_id)
    await house.redeem(approval, redemption)

    assert done.problem is None
    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.despite_blocked


async def test_consent_is_refused_where_it_failed_while_the_person_signed_in(
    house: House, approval: Service
) -> None:
    await house.request()
    await observe(approval, below())
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await observe(approval, below(m.EnvironmentCondition.FAILED))

    done = await house.complete(approval, back)

    assert done.problem is not None
    assert done.problem.code == "not_healthy"
    assert house.forge.calls == []
    assert house.state(approval) == "waiting"


async def test_redemption_is_refused_where_it_failed_after_the_consent(
    house: House, approval: Service
) -> None:
    await house.request()
    await observe(approval, below())
    begun = await house.grant(approval)
    await observe(approval, below(m.EnvironmentCondition.FAILED))

    with pytest.raises(Rejected, match="not_healthy"):
        await house.redeem(approval, house.redemption(begun.approval_id))


async def test_stored_credential_is_not_approved_either(house: House, approval: Service) -> None:
    await house.request(**STORED)
    await observe(approval, below(m.EnvironmentCondition.FAILED))
    request = m.ApproveRequest(promotion_id="p" * 16, person=person("ada"))

    with pytest.raises(Rejected, match="not_healthy"):
        await approval.handlers.on_approve(request, Call("gateway"))
    wanted = request.model_copy(update={"despite_blocked": True})
    await approval.handlers.on_approve(wanted, Call("gateway"))

    assert house.state(approval) == "opening"


async def test_gate_that_the_watcher_blocks_is_blocked(house: House, approval: Service) -> None:
    await house.request()
    gate = m.Gate(state=m.GateState.BLOCKED, promotion_id="p" * 16)
    await observe(approval, below(), gate=gate)

    with pytest.raises(Rejected, match="not_healthy"):
        await house.begin(approval)


@pytest.mark.parametrize("known", [True, False])
async def test_nothing_speaks_against_what_is_healthy_or_was_never_observed(
    house: House, approval: Service, *, known: bool
) -> None:
    await house.request()
    if known:
        await observe(approval, below())

    assert (await house.begin(approval)).authorize_url


async def test_pipeline_that_is_gone_hinders_nothing_any_more(
    house: House, approval: Service
) -> None:
    await house.request()
    await observe(approval, below(m.EnvironmentCondition.FAILED))
    await approval.reactions.on_event(Received(m.PipelineDeleted(pipeline=PIPELINE)))

    assert (await house.begin(approval)).authorize_url


async def test_edit_while_somebody_signs_in_voids_that_consent(
    house: House, approval: Service
) -> None:
    await house.request()
    await observe(approval, below(), generation=7)
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await observe(approval, below(), generation=8)

    done = await house.complete(approval, back)

    assert done.problem is not None
    assert done.problem.code == "not_waiting"
    assert house.forge.calls == []


async def test_edit_before_a_sign_in_voids_nothing(house: House, approval: Service) -> None:
    await house.request()
    await observe(approval, below(), generation=8)
    begun = await house.begin(approval)

    done = await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))

    assert done.problem is None
