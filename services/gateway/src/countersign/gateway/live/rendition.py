"""The parts of open pages, rendered once for all who are shown the same."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from countersign.contracts.messages import Person
from countersign.gateway.html.templates import Templates, gate_page
from countersign.gateway.interfaces import Access, rights
from countersign.gateway.live.sse import encode_event
from countersign.gateway.model import GateKey, May, PipelineKey, Track
from countersign.gateway.view.boards import Query, counts_of, waiting_of
from countersign.gateway.view.projection import Position, Projection
from countersign.gateway.view.sheets import sheet_of


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
        changed: Mapping[PipelineKey, AbstractSet[str]],
    ) -> None:
        self._projection = projection
        self._templates = templates
        self._changed = changed
        self._made: dict[tuple[object, ...], str] = {}
        self._encoded: dict[str, bytes] = {}

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
        shown = gate_page(track, timeline, at, may)
        place = ("gate", at, view.promotion_id, shown.may, shown.mine)
        if place not in self._made:
            self._made[place] = self._templates.gate(key, shown)
        return self._made[place]

    def sheet(self, view: View, *, person: Person, access: Access) -> str:
        """The consent sheet of this person, still of the promotion that the page was made for."""
        made = sheet_of(self._projection, view.promotion_id, person=person, access=access)
        if made is None or made.key != view.pipeline:
            return ""
        return self._templates.sheet(made)

    def summary(self, access: Access, person: Person, *, namespace: str) -> str:
        # Who is signing in is shown more than others; these are shown the same.
        mine = person.id if person.id in self._signing_in else ""
        place = ("summary", access.audience(person), namespace, mine)
        if place not in self._made:
            tracks: list[Track] = [
                t
                for t in self._tracks
                if access.may_see(person, t.key) and namespace in {"", t.key.namespace}
            ]
            may = rights(access, person)
            self._made[place] = self._templates.summary(
                waiting_of(tracks, may=may),
                counts_of(tracks, may=may),
                namespace=namespace,
            )
        return self._made[place]

    def encoded(self, parts: Sequence[str]) -> bytes:
        """Return parts as the event that all get who are sent the same."""
        body = "\n".join(parts)
        if body not in self._encoded:
            self._encoded[body] = encode_event(body, event_id=str(self._projection.position))
        return self._encoded[body]

    @cached_property
    def _tracks(self) -> list[Track]:
        return self._projection.tracks()

    @cached_property
    def _signing_in(self) -> frozenset[str]:
        """The ids of all who are signing in somewhere."""
        return frozenset(p for t in self._tracks if t.chips for g in t.gates for p in g.begun_by)
