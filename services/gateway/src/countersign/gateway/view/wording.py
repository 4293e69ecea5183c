"""What a gate says about the promotion that is current at it: a sentence, and a shorter one."""

import re
from collections.abc import Callable
from typing import Final

from countersign.contracts.life import Note, Promotion
from countersign.contracts.messages import Revision
from countersign.contracts.revision import short
from countersign.gateway.model import Code, GateState, Link, Sentence, When
from countersign.gateway.timeline.history import Entry
from countersign.gateway.timeline.moments import STEP_NAMES, name_of
from countersign.gateway.view import addresses

# Flux begins with the object, and repeats its name and its chart.
_OBJECT: Final = re.compile(r"[A-Z][A-Za-z]{1,60} [^\s:]{1,260}: ")
_RELEASE: Final = re.compile(r" for release [^\s:]{1,260}(?: with chart [^\s:]{1,260})?(?=: )")


def cause_of(message: str) -> str:
    """What went wrong, without the object that a page names beside it."""
    found = _OBJECT.match(message)
    return _RELEASE.sub("", message[found.end() :] if found else message, count=1)


def brief(revision: Revision | None) -> str:
    """`4f2c1e9`: without the branch or tag it was found at, where there is little room."""
    said = short(revision)
    named = revision is not None and not revision.version and (revision.commit or revision.digest)
    return said.rpartition("@")[2] if named else said


def code(revision: Revision | None) -> Code:
    if revision is None:
        return Code("nothing")
    return Code(short(revision), revision.recorded)


def pull_request_of(promotion: Promotion) -> Sentence:
    ref = promotion.pull_request
    if ref is None:
        return ("the pull request",)
    href = addresses.pull_request(ref)
    label = f"#{ref.number}"
    return (Link(label, href, external=True),) if href else (label,)


def _waiting(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    revision = code(p.request.content.revision)
    lasting: Sentence = (" for ", When(p.changed_at, ago=False)) if p.changed_at else ()
    have = len(p.counted)
    needed = p.approvals_needed
    count = f" ({have} of {needed} approvals)" if needed > 1 else ""
    short_said: Sentence = ("for ", When(p.changed_at, ago=False), count)
    ready = f" has been ready for {p.request.promotion.environment}"
    return (revision, ready, *lasting, count), short_said


def _asked(entry: Entry) -> tuple[Sentence, Sentence]:
    begun = [a for a in entry.promotion.approvals if a.granted_at is None]
    who = name_of(begun[-1].by) if begun else "somebody"
    where = entry.promotion.request.destination.origin.partition("://")[2]
    begun_at: Sentence = (", begun ", When(begun[-1].begun_at)) if begun else ()
    return (f"{who} is signing in at {where}", *begun_at), (f"{who} is signing in",)


def _opening(entry: Entry) -> tuple[Sentence, Sentence]:
    step = STEP_NAMES.get(entry.promotion.step, "about to start")
    who = [name_of(a.forge_user) or name_of(a.by) for a in entry.promotion.granted]
    by = f" for {who[-1]}" if who else ""
    return (f"{step}{by}",), (step,)


def _open(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    who = name_of(p.author)
    by: Sentence = (f" by {who}",) if who else ()
    checks: Sentence = (f" · {entry.checks}",) if entry.checks else ()
    since: Sentence = (", opened ", When(p.changed_at)) if p.changed_at else ()
    link = pull_request_of(p)
    return (*link, *by, *since, *checks), (*link, *by, *checks)


def _deploying(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    who = name_of(p.merged_by)
    by = f" by {who}" if who else ""
    when = When(p.changed_at)
    full: Sentence = (*pull_request_of(p), " merged ", when, f"{by}; waiting for Flux")
    return full, ("merged ", when, by)


def _failed(entry: Entry) -> tuple[Sentence, Sentence]:
    message = entry.promotion.failure_message
    return (message,), (message,)


def _lost(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    if p.note is Note.LOST:
        return ("the delegation ended before it was used",), ("the delegation ended",)
    reason = p.note_reason or "the approval ran out before it was used"
    return (reason,), (reason,)


def _rejected(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    reason: Sentence = (f": “{p.reason}”",) if p.reason else ()
    who = name_of(p.rejected_by)
    return (f"rejected by {who} ", When(p.changed_at), *reason), (f"by {who}", *reason)


def _closed(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    link = pull_request_of(p)
    when = When(p.changed_at)
    return (*link, " was closed without merging ", when), (*link, " closed")


def _undone(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    back: Sentence = (" is back on ", code(p.running)) if p.running else (" runs something else",)
    reason: Sentence = (f": {p.reason}",) if p.reason else ()
    environment = p.request.promotion.environment
    return (f"merged, but {environment}", *back, *reason), (environment, *back)


def _superseded(entry: Entry) -> tuple[Sentence, Sentence]:
    p = entry.promotion
    link = pull_request_of(p)
    because: Sentence = (f": {p.reason}",) if p.reason else ()
    full: Sentence = (*link, " is overtaken and still open", *because)
    return full, (*link, " is still open")


SENTENCES: Final[dict[GateState, Callable[[Entry], tuple[Sentence, Sentence]]]] = {
    GateState.WAITING: _waiting,
    GateState.ASKED: _asked,
    GateState.OPENING: _opening,
    GateState.OPEN: _open,
    GateState.DEPLOYING: _deploying,
    GateState.FAILED: _failed,
    GateState.LOST: _lost,
    GateState.REJECTED: _rejected,
    GateState.CLOSED: _closed,
    GateState.UNDONE: _undone,
    GateState.SUPERSEDED: _superseded,
}
