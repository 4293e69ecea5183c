"""Requests and responses between services, on a real nats-server."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Never

import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    BeginRequest,
    BeginResponse,
    Person,
    PollRequest,
    PollResponse,
    RedeemRequest,
    RedeemResponse,
    RevokeRequest,
    RevokeResponse,
)
from countersign.dialects.refusals import ForgeRefusal
from countersign.gateway.refusals import Refusal
from countersign.messaging.bus import Answer
from countersign.messaging.leader_reads import stream_state

BEGIN = BeginRequest(promotion_id="p1", person=Person(id="alice"), session="s")


def poll(replica: str) -> PollRequest:
    return PollRequest(replica=replica, approval_id="a1", session="s")


def redeem(replica: str, reply: str) -> RedeemRequest:
    return RedeemRequest(
        replica=replica, approval_id="a1", promotion_id="p1", attempt=1, consent_digest="00",
        public_key=b"k" * 32, nonce=b"n" * 16, signed_at=datetime(2026, 11, 23, tzinfo=UTC),
        reply=reply, signature=b"s",
    )  # fmt: skip


async def test_response_comes_back_and_caller_is_known(server: Any, bus_of: Any) -> None:
    calls = []

    async def on_begin(request: Any, call: Any) -> Any:
        calls.append((request, call.service))
        return BeginResponse(approval_id="a1", replica="approval-0")

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        response = await gateway.request("approval.begin", BEGIN)

    assert response == BeginResponse(approval_id="a1", replica="approval-0")
    assert calls == [(BEGIN, "gateway")]


async def test_one_replica_of_many_answers_what_is_not_addressed(server: Any, bus_of: Any) -> None:
    answered = []

    def by(replica: Any) -> Any:
        async def on_begin(request: Any, call: Any) -> Any:
            answered.append(replica)
            return BeginResponse(replica=replica)

        return on_begin

    async with (
        bus_of("approval", replica="a") as one,
        bus_of("approval", replica="b") as two,
        bus_of("gateway") as gateway,
        one.serving(answers=(Answer("approval.begin", by("a")),)),
        two.serving(answers=(Answer("approval.begin", by("b")),)),
    ):
        for _ in range(20):
            await gateway.request("approval.begin", BEGIN)

    assert len(answered) == 20
    assert set(answered) == {"a", "b"}


async def test_addressed_request_reaches_its_replica_only(server: Any, bus_of: Any) -> None:
    answered = []

    def by(replica: Any) -> Any:
        async def on_poll(request: Any, call: Any) -> Any:
            answered.append(replica)
            return PollResponse(granted=True)

        return on_poll

    async with (
        bus_of("approval", replica="host.example-1") as one,
        bus_of("approval", replica="host.example-2") as two,
        bus_of("gateway") as gateway,
        one.serving(answers=(Answer("approval.poll", by("1")),)),
        two.serving(answers=(Answer("approval.poll", by("2")),)),
    ):
        await gateway.request("approval.poll", poll("host.example-2"), replica="host.example-2")

    assert answered == ["2"]


async def test_broadcast_reaches_every_replica(server: Any, bus_of: Any, until: Any) -> None:
    heard = []

    def by(replica: Any) -> Any:
        async def on_revoke(request: Any, call: Any) -> Any:
            heard.append((replica, call.service))
            return RevokeResponse(revoked=1)

        return on_revoke

    async with (
        bus_of("approval", replica="a") as one,
        bus_of("approval", replica="b") as two,
        bus_of("gateway") as gateway,
        one.serving(answers=(Answer("approval.revoke", by("a")),)),
        two.serving(answers=(Answer("approval.revoke", by("b")),)),
    ):
        await gateway.broadcast("approval.revoke", RevokeRequest(person=Person(id="alice")))
        await until(lambda: len(heard) == 2)

    assert sorted(heard) == [("a", "gateway"), ("b", "gateway")]


async def test_nobody_answering_is_told_at_once(server: Any, bus_of: Any) -> None:
    async with bus_of("gateway") as gateway, asyncio.timeout(2):
        with pytest.raises(Retryable) as failed:
            await gateway.request("approval.poll", poll("gone"), replica="gone")

    assert failed.value.reason == "no_responder"


async def test_responder_that_is_too_slow_is_a_timeout(server: Any, bus_of: Any) -> None:
    release = asyncio.Event()

    async def on_begin(request: Any, call: Any) -> Any:
        await release.wait()
        return BeginResponse()

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        with pytest.raises(Retryable) as failed:
            await gateway.request("approval.begin", BEGIN, timeout_s=0.2)
        release.set()

    assert failed.value.reason == "timeout"


async def test_slow_request_does_not_hold_up_another(server: Any, bus_of: Any) -> None:
    release = asyncio.Event()

    async def on_begin(request: Any, call: Any) -> Any:
        if request.promotion_id == "slow":
            await release.wait()
        return BeginResponse(approval_id=request.promotion_id)

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
        asyncio.TaskGroup() as tasks,
    ):
        slow = tasks.create_task(
            gateway.request("approval.begin", BEGIN.model_copy(update={"promotion_id": "slow"}))
        )
        quick = await gateway.request("approval.begin", BEGIN)
        release.set()

    assert quick.approval_id == "p1"
    assert slow.result().approval_id == "slow"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Rejected(Refusal.UNKNOWN_PROMOTION, "no promotion 'p1'"), "unknown_promotion"),
        (Retryable(ForgeRefusal.FORGE_UNAVAILABLE, "try later"), "forge_unavailable"),
        (KeyError("made-up-secret"), "internal"),
    ],
    ids=["rejected", "retryable", "bug"],
)
async def test_error_of_a_handler_is_a_problem_and_never_silence(
    server: Any, bus_of: Any, error: Any, code: Any
) -> None:
    async def on_begin(request: Any, call: Any) -> Never:
        raise error

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        response = await gateway.request("approval.begin", BEGIN)

    assert response.problem.code == code
    assert "made-up-secret" not in response.problem.message


async def test_malformed_request_is_a_problem(server: Any, bus_of: Any) -> None:
    async def on_begin(request: Any, call: Any) -> Never:
        raise AssertionError("not reached")

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        bad = BeginRequest.model_construct(promotion_id="", person=Person(id="a"), session="")
        response = await gateway.request("approval.begin", bad)

    assert response.problem.code == "malformed"


async def test_redemption_is_answered_at_the_reply_that_was_signed(
    server: Any, bus_of: Any
) -> None:
    calls = []

    async def on_redeem(request: Any, call: Any) -> Any:
        calls.append((request.reply, call.reply, call.service))
        return RedeemResponse(sealed=b"x")

    async with (
        bus_of("approval", replica="a") as approval,
        bus_of("pr-writer") as writer,
        approval.serving(answers=(Answer("approval.redeem", on_redeem),)),
    ):
        reply = writer.reply_subject()
        response = await writer.request(
            "approval.redeem", redeem("a", reply), replica="a", reply=reply
        )

    assert response.sealed == b"x"
    assert calls == [(reply, reply, "pr-writer")]


async def test_reply_that_is_not_ours_is_refused_before_it_is_sent(
    server: Any, bus_of: Any
) -> None:
    async with bus_of("pr-writer") as writer:
        with pytest.raises(ValueError, match="reply"):
            await writer.request(
                "approval.redeem", redeem("a", "x"), replica="a", reply="_INBOX_gateway.rpc.x"
            )


@pytest.mark.parametrize(
    "reply",
    [
        "countersign-in.v1.approval.granted.apps.podinfo.prod.p1",
        "countersign.v1.approval.granted.apps.podinfo.prod.p1",
        "_INBOX_pr-writer.rpc.x.y",
        "_INBOX_gateway.work.x",
        "_INBOX_gateway2.rpc.x",
        "_INBOX_approval.rpc.x",
        "",
    ],
)
async def test_rogue_reply_steers_no_answer(
    server: Any, bus_of: Any, connect_as: Any, until: Any, reply: Any
) -> None:
    """A gateway that is not ours any more names somebody else's subject as its reply."""
    handled = []

    async def on_begin(request: Any, call: Any) -> Any:
        handled.append(request)
        return BeginResponse(approval_id="a1")

    async with (
        bus_of("approval") as approval,
        connect_as("gateway") as rogue,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        await rogue.publish("countersign-rpc.v1.approval.begin", BEGIN.to_json(), reply=reply)
        await rogue.flush()
        await gateway.request("approval.begin", BEGIN)  # comes after the rogue one

        promotions = await stream_state(gateway.client, "PROMOTIONS")

    assert handled == [BEGIN]
    assert promotions.last_sequence == 0


async def test_trace_goes_on_from_caller_to_responder(server: Any, bus_of: Any, spans: Any) -> None:
    async def on_begin(request: Any, call: Any) -> Any:
        return BeginResponse()

    async with (
        bus_of("approval") as approval,
        bus_of("gateway") as gateway,
        approval.serving(answers=(Answer("approval.begin", on_begin),)),
    ):
        await gateway.request("approval.begin", BEGIN)

    by_name = {span.name: span for span in spans()}
    called, answered = by_name["call approval.begin"], by_name["answer approval.begin"]
    assert answered.parent.span_id == called.context.span_id
    assert answered.context.trace_id == called.context.trace_id
