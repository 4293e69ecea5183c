"""The right to promote at every door, and what becomes of a consent whose giver loses it."""

from collections.abc import Awaitable, Callable

import pytest
from doubles.approval_house import Call, House, failed, opened, person, settle

from countersign.approval.assembly import Service
from countersign.approval.model import NotPermitted
from countersign.contracts import messages as m
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable

GRACE_SESSION = "6" * 64
STORED = {
    "mode": m.CredentialMode.STORED,
    "manual": True,
    "secret": m.SecretRef(namespace="shop", name="token"),
}
Door = Callable[[House, Service], Awaitable[object]]


async def begin(house: House, approval: Service) -> object:
    return await house.begin(approval)


async def approve(_: House, approval: Service) -> object:
    request = m.ApproveRequest(promotion_id="p" * 16, person=person("ada"))
    return await approval.handlers.on_approve(request, Call("gateway"))


async def reject(_: House, approval: Service) -> object:
    request = m.RejectRequest(promotion_id="p" * 16, person=person("ada"), reason="no")
    return await approval.handlers.on_reject(request, Call("gateway"))


async def retry(_: House, approval: Service) -> object:
    request = m.RetryRequest(promotion_id="p" * 16, person=person("ada"))
    return await approval.handlers.on_retry(request, Call("gateway"))


DOORS = pytest.mark.parametrize("door", [begin, approve, reject, retry])


@DOORS
async def test_who_has_no_right_is_refused_at_every_door(
    house: House, approval: Service, door: Door
) -> None:
    await house.request(**STORED)
    house.authorizer.refused.add("ada")
    before = list(house.stream.events)

    with pytest.raises(NotPermitted, match="kubectl"):
        await door(house, approval)

    assert house.stream.events == before
    assert house.forge.calls == []


@DOORS
async def test_nobody_passes_any_door_while_nobody_can_be_asked(
    house: House, approval: Service, door: Door
) -> None:
    await house.request(**STORED)
    house.authorizer.away = True
    before = list(house.stream.events)

    with pytest.raises(Retryable, match=ConsentRefusal.CLUSTER_UNAVAILABLE):
        await door(house, approval)

    assert house.stream.events == before


