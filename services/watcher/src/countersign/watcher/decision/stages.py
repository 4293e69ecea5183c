"""The content that each environment runs, from the states of application objects."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from countersign.contracts.messages import (
    Content,
    EnvironmentCondition,
    EnvironmentObserved,
    PipelineObserved,
    Revision,
    TargetObserved,
)
from countersign.contracts.revision import short
from countersign.kube.flux.applications import AppState
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Environment, Pipeline, Target
from countersign.watcher.decision.contents import is_there
from countersign.watcher.model import Situation, Stage

_HEALTHY: Final = EnvironmentCondition.HEALTHY
_PROGRESSING: Final = EnvironmentCondition.PROGRESSING
# The worst of its targets is the condition of an environment.
_WORST_FIRST: Final = (
    EnvironmentCondition.FAILED,
    EnvironmentCondition.UNKNOWN,
    EnvironmentCondition.MISSING,
    EnvironmentCondition.PROGRESSING,
    EnvironmentCondition.SUSPENDED,
    EnvironmentCondition.HEALTHY,
)


# Flux reconciles what has not changed at every interval, which takes a second; that is told only
# when it ends elsewhere than where it began, or takes longer.
QUIET_MAX: Final = timedelta(seconds=5)


def stages(situation: Situation) -> tuple[Stage, ...]:
    seen = _seen_before(situation.observed)
    return tuple(_stage(e, situation=situation, seen=seen) for e in situation.pipeline.environments)


def _quiet(stage: Stage, *, before: EnvironmentObserved | None, now: datetime) -> Stage:
    """The stage as it was told last, while it only works on the very revision that it runs."""
    content = before.content if before and before.condition is _HEALTHY else None
    if before is None or content is None or stage.condition is not _PROGRESSING:
        return stage
    moving = [app for app in stage.apps if app.condition is not _HEALTHY]
    began = [_repeats_since(app, content=content) for app in moving]
    times = [at for at in began if at is not None]
    still = all(is_there(content, app.content) for app in stage.apps if app not in moving)
    # Beyond that much in the other direction the clocks do not agree, and nothing is known.
    recent = all(abs(now - at) <= QUIET_MAX for at in times)
    if not (still and recent and len(times) == len(moving)):
        return stage
    return replace(
        stage,
        condition=_HEALTHY,
        message=before.message,
        targets=before.targets,
        content=content,
        since=before.since,
        current=content.revision,
        quiet_until=min(times) + QUIET_MAX,
    )


def _repeats_since(app: AppState, *, content: Content) -> datetime | None:
    """Say since when it works on that content again; none where it does something else."""
    running = app.last.recorded if app.last else ""
    same = app.attempted == running == content.revision.recorded
    return app.since if same and app.condition is _PROGRESSING else None


def _stage(
    environment: Environment,
    *,
    situation: Situation,
    seen: Mapping[str, EnvironmentObserved],
) -> Stage:
    before = seen.get(environment.name)
    apps = tuple(_app(t, situation=situation) for t in environment.targets)
    targets = tuple(
        _target(t, app=app, before=before) for t, app in zip(environment.targets, apps, strict=True)
    )
    condition, message = _worst(apps)
    content = _agreed(apps)
    if content is None and condition is EnvironmentCondition.HEALTHY:
        running = ", ".join(f"{t.namespace} {short(t.revision)}" for t in targets)
        message = f"its targets run different revisions: {running}"
    stage = Stage(
        environment=environment,
        condition=condition,
        message=message,
        targets=targets,
        apps=apps,
        content=content,
        since=_since(
            apps, condition=condition, message=message, before=before, situation=situation
        ),
        current=_current(content, targets=targets),
    )
    return _quiet(stage, before=before, now=situation.now)


def _app(target: Target, *, situation: Situation) -> AppState:
    key = situation.pipeline.app_key(target)
    found = situation.apps.get(key)
    if found is not None:
        return found
    if target.cluster and not situation.reads_clusters:
        message = f"cluster {target.cluster!r} is not connected to this watcher"
        return AppState(condition=EnvironmentCondition.UNKNOWN, message=message)
    if not situation.complete:
        message = f"{key} was not found, and not everything could be read"
        return AppState(condition=EnvironmentCondition.UNKNOWN, message=message)
    return AppState(condition=EnvironmentCondition.MISSING, message=f"{key} does not exist")


def _target(target: Target, *, app: AppState, before: EnvironmentObserved | None) -> TargetObserved:
    known = (t for t in before.targets if _is_same(t, target)) if before else iter(())
    earlier = next((t.revision for t in known), None)
    return TargetObserved(
        cluster=target.cluster,
        namespace=target.namespace,
        condition=app.condition,
        message=app.message,
        revision=app.last or earlier,
        code=app.code,
    )


def _is_same(observed: TargetObserved, target: Target) -> bool:
    return observed.cluster == target.cluster and observed.namespace == target.namespace


def _worst(apps: tuple[AppState, ...]) -> tuple[EnvironmentCondition, str]:
    if not apps:
        return EnvironmentCondition.MISSING, "it has no targets"
    for condition in _WORST_FIRST:
        for app in apps:
            if app.condition is condition:
                return condition, app.message
    return EnvironmentCondition.UNKNOWN, "its state is not known"


def _agreed(apps: tuple[AppState, ...]) -> Content | None:
    if not apps or any(app.condition is not EnvironmentCondition.HEALTHY for app in apps):
        return None
    first = apps[0].content
    if first is None or not all(is_there(first, app.content) for app in apps):
        return None
    return first


def _since(
    apps: tuple[AppState, ...],
    *,
    condition: EnvironmentCondition,
    message: str,
    before: EnvironmentObserved | None,
    situation: Situation,
) -> datetime | None:
    """Return the time from the objects where they tell, so that every watcher says the same."""
    told = [app.since for app in apps if app.condition is condition and app.since]
    if told:
        return max(told)
    unchanged = before and (before.condition, before.message) == (condition, message)
    return before.since if before and unchanged else situation.now


def _current(content: Content | None, *, targets: tuple[TargetObserved, ...]) -> Revision | None:
    if content is not None:
        return content.revision
    return next((t.revision for t in targets if t.revision is not None), None)


def _seen_before(observed: PipelineObserved | None) -> dict[str, EnvironmentObserved]:
    return {e.name: e for e in observed.environments} if observed else {}


def keys_of(pipeline: Pipeline) -> frozenset[ObjectKey]:
    """The application objects that its environments name."""
    return frozenset(
        pipeline.app_key(target)
        for environment in pipeline.environments
        for target in environment.targets
    )
