"""The parts of open pages, rendered once for all who are shown the same."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from countersign.contracts.messages import Person
from countersign.gateway.html.templates import Templates
from countersign.gateway.interfaces import Access, rights
from countersign.gateway.model import May, PipelineKey, Track
from countersign.gateway.view.boards import Query, counts_of, waiting_of
from countersign.gateway.view.projection import Position, Projection


@dataclass(frozen=True, kw_only=True)
class View:
    """The subject of one page: a page of the board, a pipeline, a promotion, or only the bus."""

    board: Query | None = None
    shown: frozenset[PipelineKey] = frozenset()
    pipeline: PipelineKey | None = None
    environment: str = ""
    promotion_id: str = ""
    # The projection's position when the page was made.
    since: Position | None = None

    @property
    def keys(self) -> frozenset[PipelineKey]:
        """Of which pipelines something is shown."""
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

    def track(self, key: PipelineKey, *, may: May) -> str:
        track = self._projection.track(key)
        allowed = track.allowed(may) if track else frozenset()
        place = ("track", key, allowed)
        if place not in self._made:
            self._made[place] = self._templates.track(
                key, track, may=allowed, changed=self._changed.get(key, frozenset())
            )
        return self._made[place]

    def pipeline(self, key: PipelineKey, *, may: May) -> str:
        track = self._projection.track(key)
        allowed = track.allowed(may) if track else frozenset()
        place = ("pipeline", key, allowed)
        if place not in self._made:
            self._made[place] = self._templates.pipeline(
                track,
                self._projection.history(key),
                may=allowed,
                changed=self._changed.get(key, frozenset()),
            )
        return self._made[place]

    def environment_of(self, view: View) -> str:
        """Into which environment the promotion leads that a page shows."""
        timeline = self._projection.timelines.get(view.promotion_id)
        return timeline.promotion.request.promotion.environment if timeline else view.environment

    def gate(self, view: View, *, may: bool) -> str:
        key = view.pipeline
        place = ("gate", key, view.environment, view.promotion_id, may)
        if place not in self._made and key is not None:
            track = self._projection.track(key)
            gate = track.gate(view.environment) if track else None
            wanted = view.promotion_id or (gate.promotion_id if gate else "")
            timeline = self._projection.timelines.get(wanted)
            # The page's address names both, and may name what does not belong together.
            if timeline is not None and timeline.gate_key.pipeline != key:
                timeline = None
            self._made[place] = self._templates.gate(key, gate, timeline, may=may)
        return self._made.get(place, "")

    def summary(self, access: Access, person: Person) -> str:
        place = ("summary", access.audience(person))
        if place not in self._made:
            tracks: list[Track] = [
                t for t in self._projection.tracks() if access.may_see(person, t.key)
            ]
            may = rights(access, person)
            self._made[place] = self._templates.summary(
                waiting_of(tracks, may=may), counts_of(tracks, may=may)
            )
        return self._made[place]
