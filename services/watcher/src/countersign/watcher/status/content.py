"""The `status` of a Pipeline, made from what the streams hold and from nothing else. Pure.

Every watcher that has read the same makes the same. The fields of pipeline-controller keep their
meaning: https://github.com/weaveworks/pipeline-controller/blob/main/api/v1alpha1/pipeline_types.go
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from countersign.contracts.messages import (
    EnvironmentCondition,
    EnvironmentObserved,
    FindingLevel,
    GateState,
    PipelineObserved,
    TargetObserved,
)
from countersign.contracts.promotion import OVER, Promotion
from countersign.kube.access.api import fits_as_key
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.decision.chains import into
from countersign.watcher.model import NO_LINK, Links, Situation
from countersign.watcher.reading.gitops_clusters import KIND as GITOPS_CLUSTER
from countersign.watcher.status.abbreviation import BOARD, FINDINGS, shortened
from countersign.watcher.status.links import shown_link
from countersign.watcher.status.phases import (
    AWAITS_APPROVAL,
    page_of,
    phase_of,
    revision_of,
    waits_for,
)

Fields = dict[str, Any]
# An object has 1.5 MiB in etcd, and all of it is sent to everybody who watches.
MESSAGE_BYTES_MAX: Final = 500
# A line that grants a right, with names as long as Kubernetes lets them be, and what it is for.
FINDING_BYTES_MAX: Final = 4096
TARGETS_MAX: Final = 500
FINDINGS_MAX: Final = 20
# So that `kubectl get` stays readable.
WAITING_FOR_BYTES_MAX: Final = 120
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_UNREADABLE: Final = frozenset({EnvironmentCondition.UNKNOWN, EnvironmentCondition.MISSING})


def status_of(situation: Situation, *, links: Links) -> Fields | None:
    """Make what should be there, without times; none while nothing was said of this very object."""
    seen = situation.observed
    if seen is None or seen.pipeline.uid != situation.pipeline.ref.uid:
        return None
    newest = {e.name: newest_into(situation, e.name) for e in seen.environments}
    status: Fields = {
        "observedGeneration": seen.pipeline.generation,
        "conditions": [_ready(seen), *_pending(seen)],
        "environments": dict(_environments(seen, situation=situation, newest=newest, links=links)),
    }
    if following := _next(seen, newest=newest):
        status["nextPromotion"] = following
    if seen.findings:
        status["findings"] = [
            {
                "level": f.level.name.title(),
                "code": f.code,
                "message": _cut(f.message, FINDING_BYTES_MAX, whole=BOARD),
            }
            for f in seen.findings[:FINDINGS_MAX]
        ]
    return status


def newest_into(situation: Situation, environment: str) -> Promotion | None:
    """Find the newest promotion; what is under way goes before what is over."""
    return max(
        into(situation, environment),
        key=lambda p: (
            p.state not in OVER,
            p.request.requested_at or _LONG_AGO,
            p.promotion_id,
        ),
        default=None,
    )


def _environments(
    seen: PipelineObserved,
    *,
    situation: Situation,
    newest: Mapping[str, Promotion | None],
    links: Links,
) -> Iterator[tuple[str, Fields]]:
    left = TARGETS_MAX
    for environment in seen.environments:
        if not fits_as_key(environment.name):
            continue
        shown = environment.targets[:left]
        left -= len(shown)
        fields: Fields = {"targets": [_target(t, pipeline=situation.pipeline) for t in shown]}
        promotion = newest[environment.name]
        if promotion is not None:
            fields["promotion"] = _promotion(promotion)
            if promotion.state in AWAITS_APPROVAL:
                fields["waitingApproval"] = {"revision": revision_of(promotion)}
        link = links.get(environment.name, NO_LINK)
        if link != NO_LINK:
            fields["chain"] = _without_empty(shown_link(link))
        yield environment.name, fields


def _target(target: TargetObserved, *, pipeline: Pipeline) -> Fields:
    app = pipeline.app
    ref: Fields = {"apiVersion": app.api_version, "kind": app.kind, "name": app.name}
    if target.cluster:
        namespace, _, name = target.cluster.rpartition("/")
        ref["clusterRef"] = _without_empty(
            {"kind": GITOPS_CLUSTER, "name": name, "namespace": namespace}
        )
    ready = target.condition is EnvironmentCondition.HEALTHY
    fields: Fields = {"clusterAppRef": ref, "ready": ready}
    if target.revision is not None:
        fields["revision"] = target.revision.recorded
    if not ready:
        fields["error"] = _cut(target.message or target.condition.name.lower())
    return fields


def _promotion(promotion: Promotion) -> Fields:
    return _without_empty(
        {
            "id": promotion.promotion_id,
            "phase": phase_of(promotion),
            "revision": revision_of(promotion),
            "pullRequest": page_of(promotion),
            "approvers": [a.by.id for a in promotion.granted],
            "message": _cut(waits_for(promotion), whole=BOARD),
        }
    )


def _next(seen: PipelineObserved, *, newest: Mapping[str, Promotion | None]) -> Fields | None:
    """The first gate that a promotion is at, or else the first that none can pass."""
    for environment in seen.environments:
        promotion = newest[environment.name]
        if promotion is not None and promotion.state not in OVER:
            return _without_empty(
                {
                    "revision": revision_of(promotion),
                    "environment": environment.name,
                    "phase": phase_of(promotion),
                    "waitingFor": _cut(waits_for(promotion), WAITING_FOR_BYTES_MAX, whole=BOARD),
                }
            )
    phases = {GateState.BLOCKED: "Blocked", GateState.NOT_PROMOTABLE: "NotPromotable"}
    for environment in seen.environments:
        gate = environment.gate
        if gate is not None and gate.state in phases:
            return {
                "environment": environment.name,
                "phase": phases[gate.state],
                "waitingFor": _cut(gate.message, WAITING_FOR_BYTES_MAX),
            }
    return None


def _ready(seen: PipelineObserved) -> Fields:
    errors = [f.message for f in seen.findings if f.level is FindingLevel.ERROR]
    if errors:
        return _condition(seen, "Ready", reason="InvalidPipeline", message=errors[0], status=False)
    unread = [
        (environment, target)
        for environment in seen.environments
        for target in environment.targets
        if target.condition in _UNREADABLE
    ]
    if not unread:
        message = "All clusters checked"
        if warnings := sum(f.level is FindingLevel.WARNING for f in seen.findings):
            message += f"; warnings in status.findings: {warnings}"
        return _condition(seen, "Ready", reason="ReconciliationSucceeded", message=message)
    environment, target = min(unread, key=lambda pair: pair[1].condition is not _worst(unread))
    more = f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""
    message = f"{environment.name}: {target.message}{more}"
    return _condition(seen, "Ready", reason=_why(target), message=message, status=False)


def _worst(unread: Iterable[tuple[EnvironmentObserved, TargetObserved]]) -> EnvironmentCondition:
    unknown = any(t.condition is EnvironmentCondition.UNKNOWN for _, t in unread)
    return EnvironmentCondition.UNKNOWN if unknown else EnvironmentCondition.MISSING


def _why(target: TargetObserved) -> str:
    forbidden = target.code == FindingCode.KIND_FORBIDDEN
    if target.condition is EnvironmentCondition.MISSING or not target.cluster or forbidden:
        return "TargetNotReadable"
    missing = target.code == FindingCode.CLUSTER_MISSING
    return "TargetClusterNotFound" if missing else "TargetClusterNotReady"


def _pending(seen: PipelineObserved) -> Iterator[Fields]:
    """Find an environment that others follow and is not ready, or cannot take what is next."""
    behind = [e for e in seen.environments[:-1] if e.content is None]
    blocked = [e.gate for e in seen.environments if e.gate and e.gate.state is GateState.BLOCKED]
    if behind:
        message = f"{behind[0].name}: {behind[0].message or 'is not ready'}"
    elif blocked:
        message = blocked[0].message
    else:
        return
    yield _condition(seen, "PromotionPending", reason="EnvironmentNotReady", message=message)


def _condition(
    seen: PipelineObserved, name: str, *, reason: str, message: str, status: bool = True
) -> Fields:
    return {
        "type": name,
        "status": str(status),
        "reason": reason,
        "message": _cut(message),
        "observedGeneration": max(0, seen.pipeline.generation),
    }


def _without_empty(fields: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value or value is False}


def _cut(message: str, bytes_max: int = MESSAGE_BYTES_MAX, *, whole: str = FINDINGS) -> str:
    return shortened(message, bytes_max=bytes_max, whole=whole)
