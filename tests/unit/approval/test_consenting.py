"""People's consent: to the forge and back, approving, rejecting, asking again."""

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
from countersign.contracts import messages as m
from countersign.contracts.consent.sign_in import replica_of
from countersign.contracts.errors import Rejected
from countersign.contracts.identity import consent_digest
from countersign.contracts.pull_request_names import PullRequestNames

STORED = {
    "mode": m.CredentialMode.STORED,
    "manual": True,
    "secret": m.SecretRef(namespace="shop", name="token"),
}


async def test_begin_sends_the_browser_to_the_forge_and_says_so(
    house: House, approval: Service
) -> None:
    await house.request()

    begun = await house.begin(approval)

    assert begun.authorize_url.startswith("https://forge.example/login/oauth/authorize?")
    (event,) = house.stream.of(m.ApprovalBegun)
    assert (event.approval_id, event.replica) == (begun.approval_id, "approval-0")
    assert house.state(approval) == "asked"


async def test_state_names_the_replica_and_cannot_be_guessed(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)

    state = house.forge.sign_in(begun.authorize_url, "ada")["state"]

    assert replica_of(state) == "approval-0"
    assert len(state.rpartition(".")[2]) * 6 >= 128


async def test_complete_grants_with_the_digest_of_what_the_stream_says(
    house: House, approval: Service
) -> None:
    event = await house.request()

    begun = await house.grant(approval)

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.approval_id == begun.approval_id
    assert granted.consent_digest == consent_digest(event)
    assert (granted.forge_user.login, granted.forge_user.id) == ("ada", "11")
    assert (granted.count, granted.needed, granted.narrowed) == (1, 1, True)
    assert granted.expires_at == house.clock.now.replace(minute=15)
    assert house.state(approval) == "opening"


@pytest.mark.parametrize(
    ("rule", "asked", "merges"),
    [
        ("never", m.AutoMerge.WANTED, False),
        ("allowed", m.AutoMerge.WANTED, True),
        ("preset", m.AutoMerge.UNWANTED, False),
    ],
)
@pytest.mark.parametrize("mode", [m.CredentialMode.DELEGATED, m.CredentialMode.STORED])
async def test_consent_covers_whether_the_forge_merges_by_itself(
    house: House, mode: m.CredentialMode, rule: str, asked: m.AutoMerge, *, merges: bool
) -> None:
    house.names = PullRequestNames.model_validate({"autoMerge": rule})
    async with house.running("approval-0") as (approval,):
        event = await house.request(**{**STORED, "mode": mode, "auto_merge": asked})

        if mode is m.CredentialMode.STORED:
            request = m.ApproveRequest(
                promotion_id=event.promotion.promotion_id, person=person("ada")
            )
            await approval.handlers.on_approve(request, Call("gateway"))
        else:
            await house.grant(approval)

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.consent_digest == consent_digest(event, merges_itself=merges)


async def test_narrowing_happens_before_anything_is_granted(
    house: House, approval: Service
) -> None:
    await house.request()

    await house.grant(approval)

    paths = [path for _, path in house.forge.calls]
    assert paths[:3] == [
        "/login/oauth/access_token",
        "/user",
        "/applications/Iv1.madeup/token/scoped",
    ]
    assert len(house.forge.living) == 2


async def test_second_consent_of_the_same_session_asks_nobody_again(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed")
    await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )

    again = await house.begin(approval)

    assert again.granted
    assert again.authorize_url == ""
    assert house.state(approval) == "opening"


async def test_another_session_of_the_same_person_is_asked(house: House, approval: Service) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed")
    await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )

    again = await house.begin(approval, session="6" * 64)

    assert not again.granted


async def test_held_token_that_the_forge_no_longer_takes_leads_to_a_new_sign_in(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed")
    await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )
    await settle(approval)
    for kept in house.forge.tokens.values():
        kept.revoked = True

    again = await house.begin(approval)

    assert not again.granted
    assert again.authorize_url


