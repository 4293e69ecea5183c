"""Requests that come to us, and what goes back.

A response goes only to the private inbox of a user that may call the method: a caller can name
anybody's subject as its reply, and permissions do not stop that (tried).
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import METHODS, Problem
from countersign.contracts.metadata import MethodInfo
from countersign.messaging.envelope import CONTENT_TYPE, JSON
from countersign.messaging.meters import ANSWERED
from countersign.messaging.topology.permissions import reply_prefix
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import SpanKind, carrier, fail, span

log = get_logger()

_OK: Final = "ok"
_INTERNAL: Final = "internal"
_FOREIGN_REPLY: Final = "foreign_reply"
_PLAIN_SUBJECT: Final = re.compile(r"[A-Za-z0-9_.=-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Call:
    """The origin of a request: `service` is the NATS user whose inbox `reply` lies in."""

    service: str
    reply: str
    headers: Mapping[str, str]


AnswerHandler = Callable[[Message, Call], Awaitable[Message]]


@dataclass(frozen=True)
class Answer:
    """A method that this service answers."""

    name: str
    handler: AnswerHandler

    @property
    def method(self) -> MethodInfo:
        return METHODS[self.name]


class Respond(Protocol):
    async def __call__(self, reply: str, body: bytes, headers: dict[str, str]) -> None: ...


def caller(method: MethodInfo, reply: str) -> str | None:
    """Return the service that asks, or None where the reply leads to nobody who may."""
    if not _PLAIN_SUBJECT.fullmatch(reply) or ".." in reply or reply.endswith("."):
        return None
    return next((name for name in method.callers if reply.startswith(reply_prefix(name))), None)


async def answer(
    name: str, *, call: Call, respond: Respond, handle: Callable[[], Awaitable[Message]]
) -> None:
    """Run a handler and send its response; errors become a `Problem`, never silence."""
    method = METHODS[name]
    described = {names.MESSAGING_SYSTEM: "nats", names.CALLER: call.service}
    with span(
        f"answer {name}", parent=call.headers, kind=SpanKind.SERVER, attributes=described
    ) as current:
        outcome = _OK
        try:
            response = await handle()
        except (Rejected, Retryable) as error:
            outcome = error.reason
            log.info("rpc.refused", method=name, caller=call.service, reason=error.reason)
            after_s = error.after_s if isinstance(error, Retryable) else None
            problem = Problem(
                code=error.reason, message=error.message, retry_after_s=ceil(after_s or 0)
            )
            response = _refusal(method, problem)
        except Exception as error:  # a bug: who asked is answered, and its words stay here
            outcome = _INTERNAL
            fail(current, error)
            log.exception("rpc.bug", method=name, caller=call.service)
            problem = Problem(
                code=_INTERNAL, message="internal error; the log of the service has it"
            )
            response = _refusal(method, problem)
        ANSWERED.labels(method=name, outcome=outcome).inc()
        if not method.broadcast:
            await respond(call.reply, response.to_json(), {CONTENT_TYPE: JSON, **carrier()})


def expect(name: str) -> None:
    """Show what may become of requests before there are any."""
    ANSWERED.expect((name, outcome) for outcome in (_OK, _INTERNAL, _FOREIGN_REPLY))


def drop(name: str) -> None:
    """A request whose reply leads to nobody who may call: not answered, but counted."""
    ANSWERED.labels(method=name, outcome=_FOREIGN_REPLY).inc()
    log.warning("rpc.foreign_reply", method=name)


def _refusal(method: MethodInfo, problem: Problem) -> Message:
    if "problem" not in method.response.model_fields:
        return method.response()
    return method.response.model_validate({"problem": problem})
