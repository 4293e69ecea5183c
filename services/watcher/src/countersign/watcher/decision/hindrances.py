"""Judges what keeps an environment from giving, or from taking, a content now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from countersign.contracts.messages import Content, EnvironmentCondition, GateReason
from countersign.watcher.decision.contents import is_tried
from countersign.watcher.model import Judgement, Stage

# Helm gives up after 5 minutes by default: what still moves after that may move for ever, and
# then a person may overtake it.
HANGS_AFTER: Final = timedelta(minutes=15)
# Of an environment that does not run one content healthily.
_REASONS: Final[Mapping[EnvironmentCondition, GateReason]] = {
    EnvironmentCondition.HEALTHY: GateReason.TARGETS_DISAGREE,
    EnvironmentCondition.PROGRESSING: GateReason.PROGRESSING,
    EnvironmentCondition.SUSPENDED: GateReason.SUSPENDED,
    EnvironmentCondition.UNKNOWN: GateReason.UNKNOWN,
    EnvironmentCondition.MISSING: GateReason.MISSING,
    EnvironmentCondition.FAILED: GateReason.UNHEALTHY,
    EnvironmentCondition.UNSPECIFIED: GateReason.UNHEALTHY,
}


def hindered_by(stage: Stage) -> Judgement:
    return Judgement(reason=_REASONS[stage.condition], hindered_by=stage.name, detail=stage.message)


def hindrance(above: Stage, *, content: Content) -> Judgement | None:
    """Judge why a promotion would be premature, or would bring nothing new."""
    if above.condition is EnvironmentCondition.UNKNOWN or is_unsettled(above):
        return hindered_by(above)
    if above.condition is EnvironmentCondition.FAILED and any(
        is_tried(content, app.attempted) and app.condition is EnvironmentCondition.FAILED
        for app in above.apps
    ):
        return Judgement(
            reason=GateReason.TRIED_AND_FAILED, hindered_by=above.name, detail=above.message
        )
    return None


def is_unsettled(stage: Stage) -> bool:
    """Tell whether it moves, or has not tried anything yet and waits for its source."""
    if stage.condition is EnvironmentCondition.PROGRESSING:
        return True
    failed = [app for app in stage.apps if app.condition is EnvironmentCondition.FAILED]
    return bool(failed) and all(not app.attempted and app.last is None for app in failed)


def hangs_from(stage: Stage) -> datetime | None:
    """Say from when on it is unsettled for too long; none while it is settled."""
    return stage.since + HANGS_AFTER if stage.since is not None and is_unsettled(stage) else None
