"""The end of delegations: by outcome, time, sign-out, eviction, another's word, shutdown."""

import asyncio
from typing import Any

import pytest
from doubles.approval_house import (
    SESSION,
    Call,
    House,
    Received,
    failed,
    opened,
    person,
    requested,
    settle,
)

from countersign.approval.assembly import Service
from countersign.approval.vault import vault
from countersign.contracts import messages as m
from countersign.contracts.consent.sign_in import person_digest
from countersign.contracts.errors import Rejected
from countersign.contracts.identity import consent_digest


def reasons(house: House) -> list[str]:
    return [e.reason for e in house.stream.of(m.ApprovalRevoked)]


async def test_delegation_that_nobody_uses_expires_after_the_forges_minutes(house: House) -> None:
    house.minutes = 7
    async with house.running("approval-0") as (approval,):
        await house.request()
        begun = await house.grant(approval)
        house.clock.pass_(minutes=6, seconds=59)
        await approval.schedule.tick()
        assert house.state(approval) == "opening"

        house.clock.pass_(seconds=1)
        await approval.schedule.tick()
        await settle(approval)

        assert house.forge.living == []
        assert sorted(reasons(house)) == ["expired", "expired"]
        (event,) = house.stream.of(m.ApprovalExpired)
        assert event.approval_id == begun.approval_id
        assert house.state(approval) == "waiting"


async def test_token_that_ends_before_the_vaults_minutes_is_kept_no_longer(
    house: House, approval: Service
) -> None:
    house.forge.odd.expires_in = 60
    await house.request()

    await house.grant(approval)

    assert house.stream.of(m.ApprovalGranted)[0].expires_at == house.clock.now.replace(minute=1)