async def refused(house: House, service: Service, **rest: Any) -> str:
    with pytest.raises(Rejected) as caught:
        await house.begin(service, **rest)
    return caught.value.reason


async def test_begin_for_a_promotion_that_nobody_knows_is_refused(
    house: House, approval: Service
) -> None:
    assert await refused(house, approval) == "unknown_promotion"


async def test_begin_after_the_pull_request_was_opened_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()
    await house.stream.publish(opened(), message_id="opened")

    assert await refused(house, approval) == "not_waiting"


async def test_begin_at_a_forge_that_is_not_listed_is_refused(
    house: House, approval: Service
) -> None:
    elsewhere = requested().destination.model_copy(update={"origin": "https://evil.example"})
    await house.request(destination=elsewhere)

    assert await refused(house, approval) == "forge_not_listed"
    assert house.forge.calls == []


async def test_begin_at_a_forge_without_an_application_of_ours_is_refused(
    house: House, approval: Service
) -> None:
    bare = requested().destination.model_copy(update={"origin": "https://bare.example"})
    await house.request(destination=bare)

    assert await refused(house, approval) == "no_client"


async def test_begin_of_somebody_who_may_not_promote_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()
    house.authorizer.refused.add("ada")

    assert await refused(house, approval) == "not_allowed"
    assert await refused(house, approval, by=" ") == "not_allowed"


