"""The parts of open pages, rendered once for all who are shown the same."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from countersign.contracts.messages import Person
from countersign.gateway.html.templates import Templates, gate_page
from countersign.gateway.interfaces import Access
from countersign.gateway.live.sse import encode_event
from countersign.gateway.model import GateKey, May, PipelineKey
from countersign.gateway.view.boards import Query
from countersign.gateway.view.projection import Position, Projection
from countersign.gateway.view.sheets import sheet_of
from countersign.gateway.view.tallies import Tallies


@dataclass(frozen=True, kw_only=True)
class View:
    """The subject of one page: a page of the board, a pipeline, a promotion, or only the bus."""

    board: Query | None = None
    shown: frozenset[PipelineKey] = frozenset()
    pipeline: PipelineKey | None = None
    environment: str = ""
    promotion_id: str = ""
    # Whether it asks for consent to that promotion.
    is_sheet: bool = False
    # The projection's position when the page was made.
    since: Position | None = None

    @property
    def keys(self) -> frozenset[PipelineKey]:
        """Return the pipelines of which something is shown."""
        return self.shown if self.pipeline is None else frozenset({self.pipeline})


class Rendering:
    """Owns what was rendered for one round of changes."""

    def __init__(
        self,
        projection: Projection,
        templates: Templates,
        access: Access,
        changed: Mapping[PipelineKey, AbstractSet[str]],
    ) -> None:
        self._projection = projection
        self._access = access
        self._templates = templates
        self._changed = changed
        self._made: dict[tuple[object, ...], str] = {}
        self._encoded: dict[tuple[str, ...], tuple[bytes, bool]] = {}
        # Of before anything was rendered: what comes meanwhile is told in the next round.
        self._position = str(projection.position)
        self._mark = templates.form_token_mark.encode()

    def track(self, key: PipelineKey, *, may: May) -> str:
        track = self._projection.track(key)
        allowed = track.allowed(may) if track else frozenset()
        mine = track.mine(may) if track else frozenset()
        place = ("track", key, allowed, mine)
        if place not in self._made:
            self._made[place] = self._templates.track(
                key, track, may=allowed, mine=mine, changed=self._changed.get(key, frozenset())
            )
        return self._made[place]

    def pipeline(self, key: PipelineKey, *, may: May) -> str:
        track = self._projection.track(key)
        allowed = track.allowed(may) if track else frozenset()
        mine = track.mine(may) if track else frozenset()
        place = ("pipeline", key, allowed, mine)
        if place not in self._made:
            self._made[place] = self._templates.pipeline(
                track,
                self._projection.history(key),
                may=allowed,
                mine=mine,
                changed=self._changed.get(key, frozenset()),
            )
        return self._made[place]

    def gate(self, view: View, *, may: May) -> str:
        key = view.pipeline
        if key is None:
            return ""
        timeline = self._projection.timelines.get(view.promotion_id)
        # The page's address names both, and may name what does not belong together.
        if timeline is not None and timeline.gate_key.pipeline != key:
            return ""
        at = timeline.gate_key if timeline else GateKey(key, view.environment)
        track = self._projection.track(key)
        if timeline is None and track is not None and (gate := track.gate(at.environment)):
            timeline = self._projection.timelines.get(gate.promotion_id)
        past = self._projection.at_gate(*at)
        shown = gate_page(track, timeline, at, may, past)
        place = ("gate", at, view.promotion_id, shown.may, shown.mine)
        if place not in self._made:
            self._made[place] = self._templates.gate(key, shown)
        return self._made[place]

    def sheet(self, view: View, *, person: Person) -> str:
        """The consent sheet of this person, still of the promotion that the page was made for."""
        made = sheet_of(self._projection, view.promotion_id, person=person, access=self._access)
        if made is None or made.key != view.pipeline:
            return ""
        return self._templates.sheet(made)

    def summary(self, tallies: Tallies, person: Person, *, namespace: str) -> str:
        tally = tallies.of(person)
        place = ("summary", tally.key, namespace)
        if place not in self._made:
            self._made[place] = self._templates.summary(
                tally.waiting(namespace), tally.counts(namespace), namespace=namespace
            )
        return self._made[place]

    def encoded(self, parts: Sequence[str], *, form_token: str) -> bytes:
        """Return parts as the event that all get who are sent the same."""
        place = tuple(parts)
        if place not in self._encoded:
            event = encode_event("\n".join(parts), event_id=self._position)
            self._encoded[place] = (event, self._mark in event)
        event, is_marked = self._encoded[place]
        return event.replace(self._mark, form_token.encode()) if is_marked else event
