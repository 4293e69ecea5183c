"""The promises I1 to I5, each as a question to the evidence; an answer is a breach of it.

They are written a second time on purpose: not by the code that has to keep them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from laws.evidence import Event, Evidence, Json, Pull

MARKER = re.compile(rb"""#\s*(\{\s*"\$promotion"\s*:.*\})\s*$""")
# So long an older pull request may stay beside the newer one: the forge may answer late.
OVERLAP_S = 90.0
FACTS = frozenset(
    {"pull-request.opened", "pull-request.merged", "pull-request.closed", "promotion.completed"}
)
ENDS = frozenset({"promotion.completed", "promotion.superseded"})
# At rest after these, if they say why.
STOPPED = {"pull-request.failed": "message", "approval.rejected": "by"}
WAITING = frozenset({"approval.begun", "approval.lost", "approval.expired"})
RESTING = frozenset(
    {"pull-request.opened", "pull-request.merged", "pull-request.closed", "promotion.undone"}
)
# A person is waited for, unless a stored token may act by itself.
UNATTENDED = frozenset({"CREDENTIAL_MODE_STORED", "CREDENTIAL_MODE_APP"})


@dataclass(frozen=True)
class Breach:
    law: str
    what: str

    def __str__(self) -> str:
        return f"{self.law}: {self.what}"


def breaches(evidence: Evidence, *, repeated: str = "") -> list[Breach]:
    """Judge everything; an id that begins with `repeated` was published again on purpose."""
    return [
        *one_pull_request(evidence.ours),
        *never_two_at_once(evidence.ours),
        *nothing_hangs(evidence),
        *only_what_was_asked(evidence),
        *only_merges_move_the_branch(evidence),
        *in_order(evidence, repeated=repeated),
        *record_is_true(evidence),
        *record_is_whole(evidence),
    ]


def one_pull_request(pulls: Iterable[Pull]) -> Iterator[Breach]:
    """I1: at most one open or merged for a promotion, and one open for a gate."""
    alive = [pull for pull in pulls if pull.is_alive]
    for promotion_id, count in Counter(p.promotion_id for p in alive).items():
        if count > 1:
            yield Breach("I1", f"{count} pull requests are open or merged for {promotion_id}")
    for gate, count in Counter(p.gate for p in alive if not p.merged).items():
        if count > 1:
            yield Breach("I1", f"{count} pull requests are open at once for {gate}")


def never_two_at_once(pulls: Iterable[Pull]) -> Iterator[Breach]:
    """I1 at every instant: the older one of a gate is gone soon after the newer one is there."""
    for gate, own in groupby(sorted(pulls, key=lambda p: (p.gate, p.number)), lambda p: p.gate):
        for older, newer in pairwise(own):
            ended_s = older.ended_s or float("inf")
            if ended_s - newer.opened_s > OVERLAP_S and older.state != "open":
                yield Breach("I1", f"{older} outlived {newer} of {gate} by more than {OVERLAP_S} s")
            if older.merged and ended_s > newer.opened_s:
                yield Breach("I1", f"{older} was merged after {newer} was there")


def nothing_hangs(evidence: Evidence) -> Iterator[Breach]:
    """I2: a promotion that was requested has ended with a reason, rests, or waits for somebody."""
    for promotion_id, own in evidence.by_promotion().items():
        request = own[0].body
        alone = request.get("mode") in UNATTENDED and not request.get("manual")
        state = "waiting"
        for event in own:
            state = _after(state, event, alone=alone)
        if state.startswith("!"):
            yield Breach("I2", f"{promotion_id} hangs: {state[1:]} after {own[-1]}")


def _after(state: str, event: Event, *, alone: bool) -> str:
    """Return what is waited for; with a `!` what has to happen by itself, and did not yet."""
    kind, body = event.kind, event.body
    after = state
    if kind in ENDS:
        after = "over"
    elif kind in {"promotion.requested", "promotion.retried"}:
        after = "!opening" if alone else "waiting"
    elif kind == "approval.granted":
        enough = body.get("count", 1) >= body.get("needed", 1)
        after = "!opening" if enough else "waiting"
    elif kind in STOPPED:
        after = "stopped" if body.get(STOPPED[kind]) else f"!{kind} without a reason"
    elif kind in RESTING:
        after = "resting"
    elif kind in WAITING and state != "resting":
        after = "waiting"
    return "over" if state == "over" else after


def only_what_was_asked(evidence: Evidence) -> Iterator[Breach]:
    """I4: a commit changes marked scalars, to the value that was asked for, and no other byte."""
    requests = {
        promotion_id: event.body
        for promotion_id, own in evidence.by_promotion().items()
        for event in own
        if event.kind == "promotion.requested"
    }
    for pull in evidence.ours:
        request = requests.get(pull.promotion_id)
        if request is None:
            yield Breach("I4", f"nobody asked for {pull}")
            continue
        for what in _wrong_bytes(evidence, pull, request):
            yield Breach("I4", f"{pull}: {what}")


def _wrong_bytes(evidence: Evidence, pull: Pull, request: Json) -> Iterator[str]:
    parents = evidence.repository.parents(pull.head_commit)
    if len(parents) != 1:
        yield f"its commit has {len(parents)} parents"
        return
    changed = evidence.repository.changes(pull.head_commit)
    if not changed:
        yield "it changes nothing"
    for path, modes in evidence.repository.modes(pull.head_commit).items():
        if modes[0] != modes[1]:
            yield f"{path} had mode {modes[0].decode()} and has {modes[1].decode()}"
    for path, (before, after) in changed.items():
        old, new = before.split(b"\n"), after.split(b"\n")
        if len(old) != len(new):
            yield f"{path} has other lines"
            continue
        for was, became in zip(old, new, strict=True):
            if was != became and (what := _wrong_line(was, became, request)):
                yield f"{path}: {what}"


