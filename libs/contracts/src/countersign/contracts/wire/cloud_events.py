"""CloudEvents attributes of our events: names that other programs compare, and none may change.

Type and schema are names of the contract, the same everywhere; the source names the installation,
the subject names the thing that the event is about.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from typing import Any, Final

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS, PipelineRef, PromotionRef, SecretRef
from countersign.contracts.metadata import Scope
from countersign.contracts.subjects import encode_free

SPEC_VERSION: Final = "1.0"
TYPE_ROOT: Final = "dev.countersign"
VERSION: Final = "v1"
DATA_CONTENT_TYPE: Final = "application/json"
# A relative reference, as an installation has that was not told its own address.
NAMELESS_SOURCE: Final = "/countersign"
# What stays in a path as it is; `.` too, as Kubernetes names have it.
_SEPARATOR: Final = "."

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "ce-specversion": {"const": SPEC_VERSION, "description": "Version of CloudEvents."},
    "ce-id": {
        "description": "The same for the same event, however often and by whomever it is "
        "published; with `ce-source` it identifies the event."
    },
    "ce-source": {
        "format": "uri-reference",
        "description": "The installation: its board's address, or `/countersign` where it was not "
        "told that.",
    },
    "ce-type": {
        "description": "Kind of event: `dev.countersign.<noun>.<past-verb>.v1`.",
        "pattern": r"^dev\.countersign\.[a-z-]+\.[a-z]+\.v1$",
    },
    "ce-subject": {
        "description": "The thing it is about: `pipelines/<namespace>/<name>`, "
        "`promotions/<namespace>/<pipeline>/<environment>/<promotion id>` or "
        "`secrets/<namespace>/<name>`. Bytes other than letters, digits, `-` and `.` are `=XX`."
    },
    "ce-time": {"format": "date-time", "description": "When it was published, in UTC."},
    "ce-datacontenttype": {"const": DATA_CONTENT_TYPE, "description": "Type of the body."},
    "ce-dataschema": {
        "format": "uri",
        "description": "`$id` of the JSON Schema of the body; a name, nothing is there to fetch.",
    },
    "ce-traceparent": {"description": "`traceparent` as an extension of CloudEvents."},
    "ce-tracestate": {"description": "`tracestate` as an extension of CloudEvents."},
    "content-type": {"const": DATA_CONTENT_TYPE, "description": "The same as ce-datacontenttype."},
    "traceparent": {"description": "W3C Trace Context of whoever published it."},
    "tracestate": {"description": "What vendors add to it."},
    "Nats-Msg-Id": {"description": "The same as ce-id; the stream drops what comes twice."},
    "Nats-Expected-Last-Subject-Sequence": {
        "description": "0 where the publisher wanted to be the first on the subject."
    },
    "Nats-Stream": {"description": "The stream that holds it."},
    "Nats-Subject": {"description": "The subject that it is stored on."},
    "Nats-Sequence": {"description": "Its number in the stream; of one stream without holes."},
    "Nats-Last-Sequence": {
        "description": "Number of the message before it on the same subject, 0 for the first."
    },
    "Nats-Time-Stamp": {"format": "date-time", "description": "When the stream stored it."},
}
REQUIRED_HEADERS: Final = (
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-subject",
    "ce-time",
    "ce-datacontenttype",
    "ce-dataschema",
)


def header_schema() -> dict[str, Any]:
    """JSON Schema of what comes with every event."""
    properties = {name: {"type": "string", **told} for name, told in HEADERS.items()}
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in binary mode, W3C Trace Context, and what NATS adds.",
        "required": list(REQUIRED_HEADERS),
        "properties": properties,
    }


def event_type(model: type[Message]) -> str:
    """`ce-type`: reverse DNS, noun, verb, version."""
    return f"{TYPE_ROOT}.{EVENTS[model].name}.{VERSION}"


def schema_id(name: str) -> str:
    """`ce-dataschema`, and `$id` of that schema: a name, so that nobody fetches from anywhere."""
    return f"urn:countersign:schema:{VERSION}:{name}"


def event_source(public_url: str) -> str:
    """`ce-source`: the installation, whichever of its services publishes."""
    return public_url.rstrip("/") or NAMELESS_SOURCE


def event_about(event: Message) -> str:
    """`ce-subject`: a path to the thing that the event is about."""
    pipeline: PipelineRef | None = getattr(event, "pipeline", None)
    promotion: PromotionRef | None = getattr(event, "promotion", None)
    credential: SecretRef | None = getattr(event, "credential", None)
    person: str = getattr(event, "person", "")
    scope = EVENTS[type(event)].scope
    if scope is Scope.PIPELINE and pipeline is not None:
        return _path("pipelines", pipeline.namespace, pipeline.name)
    if scope is Scope.PROMOTION and promotion is not None:
        of = promotion.pipeline
        return _path(
            "promotions", of.namespace, of.name, promotion.environment, promotion.promotion_id
        )
    if scope is Scope.CREDENTIAL and credential is not None:
        return _path("secrets", credential.namespace, credential.name)
    if scope is Scope.PERSON and person:
        return _path("people", person)
    raise TypeError(f"{type(event).__name__} lacks what its subject names")


def _path(*names: str) -> str:
    # In the spelling of NATS subjects, which needs none of the characters that headers must escape.
    return "/".join(_SEPARATOR.join(map(encode_free, name.split(_SEPARATOR))) for name in names)
