"""In which state a gate is, and in what words. Pure.

A gate is derived from what the watcher observed and from the promotion that is current at it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from countersign.contracts.life import OVER, Note, Promotion, State
from countersign.contracts.messages import (
    CredentialMode,
    EnvironmentCondition,
    EnvironmentObserved,
    Gate,
    OpeningStep,
    Person,
    PipelineObserved,
)
from countersign.contracts.messages import GateState as Observed
from countersign.gateway.model import (
    Action,
    GateState,
    GateView,
    PipelineKey,
    Sentence,
    StepView,
    When,
)
from countersign.gateway.timeline.history import Entry
from countersign.gateway.timeline.moments import STEP_NAMES
from countersign.gateway.view import addresses
from countersign.gateway.view.fixes import how_to_fix
from countersign.gateway.view.wording import SENTENCES, brief, cause_of, code, pull_request_of

_STATES: Final = {
    State.ASKED: GateState.ASKED,
    State.OPENING: GateState.OPENING,
    State.OPEN: GateState.OPEN,
    State.DEPLOYING: GateState.DEPLOYING,
    State.FAILED: GateState.FAILED,
    State.REJECTED: GateState.REJECTED,
    State.CLOSED: GateState.CLOSED,
    State.UNDONE: GateState.UNDONE,
    State.SUPERSEDED: GateState.SUPERSEDED,
}


def gate_view(observed: PipelineObserved, index: int, entries: Sequence[Entry]) -> GateView:
    """The gate into the environment at `index`, which is not the first."""
    below, here = observed.environments[index - 1], observed.environments[index]
    key = PipelineKey(observed.pipeline.namespace, observed.pipeline.name)
    uid = observed.pipeline.uid
    ours = [e for e in entries if e.promotion.request.promotion.pipeline.uid == uid]
    entry = _current(ours, here.gate)
    view = _with_promotion(key, entry) if entry else _without_promotion(key, below, here)
    overtaken = [e for e in ours if e is not entry and e.is_left_open]
    notes = tuple(note for e in overtaken for note in _overtaken_note(e, entry))
    gate = here.gate
    return replace(
        view,
        from_environment=below.name,
        environment=here.name,
        notes=notes,
        mode=entry.promotion.request.mode if entry else (gate.mode if gate else view.mode),
        destination=entry.promotion.request.destination
        if entry
        else (gate.destination if gate else None),
    )


def _current(entries: Sequence[Entry], gate: Gate | None) -> Entry | None:
    active = [e for e in entries if e.promotion.state not in OVER]
    if active:
        return active[-1]
    named = gate.promotion_id if gate else ""
    latest = entries[-1] if entries else None
    if latest is None or latest.promotion.state is State.COMPLETED:
        return None
    # A newer one is under way whose request has not been heard yet.
    if named and named != latest.promotion_id:
        return None
    return latest if latest.is_left_open else None


def _overtaken_note(entry: Entry, newer: Entry | None) -> tuple[Sentence, ...]:
    by: Sentence = (" by ", code(newer.promotion.request.content.revision)) if newer else ()
    return ((*pull_request_of(entry.promotion), " is overtaken", *by, " and still open"),)


def _without_promotion(
    key: PipelineKey, below: EnvironmentObserved, here: EnvironmentObserved
) -> GateView:
    gate = here.gate or Gate()
    unreachable = [e for e in (below, here) if e.condition is EnvironmentCondition.UNKNOWN]
    if unreachable:
        return _unknown(key, unreachable[0])
    if gate.state is Observed.NOT_PROMOTABLE:
        sentence: Sentence = (gate.message or "this revision cannot be written elsewhere",)
        why = Action(label="Why", href=addresses.gate(key, here.name))
        return GateView(state=GateState.NOT_PROMOTABLE, sentence=sentence, actions=(why,))
    if gate.state is Observed.BLOCKED:
        return _blocked(key, gate.message or _blocked_message(below), (below, here))
    if gate.state is Observed.PENDING:
        revision = below.content.revision if below.content else None
        told: Sentence = (code(revision), f" is about to be asked for into {here.name}")
        return GateView(state=GateState.OPENING, sentence=told, revision=revision)
    return _level(below, here)


def _blocked_message(below: EnvironmentObserved) -> str:
    return f"{below.name} is not healthy" + (f": {below.message}" if below.message else "")


def _blocked(key: PipelineKey, said: str, environments: Sequence[EnvironmentObserved]) -> GateView:
    ends = (e.message for e in environments if e.message and said.endswith(f": {e.message}"))
    message = next(ends, "")
    head = said.removesuffix(f": {message}") if message else said
    return GateView(
        state=GateState.BLOCKED,
        sentence=(said,),
        brief=(cause_of(message) or head,),
        beside=(head,),
        actions=(Action(label="Show object", href=f"{addresses.pipeline(key)}#targets"),),
    )


def _level(below: EnvironmentObserved, here: EnvironmentObserved) -> GateView:
    revision = here.content.revision if here.content else None
    if revision is None:
        if below.content is None:
            return GateView(
                state=GateState.LEVEL, sentence=(f"{below.name} runs nothing to promote yet",)
            )
        return GateView(state=GateState.LEVEL, sentence=(f"{here.name} is being read",))
    sentence: Sentence = (f"{here.name} runs ", code(revision), f", as {below.name} does")
    if below.content is None or below.content.identity != (
        here.content.identity if here.content else ""
    ):
        sentence = (f"{here.name} runs ", code(revision))
    return GateView(
        state=GateState.LEVEL, sentence=sentence, brief=(f"as {below.name}",), revision=revision
    )


def _unknown(key: PipelineKey, environment: EnvironmentObserved) -> GateView:
    clusters = [
        t.cluster or "the cluster of the watcher"
        for t in environment.targets
        if t.condition is EnvironmentCondition.UNKNOWN
    ]
    where = environment.message or (
        f"cluster {clusters[0]} cannot be reached"
        if clusters
        else f"{environment.name} cannot be read"
    )
    for_how_long: Sentence = ()
    if environment.since:
        for_how_long = (", for ", When(environment.since, ago=False))
    show = Action(label="Show cluster", href=f"{addresses.pipeline(key)}#targets")
    return GateView(
        state=GateState.UNKNOWN,
        sentence=(where, *for_how_long),
        brief=(where,),
        beside=(f"{environment.name} cannot be read", *for_how_long),
        actions=(show,),
        since=environment.since,
    )


def hindrance(promotion: Promotion, person: Person) -> str:
    """Why others must approve it, whatever this person may do; approval refuses it as well."""
    if any(a.by.id == person.id for a in promotion.granted):
        return "You have approved it already; somebody else must approve it too."
    if promotion.excluded and promotion.excluded.id == person.id:
        return "You asked for it, so others must approve it, unless the Pipeline sets `soloMode`."
    return ""


def follow_note(view: GateView, promotion: Promotion, *, webhooks: frozenset[str]) -> GateView:
    """Say where nobody will tell whether the pull request was merged or closed.

    With a stored credential the forge is asked now and then; a delegation is over by then.
    """
    delegated = promotion.opened_mode is CredentialMode.DELEGATED
    told = promotion.request.destination.origin in webhooks
    if view.state is not GateState.OPEN or not delegated or told:
        return view
    why = "no webhook of this forge reaches us, and no token is kept to ask it"
    note: Sentence = (f"{why}: only the cluster will tell that it was merged",)
    return replace(view, notes=(*view.notes, note))


def _with_promotion(key: PipelineKey, entry: Entry) -> GateView:
    promotion = entry.promotion
    state = _STATES.get(promotion.state, GateState.WAITING)
    if promotion.state is State.WAITING and promotion.note is not Note.NONE:
        state = GateState.LOST
    sentence, brief = SENTENCES[state](entry)
    return GateView(
        state=state,
        sentence=sentence,
        brief=brief,
        actions=_actions(key, state, promotion),
        fix=_fix(promotion) if state is GateState.FAILED else "",
        steps=_steps(promotion) if state is GateState.OPENING else (),
        promotion_id=promotion.promotion_id,
        revision=promotion.request.content.revision,
        current=promotion.request.current,
        since=promotion.changed_at,
    )


def _steps(promotion: Promotion) -> tuple[StepView, ...]:
    order = [s for s in OpeningStep if s is not OpeningStep.UNSPECIFIED]
    now = order.index(promotion.step) if promotion.step in order else -1
    return tuple(
        StepView(name=STEP_NAMES[s], step=s, done=i < now, current=i == now)
        for i, s in enumerate(order)
    )


def _actions(key: PipelineKey, state: GateState, promotion: Promotion) -> tuple[Action, ...]:
    environment = promotion.request.promotion.environment
    there = addresses.gate(key, environment)
    promote = Action(
        label=f"Promote {brief(promotion.request.content.revision)}…",
        href=addresses.consent(key, environment),
        primary=True,
        needs_right=True,
    )
    reject = Action(label="Reject", href=f"{there}#reject", verb="reject", needs_right=True)
    again = Action(label="Ask again", href=there, verb="retry", needs_right=True)
    ref = promotion.pull_request
    link = addresses.pull_request(ref) if ref else ""
    opened = Action(label="Open pull request", href=link, external=True)
    show = Action(label="Show object", href=f"{addresses.pipeline(key)}#targets")
    table = {
        GateState.WAITING: (promote, reject),
        GateState.LOST: (promote, reject),
        GateState.OPEN: (opened,) if link else (),
        GateState.SUPERSEDED: (opened,) if link else (),
        GateState.FAILED: (
            replace(again, label="Try again"),
            Action(label="How to fix", href=f"{there}#fix"),
        ),
        GateState.REJECTED: (again,),
        GateState.CLOSED: (again,),
        GateState.UNDONE: (replace(again, label="Promote again"), show),
    }
    return table.get(state, ())


def _fix(promotion: Promotion) -> str:
    return how_to_fix(promotion.failure, promotion.request, message=promotion.failure_message)