def _wrong_line(was: bytes, became: bytes, request: Json) -> str:
    marker = MARKER.search(was.rstrip(b"\r"))
    if marker is None:
        return f"a line without a marker changed: {was!r}"
    key, own = _key_of(marker[1]), request["markerKey"]
    if key != own and not key.startswith(f"{own}:"):
        return f"another marker's line changed: {was!r}"
    suffix = key.removeprefix(own).lstrip(":")
    value = _value(request["content"]["revision"], suffix)
    head, tail = was[: marker.start()], was[marker.start() :]
    if not became.endswith(tail):
        return f"its comment changed: {became!r}"
    written = became[: len(became) - len(tail)]
    begin, _, old = head.partition(b": ")
    scalar = old.strip().strip(b"'\"")
    expected = begin + b": " + old.replace(scalar, value.encode(), 1)
    return "" if written == expected else f"{became!r} instead of {expected + tail!r}"


def _key_of(comment: bytes) -> str:
    return str(json.loads(comment)["$promotion"])


def _value(revision: Json, suffix: str) -> str:
    if suffix:
        return str(revision.get(suffix) or revision["recorded"])
    return str(revision.get("version") or revision["recorded"])


def only_merges_move_the_branch(evidence: Evidence) -> Iterator[Breach]:
    """I4 in the large: whatever of ours reached the branch came by a merged pull request."""
    merged = {pull.head_commit for pull in evidence.ours if pull.merged}
    repository = evidence.repository
    known = {pull.head_commit for pull in evidence.ours} - merged
    reached = set(repository.git("rev-list", repository.branch).decode().split())
    for commit in sorted(known & reached):
        yield Breach("I4", f"{commit} is on {repository.branch}, and no pull request was merged")


def in_order(evidence: Evidence, *, repeated: str) -> Iterator[Breach]:
    """I5: requested first and once, then what follows from it; each fact is told once."""
    for promotion_id, own in evidence.by_promotion().items():
        said = [e for e in own if not (repeated and e.message_id.startswith(repeated))]
        if said and said[0].kind != "promotion.requested":
            yield Breach("I5", f"{said[0]} came before its request")
        told = Counter((e.kind, e.attempt) for e in said if e.kind in FACTS)
        told["promotion.requested", 1] = sum(e.kind == "promotion.requested" for e in said)
        for (kind, attempt), count in told.items():
            if count > 1:
                yield Breach("I5", f"{promotion_id}, attempt {attempt}: {kind} told {count} times")
        yield from _steps_in_order(said)


def _steps_in_order(said: list[Event]) -> Iterator[Breach]:
    seen: set[tuple[str, object]] = set()
    attempt = 1
    for event in said:
        if event.kind == "promotion.retried":
            if event.attempt != attempt + 1:
                yield Breach("I5", f"{event} is attempt {event.attempt} after {attempt}")
            attempt = event.attempt
        if (
            event.kind in {"pull-request.merged", "pull-request.closed"}
            and ("pull-request.opened", event.attempt) not in seen
        ):
            yield Breach("I5", f"{event} came before it was opened")
        consent = event.body.get("approvalId")
        if event.kind == "pull-request.opened" and consent and ("granted", consent) not in seen:
            yield Breach("I5", f"{event} came before {consent} was granted")
        seen.add((event.kind, event.attempt))
        if event.kind == "approval.granted":
            seen.add(("granted", consent))


def record_is_true(evidence: Evidence) -> Iterator[Breach]:
    """I5: what the stream says of a pull request is what the forge has."""
    by_number = {pull.number: pull for pull in evidence.pulls}
    for event in evidence.events:
        if not event.kind.startswith("pull-request.") or "pullRequest" not in event.body:
            continue
        told = event.body["pullRequest"]
        pull = by_number.get(int(told["number"]))
        if pull is None or pull.branch != told["headBranch"]:
            yield Breach("I5", f"{event}: the forge has no such pull request")
        elif event.kind == "pull-request.opened" and pull.author != event.body["author"]["login"]:
            yield Breach("I5", f"{event}: {pull.author} opened it")
        elif event.kind == "pull-request.merged" and not pull.merged:
            yield Breach("I5", f"{event}: it was not merged")
        elif event.kind == "pull-request.closed" and pull.is_alive:
            yield Breach("I5", f"{event}: it was not closed")


def record_is_whole(evidence: Evidence) -> Iterator[Breach]:
    """I2 of the record: what the forge has of ours was told, its end included."""
    told = {
        (event.kind, int(event.body["pullRequest"]["number"]))
        for event in evidence.events
        if "pullRequest" in event.body
    }
    over = {e.promotion_id for e in evidence.events if e.kind in ENDS}
    for pull in evidence.ours:
        if ("pull-request.opened", pull.number) not in told:
            yield Breach("I2", f"nobody told that {pull} was opened")
        elif (
            pull.merged
            and ("pull-request.merged", pull.number) not in told
            and pull.promotion_id not in over
        ):
            yield Breach("I2", f"nobody told that {pull} was merged")
