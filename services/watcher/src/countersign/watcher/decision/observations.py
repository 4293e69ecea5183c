"""Makes the observation of a Pipeline, published when it or what it runs has changed."""

from collections.abc import Iterator
from typing import Final

from countersign.contracts.messages import (
    CredentialUse,
    EnvironmentCondition,
    EnvironmentObserved,
    Finding,
    FindingLevel,
    Gate,
    ObjectRef,
    PipelineObserved,
)
from countersign.kube.flux import kustomizations
from countersign.kube.objects import group_of
from countersign.kube.pipelines.findings import FindingCode
from countersign.watcher.model import Situation, Stage

TOO_LONG: Final = (
    "what would be told of it is more than the bus takes at once; shorten what is long in the "
    "Pipeline, or make several Pipelines of it"
)


def environment_observed(stage: Stage, *, gate: Gate | None = None) -> EnvironmentObserved:
    return EnvironmentObserved(
        name=stage.name,
        condition=stage.condition,
        message=stage.message,
        content=stage.content,
        since=stage.since,
        targets=stage.targets,
        gate=gate,
    )


def observed(
    situation: Situation,
    *,
    stages: tuple[Stage, ...],
    environments: tuple[EnvironmentObserved, ...],
) -> tuple[PipelineObserved, ...]:
    """The event, or nothing when the last one said the same."""
    pipeline = situation.pipeline
    event = PipelineObserved(
        pipeline=pipeline.ref,
        app=pipeline.app,
        environments=environments,
        findings=(
            *pipeline.findings,
            *_unchecked(stages, app=pipeline.app),
            *situation.findings,
        ),
        manifest=pipeline.manifest,
        observed_at=situation.now,
        credentials=tuple(_credentials(situation)),
    )
    return () if says_the_same(situation.observed, event) else (event,)


def without_what_is_long(event: PipelineObserved) -> PipelineObserved:
    """Keep only that it is there, and that the rest does not go through the bus."""
    message = (
        f"{event.pipeline.namespace}/{event.pipeline.name}: nothing of it is shown: {TOO_LONG}"
    )
    finding = Finding(level=FindingLevel.ERROR, code=FindingCode.TOO_LARGE, message=message)
    return event.model_copy(
        update={"environments": (), "findings": (finding,), "manifest": "", "credentials": ()}
    )


def says_the_same(before: PipelineObserved | None, after: PipelineObserved) -> bool:
    if before is None:
        return False
    return before.model_copy(update={"observed_at": after.observed_at}) == after


def _credentials(situation: Situation) -> Iterator[CredentialUse]:
    for environment in situation.pipeline.environments[1:]:
        strategy = environment.strategy
        if strategy is not None and strategy.secret is not None:
            yield CredentialUse(
                secret=strategy.secret,
                environment=environment.name,
                destination=strategy.destination,
                mode=strategy.mode,
            )


def _unchecked(stages: tuple[Stage, ...], *, app: ObjectRef) -> Iterator[Finding]:
    for position, stage in enumerate(stages):
        healthy = stage.condition is EnvironmentCondition.HEALTHY
        if healthy and any(not app.checked for app in stage.apps):
            yield Finding(
                level=FindingLevel.INFO,
                code=FindingCode.HEALTH_NOT_CHECKED,
                message=f"environment {stage.name!r}: {_promise(app)}",
                path=f"spec.environments[{position}]",
            )


def _promise(app: ObjectRef) -> str:
    if (group_of(app.api_version), app.kind) == (kustomizations.GROUP, kustomizations.KIND):
        return (
            "what is applied there is not checked for health; set spec.wait or spec.healthChecks "
            "of its Kustomization"
        )
    return f"its {app.kind} says that it is ready; the health of what it brought is not known"
