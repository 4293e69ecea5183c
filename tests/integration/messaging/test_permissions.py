"""Every user's own credentials tried against what it must not do, on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.client import Client

from countersign.contracts.messages import EVENTS, METHODS
from countersign.contracts.subjects import EVENT_ROOT, INTAKE_ROOT, inbox_prefix
from countersign.messaging.topology.permissions import SERVICES, USERS, permissions

OTHERS_MANAGEMENT = (
    "STREAM.CREATE.MINE",
    "STREAM.CREATE.PROMOTIONS",
    "STREAM.UPDATE.PROMOTIONS",
    "STREAM.DELETE.PROMOTIONS",
    "STREAM.PURGE.PROMOTIONS",
    "STREAM.MSG.DELETE.PROMOTIONS",
    "STREAM.MSG.GET.DEAD_LETTERS",
    "STREAM.SNAPSHOT.PROMOTIONS",
    "STREAM.RESTORE.PROMOTIONS",
    "STREAM.NAMES",
    "STREAM.LIST",
    "STREAM.TEMPLATE.CREATE.T",
    "STREAM.PEER.REMOVE.PROMOTIONS",
    "STREAM.LEADER.STEPDOWN.PROMOTIONS",
    "CONSUMER.CREATE.PROMOTIONS",
    "CONSUMER.CREATE.PROMOTIONS.thief",
    "CONSUMER.CREATE.PROMOTIONS.thief.countersign.v1.>",
    "CONSUMER.DURABLE.CREATE.PROMOTIONS.thief",
    "CONSUMER.DELETE.PROMOTIONS.pr-writer-jobs",
    "CONSUMER.PAUSE.PROMOTIONS.pr-writer-jobs",
    "CONSUMER.NAMES.PROMOTIONS",
    "CONSUMER.LIST.PROMOTIONS",
    "CONSUMER.MSG.NEXT.PROMOTIONS.thief",
    "META.LEADER.STEPDOWN",
    "ACCOUNT.PURGE.COUNTERSIGN",
    "SERVER.REMOVE",
    "INFO",
)


class Probe:
    """A connection that notes what the server refuses.

    Refusals come in order but not before the answer to a ping, so each question is followed by
    something that is surely refused.
    """

    def __init__(self, client: Client, refusals: asyncio.Queue[str]) -> None:
        self._client = client
        self._refusals = refusals
        self._asked = 0

    async def may_publish(self, subject: str) -> bool:
        await self._client.publish(subject, b"{}")
        return not await self._refused(subject)

    async def may_subscribe(self, subject: str) -> bool:
        subscription = await self._client.subscribe(subject)
        refused = await self._refused(subject)
        if not refused:
            await subscription.unsubscribe()
        return not refused

    async def _refused(self, subject: str) -> bool:
        self._asked += 1
        fence = f"refused.{self._asked}"
        await self._client.publish(fence, b"")
        refused = False
        while True:
            text = await asyncio.wait_for(self._refusals.get(), 5)
            if f'"{fence}"' in text:
                return refused
            refused = refused or f'"{subject.lower()}"' in text


@asynccontextmanager
async def probing(server: Any, user: Any) -> AsyncIterator[Probe]:
    refusals: asyncio.Queue[str] = asyncio.Queue()

    async def on_error(error: Any) -> None:
        refusals.put_nowait(str(error).lower())

    client = Client()
    await client.connect(
        server.url,
        nkeys_seed=str(server.keys_dir / f"{user}.nk"),
        inbox_prefix=inbox_prefix(user),
        error_cb=on_error,
        allow_reconnect=False,
    )
    try:
        yield Probe(client, refusals)
    finally:
        await client.close()


def concrete(subject: str) -> str:
    return subject.replace(">", "a.b.c.d").replace("*", "x")


@pytest.mark.parametrize("user", USERS)
async def test_user_may_what_it_needs(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        allowed = permissions(user)
        for subject in allowed.publish:
            assert await probe.may_publish(concrete(subject)), subject
        for subject in allowed.subscribe:
            assert await probe.may_subscribe(subject), subject


@pytest.mark.parametrize("user", USERS)
async def test_nobody_may_publish_where_events_are_heard(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        for info in EVENTS.values():
            assert not await probe.may_publish(f"{EVENT_ROOT}.{info.name}.a.b.c.d"), info.name


@pytest.mark.parametrize("user", USERS)
async def test_only_publishers_of_an_event_may_publish_it(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        for info in EVENTS.values():
            may = await probe.may_publish(f"{INTAKE_ROOT}.{info.name}.a.b.c.d")
            assert may == (user in info.publishers), info.name


@pytest.mark.parametrize("user", [user for user in USERS if user != "topology"])
async def test_nobody_but_topology_may_manage_streams_and_consumers(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        for path in OTHERS_MANAGEMENT:
            assert not await probe.may_publish(f"$JS.API.{path}"), path


async def test_topology_may_not_delete_single_messages_or_steal_them(server: Any) -> None:
    async with probing(server, "topology") as probe:
        for path in (
            "STREAM.DELETE.PROMOTIONS",
            "STREAM.MSG.DELETE.PROMOTIONS",
            "STREAM.MSG.GET.PROMOTIONS",
            "CONSUMER.DELETE.PROMOTIONS.pr-writer-jobs",
            "CONSUMER.CREATE.PROMOTIONS.thief",
            "CONSUMER.MSG.NEXT.PROMOTIONS.pr-writer-jobs",
        ):
            assert not await probe.may_publish(f"$JS.API.{path}"), path


@pytest.mark.parametrize("user", USERS)
async def test_methods_are_called_by_their_callers_and_heard_by_their_service(
    server: Any, user: Any
) -> None:
    async with probing(server, user) as probe:
        for name, method in METHODS.items():
            tail = ".replica-0" if method.addressed else ""
            subject = f"countersign-rpc.v1.{name}{tail}"
            assert await probe.may_publish(subject) == (user in method.callers), name
            assert await probe.may_subscribe(subject) == (user == method.service), name


@pytest.mark.parametrize("user", USERS)
async def test_nobody_hears_anothers_inbox_or_everything(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        for other in (other for other in USERS if other != user):
            assert not await probe.may_subscribe(f"{inbox_prefix(other)}.>"), other
        for subject in (
            ">",
            "*.>",
            "_INBOX.>",
            "$JS.>",
            "$SYS.>",
            "countersign-rpc.>",
        ):
            assert not await probe.may_subscribe(subject), subject
        for subject in ("countersign-in.v1.>", "countersign-rpc.v1.>", "$JS.API.>", "$JS.ACK.>"):
            assert not await probe.may_subscribe(subject), subject


@pytest.mark.parametrize("user", USERS)
async def test_only_who_answers_reaches_the_inbox_of_a_caller(server: Any, user: Any) -> None:
    """And there only the part that responses come to, not acknowledgements or jobs."""
    callers = {m.service: set() for m in METHODS.values()}
    for method in METHODS.values():
        callers[method.service].update(method.callers)
    async with probing(server, user) as probe:
        for other in SERVICES:
            answers = other in callers.get(user, set())
            assert await probe.may_publish(f"{inbox_prefix(other)}.rpc.x.y") == answers, other
            assert not await probe.may_publish(f"{inbox_prefix(other)}.work.x"), other
            assert not await probe.may_publish(f"{inbox_prefix(other)}.x.y"), other


@pytest.mark.parametrize("user", [user for user in USERS if user != "pr-writer"])
async def test_nobody_else_may_take_or_settle_the_work_of_pr_writer(server: Any, user: Any) -> None:
    async with probing(server, user) as probe:
        for subject in (
            "$JS.API.CONSUMER.MSG.NEXT.PROMOTIONS.pr-writer-jobs",
            "$JS.ACK.PROMOTIONS.pr-writer-jobs.1.1.1.1.1",
            "$JS.ACK._.hash.PROMOTIONS.pr-writer-jobs.1.1.1.1.1",
            "countersign-dead.v1.pr-writer.pr-writer-jobs",
        ):
            assert not await probe.may_publish(subject), subject


async def test_flux_may_nothing_but_hint(server: Any) -> None:
    async with probing(server, "flux") as probe:
        assert await probe.may_publish("countersign-hint.v1.flux")
        assert not await probe.may_publish("countersign-hint.v1.other")
        assert not await probe.may_subscribe("countersign.v1.>")


async def test_stranger_is_not_let_in(server: Any) -> None:
    client = Client()

    async def ignore(_error: Any) -> None:
        pass

    try:
        with pytest.raises(Exception, match=r"(?i)authorization"):
            await asyncio.wait_for(
                client.connect(server.url, allow_reconnect=False, error_cb=ignore), 10
            )
    finally:
        await client.close()
