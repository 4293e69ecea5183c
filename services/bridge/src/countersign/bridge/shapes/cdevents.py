"""CDEvents 0.5: what happened as tools for continuous delivery name it, in CloudEvents.

A promotion is a chain: its id is `chainId`, and every event says by a link what it follows.
Source: https://github.com/cdevents/spec/blob/v0.5.0/spec.md; approvals are of the draft after it.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from countersign.bridge.model import Event, Parcel
from countersign.bridge.shapes.cloud_events import STRUCTURED
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    Person,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PromotionUndone,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestRef,
)

SPEC_VERSION: Final = "0.5.0"
Json = dict[str, Any]
# So that the same event has the same ids at whatever time it is sent, and by whichever bridge.
_NAMESPACE: Final = uuid.UUID("6f0b9d1c-0d6b-5a3f-9f6e-2f6f0a7f6c11")


def cdevent(event: Event) -> Parcel | None:
    """The event as CDEvents has it, or nothing where that has no word for it."""
    make = _SHAPES.get(type(event.message))
    if make is None:
        return None
    kind, subject = make(event.message)
    ref: PromotionRef = event.message.promotion  # type: ignore[attr-defined]  # all in the table have
    context: Json = {
        "specversion": SPEC_VERSION,
        "id": _id_of(event, ref),
        "source": event.attributes["source"],
        "type": f"dev.cdevents.{kind}",
        "timestamp": event.attributes["time"],
        "chainId": str(uuid.uuid5(_NAMESPACE, ref.promotion_id)),
    }
    if not isinstance(event.message, PromotionRequested):
        context["links"] = [_link_to_request(event, ref)]
    data = {
        "context": context,
        "subject": {"source": event.attributes["source"], **subject},
        "customDataContentType": "application/json",
        "customData": json.loads(event.body),
    }
    envelope = {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": subject["id"],
        "time": context["timestamp"],
        "datacontenttype": "application/json",
        "data": data,
    }
    return Parcel(body=json.dumps(envelope).encode(), headers={"content-type": STRUCTURED})


def _link_to_request(event: Event, ref: PromotionRef) -> Json:
    return {
        "linkType": "RELATION",
        "linkKind": "TRIGGER",
        "target": {"contextId": _id_of_request(event, ref)},
    }


def _id_of(event: Event, ref: PromotionRef) -> str:
    if isinstance(event.message, PromotionRequested):
        return _id_of_request(event, ref)
    return str(uuid.uuid5(_NAMESPACE, f"{event.attributes['source']} {event.id}"))


def _id_of_request(event: Event, ref: PromotionRef) -> str:
    """A promotion is requested once, so that whoever knows it knows this id."""
    named = f"{event.attributes['source']} promotion {ref.promotion_id}"
    return str(uuid.uuid5(_NAMESPACE, named))


def _asked(event: PromotionRequested) -> tuple[str, Json]:
    return "approval.created.0.1.0", _approval(
        event.promotion, {"requestor": "urn:countersign:watcher"}
    )


def _granted(event: ApprovalGranted) -> tuple[str, Json]:
    return _closed(event.promotion, event.by, decision="approved", status="approved")


def _rejected(event: ApprovalRejected) -> tuple[str, Json]:
    return _closed(event.promotion, event.by, decision="rejected", status="rejected")


def _expired(event: ApprovalExpired) -> tuple[str, Json]:
    # Nobody decided, for which the SDKs' lists of decisions have this word.
    return _closed(event.promotion, event.by, decision="deferred", status="expired")


def _closed(
    ref: PromotionRef, by: Person | None, *, decision: str, status: str
) -> tuple[str, Json]:
    content = {
        "responder": f"urn:countersign:person:{quote(by.id if by else 'nobody', safe='')}",
        "decision": decision,
        "status": status,
    }
    return "approval.closed.0.1.0", _approval(ref, content)


def _approval(ref: PromotionRef, content: Mapping[str, str]) -> Json:
    page = ref.url or f"urn:countersign:promotion:{ref.promotion_id}"
    return {
        "id": ref.promotion_id,
        "content": {"approvalDetailsUrl": page, "resourceTargetUrl": page, **content},
    }


def _change(ref: PullRequestRef) -> Json:
    repository = {"id": f"{ref.owner}/{ref.repository}", "source": ref.origin}
    return {"id": str(ref.number), "content": {"repository": repository}}


def _opened(event: PullRequestOpened) -> tuple[str, Json]:
    subject = _change(event.pull_request)
    subject["content"]["description"] = (
        f"{event.promotion.environment}: {_recorded(event.promotion)}"
    )
    return "change.created.0.4.0", subject


def _merged(event: PullRequestMerged) -> tuple[str, Json]:
    return "change.merged.0.3.0", _change(event.pull_request)


def _abandoned(event: PullRequestClosed) -> tuple[str, Json]:
    return "change.abandoned.0.3.0", _change(event.pull_request)


def _deployed(event: PromotionCompleted) -> tuple[str, Json]:
    return "service.deployed.0.3.0", _service(event.promotion, _recorded(event.promotion))


def _rolled_back(event: PromotionUndone) -> tuple[str, Json]:
    running = event.running.recorded if event.running else "unknown"
    return "service.rolledback.0.3.0", _service(event.promotion, running, purl="")


def _service(ref: PromotionRef, version: str, *, purl: str | None = None) -> Json:
    name = f"{ref.pipeline.namespace}/{ref.pipeline.name}"
    known = ref.purl if purl is None else purl
    artifact = known or f"pkg:generic/{quote(ref.pipeline.name)}@{quote(version, safe='')}"
    return {
        "id": name,
        "content": {"environment": {"id": ref.environment}, "artifactId": artifact},
    }


def _recorded(ref: PromotionRef) -> str:
    return ref.revision.recorded if ref.revision else "unknown"


_SHAPES: Final[dict[type[Message], Callable[[Any], tuple[str, Json]]]] = {
    PromotionRequested: _asked,
    ApprovalGranted: _granted,
    ApprovalRejected: _rejected,
    ApprovalExpired: _expired,
    PullRequestOpened: _opened,
    PullRequestMerged: _merged,
    PullRequestClosed: _abandoned,
    PromotionCompleted: _deployed,
    PromotionUndone: _rolled_back,
}