async def test_replayed_state_is_refused(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await house.complete(approval, back)

    with pytest.raises(Rejected) as caught:
        await house.complete(approval, back)

    assert caught.value.reason == "state_mismatch"
    assert len(house.stream.of(m.ApprovalGranted)) == 1


@pytest.mark.parametrize(
    "thief", [{"session": "6" * 64}, {"person": person("grace")}], ids=["session", "person"]
)
async def test_wrong_session_is_refused_and_takes_nothing_from_the_right_one(
    house: House, approval: Service, thief: dict[str, Any]
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    with pytest.raises(Rejected) as caught:
        await house.complete(approval, back, **thief)
    done = await house.complete(approval, back)

    assert caught.value.reason == "session_mismatch"
    assert done.problem is None


async def test_answer_of_another_issuer_is_refused_before_the_code_is_sent_anywhere(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    done = await house.complete(approval, back, iss="https://evil.example")

    assert done.problem is not None
    assert done.problem.code == "state_mismatch"
    assert house.forge.calls == []


async def test_answer_of_the_right_issuer_is_taken(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    done = await house.complete(approval, back, iss="https://forge.example/login/oauth")

    assert done.problem is None


async def test_denial_at_the_forge_expires_the_approval_with_the_reason(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    state = house.forge.sign_in(begun.authorize_url, "ada")["state"]

    done = await house.complete(approval, {"state": state}, error="access_denied")

    assert done.problem is not None
    assert done.problem.code == "denied"
    assert done.promotion is not None
    (event,) = house.stream.of(m.ApprovalExpired)
    assert event.cause is m.ExpiryCause.DENIED
    assert house.state(approval) == "waiting"


async def test_words_of_the_browser_are_not_repeated_to_others(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    state = house.forge.sign_in(begun.authorize_url, "ada")["state"]

    await house.complete(approval, {"state": state}, error="<b>call 555-1234</b>")

    (event,) = house.stream.of(m.ApprovalExpired)
    assert event.cause is m.ExpiryCause.DENIED
    assert "555" not in event.reason


async def test_person_who_cannot_write_is_named_to_all_who_look(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    read_only(house)

    await house.complete(approval, back)
    await settle(approval)

    (event,) = house.stream.of(m.ApprovalExpired)
    assert event.cause is m.ExpiryCause.CANNOT_WRITE
    assert event.reason.startswith("Ada ")
    assert "shop/deploy" in event.reason


@pytest.mark.parametrize(
    "odd", [{"code": "", "error": ""}, {"error": "access_denied"}, {"replica": "approval-9"}]
)
async def test_callback_that_makes_no_sense_is_refused(
    house: House, approval: Service, odd: dict[str, Any]
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    with pytest.raises(Rejected) as caught:
        await house.complete(approval, back, **odd)

    assert caught.value.reason == "bad_request"


def endless(house: House) -> None:
    house.forge.odd.expires_in = None


def oauth_app(house: House) -> None:
    house.forge.odd.prefix, house.forge.odd.expires_in = "gho_", None


def two_repositories(house: House) -> None:
    house.forge.odd.also_reaches = ("shop/other",)


def read_only(house: House) -> None:
    house.forge.writers["shop/deploy"].clear()
    house.forge.readers["shop/deploy"] = {"ada"}


def no_user(house: House) -> None:
    house.forge.odd.status = {"/user": 500}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (endless, "token_too_long_lived"),
        (oauth_app, "token_too_long_lived"),
        (two_repositories, "token_too_strong"),
        (read_only, "cannot_write"),
        (no_user, "forge_unavailable"),
    ],
)
async def test_unfit_token_is_refused_and_revoked(
    house: House, approval: Service, spoil: Any, code: str
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    spoil(house)

    done = await house.complete(approval, back)
    await settle(approval)

    assert done.problem is not None
    assert done.problem.code == code
    assert house.forge.tokens
    assert house.forge.living == []
    assert house.state(approval) == "waiting"
    assert {e.reason for e in house.stream.of(m.ApprovalRevoked)} == {"refused"}


async def test_sign_in_after_ten_minutes_is_expired(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    house.clock.pass_(minutes=10)

    with pytest.raises(Rejected) as caught:
        await house.complete(approval, back)
    await approval.schedule.tick()

    assert caught.value.reason == "expired"
    assert house.stream.of(m.ApprovalExpired)[0].approval_id == begun.approval_id
    assert house.state(approval) == "waiting"


async def test_starting_again_ends_the_earlier_sign_in(house: House, approval: Service) -> None:
    await house.request()
    first = await house.begin(approval)
    second = await house.begin(approval)
    old = house.forge.sign_in(first.authorize_url, "ada")
    new = house.forge.sign_in(second.authorize_url, "ada")

    with pytest.raises(Rejected, match="state_mismatch"):
        await house.complete(approval, old)
    done = await house.complete(approval, new)

    assert done.problem is None
    assert house.state(approval) == "opening"


async def test_complete_for_a_promotion_that_was_rejected_meanwhile_exchanges_nothing(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    await approval.handlers.on_reject(
        m.RejectRequest(promotion_id="p" * 16, person=person("grace"), reason=" not \n today "),
        Call("gateway"),
    )

    done = await house.complete(approval, back)

    assert done.problem is not None
    assert done.problem.code == "not_waiting"
    assert house.forge.calls == []
    assert house.stream.of(m.ApprovalRejected)[0].reason == "not today"


async def test_bus_that_is_away_leaves_no_token_alive(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    house.stream.away = True

    done = await house.complete(approval, back)
    house.stream.away = False
    await approval.schedule.tick()
    await settle(approval)

    assert done.problem is not None
    assert len(house.forge.living) == 1  # the person's own, in the vault for the next consent
    assert house.state(approval) == "waiting"


async def test_two_approvals_need_two_people(house: House, approval: Service) -> None:
    await house.request(approvals=2)
    await house.grant(approval)

    assert house.state(approval) == "waiting"
    assert await refused(house, approval) == "not_allowed"
    await house.grant(approval, by="grace", session="6" * 64)

    first, second = house.stream.of(m.ApprovalGranted)
    assert (first.count, second.count, second.needed) == (1, 2, 2)
    assert first.expires_at is None
    assert house.state(approval) == "opening"


async def test_two_people_who_consent_at_once_are_counted(house: House) -> None:
    async with house.running("approval-0", "approval-1") as (zero, one):
        await house.request(approvals=2)
        held_back = house.stream.listeners
        begun = [await house.begin(zero), await house.begin(one, by="grace", session="6" * 64)]
        backs = [
            house.forge.sign_in(b.authorize_url, who)
            for b, who in zip(begun, ("ada", "grace"), strict=True)
        ]
        house.stream.listeners = []
        await house.complete(zero, backs[0])
        await house.complete(one, backs[1], by="grace", session="6" * 64)
        house.stream.listeners = held_back
        for event in house.stream.of(m.ApprovalGranted):
            for service in held_back:
                await service.reactions.on_event(Received(event))

        counts = [e.count for e in house.stream.of(m.ApprovalGranted)]
        assert counts == [1, 1, 2]
        assert house.state(zero) == "opening"


async def test_approve_of_a_stored_credential_delegates_nothing(
    house: House, approval: Service
) -> None:
    await house.request(**STORED)

    response = await approval.handlers.on_approve(
        m.ApproveRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )

    (event,) = house.stream.of(m.ApprovalGranted)
    assert (event.approval_id, event.mode) == (response.approval_id, m.CredentialMode.STORED)
    assert event.replica == ""
    assert house.forge.calls == []


async def test_stored_credential_can_be_passed_over_for_the_persons_own(
    house: House, approval: Service
) -> None:
    await house.request(**STORED)

    await house.grant(approval)

    assert house.stream.of(m.ApprovalGranted)[0].mode is m.CredentialMode.DELEGATED


async def test_approve_without_a_stored_credential_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()

    with pytest.raises(Rejected, match="not_allowed"):
        await approval.handlers.on_approve(
            m.ApproveRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
        )


async def test_retry_is_refused_while_an_attempt_is_under_way(
    house: House, approval: Service
) -> None:
    await house.request()

    with pytest.raises(Rejected, match="not_waiting"):
        await approval.handlers.on_retry(
            m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
        )


async def test_retry_begins_the_next_attempt(house: House, approval: Service) -> None:
    await house.request()
    await house.stream.publish(failed(m.FailureReason.NO_MARKER), message_id="failed")

    response = await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("grace")), Call("gateway")
    )

    (event,) = house.stream.of(m.PromotionRetried)
    assert (response.attempt, event.promotion.attempt, event.by.id) == (2, 2, "grace")
    assert house.state(approval) == "waiting"


async def test_poll_tells_only_the_session_that_began(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.begin(approval)
    mine = m.PollRequest(replica="approval-0", approval_id=begun.approval_id, session=SESSION)
    other = mine.model_copy(update={"session": "6" * 64})

    waiting = await approval.handlers.on_poll(mine, Call("gateway"))
    with pytest.raises(Rejected, match="session_mismatch"):
        await approval.handlers.on_poll(other, Call("gateway"))
    await house.complete(approval, house.forge.sign_in(begun.authorize_url, "ada"))
    done = await approval.handlers.on_poll(mine, Call("gateway"))

    assert (waiting.granted, done.granted) == (False, True)


async def test_code_that_came_back_to_another_forges_address_is_sent_nowhere(
    house: House, approval: Service
) -> None:
    """Mix-up of forges, RFC 9700 §4.4: the code would be an honest forge's, sent to another."""
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")
    calls = len(house.forge.calls)

    done = await house.complete(approval, back, forge="honest")

    assert done.problem is not None
    assert done.problem.code == "state_mismatch"
    assert len(house.forge.calls) == calls
    assert house.state(approval) == "waiting"


async def test_code_that_came_back_to_the_forges_own_address_is_taken(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.begin(approval)
    back = house.forge.sign_in(begun.authorize_url, "ada")

    done = await house.complete(approval, back, forge="forge")

    assert done.problem is None
