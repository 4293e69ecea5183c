"""Subjects: how they are built, and how names are written in them.

Services publish events below `countersign-in.v1`; the stream stores and republishes them below
`countersign.v1`, where nobody may publish. Requests live under a third root, which no stream
subscribes to.
"""

import re
from typing import Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EVENTS,
    PipelineRef,
    PromotionRef,
    SecretRef,
)
from countersign.contracts.metadata import MethodInfo, Scope

EVENT_ROOT: Final = "countersign.v1"
INTAKE_ROOT: Final = "countersign-in.v1"
RPC_ROOT: Final = "countersign-rpc.v1"
DEAD_LETTER_ROOT: Final = "countersign-dead.v1"
HINT_ROOT: Final = "countersign-hint.v1"
# What Flux publishes, in its own words; heard by the watcher, and no event of ours.
FLUX_HINT: Final = f"{HINT_ROOT}.flux"

STREAM_BY_NOUN: Final = {
    "promotion": "PROMOTIONS",
    "approval": "PROMOTIONS",
    "pull-request": "PROMOTIONS",
    "pipeline": "PIPELINES",
    "token": "TOKENS",
    "session": "TOKENS",
}
# Credential of a delegation in subjects: no Secret can be called so, names start with a letter
# or digit.
DELEGATED_CREDENTIAL: Final = ".delegated"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
_PLAIN_TEXT = re.compile(r"[a-z0-9-]*")
_ESCAPED = re.compile(r"=([0-9A-F]{2})")


def encode_name(name: str) -> str:
    """A Kubernetes name as one subject token: `.` becomes `_`, which such names cannot hold."""
    return encode_free(name.replace(".", "\x00")).replace("=00", "_")


def decode_name(token: str) -> str:
    return decode_free(token.replace("_", "."))


def encode_free(text: str) -> str:
    """Any text as one subject token: `[a-z0-9-]` stay, other bytes of its UTF-8 become `=XX`."""
    # Of each event that is replayed, up to four are.
    if _PLAIN_TEXT.fullmatch(text):
        return text
    return "".join(chr(b) if b in _PLAIN else f"={b:02X}" for b in text.encode())


def decode_free(token: str) -> str:
    raw = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), token)
    return raw.encode("latin-1", "replace").decode(errors="replace")


def parameters(scope: Scope) -> tuple[str, ...]:
    if scope is Scope.PIPELINE:
        return ("namespace", "pipeline")
    if scope is Scope.CREDENTIAL:
        return ("namespace", "secret")
    if scope is Scope.PERSON:
        return ("person",)
    return ("namespace", "pipeline", "environment", "promotion_id")


def event_template(model: type[Message], *, root: str = EVENT_ROOT) -> str:
    """The subject with its parameters in braces, as documents and span names have it."""
    info = EVENTS[model]
    return ".".join([root, info.name, *(f"{{{p}}}" for p in parameters(info.scope))])


def template_of(subject: str) -> str:
    """The template of the event that a subject is of, or `unknown`: for names that must be few."""
    model = event_model(subject)
    return "unknown" if model is None else event_template(model)


def stream_of(model: type[Message]) -> str:
    return STREAM_BY_NOUN[EVENTS[model].name.partition(".")[0]]


def identifiers(event: Message) -> tuple[str, ...]:
    """The tokens below noun and verb, encoded."""
    pipeline: PipelineRef | None = getattr(event, "pipeline", None)
    promotion: PromotionRef | None = getattr(event, "promotion", None)
    credential: SecretRef | None = getattr(event, "credential", None)
    person: str = getattr(event, "person", "")
    scope = EVENTS[type(event)].scope
    if scope is Scope.PIPELINE and pipeline is not None:
        return encode_name(pipeline.namespace), encode_name(pipeline.name)
    if scope is Scope.PROMOTION and promotion is not None:
        ref = promotion.pipeline
        return (
            encode_name(ref.namespace),
            encode_name(ref.name),
            encode_free(promotion.environment),
            encode_free(promotion.promotion_id),
        )
    if scope is Scope.CREDENTIAL and credential is not None:
        return encode_name(credential.namespace), encode_name(credential.name)
    if scope is Scope.PERSON and person:
        return (encode_free(person),)
    raise TypeError(f"{type(event).__name__} lacks what its subject names")


def event_subject(event: Message, *, root: str = EVENT_ROOT) -> str:
    """Return the subject of the event; with `root=INTAKE_ROOT`, the one it is published to."""
    return ".".join([root, EVENTS[type(event)].name, *identifiers(event)])


def fact_id(event: Message) -> str:
    """Return the message id of what happens once in an attempt, whoever tells of it.

    A pull request's end, for one, is told by the forge's webhook and found by polling.
    """
    promotion: PromotionRef | None = getattr(event, "promotion", None)
    if promotion is None:
        raise TypeError(f"{type(event).__name__} is of no promotion")
    return f"{EVENTS[type(event)].name}:{promotion.promotion_id}:{max(1, promotion.attempt)}"


def event_model(subject: str) -> type[Message] | None:
    """Return the type of message that a subject below one of our event roots carries."""
    parts = subject.split(".")
    return _MODEL_BY_NAME.get(".".join(parts[2:4]))


def rpc_template(method: MethodInfo) -> str:
    tail = ".{replica}" if method.addressed else ""
    return f"{RPC_ROOT}.{method.service}.{method.verb}{tail}"


def rpc_subject(method: MethodInfo, *, replica: str = "") -> str:
    """Return the subject of a request; addressed methods need `replica`, others have none."""
    if method.addressed != bool(replica):
        raise ValueError(f"{method.verb}: replica needed: {method.addressed}, given: {replica!r}")
    tail = f".{encode_free(replica)}" if replica else ""
    return f"{RPC_ROOT}.{method.service}.{method.verb}{tail}"


def inbox_prefix(service: str) -> str:
    """Return the inbox that only the NATS user of that service may read, without a trailing dot."""
    return f"_INBOX_{service}"


_MODEL_BY_NAME = {info.name: model for model, info in EVENTS.items()}
