"""The actions at a gate, as links and forms. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from countersign.contracts.messages import Revision
from countersign.gateway.gate_states import STATES, GateState, Verb
from countersign.gateway.gates.sentences import brief
from countersign.gateway.model import Action, PipelineKey
from countersign.gateway.text import addresses

RETRY: Final = "retry"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One gate, and what is current at it."""

    pipeline: PipelineKey
    environment: str
    revision: Revision | None = None
    # The page of its pull request, if there is one.
    pull_request: str = ""
    # There are not so many tries yet that approval takes no other.
    may_retry: bool = True

    @property
    def address(self) -> str:
        return addresses.gate(self.pipeline, self.environment)

    @property
    def targets(self) -> str:
        return f"{addresses.pipeline(self.pipeline)}#targets"


class Offer(NamedTuple):
    """A verb as a button or link; `{}` in its label is the revision."""

    label: str
    href: Callable[[Place], str]
    form: str = ""
    primary: bool = False
    external: bool = False
    needs_right: bool = False


def _retry(label: str) -> Offer:
    return Offer(label, lambda p: p.address, form=RETRY, needs_right=True)


OFFERS: Final = {
    Verb.PROMOTE: Offer(
        "Promote {}…",
        lambda p: addresses.consent(p.pipeline, p.environment),
        primary=True,
        needs_right=True,
    ),
    Verb.PROMOTE_ANYWAY: Offer(
        "Promote anyway (downgrade to {})…",
        lambda p: addresses.consent(p.pipeline, p.environment),
        needs_right=True,
    ),
    Verb.CONTINUE: Offer("Continue signing in", lambda p: p.address, form="promote", primary=True),
    Verb.CANCEL: Offer("Cancel", lambda p: p.address, form="cancel"),
    Verb.GIVE_UP: Offer(
        "Give up", lambda p: f"{p.address}#reject", form="reject", needs_right=True
    ),
    Verb.REJECT: Offer("Reject", lambda p: f"{p.address}#reject", form="reject", needs_right=True),
    Verb.ASK_AGAIN: _retry("Ask again"),
    Verb.TRY_AGAIN: _retry("Try again"),
    Verb.PROMOTE_AGAIN: _retry("Promote again"),
    Verb.HOW_TO_FIX: Offer("How to fix", lambda p: f"{p.address}#fix"),
    Verb.OPEN_PULL_REQUEST: Offer("Open pull request", lambda p: p.pull_request, external=True),
    Verb.SHOW_OBJECT: Offer("Show object", lambda p: p.targets),
    Verb.SHOW_CLUSTER: Offer("Show cluster", lambda p: p.targets),
    Verb.WHY: Offer("Why", lambda p: p.address),
}


def actions_at(place: Place, state: GateState) -> tuple[Action, ...]:
    """All that the state offers, as far as it can be offered here."""
    return _offered(place, STATES[state].verbs)


def own_actions_at(place: Place, state: GateState) -> tuple[Action, ...]:
    """All that the state offers to the person who is signing in."""
    return _offered(place, STATES[state].own)


def _offered(place: Place, verbs: tuple[Verb, ...]) -> tuple[Action, ...]:
    offers = (OFFERS[verb] for verb in verbs)
    made = (_action(place, o) for o in offers if place.may_retry or o.form != RETRY)
    return tuple(action for action in made if action.href)


def _action(place: Place, offer: Offer) -> Action:
    return Action(
        label=offer.label.format(brief(place.revision)),
        href=offer.href(place),
        verb=offer.form,
        primary=offer.primary,
        external=offer.external,
        needs_right=offer.needs_right,
    )
