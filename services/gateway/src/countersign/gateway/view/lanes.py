"""A lane of the board: stops from left to right, environments in a row that are level folded.

Pure. Nothing that anybody should see is ever folded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from countersign.contracts.messages import EnvironmentCondition
from countersign.gateway.gate_states import GateState
from countersign.gateway.model import CONDITION_LOOKS, EnvironmentView

# Fewer stand beside each other on an ordinary screen.
FOLDED_FROM: Final = 5
RUN_MIN: Final = 2


@dataclass(frozen=True)
class Stop:
    """One environment, or, folded, several in a row that run what stands before them."""

    environments: tuple[EnvironmentView, ...]

    @property
    def first(self) -> EnvironmentView:
        return self.environments[0]

    @property
    def last(self) -> EnvironmentView:
        return self.environments[-1]

    @property
    def count(self) -> int:
        return len(self.environments)

    @property
    def names(self) -> str:
        return ", ".join(e.name for e in self.environments)


def lane(environments: Sequence[EnvironmentView]) -> tuple[Stop, ...]:
    """Fold runs of level environments, where there are so many that one would look past trouble."""
    if len(environments) < FOLDED_FROM:
        return tuple(Stop((e,)) for e in environments)
    stops: list[Stop] = []
    for folds, run in groupby(environments, key=_is_level):
        found = tuple(run)
        if folds and len(found) >= RUN_MIN:
            stops.append(Stop(found))
        else:
            stops.extend(Stop((e,)) for e in found)
    return tuple(stops)


def _is_level(environment: EnvironmentView) -> bool:
    gate = environment.gate
    healthy = environment.look == CONDITION_LOOKS[EnvironmentCondition.HEALTHY]
    level = gate is not None and gate.state is GateState.LEVEL and not gate.notes
    return healthy and level
