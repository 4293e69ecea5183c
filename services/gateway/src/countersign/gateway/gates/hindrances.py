"""A gate at which no promotion is current: why not, in words. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from countersign.contracts.messages import (
    EnvironmentCondition,
    EnvironmentObserved,
    Gate,
    GateReason,
    PipelineObserved,
)
from countersign.contracts.messages import GateState as Observed
from countersign.gateway.gate_states import GateState
from countersign.gateway.gates.actions import Place, actions_at
from countersign.gateway.gates.sentences import cause_of, code
from countersign.gateway.model import GateView, PipelineKey, Sentence, When


def is_blocked(gate: Gate | None, promotion_id: str) -> bool:
    """Tell whether a gate is blocked for this promotion; one that names none is so for all."""
    if gate is None or gate.state is not Observed.BLOCKED:
        return False
    return gate.promotion_id in {"", promotion_id}


@dataclass(frozen=True, kw_only=True)
class _Facts:
    gate: Gate
    below: EnvironmentObserved
    here: EnvironmentObserved

    @property
    def hindering(self) -> EnvironmentObserved:
        """The environment whose condition hinders: the one below if the watcher does not say."""
        return self.here if self.gate.hindered_by == self.here.name else self.below

    @property
    def name(self) -> str:
        return self.hindering.name


def hindered_gate(observed: PipelineObserved, index: int) -> GateView:
    """The gate into the environment at `index`, by what the watcher observed there."""
    below, here = observed.environments[index - 1], observed.environments[index]
    facts = _Facts(gate=here.gate or Gate(), below=below, here=here)
    view = _view(facts)
    key = PipelineKey(observed.pipeline.namespace, observed.pipeline.name)
    place = Place(pipeline=key, environment=here.name)
    return replace(view, actions=actions_at(place, view.state))


def _view(facts: _Facts) -> GateView:
    unread = [e for e in (facts.below, facts.here) if e.condition is EnvironmentCondition.UNKNOWN]
    if unread:
        return _unknown(unread[0])
    state = facts.gate.state
    if state is Observed.NOT_PROMOTABLE:
        return GateView(state=GateState.NOT_PROMOTABLE, sentence=(_never(facts),))
    if state is Observed.BLOCKED:
        return _blocked(facts)
    if state is Observed.PENDING:
        revision = facts.below.content.revision if facts.below.content else None
        sentence: Sentence = (code(revision), f" will be offered for {facts.here.name} shortly")
        return GateView(state=GateState.OPENING, sentence=sentence, revision=revision)
    return _level(facts)


# Where the watcher's own message says more, it is shown instead of an empty text here.
NEVER_WORDS: Final[dict[GateReason, str]] = {
    GateReason.INVALID_PIPELINE: "The Pipeline has errors that must be fixed first",
    GateReason.NO_STRATEGY: "",
    GateReason.NO_TARGETS: "",
    GateReason.NOT_REPRODUCIBLE: "",
    GateReason.VERSION_NOT_TAKEN: "",
    GateReason.OWN_REPOSITORY: (
        "This Kustomization is applied from the repository that a promotion would write to"
    ),
}


def _never(facts: _Facts) -> str:
    written = NEVER_WORDS.get(facts.gate.reason, "")
    return written or facts.gate.message or "This revision cannot be written elsewhere"


_Words = Callable[[_Facts], str]
# What follows the name of the environment that hinders.
HINDRANCE_WORDS: Final[dict[GateReason, _Words]] = {
    GateReason.TARGETS_DISAGREE: lambda f: f"{f.name} runs different revisions in its targets",
    GateReason.UNHEALTHY: lambda f: f"{f.name} is not healthy",
    GateReason.SUSPENDED: lambda f: f"{f.name} is suspended",
    GateReason.UNKNOWN: lambda f: f"{f.name} cannot be read",
    GateReason.MISSING: lambda f: f"{f.name} runs nothing yet",
    GateReason.TRIED_AND_FAILED: lambda f: f"{f.here.name} already tried this revision and failed",
}
_BY_CONDITION: Final = {
    EnvironmentCondition.PROGRESSING: GateReason.PROGRESSING,
    EnvironmentCondition.SUSPENDED: GateReason.SUSPENDED,
    EnvironmentCondition.UNKNOWN: GateReason.UNKNOWN,
    EnvironmentCondition.MISSING: GateReason.MISSING,
    EnvironmentCondition.HEALTHY: GateReason.TARGETS_DISAGREE,
}


def _blocked(facts: _Facts) -> GateView:
    reason, cause = facts.gate.reason, facts.gate.cause
    if reason is GateReason.UNSPECIFIED and not facts.gate.message:
        reason = _BY_CONDITION.get(facts.hindering.condition, GateReason.UNHEALTHY)
        cause = facts.hindering.message
    if reason is GateReason.PROGRESSING:
        return _progressing(facts)
    words = HINDRANCE_WORDS.get(reason)
    if words is None:
        return GateView(state=GateState.BLOCKED, sentence=(facts.gate.message,))
    head = words(facts)
    return GateView(
        state=GateState.BLOCKED,
        sentence=(f"{head}: {cause}" if cause else head,),
        brief=(cause_of(cause) or head,),
        beside=(head,),
        since=facts.hindering.since,
    )


def _progressing(facts: _Facts) -> GateView:
    since = facts.hindering.since
    lasting: Sentence = (When(since, ago=False, before=", for "),) if since else ()
    return GateView(
        state=GateState.PROGRESSING,
        sentence=(f"waiting until {facts.name} is healthy", *lasting),
        brief=(f"until {facts.name} is healthy",),
        since=since,
    )


def _level(facts: _Facts) -> GateView:
    below, here = facts.below, facts.here
    revision = here.content.revision if here.content else None
    if here.content is None or revision is None:
        if below.content is None:
            return GateView(
                state=GateState.LEVEL, sentence=(f"{below.name} runs nothing to promote yet",)
            )
        return GateView(state=GateState.LEVEL, sentence=(f"{here.name} is being read",))
    same = below.content is not None and below.content.identity == here.content.identity
    sentence: Sentence = (f"{here.name} runs ", code(revision))
    return GateView(
        state=GateState.LEVEL,
        sentence=(*sentence, f", as {below.name} does") if same else sentence,
        brief=(f"as {below.name}",) if same else (),
        revision=revision,
    )


def _unknown(environment: EnvironmentObserved) -> GateView:
    clusters = [
        f"cluster {t.cluster}" if t.cluster else "the watcher's cluster"
        for t in environment.targets
        if t.condition is EnvironmentCondition.UNKNOWN
    ]
    where = environment.message or (
        f"{clusters[0]} cannot be reached" if clusters else f"{environment.name} cannot be read"
    )
    lasting: Sentence = ()
    if environment.since:
        lasting = (When(environment.since, ago=False, before=", for "),)
    return GateView(
        state=GateState.UNKNOWN,
        sentence=(where, *lasting),
        brief=(where,),
        beside=(f"{environment.name} cannot be read", *lasting),
        since=environment.since,
    )
