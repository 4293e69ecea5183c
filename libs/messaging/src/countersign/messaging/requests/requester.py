"""Requests and their responses, on core NATS below a root that no stream takes from.

Responses come to a part of our inbox that is used for nothing else; `permissions` lets whoever
answers us publish there and nowhere else in it.
"""

import asyncio
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.nuid import NUID

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import METHODS
from countersign.contracts.metadata import MethodInfo
from countersign.contracts.subjects import rpc_subject
from countersign.messaging.envelope import CONTENT_TYPE, JSON
from countersign.messaging.meters import REQUEST_SECONDS
from countersign.messaging.refusals import BusRefusal
from countersign.messaging.topology.permissions import reply_prefix
from countersign.telemetry import attributes as names
from countersign.telemetry.stopwatch import stopwatch
from countersign.telemetry.tracing import SpanKind, carrier, span

REQUEST_TIMEOUT_S: Final = 10.0
WAITING_MAX: Final = 1024
_NO_RESPONDERS: Final = "503"


class Requester:
    """Owns the subscription that responses come to."""

    def __init__(self, client: Client, *, service: str) -> None:
        self._client = client
        self._service = service
        self._nuid = NUID()
        self._prefix = f"{reply_prefix(service)}{self._next()}."
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        self._subscription = await self._client.subscribe(f"{self._prefix}*", cb=self._on_response)

    def reply_subject(self) -> str:
        """A fresh private subject for one response."""
        return self._prefix + self._next()

    async def request(
        self, name: str, request: Message, *, replica: str, timeout_s: float, reply: str
    ) -> Message:
        method = _method(name, request)
        described = {
            names.MESSAGING_SYSTEM: "nats",
            names.MESSAGING_OPERATION: "request",
            names.REPLICA: replica,
        }
        spent_s = stopwatch()
        outcome = "failed"
        with span(f"call {name}", kind=SpanKind.CLIENT, attributes=described):
            try:
                message = await self._exchange(
                    rpc_subject(method, replica=replica), request, reply, timeout_s
                )
                response = method.response.from_json(message.data)
                outcome = _problem_code(response) or "ok"
            except (Retryable, Rejected) as error:
                outcome = error.reason
                raise
            finally:
                REQUEST_SECONDS.labels(method=name, outcome=outcome).observe(spent_s())
        return response

    async def broadcast(self, name: str, request: Message) -> None:
        """Send to every replica; nobody's answer is waited for."""
        method = _method(name, request)
        if not method.broadcast:
            raise ValueError(f"{name} is not for every replica")
        with span(f"call {name}", kind=SpanKind.CLIENT):
            # The reply subject tells responders who asks.
            await self._publish(rpc_subject(method), request, self.reply_subject())

    async def _exchange(self, subject: str, request: Message, reply: str, timeout_s: float) -> Msg:
        if not reply.startswith(self._prefix):
            raise ValueError("the reply subject is not one of reply_subject()")
        if len(self._waiting) >= WAITING_MAX:
            raise Retryable(
                BusRefusal.LIMIT, f"{WAITING_MAX} requests wait for their responses already"
            )
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = future
        try:
            await self._publish(subject, request, reply)
            async with asyncio.timeout(timeout_s):
                message = await future
        except TimeoutError:
            raise Retryable(
                BusRefusal.TIMEOUT, f"no response from {subject!r} in {timeout_s} s"
            ) from None
        finally:
            self._waiting.pop(reply, None)
        if (message.headers or {}).get("Status") == _NO_RESPONDERS:
            raise Retryable(BusRefusal.NO_RESPONDER, f"nobody answers {subject!r}")
        return message

    async def _publish(self, subject: str, request: Message, reply: str) -> None:
        headers = {CONTENT_TYPE: JSON, **carrier()}
        try:
            await self._client.publish(subject, request.to_json(), reply=reply, headers=headers)
        except NatsError as error:
            raise Retryable(
                BusRefusal.UNAVAILABLE, f"{subject!r}: {type(error).__name__}"
            ) from error

    async def _on_response(self, message: Msg) -> None:
        future = self._waiting.get(message.subject)
        if future is not None and not future.done():
            future.set_result(message)

    def _next(self) -> str:
        return bytes(self._nuid.next()).decode()


def _method(name: str, request: Message) -> MethodInfo:
    method = METHODS[name]
    if not isinstance(request, method.request):
        raise TypeError(f"{name} takes {method.request.__name__}, not {type(request).__name__}")
    return method


def _problem_code(response: Message) -> str:
    problem = getattr(response, "problem", None)
    return "" if problem is None else str(problem.code)
