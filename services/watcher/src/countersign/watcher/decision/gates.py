"""Judges what stands between two environments: a state, a reason, and whom it lies with."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import (
    Content,
    CredentialMode,
    EnvironmentCondition,
    Gate,
    GateReason,
    GateState,
)
from countersign.contracts.promotion import Promotion
from countersign.kube.flux.repositories import is_destination
from countersign.kube.pipelines.strategies import PullRequests
from countersign.watcher.decision.contents import is_level, is_tried
from countersign.watcher.decision.gate_sentences import sentence_of
from countersign.watcher.model import Judgement, Link, Situation, Stage

STATES: Final[Mapping[GateReason, GateState]] = {
    GateReason.SAME_CONTENT: GateState.LEVEL,
    GateReason.READY: GateState.PENDING,
    GateReason.UNDER_WAY: GateState.PENDING,
    GateReason.INVALID_PIPELINE: GateState.NOT_PROMOTABLE,
    GateReason.NO_STRATEGY: GateState.NOT_PROMOTABLE,
    GateReason.NO_TARGETS: GateState.NOT_PROMOTABLE,
    GateReason.NOT_REPRODUCIBLE: GateState.NOT_PROMOTABLE,
    GateReason.OWN_REPOSITORY: GateState.NOT_PROMOTABLE,
    GateReason.TARGETS_DISAGREE: GateState.BLOCKED,
    GateReason.PROGRESSING: GateState.BLOCKED,
    GateReason.UNHEALTHY: GateState.BLOCKED,
    GateReason.SUSPENDED: GateState.BLOCKED,
    GateReason.UNKNOWN: GateState.BLOCKED,
    GateReason.MISSING: GateState.BLOCKED,
    GateReason.TRIED_AND_FAILED: GateState.BLOCKED,
}
# Of an environment that does not run one content healthily.
_HINDRANCES: Final[Mapping[EnvironmentCondition, GateReason]] = {
    EnvironmentCondition.HEALTHY: GateReason.TARGETS_DISAGREE,
    EnvironmentCondition.PROGRESSING: GateReason.PROGRESSING,
    EnvironmentCondition.SUSPENDED: GateReason.SUSPENDED,
    EnvironmentCondition.UNKNOWN: GateReason.UNKNOWN,
    EnvironmentCondition.MISSING: GateReason.MISSING,
    EnvironmentCondition.FAILED: GateReason.UNHEALTHY,
    EnvironmentCondition.UNSPECIFIED: GateReason.UNHEALTHY,
}


def judge(situation: Situation, *, below: Stage, above: Stage, link: Link) -> Judgement:
    """Decide whether what runs below should be brought above.

    The order matters: what can never be promoted is said first, then what hinders now.
    """
    never = _never(situation, below=below, above=above)
    if never is not None:
        return never
    if below.content is None:
        return _hindered_by(below)
    if is_level(below.content, above.content, link):
        return Judgement(reason=GateReason.SAME_CONTENT)
    hindrance = _hindrance(above, content=below.content)
    if hindrance is not None:
        return hindrance
    return Judgement(reason=GateReason.READY, wanted=below.content)


def _never(situation: Situation, *, below: Stage, above: Stage) -> Judgement | None:
    if not situation.pipeline.is_sound:
        return Judgement(reason=GateReason.INVALID_PIPELINE)
    strategy = above.environment.strategy
    if strategy is None:
        return Judgement(reason=GateReason.NO_STRATEGY, detail=above.environment.no_strategy)
    if not above.environment.targets:
        return Judgement(reason=GateReason.NO_TARGETS)
    for app in (*below.apps, *above.apps):
        if app.not_promotable:
            return Judgement(reason=GateReason.NOT_REPRODUCIBLE, detail=app.not_promotable)
    if _is_own_repository(situation, stages=(below, above), strategy=strategy):
        return Judgement(reason=GateReason.OWN_REPOSITORY)
    return None


def _is_own_repository(
    situation: Situation, *, stages: tuple[Stage, ...], strategy: PullRequests
) -> bool:
    """Each merge would move such a Kustomization's revision: a promotion without end."""
    urls = (
        situation.source_urls.get(situation.pipeline.app_key(target), "")
        for stage in stages
        for target in stage.environment.targets
    )
    return any(is_destination(url, strategy.destination) for url in urls if url)


def _hindered_by(stage: Stage) -> Judgement:
    return Judgement(
        reason=_HINDRANCES[stage.condition], hindered_by=stage.name, detail=stage.message
    )


def _hindrance(above: Stage, *, content: Content) -> Judgement | None:
    """Why a promotion would be premature, or would bring nothing new."""
    if above.condition in {EnvironmentCondition.UNKNOWN, EnvironmentCondition.PROGRESSING}:
        return _hindered_by(above)
    if above.condition is EnvironmentCondition.FAILED and any(
        is_tried(content, app.attempted) and app.condition is EnvironmentCondition.FAILED
        for app in above.apps
    ):
        return Judgement(
            reason=GateReason.TRIED_AND_FAILED, hindered_by=above.name, detail=above.message
        )
    return None


def gate(judgement: Judgement, *, stages: tuple[Stage, Stage], current: Promotion | None) -> Gate:
    """Make the gate that is published; a promotion under way outweighs what hinders the next."""
    below, above = stages
    strategy = above.environment.strategy
    if current is not None:
        judgement = Judgement(reason=GateReason.UNDER_WAY, wanted=current.request.content)
    return Gate(
        state=STATES[judgement.reason],
        message=sentence_of(judgement, below=below, above=above),
        promotion_id=current.promotion_id if current else "",
        manual=strategy.manual if strategy else False,
        mode=strategy.mode if strategy else CredentialMode.UNSPECIFIED,
        destination=strategy.destination if strategy else None,
        reason=judgement.reason,
        hindered_by=judgement.hindered_by,
        cause=judgement.detail if judgement.hindered_by else "",
    )
