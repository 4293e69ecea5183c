"""The facts that an approval leaves for the record: why, with what token, when it was used."""

import pytest
from doubles.approval_house import Call, House, opened, person, settle

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected

WHY = {"reason_required": True}
STORED = {
    "mode": m.CredentialMode.STORED,
    "manual": True,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


async def test_nobody_begins_without_the_reason_that_the_environment_wants(
    house: House, approval: Service
) -> None:
    await house.request(**WHY)

    with pytest.raises(Rejected, match="reason_wanted"):
        await house.begin(approval, reason=" \n ")

    assert house.state(approval) == "waiting"


async def test_reason_comes_back_from_the_forge_with_the_person(
    house: House, approval: Service
) -> None:
    await house.request(**WHY)
    begun = await house.begin(approval, reason="see\n  SHOP-12")

    await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.reason == "see SHOP-12"


async def test_other_reason_is_another_sign_in(house: House, approval: Service) -> None:
    await house.request(**WHY)
    first = await house.begin(approval, reason="hurry")
    second = await house.begin(approval, reason="cart")

    await house.complete(approval, house.forge.sign_in(second.authorize_url, "ada"))

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.reason == "cart"
    assert first.approval_id != second.approval_id == granted.approval_id


@pytest.mark.parametrize("reason", ["", "wait"])
async def test_rejection_and_stored_approval_take_the_reason_too(
    house: House, approval: Service, reason: str
) -> None:
    await house.request(**WHY, **STORED)
    approve = m.ApproveRequest(promotion_id="p" * 16, person=person("ada"), reason=reason)
    reject = m.RejectRequest(promotion_id="p" * 16, person=person("ada"), reason=reason)

    if reason:
        await approval.handlers.on_approve(approve, Call("gateway"))
        (granted,) = house.stream.of(m.ApprovalGranted)
        assert granted.reason == reason
        return
    with pytest.raises(Rejected, match="reason_wanted"):
        await approval.handlers.on_approve(approve, Call("gateway"))
    with pytest.raises(Rejected, match="reason_wanted"):
        await approval.handlers.on_reject(reject, Call("gateway"))


async def test_delegated_token_is_described(house: House, approval: Service) -> None:
    await house.request()

    await house.grant(approval)

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.token_kind is m.TokenKind.APP_USER
    assert granted.scopes == ("contents:write", "metadata:read", "pull_requests:write")


async def test_end_of_a_token_says_when_it_was_redeemed(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.clock.pass_(seconds=5)
    redeemed_at = house.clock.now
    await house.redeem(approval, house.redemption(begun.approval_id))
    house.clock.pass_(seconds=2)

    await house.stream.publish(opened(begun.approval_id), message_id="opened")
    await settle(approval)

    (revoked,) = house.stream.of(m.ApprovalRevoked)
    assert revoked.redeemed_at == redeemed_at < revoked.revoked_at


async def test_token_that_nobody_redeemed_says_so_at_its_end(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)

    house.clock.pass_(minutes=16)
    await approval.endings.expire()
    await settle(approval)

    assert {e.redeemed_at for e in house.stream.of(m.ApprovalRevoked)} == {None}