async def test_expiry_after_the_pull_request_was_opened_is_told_to_nobody(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(opened(), message_id="opened")
    house.clock.pass_(minutes=16)
    await approval.schedule.tick()
    await settle(approval)

    assert house.stream.of(m.ApprovalExpired) == []
    assert house.forge.living == []
    assert reasons(house) == ["used", "expired"]


async def test_consent_that_waits_for_others_outlives_its_delegation(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    await house.grant(approval)
    house.clock.pass_(hours=2)
    await approval.schedule.tick()
    await settle(approval)

    assert house.forge.living == []
    assert house.stream.of(m.ApprovalExpired) == []
    await house.grant(approval, by="grace", session="6" * 64)
    assert house.state(approval) == "opening"


@pytest.mark.parametrize(("session", "ended"), [(SESSION, 2), ("", 2), ("6" * 64, 0)])
async def test_sign_out_ends_what_the_session_delegated_and_no_more(
    house: House, approval: Service, session: str, ended: int
) -> None:
    await house.request()
    await house.grant(approval)

    response = await approval.handlers.on_revoke(
        m.RevokeRequest(person=person("ada"), session=session), Call("gateway")
    )
    await settle(approval)

    assert response.revoked == ended
    assert len(house.forge.living) == 2 - ended
    assert house.state(approval) == ("waiting" if ended else "opening")


async def test_sign_out_of_somebody_else_ends_nothing(house: House, approval: Service) -> None:
    await house.request()
    await house.grant(approval)

    await approval.handlers.on_revoke(m.RevokeRequest(person=person("grace")), Call("gateway"))
    await settle(approval)

    assert len(house.forge.living) == 2


async def test_sign_out_everywhere_is_told_by_each_replica_as_one_event(
    house: House, approval: Service
) -> None:
    wanted = m.RevokeRequest(person=person("ada"), sessions_before=house.clock.now)

    house.stream.away = True
    await approval.handlers.on_revoke(wanted, Call("gateway"))
    house.stream.away = False
    await approval.schedule.tick()
    await approval.handlers.on_revoke(wanted, Call("gateway"))

    (event,) = house.stream.of(m.SessionEnded)
    assert event == m.SessionEnded(person=person_digest("ada"), ended_at=house.clock.now)
    assert b"ada" not in event.to_json()


async def test_sign_out_everywhere_revokes_whatever_can_be_told_of_it(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    house.stream.refused = {m.SessionEnded}
    wanted = m.RevokeRequest(person=person("ada"), sessions_before=house.clock.now)

    response = await approval.handlers.on_revoke(wanted, Call("gateway"))
    await settle(approval)

    assert response.revoked == 2
    assert house.forge.living == []


async def test_sign_out_everywhere_ends_tokens_before_it_tells_of_sessions(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    wanted = m.RevokeRequest(person=person("ada"), sessions_before=house.clock.now)

    await approval.handlers.on_revoke(wanted, Call("gateway"))

    told = [type(event) for event in house.stream.events]
    assert told.index(m.ApprovalExpired) < told.index(m.SessionEnded)


async def test_sign_out_ends_a_sign_in_under_way(house: House, approval: Service) -> None:
    await house.request()
    await house.begin(approval)

    await approval.handlers.on_revoke(
        m.RevokeRequest(person=person("ada"), session=SESSION), Call("gateway")
    )

    assert house.stream.of(m.ApprovalExpired)[0].cause is m.ExpiryCause.SIGNED_OUT
    assert house.state(approval) == "waiting"


async def test_revoking_now_ends_the_delegation_and_what_it_was_made_from(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    wanted = m.RevokeRequest(
        person=person("ada"), promotion_id=requested().promotion.promotion_id, delegations=True
    )

    response = await approval.handlers.on_revoke(wanted, Call("gateway"))
    await settle(approval)

    assert response.revoked == 2
    assert house.forge.living == []
    assert house.stream.of(m.ApprovalExpired)[0].cause is m.ExpiryCause.WITHDRAWN
    assert house.state(approval) == "waiting"


async def test_revoking_now_of_somebody_else_ends_nothing(house: House, approval: Service) -> None:
    await house.request()
    await house.grant(approval)
    wanted = m.RevokeRequest(
        person=person("grace"), promotion_id=requested().promotion.promotion_id, delegations=True
    )

    await approval.handlers.on_revoke(wanted, Call("gateway"))
    await settle(approval)

    assert len(house.forge.living) == 2


async def test_superseded_promotion_ends_its_tokens(house: House, approval: Service) -> None:
    await house.request()
    await house.grant(approval)

    await house.stream.publish(
        m.PromotionSuperseded(promotion=requested().promotion, reason="6.9.2 is newer"),
        message_id="superseded",
    )
    await settle(approval)

    assert reasons(house) == ["superseded"]


async def test_word_of_another_replica_that_we_are_lost_is_obeyed(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)

    await house.stream.publish(
        m.ApprovalLost(promotion=requested().promotion, approval_id=begun.approval_id),
        message_id="lost",
    )
    await settle(approval)

    assert reasons(house) == ["lost"]
    assert house.state(approval) == "waiting"


async def test_outcome_of_an_earlier_attempt_does_not_end_the_next(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed-1")
    await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )
    await house.grant(approval)

    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed-1-again")
    await settle(approval)

    assert reasons(house) == []
    assert house.state(approval) == "opening"


async def test_consent_that_came_too_late_is_ended_and_opens_nothing(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request()
        first, second = await house.begin(zero), await house.begin(one, session="6" * 64)
        backs = [house.forge.sign_in(b.authorize_url, "ada") for b in (first, second)]
        listeners, house.stream.listeners = house.stream.listeners, []
        await house.complete(zero, backs[0])
        await house.complete(one, backs[1], session="6" * 64)
        redemption = house.redemption(second.approval_id, replica="approval-1")
        house.stream.listeners = listeners
        for event in house.stream.of(m.ApprovalGranted):
            for service in listeners:
                await service.reactions.on_event(Received(event))
        await settle(one)

        with pytest.raises(Rejected, match="expired"):
            await house.redeem(one, redemption)
        assert reasons(house) == ["superseded"]
        assert (await house.redeem(zero, house.redemption(first.approval_id))).sealed


async def test_fifth_session_of_one_person_takes_the_place_of_the_first(
    house: House, approval: Service
) -> None:
    for number in range(vault.DELEGATIONS_PER_PERSON_MAX + 1):
        name = f"{number:016d}"
        ref = requested().promotion.model_copy(update={"promotion_id": name})
        await house.stream.publish(requested(promotion=ref), message_id=name)
        begin = m.BeginRequest(promotion_id=name, person=person("ada"), session=str(number) * 64)
        begun = await approval.handlers.on_begin(begin, Call("gateway"))
        back = house.forge.sign_in(begun.authorize_url, "ada")
        await house.complete(approval, back, session=begin.session)
    await settle(approval)

    assert reasons(house) == ["evicted"]
    assert approval.handlers.vault.size == vault.DELEGATIONS_PER_PERSON_MAX


async def test_vault_that_is_full_refuses_and_revokes_the_newcomer(
    house: House, approval: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "DELEGATIONS_MAX", 0)
    await house.request()
    begun = await house.begin(approval)

    done = await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))
    await settle(approval)

    assert done.problem is not None
    assert done.problem.code == "limit"
    assert house.forge.living == []
    assert approval.handlers.vault.jobs == ()


async def test_revocation_is_tried_again(house: House, approval: Service) -> None:
    await house.request()
    await house.grant(approval)
    house.forge.odd.fail_revocations = 2

    await house.stream.publish(opened(), message_id="opened")
    await settle(approval)

    (event,) = house.stream.of(m.ApprovalRevoked)
    assert event.outcome is m.RevocationOutcome.REVOKED


async def test_revocation_that_keeps_failing_is_told_as_failed(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    house.forge.odd.fail_revocations = 99

    await house.stream.publish(opened(), message_id="opened")
    await settle(approval)

    (event,) = house.stream.of(m.ApprovalRevoked)
    assert event.outcome is m.RevocationOutcome.FAILED


async def test_sign_outs_are_told_in_their_order_when_the_bus_is_back(
    house: House, approval: Service
) -> None:
    house.stream.away = True
    await approval.endings.end_sessions("ada", before=house.clock.now)
    house.clock.pass_(seconds=10)
    house.stream.away = False
    await approval.endings.end_sessions("ada", before=house.clock.now)

    await approval.schedule.tick()

    first, last = (e.ended_at for e in house.stream.of(m.SessionEnded))
    assert last is not None
    assert first is not None
    assert first < last == house.clock.now


async def test_shutdown_revokes_all_and_says_what_is_lost(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    await house.redeem(approval, house.redemption(begun.approval_id))

    await approval.endings.shut_down()

    assert house.forge.living == []
    assert set(reasons(house)) == {"shut down"}
    assert house.state(approval) == "waiting"
    assert [e.approval_id for e in house.stream.of(m.ApprovalLost)] == [begun.approval_id]


async def test_shutdown_lets_an_executor_finish(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    await house.redeem(approval, house.redemption(begun.approval_id))

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(approval.endings.await_outcomes())
        await asyncio.sleep(0)
        assert not waiting.done()
        await house.stream.publish(opened(), message_id="opened")
    await approval.endings.shut_down()

    assert sorted(reasons(house)) == ["shut down", "used"]
    assert house.stream.of(m.ApprovalLost) == []


async def test_shutdown_ends_a_hundred_tokens(house: House, approval: Service) -> None:
    house.forge.odd.fail_revocations = 2
    for number in range(50):
        name = f"{number:016d}"
        ref = requested().promotion.model_copy(update={"promotion_id": name})
        await house.stream.publish(requested(promotion=ref), message_id=name)
        begin = m.BeginRequest(promotion_id=name, person=person(f"p{number}"), session=SESSION)
        begun = await approval.handlers.on_begin(begin, Call("gateway"))
        house.forge.writers["shop/deploy"].add(f"p{number}")
        back = house.forge.sign_in(begun.authorize_url, f"p{number}")
        await house.complete(approval, back, by=f"p{number}")
    assert len(house.forge.living) == 100

    await approval.endings.shut_down()

    assert house.forge.living == []


async def test_shutdown_with_the_bus_and_the_forge_away_ends_in_time(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    house.stream.away = True
    house.forge.odd.fail_revocations = 99

    async with asyncio.timeout(5):
        await approval.endings.shut_down()

    assert len(house.forge.living) == 2


async def test_two_hundred_people_do_not_get_each_others_tokens(
    house: House, approval: Service
) -> None:
    async def consent(number: int) -> tuple[str, str]:
        name, who = f"{number:016d}", f"p{number}"
        ref = requested().promotion.model_copy(update={"promotion_id": name})
        await house.stream.publish(requested(promotion=ref), message_id=name)
        begin = m.BeginRequest(promotion_id=name, person=person(who), session=f"{number:064d}")
        house.forge.writers["shop/deploy"].add(who)
        begun = await approval.handlers.on_begin(begin, Call("gateway"))
        back = house.forge.sign_in(begun.authorize_url, who)
        await house.complete(approval, back, by=who, session=begin.session)
        redemption = redemption_of(house, begun.approval_id, name)
        return who, redemption.open(await house.redeem(approval, redemption))

    pairs = await asyncio.gather(*(consent(number) for number in range(200)))

    assert all(house.forge.tokens[token].login == who for who, token in pairs)
    assert len({token for _, token in pairs}) == 200


def redemption_of(house: House, approval_id: str, promotion_id: str) -> Any:
    ref = requested().promotion.model_copy(update={"promotion_id": promotion_id})
    digest = consent_digest(requested(promotion=ref))
    return house.redemption(approval_id, promotion_id=promotion_id, consent_digest=digest)
