"""Judges what stands between two environments: a state, a reason, and whom it lies with."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    Caution,
    Content,
    CredentialMode,
    Gate,
    GateReason,
    GateState,
)
from countersign.contracts.promotion import ATTEMPT_OVER, Promotion, State
from countersign.kube.flux.repositories import is_destination
from countersign.kube.pipelines.strategies import PullRequests
from countersign.kube.pipelines.versions import is_in
from countersign.watcher.decision.cautions import cautions_of, version_of
from countersign.watcher.decision.chains import into
from countersign.watcher.decision.contents import is_level
from countersign.watcher.decision.gate_sentences import sentence_of
from countersign.watcher.decision.hindrances import hangs_from, hindered_by, hindrance
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
    GateReason.TRY_ENDED: GateState.PENDING,
    GateReason.OPEN_FOR_LONG: GateState.PENDING,
    GateReason.NOT_ARRIVED: GateState.PENDING,
    GateReason.VERSION_NOT_TAKEN: GateState.BLOCKED,
}
# While one of these is so below, what waits or is open would bring what is not healthy any more.
_BEFORE_MERGE: Final = frozenset({State.WAITING, State.ASKED, State.OPENING, State.OPEN})


def judge(situation: Situation, *, below: Stage, above: Stage, link: Link) -> Judgement:
    """Decide whether what runs below should be brought above.

    The order matters: what can never be promoted is said first, then what hinders now.
    """
    never = _never(situation, below=below, above=above)
    if never is not None:
        return never
    if below.content is None:
        return hindered_by(below)
    if is_level(below.content, above.content, link):
        return Judgement(reason=GateReason.SAME_CONTENT)
    return _wanted(situation, content=below.content, above=above, link=link)


def _wanted(situation: Situation, *, content: Content, above: Stage, link: Link) -> Judgement:
    versions = above.environment.strategy.versions if above.environment.strategy else ""
    if versions and not is_in(version_of(content.revision), versions=versions):
        return Judgement(reason=GateReason.VERSION_NOT_TAKEN, detail=versions)
    promotions = into(situation, above.name)
    cautions = tuple(cautions_of(content, above=above, link=link, promotions=promotions))
    hindered = hindrance(above, content=content)
    if hindered is None:
        return Judgement(reason=GateReason.READY, wanted=content, cautions=cautions)
    hangs_at = hangs_from(above)
    if hangs_at is None or situation.now < hangs_at:
        return hindered
    # What hangs may be mended by what it hinders; a person decides.
    return replace(hindered, wanted=content, cautions=(*cautions, Caution.HINDERED))


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


def gate(
    judgement: Judgement, *, stages: tuple[Stage, Stage], current: Promotion | None, now: datetime
) -> Gate:
    """Make the gate that is published, with the promotion that is current at it."""
    below, above = stages
    strategy = above.environment.strategy
    if current is not None:
        judgement = _with_promotion(judgement, stages=stages, current=current, now=now)
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
        cautions=current.request.cautions if current else judgement.cautions,
        running=judgement.running,
        running_since=above.since if judgement.running is not None else None,
    )


def _with_promotion(
    judgement: Judgement, *, stages: tuple[Stage, Stage], current: Promotion, now: datetime
) -> Judgement:
    """Count the promotion in: it outweighs what hinders the next one, and not what hinders it."""
    below, above = stages
    content, state = current.request.content, current.state
    if state in _BEFORE_MERGE and below.content is None:
        return replace(judgement, wanted=content)
    blocked = hindrance(above, content=content)
    if blocked is not None and _is_hindered(current, by=blocked):
        return replace(blocked, wanted=content)
    if state in ATTEMPT_OVER:
        return Judgement(reason=GateReason.TRY_ENDED, wanted=content, detail=state.value)
    if not current.is_overdue(now):
        return Judgement(reason=GateReason.UNDER_WAY, wanted=content)
    if state is State.OPEN:
        return Judgement(reason=GateReason.OPEN_FOR_LONG, wanted=content)
    return Judgement(reason=GateReason.NOT_ARRIVED, wanted=content, running=above.current)


def _is_hindered(promotion: Promotion, *, by: Judgement) -> bool:
    if by.reason is GateReason.TRIED_AND_FAILED:
        return True
    hangs = Caution.HINDERED in promotion.request.cautions
    return hangs and promotion.state in _BEFORE_MERGE
