"""Routes on FastStream: what this service answers and what it works on.

FastStream connects, subscribes, bounds concurrency and dispatches; what becomes of a message is
decided in `answering` and `settling`. Its acknowledgement policies, pull loop, replies, validation
and telemetry are not used: they repeat or lose messages, spin when a consumer is missing, log
payloads, or put whole subjects into labels.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from faststream import AckPolicy
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from countersign.contracts.message import Message
from countersign.contracts.subjects import rpc_subject
from countersign.messaging.connection import ConnectionState, Identity, barrier, close, connect
from countersign.messaging.requests import responder
from countersign.messaging.requests.responder import Answer, Call
from countersign.messaging.wire.client import CLOSE_TIMEOUT_S
from countersign.messaging.work.worker import Work, Worker
from countersign.process.processes import single_error
from countersign.process.tasks.background import in_background
from countersign.process.tasks.cancellation import uninterrupted
from countersign.telemetry.logs import get_logger

log = get_logger()

# More than people click at the same time; each waits for a forge at most.
ANSWERS_AT_ONCE_MAX: Final = 32
GRACE_S: Final = 20.0


@asynccontextmanager
async def serve(
    identity: Identity, *, answers: Sequence[Answer], work: Sequence[Work]
) -> AsyncIterator[None]:
    """Serve until the block ends; then finish what was begun, for a bounded time."""
    state = ConnectionState(f"{identity.service} {identity.settings.replica} serving")
    identity.health.add("bus-serving", state.reason)
    broker = _Broker(identity, state)
    try:
        # The libraries lose a cancellation in more than one place, or leave things open.
        workers = await uninterrupted(
            _subscribe(broker, identity, answers=answers, work=work), grace_s=CLOSE_TIMEOUT_S
        )
    except BaseException:
        state.stopping = True
        await _stop(broker)
        raise
    state.connected()
    for worker in workers:
        state.when_reconnected(worker.puller.reconnected)
        identity.health.add(f"work-{worker.durable.name}", worker.puller.reason)
    log.info("bus.serving", answers=[a.name for a in answers], work=[w.durable for w in work])
    with single_error():
        async with asyncio.TaskGroup() as tasks:
            pulling = [
                tasks.create_task(
                    in_background(
                        f"pulling-{worker.durable.name}",
                        worker.puller.run,
                        health=identity.health,
                    )
                )
                for worker in workers
            ]
            beating = [
                tasks.create_task(
                    in_background(
                        f"beating-{worker.durable.name}", worker.beat, health=identity.health
                    )
                )
                for worker in workers
            ]
            try:
                yield
            finally:
                state.stopping = True
                for worker, task in zip(workers, pulling, strict=True):
                    worker.stopping = True
                    task.cancel()
                await _stop(broker)
                for task in beating:
                    task.cancel()


async def _subscribe(
    broker: NatsBroker, identity: Identity, *, answers: Sequence[Answer], work: Sequence[Work]
) -> list[Worker]:
    await broker.connect()
    client: Client = broker.connection
    workers = [
        Worker(item, client=client, service=identity.service, clocks=identity.clocks)
        for item in work
    ]
    for item in answers:
        responder.expect(item.name)
        _subscribe_answer(broker, item, client=client, replica=identity.settings.replica)
    for worker in workers:
        _subscribe_work(broker, worker)
    await broker.start()
    await barrier(client)
    return workers


class _Broker(NatsBroker):
    """Connects as all else does: what FastStream begins to connect nobody can close."""

    def __init__(self, identity: Identity, state: ConnectionState) -> None:
        super().__init__(logger=None, apply_types=False, graceful_timeout=GRACE_S)
        self._identity = identity
        self._state = state
        self._client: Client | None = None

    async def _connect(self) -> Client:
        client = await connect(
            self._identity.settings, service=self._identity.service, state=self._state
        )
        self.config.connect(client)
        self._client = client
        return client

    async def close(self) -> None:
        if self._client is not None:
            await close(self._client, self._state)


async def _stop(broker: _Broker) -> None:
    try:
        async with asyncio.timeout(GRACE_S + CLOSE_TIMEOUT_S):
            for subscriber in broker.subscribers:
                await _end_subscription(subscriber)
            await broker.stop()
    except (TimeoutError, NatsError) as error:
        log.warning("bus.stop_failed", reason=type(error).__name__)
        # FastStream closes a connection only after all else went well.
        await broker.close()


async def _end_subscription(subscriber: Any) -> None:
    """Take what is on its way first: once FastStream stops, it drops what still comes, unsaid."""
    subscription, subscriber.subscription = subscriber.subscription, None
    if subscription is not None:
        try:
            await subscription.drain()
        except NatsError as error:
            log.warning("bus.drain_failed", reason=type(error).__name__)


async def _as_it_is(message: NatsMessage) -> Msg:
    """Decode nothing: FastStream would log what it cannot read."""
    return message.raw_message


def _subscribe_answer(broker: NatsBroker, item: Answer, *, client: Client, replica: str) -> None:
    method = item.method

    async def respond(reply: str, body: bytes, headers: dict[str, str]) -> None:
        await client.publish(reply, body, headers=headers)

    async def on_request(message: Msg) -> None:
        headers = message.headers or {}
        service = responder.caller(method, message.reply)
        if service is None:
            responder.drop(item.name)
            return
        call = Call(service=service, reply=message.reply, headers=headers)

        async def handle() -> Message:
            return await item.handler(method.request.from_json(message.data), call)

        await responder.answer(item.name, call=call, respond=respond, handle=handle)

    broker.subscriber(
        rpc_subject(method, replica=replica if method.addressed else ""),
        queue="" if method.addressed or method.broadcast else method.service,
        max_workers=ANSWERS_AT_ONCE_MAX,
        **_unmanaged(),
    )(on_request)


def _subscribe_work(broker: NatsBroker, worker: Worker) -> None:
    broker.subscriber(worker.inbox, max_workers=worker.work.at_once + 1, **_unmanaged())(
        worker.consume
    )


def _unmanaged() -> dict[str, Any]:
    return {"ack_policy": AckPolicy.MANUAL, "no_reply": True, "decoder": _as_it_is}
