"""What stands between two environments, as a sentence with a state.

A gate says what hinders; `wanted` says what would be promoted if nothing did.
"""

from dataclasses import dataclass

from countersign.contracts.messages import (
    Content,
    CredentialMode,
    EnvironmentCondition,
    Gate,
    GateState,
)
from countersign.contracts.promotion import Promotion
from countersign.contracts.revision import short
from countersign.kube.flux.repositories import is_destination
from countersign.kube.pipelines.strategies import PullRequests
from countersign.watcher.decision.contents import is_level, is_tried
from countersign.watcher.model import Link, Situation, Stage

_OWN_REPOSITORY = "this Kustomization is applied from the repository we would write to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A gate without its promotion; `wanted` is set exactly where one should be requested."""

    state: GateState
    message: str
    wanted: Content | None = None


def judge(situation: Situation, *, below: Stage, above: Stage, link: Link) -> Judgement:
    """Whether what runs below should be brought above.

    The order matters: what can never be promoted is said first, then what hinders now.
    """
    never = _never(situation, below=below, above=above)
    if never:
        return Judgement(state=GateState.NOT_PROMOTABLE, message=never)
    if below.content is None:
        return Judgement(state=GateState.BLOCKED, message=_unhealthy(below))
    name = short(below.content.revision)
    if is_level(below.content, above.content, link):
        message = f"{above.name} runs {short(above.current)}, as {below.name} does"
        return Judgement(state=GateState.LEVEL, message=message)
    hindrance = _hindrance(above, content=below.content)
    if hindrance:
        return Judgement(state=GateState.BLOCKED, message=hindrance)
    message = f"{name} is ready for {above.name}"
    return Judgement(state=GateState.PENDING, message=message, wanted=below.content)


def _never(situation: Situation, *, below: Stage, above: Stage) -> str:
    if not situation.pipeline.is_sound:
        return "the Pipeline has errors that must be mended first"
    strategy = above.environment.strategy
    if strategy is None:
        return above.environment.no_strategy
    if not above.environment.targets:
        return f"{above.name} has no targets; name a namespace"
    for app in (*below.apps, *above.apps):
        if app.not_promotable:
            return app.not_promotable
    if _is_own_repository(situation, stages=(below, above), strategy=strategy):
        return _OWN_REPOSITORY
    return ""


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


def _unhealthy(stage: Stage) -> str:
    word = {
        EnvironmentCondition.HEALTHY: "does not agree with itself",
        EnvironmentCondition.PROGRESSING: "is progressing",
        EnvironmentCondition.SUSPENDED: "is suspended",
        EnvironmentCondition.UNKNOWN: "cannot be read",
        EnvironmentCondition.MISSING: "runs nothing",
    }.get(stage.condition, "is not healthy")
    return f"{stage.name} {word}: {stage.message}" if stage.message else f"{stage.name} {word}"


def _hindrance(above: Stage, *, content: Content) -> str:
    """Why a promotion would be premature, or would bring nothing new."""
    if above.condition is EnvironmentCondition.UNKNOWN:
        return _unhealthy(above)
    if above.condition is EnvironmentCondition.PROGRESSING:
        return _unhealthy(above)
    if above.condition is EnvironmentCondition.FAILED and any(
        is_tried(content, app.attempted) and app.condition is EnvironmentCondition.FAILED
        for app in above.apps
    ):
        return f"{above.name} tries {short(content.revision)} already and fails: {above.message}"
    return ""


def gate(judgement: Judgement, *, stage: Stage, current: Promotion | None) -> Gate:
    """As it is published; a promotion under way outweighs what would hinder the next."""
    strategy = stage.environment.strategy
    state, message = judgement.state, judgement.message
    if current is not None:
        revision = short(current.request.content.revision)
        state, message = GateState.PENDING, f"{revision} is on its way to {stage.name}"
    return Gate(
        state=state,
        message=message,
        promotion_id=current.promotion_id if current else "",
        manual=strategy.manual if strategy else False,
        mode=strategy.mode if strategy else CredentialMode.UNSPECIFIED,
        destination=strategy.destination if strategy else None,
    )
