"""Streams and durables, as data. One job creates and updates them; services only use them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from countersign.contracts.messages import (
    ApprovalGranted,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
)
from countersign.contracts.subjects import (
    DEAD_LETTER_ROOT,
    EVENT_ROOT,
    INTAKE_ROOT,
    STREAM_BY_NOUN,
    event_template,
)

_SECOND_NS: Final = 1_000_000_000
_MIB: Final = 1024 * 1024
DEAD_LETTERS: Final = "DEAD_LETTERS"
RECORD: Final = "record"
# Above our largest message: a Pipeline's manifest of 64 KiB and a thousand targets.
MESSAGE_BYTES_MAX: Final = 1024 * 1024

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The bounds of a stream; `discard` says what gives way at them, the `old` or the `new`."""

    bytes_max: int
    subject_messages_max: int = -1
    age_max_s: int = 0
    duplicates_s: int = 120
    discard: str = "new"


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream; `subjects` are where services publish to."""

    name: str
    description: str
    subjects: tuple[str, ...]
    bounds: Bounds
    deny_delete: bool = False
    published: bool = True
    replicas: int = 1

    def config(self) -> Json:
        """Return it as the API has it. Source: https://docs.nats.io/nats-concepts/jetstream/streams."""
        body: Json = {
            "name": self.name,
            "description": self.description,
            "subjects": list(self.subjects),
            "retention": "limits",
            "storage": "file",
            "num_replicas": self.replicas,
            "discard": self.bounds.discard,
            "max_bytes": self.bounds.bytes_max,
            "max_msgs": -1,
            "max_msgs_per_subject": self.bounds.subject_messages_max,
            "max_consumers": -1,
            "max_age": self.bounds.age_max_s * _SECOND_NS,
            "max_msg_size": MESSAGE_BYTES_MAX,
            "duplicate_window": self.bounds.duplicates_s * _SECOND_NS,
            "allow_direct": True,
            "deny_delete": self.deny_delete,
        }
        if self.published:
            body["subject_transform"] = {"src": f"{INTAKE_ROOT}.>", "dest": f"{EVENT_ROOT}.>"}
            body["republish"] = {"src": f"{EVENT_ROOT}.>", "dest": f"{EVENT_ROOT}.>"}
        return body


@dataclass(frozen=True, kw_only=True)
class Durable:
    """A pull consumer that a service works on.

    `tries_max` is ours: settling makes a dead letter of what failed so often. The server's own
    limit lies far above it, because beyond that limit a message is silently left behind.
    """

    name: str
    stream: str
    service: str
    filters: tuple[str, ...]
    ack_wait_s: float = 30.0
    tries_max: int = 8
    deliveries_max: int = 50
    in_flight_max: int = 64
    # Removed when nobody asked for so long; 0 means never.
    forgotten_s: float = 0.0

    def config(self) -> Json:
        """Return it as the API has it. Source: https://docs.nats.io/nats-concepts/jetstream/consumers."""
        return {
            "durable_name": self.name,
            "name": self.name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(self.ack_wait_s * _SECOND_NS),
            "max_deliver": self.deliveries_max,
            "max_ack_pending": self.in_flight_max,
            "replay_policy": "instant",
            "filter_subjects": list(self.filters),
            "inactive_threshold": int(self.forgotten_s * _SECOND_NS),
        }


def _intake(stream: str) -> tuple[str, ...]:
    return tuple(
        f"{INTAKE_ROOT}.{noun}.>" for noun, name in STREAM_BY_NOUN.items() if name == stream
    )


def _all_of(*models: Any) -> tuple[str, ...]:
    return tuple(event_template(model).partition("{")[0] + ">" for model in models)


STREAMS: Final[Mapping[str, Stream]] = {
    stream.name: stream
    for stream in (
        Stream(
            name="PROMOTIONS",
            description="Every promotion, consent and pull request; never deleted one by one.",
            subjects=_intake("PROMOTIONS"),
            bounds=Bounds(bytes_max=2048 * _MIB, duplicates_s=600),
            deny_delete=True,
        ),
        Stream(
            name="PIPELINES",
            description="The last of what was observed of each Pipeline.",
            subjects=_intake("PIPELINES"),
            bounds=Bounds(bytes_max=512 * _MIB, subject_messages_max=1),
        ),
        Stream(
            name="TOKENS",
            description="The last use and check of each credential; who ended their sessions when.",
            subjects=_intake("TOKENS"),
            bounds=Bounds(bytes_max=128 * _MIB, subject_messages_max=1),
        ),
        Stream(
            name=DEAD_LETTERS,
            description="Messages that could not be handled, for a person to look at.",
            subjects=(f"{DEAD_LETTER_ROOT}.>",),
            bounds=Bounds(bytes_max=128 * _MIB, age_max_s=90 * 24 * 3600, discard="old"),
            published=False,
        ),
    )
}

DURABLES: Final[Mapping[str, Durable]] = {
    durable.name: durable
    for durable in (
        Durable(
            name="pr-writer-jobs",
            stream="PROMOTIONS",
            service="pr-writer",
            filters=_all_of(
                PromotionRequested, PromotionRetried, PromotionSuperseded, ApprovalGranted
            ),
        ),
    )
}

# Which streams a user may read, and a service follow.
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "watcher": ("PROMOTIONS", "PIPELINES", "TOKENS"),
    "approval": ("PROMOTIONS", "PIPELINES"),
    "pr-writer": ("PROMOTIONS", "PIPELINES"),
    "auditor": ("PIPELINES", "TOKENS"),
    "gateway": ("PROMOTIONS", "PIPELINES", "TOKENS"),
    # No service: who seals the record, verifies it and writes it out.
    RECORD: ("PROMOTIONS",),
}


def with_replicas(streams: Mapping[str, Stream], replicas: int) -> dict[str, Stream]:
    return {name: replace(stream, replicas=replicas) for name, stream in streams.items()}


def differences(*, wanted: Json, found: Json) -> dict[str, tuple[Any, Any]]:
    """Return the settings to change, `name → (found, wanted)`; others are left alone."""
    return {
        key: (found.get(key), value)
        for key, value in wanted.items()
        if not _same(found.get(key), value)
    }


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and not differences(wanted=wanted, found=found)
    if isinstance(wanted, list):
        return sorted(found or []) == sorted(wanted)
    # The server leaves defaults out of its answers.
    return bool(found == wanted) or (found is None and wanted in {0, ""})
