"""The state of a gate, and its words. Pure.

A gate is derived from what the watcher observed and from the promotion that is current at it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from countersign.contracts.messages import (
    Caution,
    CredentialMode,
    EnvironmentObserved,
    Gate,
    GateReason,
    OpeningStep,
    Person,
    PipelineObserved,
    Revision,
)
from countersign.contracts.promotion import ATTEMPTS_MAX, OVER, Note, Promotion, State
from countersign.gateway.gate_states import STATES, GateState
from countersign.gateway.gates.actions import Place, actions_at, own_actions_at
from countersign.gateway.gates.fixes import how_to_fix
from countersign.gateway.gates.hindrances import hindered_gate, is_blocked
from countersign.gateway.gates.sentences import Current, code, said_of
from countersign.gateway.model import GateView, PipelineKey, Sentence, StepView
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.moments import step_name
from countersign.gateway.timeline.timelines import Timeline

# The state of a gate at which a promotion in this state is current.
GATE_STATES: Final = {
    State.WAITING: GateState.WAITING,
    State.ASKED: GateState.ASKED,
    State.OPENING: GateState.OPENING,
    State.OPEN: GateState.OPEN,
    State.DEPLOYING: GateState.DEPLOYING,
    State.COMPLETED: GateState.LEVEL,
    State.FAILED: GateState.FAILED,
    State.REJECTED: GateState.REJECTED,
    State.CLOSED: GateState.CLOSED,
    State.UNDONE: GateState.UNDONE,
    State.SUPERSEDED: GateState.SUPERSEDED,
}
# A pr-writer begins within a second; far beyond it, none is there.
BEGINS_WITHIN: Final = timedelta(seconds=30)
_NO_WEBHOOK: Final = (
    "This forge sends us no webhooks and no token is kept to ask it, so a merge shows here only "
    "once the cluster runs it."
)


def gate_view(
    observed: PipelineObserved, index: int, timelines: Sequence[Timeline], *, links: ForgeLinks
) -> GateView:
    """The gate into the environment at `index`, which is not the first."""
    below, here = observed.environments[index - 1], observed.environments[index]
    key = PipelineKey(observed.pipeline.namespace, observed.pipeline.name)
    uid = observed.pipeline.uid
    ours = [t for t in timelines if t.promotion.request.promotion.pipeline.uid == uid]
    timeline, gate = _current(ours, here.gate), here.gate or Gate()
    if timeline is None:
        view = hindered_gate(observed, index)
    else:
        view = _promoting(key, Current(timeline, links, gate, observed.observed_at))
    overtaken = [t for t in ours if t is not timeline and t.is_left_open]
    request = timeline.promotion.request if timeline else None
    return replace(
        view,
        # It may not have been known when the promotion was requested.
        current=view.current or revision_in(here),
        from_environment=below.name,
        environment=here.name,
        notes=view.notes
        + tuple(_overtaken_note(Current(t, links, gate), timeline) for t in overtaken),
        left_open=bool(overtaken),
        mode=request.mode if request else gate.mode,
        destination=request.destination if request else gate.destination,
    )


def revision_in(environment: EnvironmentObserved) -> Revision | None:
    """Return the revision that an environment runs, or its first target that runs any."""
    if environment.content is not None:
        return environment.content.revision
    return next((t.revision for t in environment.targets if t.revision is not None), None)


def _current(timelines: Sequence[Timeline], gate: Gate | None) -> Timeline | None:
    active = [t for t in timelines if t.promotion.state not in OVER]
    if active:
        return active[-1]
    named = gate.promotion_id if gate else ""
    latest = timelines[-1] if timelines else None
    if latest is None or latest.promotion.state is State.COMPLETED:
        return None
    # A newer one is under way whose request has not been heard yet.
    if named and named != latest.promotion_id:
        return None
    return latest if latest.is_left_open else None


def _overtaken_note(at: Current, newer: Timeline | None) -> Sentence:
    by: Sentence = (" by ", code(newer.promotion.request.content.revision)) if newer else ()
    return (*at.pull_request, " is overtaken", *by, " and still open")


def hindrance(promotion: Promotion, person: Person) -> str:
    """Why others must approve it, whatever this person may do; approval refuses it as well."""
    if any(a.by.id == person.id for a in promotion.granted):
        return "You have approved it already; somebody else must approve it too."
    if promotion.excluded and promotion.excluded.id == person.id:
        return "You asked for it, so others must approve it, unless the Pipeline sets `soloMode`."
    return ""


def follow_note(view: GateView, promotion: Promotion, *, links: ForgeLinks) -> GateView:
    """Say where nobody will tell whether the pull request was merged or closed.

    With a stored credential the forge is asked now and then; a delegation is over by then.
    """
    delegated = promotion.opened_mode is CredentialMode.DELEGATED
    heard = links.tells_of_merges(promotion.request.destination.origin)
    if view.state is not GateState.OPEN or not delegated or heard:
        return view
    return replace(view, notes=(*view.notes, (_NO_WEBHOOK,)))


# States that last too long: as the watcher says, or where something else is in the way as well.
OVERDUE_STATES: Final = {
    State.OPEN: (GateReason.OPEN_FOR_LONG, GateState.OPEN_FOR_LONG),
    State.DEPLOYING: (GateReason.NOT_ARRIVED, GateState.NOT_ARRIVED),
}
_BEFORE_MERGE: Final = frozenset({State.WAITING, State.ASKED, State.OPENING, State.OPEN})


def state_of(at: Current) -> GateState:
    """The state of the gate at which a promotion is current."""
    promotion = at.promotion
    if promotion.state is State.WAITING:
        if Caution.DOWNGRADE in promotion.request.cautions:
            return GateState.AHEAD
        # A sign-in that came to nothing concerns the person alone.
        lost = promotion.note is not Note.NONE and not at.timeline.only_a_sign_in_ended
        return GateState.LOST if lost else GateState.WAITING
    usual = GATE_STATES.get(promotion.state, GateState.UNKNOWN)
    reason, overdue = OVERDUE_STATES.get(promotion.state, (None, usual))
    return overdue if at.gate.reason is reason or _is_overdue(at) else usual


def _is_overdue(at: Current) -> bool:
    """Tell whether approval takes a retry or an end, by the time of the observation."""
    return at.seen_at is not None and at.promotion.may_be_given_up_at(at.seen_at)


def _caution_notes(at: Current) -> tuple[Sentence, ...]:
    request = at.promotion.request
    name, runs = request.promotion.environment, code(request.current)
    words: dict[Caution, Sentence] = {
        Caution.FOREIGN_CONTENT: (
            f"{name} runs ",
            runs,
            ", which no promotion brought there; promoting replaces it",
        ),
        Caution.HINDERED: (f"{name} hangs in an upgrade, which promoting would overtake",),
    }
    return tuple(words[c] for c in request.cautions if c in words)


def _blocked_notes(at: Current) -> tuple[Sentence, ...]:
    """Say of what waits or is open what speaks against it now."""
    is_held = is_blocked(at.gate, at.promotion.promotion_id) and bool(at.gate.message)
    return ((f"blocked now: {at.gate.message}",),) if is_held else ()


def _promoting(key: PipelineKey, at: Current) -> GateView:
    promotion = at.promotion
    state = state_of(at)
    sentence, brief = said_of(state, at)
    begun = frozenset(a.by.id for a in promotion.approvals if not a.is_given)
    cautioned = _caution_notes(at) if STATES[state].consents else ()
    blocked = _blocked_notes(at) if promotion.state in _BEFORE_MERGE else ()
    place = Place(
        pipeline=key,
        environment=promotion.request.promotion.environment,
        revision=promotion.request.content.revision,
        pull_request=at.links.pull_request(promotion.pull_request),
        may_retry=promotion.attempt < ATTEMPTS_MAX,
    )
    return GateView(
        state=state,
        sentence=sentence,
        brief=brief,
        actions=actions_at(place, state),
        own_actions=own_actions_at(place, state),
        begun_by=begun if state is GateState.ASKED else frozenset(),
        notes=(*cautioned, *blocked),
        is_blocked=bool(blocked),
        fix=how_to_fix(promotion) if state is GateState.FAILED else "",
        steps=_steps(promotion) if state is GateState.OPENING else (),
        begins_by=_begins_by(at, state),
        promotion_id=promotion.promotion_id,
        revision=promotion.request.content.revision,
        current=promotion.request.current,
        since=at.since(state),
    )


def _begins_by(at: Current, state: GateState) -> datetime | None:
    since, step = at.since(state), at.promotion.step
    waits = state is GateState.OPENING and step is OpeningStep.UNSPECIFIED
    return since + BEGINS_WITHIN if waits and since else None


def _steps(promotion: Promotion) -> tuple[StepView, ...]:
    order = [s for s in OpeningStep if s is not OpeningStep.UNSPECIFIED]
    now = order.index(promotion.step) if promotion.step in order else -1
    return tuple(
        StepView(name=step_name(s), step=s, done=i < now, current=i == now)
        for i, s in enumerate(order)
    )
