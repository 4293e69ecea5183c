"""Signing in by a code that the person types at the forge (RFC 8628)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from doubles.approval_house import SESSION, Call, House, person, requested, settle
from doubles.github_oauth import TypedCode

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.identity import consent_digest

TURNS_MAX = 2_000
POLL = ("POST", "/login/oauth/access_token")


@pytest.fixture
async def following(approval: Service) -> AsyncIterator[Service]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(approval.devices.run())
        yield approval
        task.cancel()


async def until(found: Callable[[], object]) -> None:
    """Until it is so; each turn lets all others go on."""
    for _ in range(TURNS_MAX):
        if found():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")


async def begin(house: House, service: Service, **said: Any) -> tuple[m.BeginResponse, TypedCode]:
    await house.request()
    begun = await house.begin(service, device=True, **said)
    return begun, house.forge.devices[-1]


async def poll(service: Service, begun: m.BeginResponse, *, session: str = SESSION) -> Any:
    request = m.PollRequest(replica="approval-0", approval_id=begun.approval_id, session=session)
    return await service.handlers.on_poll(request, Call("gateway"))


def polls(house: House) -> int:
    return house.forge.calls.count(POLL)


async def test_begin_tells_the_code_to_the_session_and_to_nobody_else(
    house: House, approval: Service
) -> None:
    begun, typed = await begin(house, approval)

    shown = m.UserCode(code=typed.user_code, url="https://forge.example/login/device")
    assert (begun.user_code, begun.authorize_url) == (shown, "")
    until_at = begun.expires_at
    assert until_at is not None
    assert (until_at - house.clock()).total_seconds() == 300
    assert (await poll(approval, begun)).user_code == shown
    with pytest.raises(Rejected) as caught:
        await poll(approval, begun, session="6" * 64)
    assert caught.value.reason is ConsentRefusal.SESSION_MISMATCH
    (event,) = house.stream.of(m.ApprovalBegun)
    assert event.device
    assert typed.user_code not in event.to_json().decode()


async def test_typed_code_grants_with_the_digest_the_account_and_a_narrowed_token(
    house: House, following: Service
) -> None:
    begun, typed = await begin(house, following)
    await until(lambda: polls(house) >= 2)
    assert house.state(following) == "asked"

    typed.login = "ada"
    await until(lambda: house.stream.of(m.ApprovalGranted))

    (granted,) = house.stream.of(m.ApprovalGranted)
    assert granted.approval_id == begun.approval_id
    assert granted.consent_digest == consent_digest(requested())
    assert granted.forge_user == m.ForgeUser(id="11", login="ada")
    assert granted.narrowed
    response = await house.redeem(following, house.redemption(begun.approval_id))
    assert response.problem is None
    assert (await poll(following, begun)).granted


async def test_forge_is_asked_at_its_pace_and_slower_when_it_says_so(
    house: House, following: Service
) -> None:
    at: list[float] = []
    send = house.forge.handle_async_request

    async def timed(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == POLL[1]:
            at.append(house.clock.monotonic_s)
            typed.word = "slow_down" if len(at) in {2, 3} else "authorization_pending"
            typed.interval = 20 if len(at) == 3 else None
        return await send(request)

    house.forge.handle_async_request = timed  # type: ignore[method-assign]
    began_s = house.clock.monotonic_s
    _, typed = await begin(house, following)
    await until(lambda: len(at) >= 5)

    pauses = [b - a for a, b in zip([began_s, *at], at, strict=False)]
    assert pauses[:5] == [5, 5, 10, 20, 20]


async def test_forge_that_does_not_answer_is_asked_ever_less_often(
    house: House, following: Service
) -> None:
    _, typed = await begin(house, following)
    house.forge.odd.status = {POLL[1]: 503}
    began_s = house.clock.monotonic_s
    await until(lambda: polls(house) >= 4)
    took_s = house.clock.monotonic_s - began_s
    house.forge.odd.status = {}
    typed.login = "ada"

    await until(lambda: house.stream.of(m.ApprovalGranted))

    assert took_s >= 5 + 10 + 20 + 40


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        ("access_denied", m.ExpiryCause.DENIED),
        ("expired_token", m.ExpiryCause.REFUSED),
        ("device_flow_disabled", m.ExpiryCause.DENIED),
    ],
)
async def test_end_at_the_forge_ends_the_sign_in(
    house: House, following: Service, word: str, cause: m.ExpiryCause
) -> None:
    _, typed = await begin(house, following)
    typed.word = word

    await until(lambda: house.stream.of(m.ApprovalExpired))

    (expired,) = house.stream.of(m.ApprovalExpired)
    assert expired.cause is cause
    assert house.state(following) == "waiting"
    asked = polls(house)
    for _ in range(200):
        await asyncio.sleep(0)
    assert polls(house) == asked


async def test_code_that_nobody_types_ends_after_five_minutes(
    house: House, following: Service
) -> None:
    await begin(house, following)
    began_s = house.clock.monotonic_s
    await until(lambda: house.clock.monotonic_s - began_s >= 300)

    await following.endings.expire()

    (expired,) = house.stream.of(m.ApprovalExpired)
    assert expired.cause is m.ExpiryCause.UNFINISHED
    assert house.forge.living == []


@pytest.mark.parametrize("prefix", ["gho_", "ghp_"])
async def test_token_that_is_not_fit_is_refused_and_revoked(
    house: House, following: Service, prefix: str
) -> None:
    _, typed = await begin(house, following)
    house.forge.odd.prefix = prefix
    typed.login = "ada"

    await until(lambda: house.stream.of(m.ApprovalExpired))
    await settle(following)

    assert house.stream.of(m.ApprovalGranted) == []
    assert len(house.forge.tokens) == 1
    assert house.forge.living == []


async def test_account_of_somebody_else_is_refused_for_a_code_can_be_sent_around(
    house: House, following: Service
) -> None:
    await house.request()
    await house.grant(following, by="grace")
    await following.endings.sign_out(person_id="grace", session="")
    await settle(following)
    begun = await house.begin(following, device=True)
    house.forge.devices[-1].login = "grace"

    await until(lambda: len(house.stream.of(m.ApprovalExpired)) == 2)
    await settle(following)

    expired = house.stream.of(m.ApprovalExpired)[-1]
    assert expired.approval_id == begun.approval_id
    assert expired.cause is m.ExpiryCause.REFUSED
    assert "Grace" in expired.reason
    assert house.forge.living == []


async def test_person_who_signed_out_meanwhile_delegates_nothing(
    house: House, following: Service
) -> None:
    _, typed = await begin(house, following)
    send = house.forge.handle_async_request

    async def leaving(request: httpx2.Request) -> httpx2.Response:
        answer = await send(request)
        if request.url.path == POLL[1] and house.forge.tokens:
            out = m.RevokeRequest(person=person("ada"), session=SESSION)
            await following.handlers.on_revoke(out, Call("gateway"))
        return answer

    house.forge.handle_async_request = leaving  # type: ignore[method-assign]
    typed.login = "ada"

    await until(lambda: house.stream.of(m.ApprovalRevoked))
    await settle(following)

    assert house.stream.of(m.ApprovalGranted) == []
    assert [e.cause for e in house.stream.of(m.ApprovalExpired)] == [m.ExpiryCause.SIGNED_OUT]
    assert house.forge.living == []


async def test_right_that_was_lost_meanwhile_ends_it_before_a_token_is_given(
    house: House, following: Service
) -> None:
    _, typed = await begin(house, following)
    house.authorizer.refused.add("ada")
    typed.login = "ada"

    await until(lambda: house.stream.of(m.ApprovalExpired))

    (expired,) = house.stream.of(m.ApprovalExpired)
    assert expired.cause is m.ExpiryCause.NOT_PERMITTED
    assert house.forge.tokens == {}


async def test_cluster_that_cannot_be_asked_ends_nothing(house: House, following: Service) -> None:
    _, typed = await begin(house, following)
    house.authorizer.away = True
    typed.login = "ada"
    for _ in range(30):
        await asyncio.sleep(0)
    assert house.forge.tokens == {}

    house.authorizer.away = False
    await until(lambda: house.stream.of(m.ApprovalGranted))


async def test_asking_again_shows_the_same_code_and_the_other_way_ends_it(
    house: House, approval: Service
) -> None:
    begun, _ = await begin(house, approval)

    again = await house.begin(approval, device=True)
    other = await house.begin(approval)

    assert again == begun
    assert other.authorize_url
    assert [e.approval_id for e in house.stream.of(m.ApprovalExpired)] == [begun.approval_id]
    assert len(house.forge.devices) == 1


async def test_code_flow_cannot_be_used_to_finish_it(house: House, approval: Service) -> None:
    begun, typed = await begin(house, approval)

    with pytest.raises(Rejected) as caught:
        await house.complete(approval, {"state": begun.approval_id, "code": typed.device_code})

    assert caught.value.reason is ConsentRefusal.STATE_MISMATCH


async def test_shutdown_loses_it_and_leaves_no_token(house: House, following: Service) -> None:
    await begin(house, following)

    await following.endings.shut_down()

    assert len(house.stream.of(m.ApprovalLost)) == 1
    asked = polls(house)
    for _ in range(200):
        await asyncio.sleep(0)
    assert polls(house) <= asked + 1
