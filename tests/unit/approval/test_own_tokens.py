"""Where a forge makes no children: one token, handed out and ended once, and asked for again."""

import pytest
from doubles.approval_house import Clock, House, opened, settle
from doubles.coarse_oauth import CoarseOAuth
from doubles.github_oauth import GitHubDouble

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected


def coarse(*, revokes: bool = True, accepted: bool = True, registered: bool = True) -> House:
    clock = Clock()
    forge = GitHubDouble(now=clock)
    oauth = CoarseOAuth(forge, now=clock, revokes=revokes, accepted=accepted, registered=registered)
    return House(clock=clock, forge=forge, oauth=oauth)


async def test_own_token_is_what_is_redeemed_and_nothing_says_it_was_narrowed() -> None:
    house = coarse()
    async with house.running("approval-0") as (approval,):
        await house.request()
        begun = await house.grant(approval)
        redemption = house.redemption(begun.approval_id)

        token = redemption.open(await house.redeem(approval, redemption))

        assert house.forge.living == [token]
        (granted,) = house.stream.of(m.ApprovalGranted)
        assert not granted.narrowed


async def test_own_token_is_ended_once_after_its_use_and_asked_for_again() -> None:
    house = coarse()
    async with house.running("approval-0") as (approval,):
        await house.request()
        begun = await house.grant(approval)
        await house.redeem(approval, house.redemption(begun.approval_id))
        await house.stream.publish(opened(), message_id="opened")
        await settle(approval)

        (revoked,) = house.stream.of(m.ApprovalRevoked)
        assert revoked.outcome is m.RevocationOutcome.REVOKED
        assert house.forge.living == []
        assert approval.handlers.vault.size == 0


async def test_second_promotion_asks_the_person_again() -> None:
    house = coarse()
    async with house.running("approval-0") as (approval,):
        await house.request()
        await house.grant(approval)
        ref = m.PromotionRef(
            promotion_id="q" * 16,
            pipeline=m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1),
            environment="stage",
            attempt=1,
        )
        await house.request(promotion=ref)

        begun = await house.begin(approval, promotion_id="q" * 16)

        assert begun.authorize_url
        assert not begun.granted


async def test_token_is_forgotten_where_nobody_can_end_it() -> None:
    house = coarse(revokes=False)
    async with house.running("approval-0") as (approval,):
        await house.request()
        begun = await house.grant(approval)
        await house.redeem(approval, house.redemption(begun.approval_id))
        await house.stream.publish(opened(), message_id="opened")
        await settle(approval)

        (revoked,) = house.stream.of(m.ApprovalRevoked)
        assert revoked.outcome is m.RevocationOutcome.FORGOTTEN
        with pytest.raises(Rejected, match="expired"):
            approval.handlers.vault.job(begun.approval_id)


async def test_same_job_gets_the_same_token_for_another_key() -> None:
    """An answer may be lost; the token is one all the same."""
    house = coarse()
    async with house.running("approval-0") as (approval,):
        await house.request()
        begun = await house.grant(approval)

        first, second = (house.redemption(begun.approval_id) for _ in range(2))
        tokens = {r.open(await house.redeem(approval, r)) for r in (first, second)}

        assert tokens == set(house.forge.living)
        assert len(tokens) == 1


async def test_nobody_is_sent_to_a_forge_whose_tokens_are_not_accepted() -> None:
    house = coarse(accepted=False)
    async with house.running("approval-0") as (approval,):
        await house.request()

        with pytest.raises(Rejected, match="token_too_strong"):
            await house.begin(approval)

        assert house.stream.of(m.ApprovalBegun) == []


async def test_nothing_is_begun_where_the_entry_says_nowhere_to_sign_in() -> None:
    house = coarse(registered=False)
    async with house.running("approval-0") as (approval,):
        await house.request()

        with pytest.raises(Rejected, match="no_client"):
            await house.begin(approval)

        assert house.stream.of(m.ApprovalBegun) == []
