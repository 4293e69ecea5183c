"""What a page shows, as values: parts of sentences, gates, environments, tracks.

Nothing here knows the time of day: relative times are made where a page is rendered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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


class PipelineKey(NamedTuple):
    """Which Pipeline, as people address it."""

    namespace: str
    name: str


class GateKey(NamedTuple):
    """An environment of a pipeline."""

    pipeline: PipelineKey
    environment: str


# Whether the one who looks may promote through a gate.
May = Callable[[GateKey], bool]


@dataclass(frozen=True)
class When:
    """A moment; shown relative to now."""

    at: datetime | None
    ago: bool = True


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


Part = str | When | Code | Link
Sentence = tuple[Part, ...]


class GateState(StrEnum):
    """What stands between a revision and the next environment."""

    LEVEL = "level"
    BLOCKED = "blocked"
    NOT_PROMOTABLE = "not-promotable"
    WAITING = "waiting"
    ASKED = "asked"
    OPENING = "opening"
    OPEN = "open"
    DEPLOYING = "deploying"
    FAILED = "failed"
    LOST = "lost"
    REJECTED = "rejected"
    CLOSED = "closed"
    UNDONE = "undone"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


class Tone(StrEnum):
    """The four state colours, and none."""

    QUIET = "quiet"
    GOOD = "good"
    WAIT = "wait"
    BUSY = "busy"
    BAD = "bad"


class Look(NamedTuple):
    """How a state appears beside its sentence."""

    word: str
    icon: str
    tone: Tone


LOOKS: Final = {
    GateState.LEVEL: Look("up to date", "level", Tone.QUIET),
    GateState.BLOCKED: Look("blocked", "blocked", Tone.BAD),
    GateState.NOT_PROMOTABLE: Look("cannot be promoted", "barred", Tone.QUIET),
    GateState.WAITING: Look("waiting", "waiting", Tone.WAIT),
    GateState.ASKED: Look("approval under way", "person", Tone.BUSY),
    GateState.OPENING: Look("opening", "opening", Tone.BUSY),
    GateState.OPEN: Look("in pull request", "pull-request", Tone.BUSY),
    GateState.DEPLOYING: Look("deploying", "deploying", Tone.BUSY),
    GateState.FAILED: Look("failed", "failed", Tone.BAD),
    GateState.LOST: Look("ask again", "again", Tone.WAIT),
    GateState.REJECTED: Look("rejected", "rejected", Tone.QUIET),
    GateState.CLOSED: Look("closed", "rejected", Tone.QUIET),
    GateState.UNDONE: Look("undone", "undone", Tone.BAD),
    GateState.SUPERSEDED: Look("overtaken", "overtaken", Tone.QUIET),
    GateState.UNKNOWN: Look("unknown", "unknown", Tone.WAIT),
}
# States at which somebody is asked to do something.
NEEDS_PERSON: Final = frozenset({GateState.WAITING, GateState.LOST})
# States at which the consent sheet can be shown; somebody else may be signing in meanwhile.
CONSENTABLE: Final = NEEDS_PERSON | {GateState.ASKED}
IN_TROUBLE: Final = frozenset({GateState.FAILED, GateState.UNDONE})

CONDITION_LOOKS: Final = {
    EnvironmentCondition.UNSPECIFIED: Look("not known yet", "unknown", Tone.QUIET),
    EnvironmentCondition.HEALTHY: Look("healthy", "healthy", Tone.GOOD),
    EnvironmentCondition.PROGRESSING: Look("progressing", "deploying", Tone.BUSY),
    EnvironmentCondition.FAILED: Look("failed", "failed", Tone.BAD),
    EnvironmentCondition.SUSPENDED: Look("suspended", "suspended", Tone.QUIET),
    EnvironmentCondition.UNKNOWN: Look("unknown", "unknown", Tone.WAIT),
    EnvironmentCondition.MISSING: Look("missing", "missing", Tone.WAIT),
}


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
    # Shorter, for a board's cell: the cause comes first.
    brief: Sentence = ()
    # Without what the environments say that stand beside the gate.
    beside: Sentence = ()
    fix: str = ""
    notes: tuple[Sentence, ...] = ()
    steps: tuple[StepView, ...] = ()
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
        return LOOKS[self.state]

    @property
    def needs_person(self) -> bool:
        return self.state in NEEDS_PERSON

    @property
    def needs_right(self) -> bool:
        """Whether anything can be done here that not everybody may do."""
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
    states: frozenset[GateState]

    def allowed(self, may: May) -> frozenset[str]:
        """Into which environments the one who looks may promote."""
        names = (g.environment for g in self.gates)
        return frozenset(name for name in names if may(GateKey(self.key, name)))

    def gate(self, environment: str) -> GateView | None:
        found = (g for g in self.gates if g.environment == environment)
        return next(found, None)
