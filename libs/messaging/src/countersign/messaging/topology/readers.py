"""Readers: tools of others that hear and replay events. Pure.

Each has a NATS account of its own. What is not imported there does not exist for it, and an answer
of the server comes back to that account, so that a reader cannot have one stored by naming an
intake subject as where it should go (tried: inside of one account permissions do not prevent it).
It replays by a durable made for it, whose filter it cannot change; Direct Get by sequence knows no
namespaces, so only readers of everything have that too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from countersign.contracts.subjects import EVENT_ROOT, STREAM_BY_NOUN, encode_name, inbox_prefix
from countersign.messaging.topology.streams import Durable

NAMESPACES_MAX: Final = 64
# Where a reader finds the API of JetStream; each client library has an option for it.
API_PREFIX: Final = "countersign-api"
_API: Final = "$JS.API"
# As client libraries name inboxes, and as our own does; nobody else is in that account.
INBOX_OF: Final = "reader"
_INBOXES: Final = ("_INBOX.>", f"{inbox_prefix(INBOX_OF)}.>")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
# A tool that was away longer begins anew.
_FORGOTTEN_S: Final = 90 * 24 * 3600.0
# In order, so one at a time; who ends while it has one gets it again after this.
_ACK_WAIT_S: Final = 10.0


class Kind(StrEnum):
    """The kinds of subjects that one account lets another use."""

    STREAM = "stream"
    SERVICE = "service"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A tool, its public key, and the namespaces it reads; without any, all of them."""

    name: str
    public_key: str
    namespaces: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        return account_of(self.name)

    @property
    def durable(self) -> str:
        return f"reader-{self.name}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """The events it hears."""
        if not self.namespaces:
            return (f"{EVENT_ROOT}.>",)
        return tuple(f"{EVENT_ROOT}.*.*.{encode_name(name)}.>" for name in self.namespaces)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A subject of our account that a reader's account imports, there by the name `local`."""

    kind: Kind
    subject: str
    local: str
    # The server answers a batch, not once.
    many: bool = False


def account_of(name: str) -> str:
    return f"READER_{name}"


def is_name(text: str) -> bool:
    """Tell whether a reader can be called so: as a DNS label, at most 32 characters."""
    return bool(_NAME.fullmatch(text))


def shares(reader: Reader) -> tuple[Share, ...]:
    """Everything that a reader can do on the bus."""
    own = [share for stream in _streams() for share in _own_durable(stream, reader)]
    everything = [share for stream in _streams() for share in _whole(stream)]
    return (
        *(Share(kind=Kind.STREAM, subject=s, local=s) for s in reader.subjects),
        *own,
        *(() if reader.namespaces else everything),
    )


def durables(readers: Iterable[Reader]) -> tuple[Durable, ...]:
    """One for each stream and reader."""
    return tuple(
        Durable(
            name=reader.durable,
            stream=stream,
            service=reader.name,
            filters=reader.subjects,
            ack_wait_s=_ACK_WAIT_S,
            deliveries_max=-1,
            in_flight_max=1,
            forgotten_s=_FORGOTTEN_S,
        )
        for reader in readers
        for stream in _streams()
    )


def publishes(reader: Reader) -> tuple[str, ...]:
    """Return what its user may publish: requests and acknowledgements."""
    return tuple(s.local for s in shares(reader) if s.kind is Kind.SERVICE)


def subscribes(reader: Reader) -> tuple[str, ...]:
    """Return what its user may subscribe to: events, and answers to itself."""
    return (*reader.subjects, *_INBOXES)


def _streams() -> tuple[str, ...]:
    return tuple(dict.fromkeys(STREAM_BY_NOUN.values()))


def _own_durable(stream: str, reader: Reader) -> tuple[Share, ...]:
    place = f"{stream}.{reader.durable}"
    acks = (f"$JS.ACK.{place}.>", f"$JS.ACK.*.*.{place}.>")
    return (
        _api(f"CONSUMER.INFO.{place}"),
        _api(f"CONSUMER.MSG.NEXT.{place}", many=True),
        *(Share(kind=Kind.SERVICE, subject=s, local=s) for s in acks),
    )


def _whole(stream: str) -> tuple[Share, ...]:
    return (
        _api(f"STREAM.INFO.{stream}"),
        _api(f"DIRECT.GET.{stream}", many=True),
        _api(f"DIRECT.GET.{stream}.>", many=True),
    )


def _api(path: str, *, many: bool = False) -> Share:
    return Share(
        kind=Kind.SERVICE, subject=f"{_API}.{path}", local=f"{API_PREFIX}.{path}", many=many
    )
