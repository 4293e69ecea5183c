"""The subjects that each NATS user may publish and subscribe to; nothing else is allowed.

Derived from the contracts: who publishes an event, who answers and who calls a method. Nobody may
publish below `countersign.v1`, nobody has another's inbox, and only `topology` may manage streams
and consumers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from countersign.contracts.messages import EVENTS, METHODS
from countersign.contracts.metadata import MethodInfo
from countersign.contracts.subjects import (
    DEAD_LETTER_ROOT,
    EVENT_ROOT,
    FLUX_HINT,
    INTAKE_ROOT,
    RPC_ROOT,
    STREAM_BY_NOUN,
    inbox_prefix,
)
from countersign.messaging.topology.readers import Reader, durables
from countersign.messaging.topology.streams import DEAD_LETTERS, DURABLES, READS, RECORD, STREAMS

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
TOPOLOGY: Final = "topology"
FLUX: Final = "flux"
USERS: Final = (*SERVICES, TOPOLOGY, RECORD, FLUX)


@dataclass(frozen=True, kw_only=True)
class Permissions:
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(user: str, *, readers: Iterable[Reader] = ()) -> Permissions:
    if user == TOPOLOGY:
        return Permissions(publish=_management(readers), subscribe=(f"{inbox_prefix(TOPOLOGY)}.>",))
    if user == RECORD:
        return Permissions(publish=_reading(RECORD), subscribe=(f"{inbox_prefix(RECORD)}.>",))
    if user == FLUX:
        return Permissions(publish=(FLUX_HINT,), subscribe=())
    if user not in SERVICES:
        raise ValueError(f"no such user: {user!r}")
    return Permissions(
        publish=(
            *_events(user),
            *_requests(user),
            *_answers(user),
            *_reading(user),
            *_work(user),
        ),
        subscribe=(
            f"{inbox_prefix(user)}.>",
            *_answered(user),
            *_followed(user),
            *((FLUX_HINT,) if user == "watcher" else ()),
        ),
    )


def reply_prefix(user: str) -> str:
    """Return the inbox for answers, apart from the rest of the inbox, so that whoever may
    answer it cannot slip it an acknowledgement or a job.
    """
    return f"{inbox_prefix(user)}.rpc."


def method_wildcard(method: MethodInfo) -> str:
    subject = f"{RPC_ROOT}.{method.service}.{method.verb}"
    return f"{subject}.*" if method.addressed else subject


def _events(service: str) -> tuple[str, ...]:
    return tuple(
        f"{INTAKE_ROOT}.{info.name}.>" for info in EVENTS.values() if service in info.publishers
    )


def _requests(service: str) -> tuple[str, ...]:
    return tuple(method_wildcard(m) for m in METHODS.values() if service in m.callers)


def _answers(service: str) -> tuple[str, ...]:
    callers = {c for m in METHODS.values() if m.service == service for c in m.callers}
    return tuple(f"{reply_prefix(caller)}>" for caller in sorted(callers))


def _answered(service: str) -> tuple[str, ...]:
    return tuple(method_wildcard(m) for m in METHODS.values() if m.service == service)


def _followed(service: str) -> tuple[str, ...]:
    return tuple(
        f"{EVENT_ROOT}.{noun}.>"
        for noun, stream in STREAM_BY_NOUN.items()
        if stream in READS.get(service, ())
    )


def _reading(service: str) -> tuple[str, ...]:
    return tuple(
        subject
        for stream in READS.get(service, ())
        for subject in (
            f"$JS.API.DIRECT.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}.>",
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.STREAM.MSG.GET.{stream}",
        )
    )


def _work(service: str) -> tuple[str, ...]:
    own = [durable for durable in DURABLES.values() if durable.service == service]
    subjects = [
        subject
        for durable in own
        for subject in (
            f"$JS.API.CONSUMER.INFO.{durable.stream}.{durable.name}",
            f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}",
            f"$JS.ACK.{durable.stream}.{durable.name}.>",
            # Servers from 2.15 on may put domain and account before the stream.
            f"$JS.ACK.*.*.{durable.stream}.{durable.name}.>",
        )
    ]
    return (*subjects, *((f"{DEAD_LETTER_ROOT}.{service}.>",) if own else ()))


def _management(readers: Iterable[Reader]) -> tuple[str, ...]:
    per_stream = (
        f"$JS.API.{verb}.{stream}"
        for stream in STREAMS
        for verb in ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.INFO")
    )
    per_durable = (
        f"$JS.API.CONSUMER.{verb}.{durable.stream}.{durable.name}{tail}"
        for durable in (*DURABLES.values(), *durables(readers))
        for verb, tail in (("DURABLE.CREATE", ""), ("INFO", ""))
    )
    return (
        *per_stream,
        *per_durable,
        *(f"$JS.API.DIRECT.GET.{stream}" for stream in ("PROMOTIONS", "PIPELINES", DEAD_LETTERS)),
        # What is over for long is dropped: see `administration.retention`.
        *(f"$JS.API.STREAM.PURGE.{stream}" for stream in ("PROMOTIONS", "PIPELINES")),
    )
