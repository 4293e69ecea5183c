"""The environments of Pipelines as the watcher last observed them, as far as consent asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.messages import (
    EnvironmentCondition,
    EnvironmentObserved,
    GateState,
    PipelineDeleted,
    PipelineObserved,
    PipelineRef,
)
from countersign.contracts.promotion import Promotion

_WORDS: Final[Mapping[EnvironmentCondition, str]] = {
    EnvironmentCondition.UNSPECIFIED: "is not known",
    EnvironmentCondition.HEALTHY: "runs something else now",
    EnvironmentCondition.PROGRESSING: "is still changing",
    EnvironmentCondition.FAILED: "has failed",
    EnvironmentCondition.SUSPENDED: "is suspended",
    EnvironmentCondition.UNKNOWN: "cannot be read",
    EnvironmentCondition.MISSING: "is missing",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """One of them: its condition, what it runs, and the promotion that its gate blocks."""

    name: str
    condition: EnvironmentCondition
    content: str
    # The promotion that is blocked at its gate; none where none is.
    blocked_promotion_id: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    generation: int
    environments: tuple[Environment, ...]


class Environments:
    """Grows with the number of Pipelines, which the cluster bounds."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Observation] = {}

    def apply(self, event: PipelineObserved | PipelineDeleted) -> None:
        key = (event.pipeline.namespace, event.pipeline.name)
        if isinstance(event, PipelineDeleted):
            self._seen.pop(key, None)
            return
        self._seen[key] = Observation(
            event.pipeline.generation, tuple(_environment(e) for e in event.environments)
        )

    def clear(self) -> None:
        """Forget all, because the stream begins anew."""
        self._seen.clear()

    def generation(self, pipeline: PipelineRef) -> int:
        """Return the newest generation of a Pipeline that was observed, 0 for none."""
        seen = self._seen.get((pipeline.namespace, pipeline.name))
        return seen.generation if seen else 0

    def hindrance(self, promotion: Promotion) -> str:
        """Say why a promotion should not go on now; empty where nothing speaks against it.

        Of a Pipeline that was never observed nothing is known that would.
        """
        ref = promotion.ref
        seen = self._seen.get((ref.pipeline.namespace, ref.pipeline.name))
        names = [e.name for e in seen.environments] if seen else []
        if seen is None or ref.environment not in names[1:]:
            return ""
        index = names.index(ref.environment)
        below, here = seen.environments[index - 1], seen.environments[index]
        runs_it = below.content == promotion.request.content.identity
        if below.condition is not EnvironmentCondition.HEALTHY or not runs_it:
            return f"{below.name!r}, from which it comes, {_WORDS[below.condition]}"
        if here.blocked_promotion_id in {"", promotion.promotion_id}:
            return f"the way into {here.name!r} is blocked"
        return ""


def _environment(observed: EnvironmentObserved) -> Environment:
    gate = observed.gate
    blocked = gate is not None and gate.state is GateState.BLOCKED
    return Environment(
        observed.name,
        observed.condition,
        observed.content.identity if observed.content else "",
        gate.promotion_id if gate and blocked else None,
    )
