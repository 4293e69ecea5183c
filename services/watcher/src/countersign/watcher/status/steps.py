"""The steps of a promotion as Events of its Pipeline: one per step, whoever tells it. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any, Final

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalLost,
    ApprovalRejected,
    ForgeUser,
    Person,
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PromotionUndone,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
)
from countersign.dialects.pages import pull_request_page
from countersign.kube.pipelines import pipeline as pipelines
from countersign.watcher.status.abbreviation import BOARD, shortened
from countersign.watcher.status.patches import API_VERSION
from countersign.watcher.status.phases import CAUTIONS

CONTROLLER: Final = "countersign-watcher"
# The API server takes no longer ones.
NOTE_BYTES_MAX: Final = 1024
INSTANCE_CHARACTERS_MAX: Final = 128
# Of a name of at most 253 characters; the rest is a dot and 20 characters.
_PIPELINE_CHARACTERS_MAX: Final = 232


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`action` and `reason` are words for programs, `note` is a sentence for people."""

    reason: str
    note: str
    action: str = "Promote"
    warns: bool = False
    # Tells steps of one kind apart within an attempt.
    part: str = ""


@singledispatch
def step_of(event: Message) -> Step | None:
    """Return the step; none for what no person would look for."""
    del event
    return None


def event_object(
    event: Message, step: Step, *, recorded_at: datetime, instance: str
) -> dict[str, Any]:
    """The object to create; every watcher makes it under the same name."""
    ref: PromotionRef = event.promotion  # type: ignore[attr-defined]
    pipeline = ref.pipeline
    digest = hashlib.sha256(
        "\n".join(
            (pipeline.uid, ref.promotion_id, str(max(1, ref.attempt)), step.reason, step.part)
        ).encode()
    ).hexdigest()[:20]
    at = recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{pipeline.name[:_PIPELINE_CHARACTERS_MAX].rstrip('-.')}.{digest}",
            "namespace": pipeline.namespace,
        },
        "eventTime": at,
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:INSTANCE_CHARACTERS_MAX] or CONTROLLER,
        "action": step.action,
        "reason": step.reason,
        "type": "Warning" if step.warns else "Normal",
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": pipelines.KIND,
            "namespace": pipeline.namespace,
            "name": pipeline.name,
            "uid": pipeline.uid,
        },
        "note": shortened(f"{ref.environment}: {step.note}", bytes_max=NOTE_BYTES_MAX, whole=BOARD),
    }


@step_of.register
def _(event: PromotionRequested) -> Step:
    revision = event.content.revision.recorded
    note = f"promotion of {revision} from {event.from_environment} requested"
    note += "".join(f"; {CAUTIONS[caution]}" for caution in event.cautions)
    return Step(reason="PromotionRequested", note=f"{note} ({event.promotion.promotion_id})")


@step_of.register
def _(event: PromotionRetried) -> Step:
    return Step(reason="PromotionRetried", note=f"another try asked for{_by(event.by)}")


@step_of.register
def _(event: ApprovalGranted) -> Step:
    count = f" ({event.count} of {event.needed})" if event.needed > 1 else ""
    return Step(
        reason="PromotionApproved",
        note=f"approved{_by(event.by)}{count}",
        action="Approve",
        part=event.approval_id,
    )


@step_of.register
def _(event: ApprovalRejected) -> Step:
    because = f": {event.reason}" if event.reason else ""
    note = f"rejected{_by(event.by)}{because}"
    return Step(reason="PromotionRejected", note=note, action="Approve", warns=True)


@step_of.register
def _(event: ApprovalExpired) -> Step:
    return Step(
        reason="ApprovalExpired",
        note=event.reason or "an approval was not used in time",
        action="Approve",
        part=event.approval_id,
    )


@step_of.register
def _(event: ApprovalLost) -> Step:
    return Step(
        reason="ApprovalLost",
        note="an approval was lost, and is asked for again",
        action="Approve",
        warns=True,
        part=event.approval_id,
    )


@step_of.register
def _(event: PullRequestOpened) -> Step:
    author = f" by {event.author.login}" if event.author else ""
    note = f"pull request opened{author}: {pull_request_page(event.pull_request)}"
    return Step(reason="PullRequestOpened", note=note, action="OpenPullRequest")


@step_of.register
def _(event: PullRequestFailed) -> Step:
    # An event of an approval that ended is overtaken by what ended it.
    return Step(
        reason="PullRequestFailed",
        note=event.message,
        action="OpenPullRequest",
        warns=True,
        part=event.approval_id,
    )


@step_of.register
def _(event: PullRequestMerged) -> Step:
    page = pull_request_page(event.pull_request)
    return Step(reason="PullRequestMerged", note=f"merged{_by_login(event.by)}: {page}")


@step_of.register
def _(event: PullRequestClosed) -> Step:
    page = pull_request_page(event.pull_request)
    note = f"closed without a merge{_by_login(event.by)}: {page}"
    return Step(reason="PullRequestClosed", note=note, warns=True)


@step_of.register
def _(event: PromotionCompleted) -> Step:
    revision = f"{event.revision.recorded} runs" if event.revision else "it runs"
    unsaid = ", so its pull request was merged, of which nobody told"
    note = f"{revision} healthily{unsaid if event.merge_inferred else ''}"
    return Step(reason="PromotionCompleted", note=note)


@step_of.register
def _(event: PromotionUndone) -> Step:
    return Step(reason="PromotionUndone", note=event.reason or "it did not stay", warns=True)


@step_of.register
def _(event: PromotionSuperseded) -> Step:
    return Step(reason="PromotionSuperseded", note=f"superseded: {event.reason}")


def _by(person: Person | None) -> str:
    return f" by {person.name or person.id}" if person else ""


def _by_login(user: ForgeUser | None) -> str:
    return f" by {user.login}" if user else ""
