"""A node of the bus is cut off from the two others, and clients stay connected to it.

What stands there gets nothing acknowledged, and says so; what stands elsewhere goes on; and
afterwards all have the same, once each.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from doubles.three_nodes import ASK_S, Cluster, Node, three_nodes
from integration.messaging.conftest import until
from integration.messaging.test_follower import Seen, following
from integration.messaging.test_requester import redeem
from nats.errors import Error as NatsError

from countersign.contracts.errors import Retryable
from countersign.contracts.messages import RedeemResponse
from countersign.messaging.bus import Answer, Bus, Pace, Received, Work, open_bus
from countersign.messaging.connection import ask
from countersign.process.health import Health

pytestmark = pytest.mark.timeout(300)

FACT_S_MAX = 90.0
PUBLISH_PAUSE_S = 0.2
# A projection that waits for an answer asks again after five seconds, and then as it is paced.
LOOKS = 20
PACE = Pace(check_s=0.4, retry_s=0.2)


@dataclass
class Side:
    """Everybody who is connected to one node."""

    name: str
    node: Node
    buses: dict[str, Bus] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    # Sequences, by the message ids that they were acknowledged under.
    acknowledged: dict[str, int] = field(default_factory=dict)
    worked_on: Counter[str] = field(default_factory=Counter)

    def is_ready(self) -> bool:
        return all(health.not_ready() == {} for health in self.health.values())

    def is_nobody_ready(self) -> bool:
        return all(health.not_ready() != {} for health in self.health.values())

    async def redeem(self, replica: str) -> None:
        writer = self.buses["pr-writer"]
        reply = writer.reply_subject()
        request = redeem(replica, reply)
        await writer.request(
            "approval.redeem", request, replica=replica, reply=reply, timeout_s=ASK_S
        )

    async def publish_on(self, requested: Callable[..., Any]) -> None:
        """One after the other, each until it is acknowledged."""
        number = 0
        while True:
            name = f"{self.name}{number}"
            with suppress(Retryable):
                published = await self.buses["watcher"].publish(requested(name), message_id=name)
                self.acknowledged[name] = published.sequence
                number += 1
            await asyncio.sleep(PUBLISH_PAUSE_S)


@asynccontextmanager
async def side(name: str, node: Node, cluster: Cluster) -> AsyncIterator[Side]:
    """One who publishes, one who follows, one who works, and one who gives tokens."""
    made = Side(name, node)

    async def on_job(received: Received) -> None:
        made.worked_on[received.message_id] += 1

    async def on_redeem(_request: Any, _call: Any) -> RedeemResponse:
        return RedeemResponse(sealed=b"x")

    async with AsyncExitStack() as stack:
        for service in ("watcher", "gateway", "pr-writer", "approval"):
            made.health[service] = Health()
            settings = cluster.settings(service, node).model_copy(update={"replica": name})
            opened = open_bus(settings, service=service, health=made.health[service])
            made.buses[service] = await stack.enter_async_context(opened)
        for service in ("watcher", "pr-writer", "approval"):
            await stack.enter_async_context(following(made.buses[service], pace=PACE))
        made.seen = await stack.enter_async_context(following(made.buses["gateway"], pace=PACE))
        work = Work("pr-writer-jobs", on_job)
        await stack.enter_async_context(made.buses["pr-writer"].serving(work=(work,)))
        answer = Answer("approval.redeem", on_redeem)
        await stack.enter_async_context(made.buses["approval"].serving(answers=(answer,)))
        yield made


@pytest.mark.parametrize("leads", [True, False], ids=["leader", "follower"])
async def test_who_is_at_a_cut_off_node_is_told_nothing_is_stored_and_catches_up_later(
    *, tmp_path: Path, requested: Callable[..., Any], leads: bool
) -> None:
    async with three_nodes(tmp_path) as cluster, AsyncExitStack() as stack:
        leader = await cluster.leader("PROMOTIONS")
        cut = leader if leads else cluster.others(leader)[0]
        few = await stack.enter_async_context(side("few", cut, cluster))
        many = await stack.enter_async_context(side("many", cluster.others(cut)[0], cluster))
        async with asyncio.TaskGroup() as living:
            publishing = [living.create_task(s.publish_on(requested)) for s in (few, many)]
            await until_fact(lambda: few.is_ready() and many.is_ready())
            await until_fact(lambda: len(few.acknowledged) > 1 and len(many.acknowledged) > 1)

            # The leader is told that all are gone; a follower is told nothing.
            with cluster.cut_off(cut, hanging_up=leads):
                await until_fact(few.is_nobody_ready)
                stored = dict(few.acknowledged)
                with pytest.raises(Retryable):
                    await few.redeem("many")
                await _until_leaderless(cluster, cut)
                await _assert_stays_unready(few)
                heard = len(many.acknowledged)
                await until_fact(lambda: many.is_ready() and len(many.acknowledged) > heard + 1)
                await many.redeem("many")
                assert few.acknowledged == stored

            await until_fact(lambda: few.is_ready() and many.is_ready())
            healed = len(few.acknowledged)
            await until_fact(lambda: len(few.acknowledged) > healed + 1)
            await few.redeem("many")
            for task in publishing:
                task.cancel()
        await assert_both_have_all(few, many)


async def until_fact(condition: Callable[[], bool]) -> None:
    await until(condition, timeout_s=FACT_S_MAX)


async def _until_leaderless(cluster: Cluster, node: Node) -> None:
    """Wait until the cut-off node has noticed that it hears nobody, and answers for itself."""
    async with asyncio.timeout(FACT_S_MAX), cluster.administrator(node) as client:
        while True:
            with suppress(NatsError):
                answer = await ask(client, "$JS.API.STREAM.INFO.PROMOTIONS", timeout_s=ASK_S)
                if not json.loads(answer.data).get("cluster", {}).get("leader"):
                    return
            await asyncio.sleep(PUBLISH_PAUSE_S)


async def _assert_stays_unready(cut_off: Side) -> None:
    for _ in range(LOOKS):
        assert cut_off.is_nobody_ready(), {n: h.not_ready() for n, h in cut_off.health.items()}
        await asyncio.sleep(PACE.check_s)


async def assert_both_have_all(one: Side, other: Side) -> None:
    """All that was acknowledged at either is seen at both, once and in place, and worked on."""
    stored = one.acknowledged | other.acknowledged
    await until_fact(lambda: set(stored) <= {*one.seen.ids} & {*other.seen.ids})
    await until_fact(lambda: set(stored) <= set(one.worked_on | other.worked_on))
    where = {received.message_id: received.sequence for received in one.seen.received}
    assert max(Counter(one.seen.ids).values()) == 1
    assert {name: where[name] for name in stored} == stored
    assert one.seen.ids == other.seen.ids
    assert one.seen.restarts == other.seen.restarts == []
