"""The gateway's knowledge: a fold of everything the streams hold, kept in memory.

An event that comes twice or late changes nothing. Whoever asks gets the same frozen values until
something changes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, NamedTuple, Self

from countersign.contracts.forge_list import ForgeList
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    PipelineDeleted,
    PipelineObserved,
    PromotionRef,
    TokenChecked,
    TokenUsed,
)
from countersign.contracts.promotion import OVER
from countersign.contracts.record import attempts
from countersign.contracts.record.attempts import PromotionRecord
from countersign.contracts.record.decisions import Heard, Outcome
from countersign.contracts.subjects import DELEGATED_CREDENTIAL
from countersign.gateway.gates.gates import follow_note, gate_view
from countersign.gateway.model import GateKey, GateView, PipelineKey, Track
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.timelines import Timeline, fold
from countersign.gateway.view.tracks import broken_track, track_view
from countersign.process.tasks.entries import one_entry

STREAMS: Final = ("PROMOTIONS", "PIPELINES", "TOKENS")
HISTORY_PER_GATE_MAX: Final = 50  # promotions; what a page shows, the stream keeps the rest
# Promotions of all pipelines that pages and record keep, at some 21 KiB each; beyond, the stream
# and its archive are the record.
PROMOTIONS_KEPT: Final = 10_000
_POSITION_PARTS: Final = len(STREAMS)


class Position(NamedTuple):
    """The sequence that each stream was read to, in the order of `STREAMS`."""

    promotions: int = 0
    pipelines: int = 0
    tokens: int = 0

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        parts = text.split(".")
        if len(parts) != _POSITION_PARTS or not all(p.isascii() and p.isdigit() for p in parts):
            return None
        return cls(*(int(p[:18]) for p in parts))

    def passed(self, stream: str, sequence: int) -> Self:
        return self._replace(**{stream.lower(): sequence})

    def beyond(self, other: "Position") -> bool:
        """Tell whether anything here is newer than `other`."""
        return any(mine > theirs for mine, theirs in zip(self, other, strict=True))


class Update(NamedTuple):
    """A change that an event made."""

    pipeline: PipelineKey | None = None
    promotion_id: str = ""
    credential: PipelineKey | None = None


@dataclass
class Projection:
    """Owns what is known; `apply` is the only way in."""

    links: ForgeLinks = field(default_factory=lambda: ForgeLinks(ForgeList()))
    kept_max: int = PROMOTIONS_KEPT
    position: Position = field(default_factory=Position)
    latest_at: datetime | None = None
    pipelines: dict[PipelineKey, PipelineObserved] = field(default_factory=dict)
    timelines: OrderedDict[str, Timeline] = field(default_factory=OrderedDict)
    records: OrderedDict[str, PromotionRecord] = field(default_factory=OrderedDict)
    # Whether nothing that the stream holds is left out of the records.
    record_is_whole: bool = True
    gates: dict[GateKey, list[str]] = field(default_factory=dict)
    credentials: dict[PipelineKey, TokenChecked] = field(default_factory=dict)
    used: dict[PipelineKey, TokenUsed] = field(default_factory=dict)
    changed: dict[PipelineKey, Position] = field(default_factory=dict)
    # When a pipeline was first seen, in this order.
    born: dict[PipelineKey, Position] = field(default_factory=dict)
    # How many changes there were; a position says less, for a stream can be made anew.
    changes: int = field(default=0, compare=False)
    # The number of each pipeline's last change, in this order.
    _changes: dict[PipelineKey, int] = field(default_factory=dict, compare=False)
    _tracks: dict[PipelineKey, Track] = field(default_factory=dict)
    # The keys in order; sorted anew when one came or went.
    _ordered: list[PipelineKey] = field(default_factory=list)

    def apply(self, event: Message, *, stream: str, heard: Heard) -> Update | None:
        """Take one event in; none when it changed nothing."""
        if stream not in STREAMS or heard.sequence <= self.position[STREAMS.index(stream)]:
            return None
        self.position = self.position.passed(stream, heard.sequence)
        self.latest_at = heard.recorded_at
        change = self._take(event, heard)
        if change is not None and change.pipeline is not None:
            self._tracks.pop(change.pipeline, None)
            self.changed[change.pipeline] = self.position
            self._number(change.pipeline)
        return change

    def _number(self, key: PipelineKey) -> None:
        self.changes += 1
        self._changes.pop(key, None)
        self._changes[key] = self.changes

    def changed_after(self, number: int) -> list[PipelineKey]:
        """Return the pipelines that changed after that many changes."""
        newest = takewhile(lambda at: at[1] > number, reversed(self._changes.items()))
        return [key for key, _ in newest]

    def born_after(self, position: Position) -> list[PipelineKey]:
        """Return the pipelines that were first seen after that."""
        newest = takewhile(lambda at: at[1].beyond(position), reversed(self.born.items()))
        return [key for key, _ in newest]

    def forget(self, stream: str) -> None:
        """Forget what a stream told: it was made anew, and tells all again."""
        self.position = self.position.passed(stream, 0)
        for key in (*self.pipelines, *(g.pipeline for g in self.gates)):
            self._number(key)
        told: dict[str, tuple[dict[Any, Any], ...]] = {
            "PROMOTIONS": (self.timelines, self.records, self.gates),
            "PIPELINES": (self.pipelines, self.born),
            "TOKENS": (self.credentials, self.used),
        }
        for known in (*told[stream], self._tracks):
            known.clear()
        self._ordered.clear()

    def _take(self, event: Message, heard: Heard) -> Update | None:
        if isinstance(event, PipelineObserved):
            key = PipelineKey(event.pipeline.namespace, event.pipeline.name)
            same = self.pipelines.get(key) == event
            self.pipelines[key] = event
            self.born.setdefault(key, self.position)
            return None if same else Update(pipeline=key)
        if isinstance(event, PipelineDeleted):
            return self._forget(event)
        if isinstance(event, TokenChecked | TokenUsed):
            return self._check(event)
        return self._promote(event, heard)

    def _forget(self, event: PipelineDeleted) -> Update | None:
        key = PipelineKey(event.pipeline.namespace, event.pipeline.name)
        known = self.pipelines.get(key)
        if known is None or known.pipeline.uid != event.pipeline.uid:
            return None
        del self.pipelines[key]
        self._ordered.clear()
        self.born.pop(key, None)
        return Update(pipeline=key)

    def _check(self, event: TokenChecked | TokenUsed) -> Update | None:
        key = PipelineKey(event.credential.namespace, event.credential.name)
        if key.name == DELEGATED_CREDENTIAL:
            return None
        if isinstance(event, TokenChecked):
            self.credentials[key] = event
        else:
            self.used[key] = event
        return Update(credential=key)

    def _promote(self, event: Message, heard: Heard) -> Update | None:
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None:
            return None
        before = self.timelines.get(ref.promotion_id)
        if before is None and ref.promotion_id in self.records:
            return self._file(ref, event, heard)
        after = fold(before, event, heard)
        if after is None or after is before:
            return None
        self.timelines[ref.promotion_id] = after
        self._keep(after.record)
        key = PipelineKey(ref.pipeline.namespace, ref.pipeline.name)
        if before is None:
            self._index(GateKey(key, ref.environment), after)
        return Update(pipeline=key, promotion_id=ref.promotion_id)

    def _file(self, ref: PromotionRef, event: Message, heard: Heard) -> Update | None:
        """Take in what is told of a promotion that no page of a gate shows any more."""
        before = self.records[ref.promotion_id]
        after = attempts.fold(before, event, heard)
        if after is None or after is before:
            return None
        self.records[ref.promotion_id] = after
        return Update(promotion_id=ref.promotion_id)

    def _keep(self, record: PromotionRecord) -> None:
        self.records[record.promotion.promotion_id] = record
        if len(self.records) > self.kept_max:
            self.records.popitem(last=False)
            self.record_is_whole = False

    def _index(self, gate: GateKey, timeline: Timeline) -> None:
        ids = self.gates.setdefault(gate, [])
        ids.append(timeline.promotion_id)
        if len(ids) > HISTORY_PER_GATE_MAX:
            self._drop(gate, self._oldest_over(ids))
        if len(self.timelines) > self.kept_max:
            # What is not over stands at a gate, however old it is.
            known = (t.promotion for t in self.timelines.values())
            over = next((p for p in known if p.state in OVER), None)
            if over is not None:
                oldest = over.request.promotion
                key = PipelineKey(oldest.pipeline.namespace, oldest.pipeline.name)
                self._drop(GateKey(key, oldest.environment), oldest.promotion_id)

    def _oldest_over(self, ids: list[str]) -> str:
        over = (i for i in ids if self.timelines[i].promotion.state in OVER)
        return next(over, ids[0])

    def _drop(self, gate: GateKey, promotion_id: str) -> None:
        self.timelines.pop(promotion_id, None)
        if promotion_id in self.gates.get(gate, []):
            self.gates[gate].remove(promotion_id)

    def at_gate(self, key: PipelineKey, environment: str) -> tuple[Timeline, ...]:
        """Promotions into that environment, oldest first."""
        ids = self.gates.get(GateKey(key, environment), [])
        return tuple(self.timelines[i] for i in ids)

    def history(self, key: PipelineKey) -> tuple[Timeline, ...]:
        """All promotions of a pipeline, newest first; also into environments that are gone."""
        names = [g.environment for g in self.gates if g.pipeline == key]
        found = (e for name in names for e in self.at_gate(key, name))
        return tuple(sorted(found, key=lambda e: -e.sequence))

    def track(self, key: PipelineKey) -> Track | None:
        observed = self.pipelines.get(key)
        if observed is None:
            return None
        if key not in self._tracks:
            # One that cannot be shown must not take the others along.
            self._tracks[key] = broken_track(observed)
            with one_entry("track", namespace=key.namespace, pipeline=key.name):
                self._tracks[key] = self._made(key, observed)
        return self._tracks[key]

    def _made(self, key: PipelineKey, observed: PipelineObserved) -> Track:
        gates = tuple(
            self._followed(gate_view(observed, i, self.at_gate(key, e.name), links=self.links))
            if i
            else None
            for i, e in enumerate(observed.environments)
        )
        return track_view(observed, gates)

    def _followed(self, gate: GateView) -> GateView:
        timeline = self.timelines.get(gate.promotion_id)
        return follow_note(gate, timeline.promotion, links=self.links) if timeline else gate

    def tracks(self) -> list[Track]:
        """All of them, by namespace and name."""
        if len(self._ordered) != len(self.pipelines):
            self._ordered = sorted(self.pipelines)
        found = (self._tracks.get(key) or self.track(key) for key in self._ordered)
        return [t for t in found if t is not None]

    def login_of(self, person_id: str, *, origin: str) -> str:
        """Return the person's last known login at the forge, or empty."""
        for timeline in reversed(self.timelines.values()):
            if timeline.promotion.request.destination.origin != origin:
                continue
            for d in reversed(timeline.decisions):
                granted = d.outcome is Outcome.GRANTED and d.forge_user is not None
                if granted and d.by.id == person_id and d.forge_user is not None:
                    return d.forge_user.login
        return ""
