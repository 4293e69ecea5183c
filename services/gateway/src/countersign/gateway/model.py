"""The values that a page shows: parts of sentences, gates, environments, tracks.

Nothing here knows the time of day: relative times are made where a page is rendered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple

from countersign.contracts.messages import (
    CredentialMode,
    Destination,
    EnvironmentCondition,
    Finding,
    ObjectRef,
    OpeningStep,
    Revision,
)
from countersign.gateway.gate_states import STATES, GateState, Look, Show, Tone


class PipelineKey(NamedTuple):
    """A Pipeline, as people address it."""

    namespace: str
    name: str


class GateKey(NamedTuple):
    """An environment of a pipeline."""

    pipeline: PipelineKey
    environment: str


@dataclass(frozen=True)
class May:
    """The rights of one person to promote, and who that is."""

    promotes: Callable[[GateKey], bool]
    person_id: str = ""

    def __call__(self, gate: GateKey) -> bool:
        return self.promotes(gate)


@dataclass(frozen=True)
class When:
    """A moment, shown relative to now; `before` leads to it and is left out together with it."""

    at: datetime | None
    ago: bool = True
    before: str = ""


@dataclass(frozen=True)
class Moment:
    """A moment of today, shown as the time on a clock."""

    at: datetime


@dataclass(frozen=True)
class Code:
    """Text in the typeface of revisions and branches; `full` is what a copy gives."""

    text: str
    full: str = ""


@dataclass(frozen=True)
class Link:
    """Text that leads somewhere; `external` leaves the site."""

    text: str
    href: str
    external: bool = False


Part = str | When | Moment | Code | Link
Sentence = tuple[Part, ...]


CONDITION_LOOKS: Final = {
    EnvironmentCondition.UNSPECIFIED: Look("not known yet", "unknown", Tone.QUIET),
    EnvironmentCondition.HEALTHY: Look("healthy", "healthy", Tone.GOOD),
    EnvironmentCondition.PROGRESSING: Look("progressing", "deploying", Tone.BUSY),
    EnvironmentCondition.FAILED: Look("failed", "failed", Tone.BAD),
    EnvironmentCondition.SUSPENDED: Look("suspended", "suspended", Tone.QUIET),
    EnvironmentCondition.UNKNOWN: Look("unknown", "unknown", Tone.WAIT),
    EnvironmentCondition.MISSING: Look("missing", "missing", Tone.WAIT),
}


def condition_look(condition: EnvironmentCondition) -> Look:
    """Return the appearance of a condition; one newer than this program is unknown to it."""
    return CONDITION_LOOKS.get(condition, CONDITION_LOOKS[EnvironmentCondition.UNKNOWN])


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing a person can do at a gate; `method` says whether it is a form."""

    label: str
    href: str
    verb: str = ""
    primary: bool = False
    external: bool = False
    # Only who may promote here sees it.
    needs_right: bool = False


@dataclass(frozen=True, kw_only=True)
class StepView:
    """A step of opening a pull request."""

    name: str
    step: OpeningStep
    done: bool
    current: bool


@dataclass(frozen=True, kw_only=True)
class GateView:
    """A gate in exactly one state, in words, with what can be done."""

    state: GateState
    sentence: Sentence
    actions: tuple[Action, ...] = ()
    # For those who are signing in, by their ids, instead of the others.
    own_actions: tuple[Action, ...] = ()
    begun_by: frozenset[str] = frozenset()
    # Shorter, for a board's cell: the cause comes first.
    brief: Sentence = ()
    # Without what the environments say that stand beside the gate.
    beside: Sentence = ()
    fix: str = ""
    notes: tuple[Sentence, ...] = ()
    # An older pull request is overtaken, and can still be merged.
    left_open: bool = False
    # It waits or is open, and something speaks against it now.
    is_blocked: bool = False
    steps: tuple[StepView, ...] = ()
    # From then on somebody should have begun with it; none where somebody has.
    begins_by: datetime | None = None
    from_environment: str = ""
    environment: str = ""
    promotion_id: str = ""
    revision: Revision | None = None
    current: Revision | None = None
    since: datetime | None = None
    mode: CredentialMode = CredentialMode.UNSPECIFIED
    destination: Destination | None = None

    @property
    def look(self) -> Look:
        return STATES[self.state].look

    @property
    def needs_person(self) -> bool:
        return STATES[self.state].needs_person

    @cached_property
    def chips(self) -> frozenset[Show]:
        """The filters of the board that show it."""
        found = {STATES[self.state].chip} - {None}
        if self.left_open:
            found.add(Show.IN_PULL_REQUEST)
        if self.is_blocked:
            found.add(Show.BLOCKED)
        if self.begun_by:
            found.add(Show.NEEDS_ME)
        return frozenset(chip for chip in found if chip)

    @property
    def needs_right(self) -> bool:
        """Tell whether anything can be done here that not everybody may do."""
        return any(a.needs_right for a in self.actions)


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """One cluster and namespace of an environment."""

    cluster: str
    namespace: str
    look: Look
    message: str
    revision: Revision | None


@dataclass(frozen=True, kw_only=True)
class EnvironmentView:
    """A stage of a track, with the gate that leads into it (none for the first)."""

    name: str
    look: Look
    message: str
    # The message without what is named beside it, where a target has all of it.
    cause: str
    revision: Revision | None
    since: datetime | None
    targets: tuple[TargetView, ...]
    gate: GateView | None


@dataclass(frozen=True, kw_only=True)
class Track:
    """A pipeline as the board shows it."""

    key: PipelineKey
    app: ObjectRef
    environments: tuple[EnvironmentView, ...]
    findings: tuple[Finding, ...]
    manifest: str
    observed_at: datetime | None
    search_text: str
    gates: tuple[GateView, ...]
    # Of all its gates, for filters over many tracks.
    chips: frozenset[Show]

    def allowed(self, may: May) -> frozenset[str]:
        """Into which environments the one who looks may promote."""
        names = (g.environment for g in self.gates)
        return frozenset(name for name in names if may(GateKey(self.key, name)))

    def mine(self, may: May) -> frozenset[str]:
        """The environments into which the one who looks is signing in to promote."""
        return frozenset(g.environment for g in self.gates if may.person_id in g.begun_by)

    def after(self, environment: str) -> str:
        """The environment that follows; empty after the last, and for one that is not here."""
        names = [e.name for e in self.environments]
        at = names.index(environment) + 1 if environment in names else len(names)
        return names[at] if at < len(names) else ""

    def gate(self, environment: str) -> GateView | None:
        found = (g for g in self.gates if g.environment == environment)
        return next(found, None)