async def test_right_lost_while_signing_in_is_noticed_before_the_code_is_exchanged(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    house.authorizer.refused.add("ada")

    done = await house.complete(approval, back)

    assert done.problem is not None
    assert done.problem.code == "not_allowed"
    assert "kubectl" in done.problem.message
    assert house.forge.calls == []
    (event,) = house.stream.of(m.ApprovalExpired)
    assert event.cause is m.ExpiryCause.NOT_PERMITTED
    assert "kubectl" not in event.reason


async def test_who_comes_back_while_nobody_can_be_asked_starts_again_later(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    house.authorizer.away = True

    done = await house.complete(approval, back)
    house.authorizer.away = False
    await house.grant(approval)

    assert done.problem is not None
    assert done.problem.code == "cluster_unavailable"
    assert house.state(approval) == "opening"


async def test_redemption_asks_anew_and_not_its_memory(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.asked.clear()

    await house.redeem(approval, house.redemption(begun.approval_id))

    assert house.authorizer.asked == [("ada", True)]


async def test_right_withdrawn_after_the_consent_ends_what_was_delegated(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.refused.add("ada")

    with pytest.raises(Rejected, match=r"not_allowed: .*kubectl"):
        await house.redeem(approval, house.redemption(begun.approval_id))
    await settle(approval)

    assert house.forge.tokens
    assert house.forge.living == []
    events = house.stream.of(m.ApprovalRevoked)
    assert [e.reason for e in events] == ["withdrawn", "withdrawn"]
    assert {e.outcome for e in events} == {m.RevocationOutcome.REVOKED}


async def test_consent_that_was_withdrawn_stays_so_when_the_right_comes_back(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.refused.add("ada")
    with pytest.raises(Rejected):
        await house.redeem(approval, house.redemption(begun.approval_id))
    house.authorizer.refused.clear()

    with pytest.raises(Rejected, match=ConsentRefusal.NOT_ALLOWED):
        await house.redeem(approval, house.redemption(begun.approval_id))


async def test_outcome_of_a_withdrawn_consent_leaves_nothing_behind(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.refused.add("ada")
    with pytest.raises(Rejected):
        await house.redeem(approval, house.redemption(begun.approval_id))
    event = failed(m.FailureReason.NOT_ALLOWED)
    await house.stream.publish(event, message_id="failed")
    await settle(approval)

    assert house.state(approval) == "failed"
    assert approval.handlers.vault.jobs == ()
    assert len(house.stream.of(m.ApprovalRevoked)) == 2


async def test_api_server_that_is_away_at_redemption_ends_nothing(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.away = True

    with pytest.raises(Retryable, match="cluster_unavailable"):
        await house.redeem(approval, house.redemption(begun.approval_id))
    house.authorizer.away = False
    redemption = house.redemption(begun.approval_id)

    assert redemption.open(await house.redeem(approval, redemption)) in house.forge.living


async def test_right_of_everybody_who_consented_is_asked_for_at_redemption(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    await house.grant(approval)
    second = await house.grant(approval, by="grace", session=GRACE_SESSION)
    house.authorizer.refused.add("ada")

    with pytest.raises(Rejected, match=r"not_allowed: .*\bada\b"):
        await house.redeem(approval, house.redemption(second.approval_id))
    await settle(approval)

    assert house.forge.tokens[house.forge.living[0]].login == "ada"
    assert len(house.forge.living) == 2  # hers, until the outcome of the attempt ends them


async def test_consent_of_who_lost_the_right_meanwhile_does_not_count(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    first = await house.grant(approval)
    house.authorizer.refused.add("ada")

    await house.grant(approval, by="grace", session=GRACE_SESSION)
    await settle(approval)

    (event,) = house.stream.of(m.ApprovalExpired)
    assert event.approval_id == first.approval_id
    assert event.cause is m.ExpiryCause.NOT_PERMITTED
    granted = house.stream.of(m.ApprovalGranted)
    assert [(e.count, e.needed) for e in granted] == [(1, 2), (1, 2)]
    assert house.state(approval) == "waiting"


async def test_stored_token_opens_nothing_with_the_consent_of_who_lost_the_right(
    house: House, approval: Service
) -> None:
    await house.request(**{**STORED, "approvals": 2})
    await approve(house, approval)
    house.authorizer.refused.add("ada")

    request = m.ApproveRequest(promotion_id="p" * 16, person=person("grace"))
    await approval.handlers.on_approve(request, Call("gateway"))

    assert house.state(approval) == "waiting"
    assert house.stream.of(m.ApprovalGranted)[-1].count == 1


@pytest.mark.parametrize(("needed", "others"), [(1, "somebody"), (2, "2")])
async def test_who_asked_again_is_none_of_those_who_approve(
    house: House, approval: Service, needed: int, others: str
) -> None:
    await house.request(approvals=needed)
    await house.stream.publish(failed(m.FailureReason.NO_MARKER), message_id="failed")
    await retry(house, approval)

    with pytest.raises(Rejected, match=rf"not_allowed: .*\b{others}\b"):
        await house.begin(approval)

    assert house.forge.calls == []


@pytest.mark.parametrize(
    "lenient",
    [{"approvals": 2, "solo_mode": True}, {"approvals": 1, "solo_mode": True}, {}],
    ids=str,
)
async def test_who_asked_again_may_approve_in_solo_mode_or_where_nothing_is_said(
    house: House, approval: Service, lenient: dict[str, object]
) -> None:
    await house.request(**lenient)
    await house.stream.publish(failed(m.FailureReason.NO_MARKER), message_id="failed")
    await retry(house, approval)

    await house.grant(approval)

    assert house.state(approval) == ("waiting" if lenient.get("approvals") == 2 else "opening")


async def test_solo_mode_does_not_make_two_of_one(house: House, approval: Service) -> None:
    await house.request(approvals=2, solo_mode=True)
    await house.grant(approval)

    with pytest.raises(Rejected, match=ConsentRefusal.NOT_ALLOWED):
        await house.begin(approval)


async def test_two_people_with_one_account_are_not_two(house: House, approval: Service) -> None:
    await house.request(approvals=2)
    await house.grant(approval)
    begun = await house.begin(approval, by="grace", session=GRACE_SESSION)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    done = await house.complete(approval, back, by="grace", session=GRACE_SESSION)
    await settle(approval)

    assert done.problem is not None
    assert done.problem.code == "not_allowed"
    assert "'ada'" in done.problem.message
    assert house.state(approval) == "waiting"
    assert len(house.stream.of(m.ApprovalGranted)) == 1
    revoked = house.stream.of(m.ApprovalRevoked)
    assert [(e.approval_id, e.reason) for e in revoked] == [(begun.approval_id, "refused")]


async def test_held_token_of_an_account_that_approved_is_no_second_consent(
    house: House, approval: Service
) -> None:
    """Grace once signed in with Ada's account; her session still holds that token."""
    await house.request()
    begun = await house.begin(approval, by="grace", session=GRACE_SESSION)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await house.complete(approval, back, by="grace", session=GRACE_SESSION)
    await house.stream.publish(opened(), message_id="opened")
    other = "q" * 16
    ref = m.PromotionRef(
        promotion_id=other,
        pipeline=m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1),
        environment="prod-eu",
        attempt=1,
    )
    await house.request(approvals=2, promotion=ref)
    first = m.ApprovalGranted(
        promotion=ref,
        approval_id="first",
        by=person("ada"),
        consent_digest="d" * 64,
        forge_user=m.ForgeUser(id="11", login="ada"),
    )
    await house.stream.publish(first, message_id="first")

    request = m.BeginRequest(promotion_id=other, person=person("grace"), session=GRACE_SESSION)
    with pytest.raises(Rejected, match=r"not_allowed: .*'ada'"):
        await approval.handlers.on_begin(request, Call("gateway"))


async def test_another_person_in_the_same_browser_session_is_asked_at_the_forge(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    await house.grant(approval)

    begun = await house.begin(approval, by="grace")

    assert not begun.granted
    assert begun.authorize_url


async def test_delegation_of_one_person_cannot_be_redeemed_for_anothers_consent(
    house: House, approval: Service
) -> None:
    """Grace completed the consent; what Ada delegated before her is not to be had."""
    await house.request(approvals=2)
    first = await house.grant(approval)
    await house.grant(approval, by="grace", session=GRACE_SESSION)

    with pytest.raises(Rejected, match=ConsentRefusal.NOT_WAITING):
        await house.redeem(approval, house.redemption(first.approval_id))


async def test_sign_out_of_one_person_ends_nothing_of_anothers(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    await house.grant(approval)

    request = m.RevokeRequest(person=person("grace"), session="")
    response = await approval.handlers.on_revoke(request, Call("gateway"))

    assert response.revoked == 0
    assert len(house.forge.living) == 2


async def test_account_that_another_person_used_before_is_noticed(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.NO_MARKER), message_id="failed")
    await retry(house, approval)
    begun = await house.begin(approval, by="grace", session=GRACE_SESSION)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await house.complete(approval, back, by="grace", session=GRACE_SESSION)

    first, second = house.stream.of(m.ApprovalGranted)
    assert first.notice == ""
    assert second.notice == "account ada was used by Ada before"


async def test_person_who_comes_with_another_account_is_noticed_after_a_restart_too(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.NO_MARKER), message_id="failed")
    await retry(house, approval)
    async with house.running("approval-1") as (fresh,):
        begun = await house.begin(fresh, session=GRACE_SESSION)
        back = house.forge.sign_in(begun.authorize_url, "grace")
        await house.complete(fresh, back, session=GRACE_SESSION)

    assert house.stream.of(m.ApprovalGranted)[-1].notice == "Ada used account ada before"
