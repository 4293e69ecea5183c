"""Sentences about the promotion that is current at a gate: a full one, and a shorter one."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import Gate, ObjectRef, Revision
from countersign.contracts.promotion import Note, Promotion
from countersign.contracts.revision import short
from countersign.dialects.pages import pull_request_reference
from countersign.gateway.gate_states import STATES, GateState
from countersign.gateway.model import Code, Link, Moment, Sentence, When
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.failures import failure_words
from countersign.gateway.timeline.moments import name_of, step_name
from countersign.gateway.timeline.timelines import Timeline

# Flux repeats the name of a release and its chart.
_RELEASE: Final = re.compile(r" for release [^\s:]{1,260}(?: with chart [^\s:]{1,260})?(?=: )")


def cause_of(message: str, app: ObjectRef | None = None) -> str:
    """Shorten a failure by the application and its release, which a page names beside it."""
    named = f"{app.kind} {app.name}: " if app else ""
    return _RELEASE.sub("", message.removeprefix(named), count=1)


def brief(revision: Revision | None) -> str:
    """`4f2c1e9`: without the branch or tag it was found at, where there is little room."""
    said = short(revision)
    named = revision is not None and not revision.version and (revision.commit or revision.digest)
    return said.rpartition("@")[2] if named else said


def code(revision: Revision | None) -> Code:
    if revision is None:
        return Code("nothing")
    return Code(short(revision), revision.recorded)


Said = tuple[Sentence, Sentence]


@dataclass(frozen=True)
class Current:
    """The promotion that is current at a gate, and how forges are linked."""

    timeline: Timeline
    links: ForgeLinks
    gate: Gate
    # When the gate was so.
    seen_at: datetime | None = None

    @property
    def promotion(self) -> Promotion:
        return self.timeline.promotion

    def since(self, state: GateState) -> datetime | None:
        """The moment from which the state counts: sign-ins that come and go do not reset it."""
        if STATES[state].consents:
            return self.timeline.ready_at or self.promotion.changed_at
        return self.promotion.changed_at

    @property
    def pull_request(self) -> Sentence:
        ref = self.promotion.pull_request
        if ref is None:
            return ("the pull request",)
        label, href = pull_request_reference(ref), self.links.pull_request(ref)
        return (Link(label, href, external=True),) if href else (label,)


def _waiting(at: Current) -> Said:
    p = at.promotion
    revision = code(p.request.content.revision)
    since = at.since(GateState.WAITING)
    lasting: Sentence = (When(since, ago=False, before=" for "),) if since else ()
    have = len(p.counted)
    needed = p.approvals_needed
    count = f" ({have} of {needed} approvals)" if needed > 1 else ""
    short_said: Sentence = (When(since, ago=False, before="for "), count)
    ready = f" has been ready for {p.request.promotion.environment}"
    return (revision, ready, *lasting, count), short_said


def _asked(at: Current) -> Said:
    begun = [a for a in at.promotion.approvals if a.granted_at is None]
    who = name_of(begun[-1].by) if begun else "somebody"
    where = at.promotion.request.destination.origin.partition("://")[2]
    ends = begun[-1].expires_at if begun else None
    until: Sentence = (", until ", Moment(ends)) if ends else ()
    return (f"{who} is signing in at {where}", *until), (f"{who} is signing in", *until)


def _opening(at: Current) -> Said:
    step = step_name(at.promotion.step)
    who = [name_of(a.forge_user) or name_of(a.by) for a in at.promotion.granted]
    by = f" for {who[-1]}" if who else ""
    return (f"{step}{by}",), (step,)


def _open(at: Current) -> Said:
    p = at.promotion
    who = name_of(p.author)
    by: Sentence = (f" by {who}",) if who else ()
    checks: Sentence = (f" · {at.timeline.checks}",) if at.timeline.checks else ()
    since: Sentence = (When(p.changed_at, before=", opened "),) if p.changed_at else ()
    link = at.pull_request
    return (*link, *by, *since, *checks), (*link, *by, *checks)


def _deploying(at: Current) -> Said:
    p = at.promotion
    who = name_of(p.merged_by)
    by = f" by {who}" if who else ""
    when = When(p.changed_at, before=" ")
    full: Sentence = (*at.pull_request, " merged", when, f"{by}; waiting for Flux")
    return full, ("merged", when, by)


def _failed(at: Current) -> Said:
    p = at.promotion
    forge = at.links.entry(p.request.destination.origin)
    message = failure_words(p.failure, p.failure_message, forge=forge.name if forge else "")
    return (message,), (message,)


def _lost(at: Current) -> Said:
    p = at.promotion
    if p.note is Note.LOST:
        return ("the delegation ended before it was used",), ("the delegation ended",)
    reason = p.note_reason or "the approval ran out before it was used"
    return (reason,), (reason,)


def _rejected(at: Current) -> Said:
    p = at.promotion
    reason: Sentence = (f": “{p.reason}”",) if p.reason else ()
    who = name_of(p.rejected_by)
    when = When(p.changed_at, before=" ")
    return (f"rejected by {who}", when, *reason), (f"by {who}", *reason)


def _closed(at: Current) -> Said:
    p = at.promotion
    link = at.pull_request
    when = When(p.changed_at, before=" ")
    return (*link, " was closed without merging", when), (*link, " closed")


def _undone(at: Current) -> Said:
    p = at.promotion
    back: Sentence = (" is back on ", code(p.running)) if p.running else (" runs something else",)
    reason: Sentence = (f": {p.reason}",) if p.reason else ()
    environment = p.request.promotion.environment
    return (f"merged, but {environment}", *back, *reason), (environment, *back)


def _superseded(at: Current) -> Said:
    p = at.promotion
    link = at.pull_request
    because: Sentence = (f": {p.reason}",) if p.reason else ()
    full: Sentence = (*link, " is overtaken and still open", *because)
    return full, (*link, " is still open")


def _ahead(at: Current) -> Said:
    request = at.promotion.request
    name, below = request.promotion.environment, request.from_environment
    runs, offered = code(request.current), code(request.content.revision)
    full: Sentence = (f"{name} runs ", runs, f", newer than {below}'s ", offered)
    return full, ("newer than ", offered)


def _open_for_long(at: Current) -> Said:
    full, short_said = _open(at)
    return (*full, "; nothing was heard of it since"), short_said


def _not_arrived(at: Current) -> Said:
    p, gate = at.promotion, at.gate
    name = p.request.promotion.environment
    running: Sentence = (f"{name} still runs ", code(gate.running)) if gate.running else ()
    since: Sentence = (
        (When(gate.running_since, ago=False, before=", for "),) if gate.running_since else ()
    )
    merged: Sentence = (*at.pull_request, " merged", When(p.changed_at, before=" "))
    if not running:
        return (*merged, f", but it has not arrived in {name}"), ("not arrived",)
    return (*merged, ", but ", *running, *since), (*running,)


SENTENCES: Final[dict[GateState, Callable[[Current], Said]]] = {
    GateState.WAITING: _waiting,
    GateState.AHEAD: _ahead,
    GateState.ASKED: _asked,
    GateState.OPENING: _opening,
    GateState.OPEN: _open,
    GateState.OPEN_FOR_LONG: _open_for_long,
    GateState.DEPLOYING: _deploying,
    GateState.NOT_ARRIVED: _not_arrived,
    GateState.FAILED: _failed,
    GateState.LOST: _lost,
    GateState.REJECTED: _rejected,
    GateState.CLOSED: _closed,
    GateState.UNDONE: _undone,
    GateState.SUPERSEDED: _superseded,
}


def said_of(state: GateState, at: Current) -> Said:
    """Return a sentence about the promotion that is current, and a shorter one for the board."""
    words = SENTENCES.get(state)
    return words(at) if words else ((state.value,), (state.value,))
