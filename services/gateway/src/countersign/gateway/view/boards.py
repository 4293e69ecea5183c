"""The board: filters, search, pages of whole namespaces, and what waits for you. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from countersign.gateway.gate_states import Show
from countersign.gateway.model import GateKey, GateView, May, PipelineKey, Track

PAGE_TRACKS: Final = 60  # what a page holds unless one namespace has more
QUERY_CHARACTERS_MAX: Final = 200
PAGES_MAX: Final = 10_000


LABELS: Final = {
    Show.ALL: "All",
    Show.NEEDS_ME: "Needs me",
    Show.IN_PULL_REQUEST: "In pull request",
    Show.BLOCKED: "Blocked",
    Show.FAILED: "Failed",
}


@dataclass(frozen=True)
class Query:
    """The state of a board, as its address says it."""

    show: Show = Show.ALL
    words: str = ""
    namespace: str = ""
    page: int = 1

    def address(self, **changes: str | int | Show) -> str:
        """The board with something changed; a new filter begins at its first page."""
        values = {"show": self.show, "words": self.words, "namespace": self.namespace, **changes}
        pairs = {
            "show": values["show"] if values["show"] is not Show.ALL else "",
            "q": values["words"],
            "namespace": values["namespace"],
            "page": changes.get("page", 1) if changes.get("page", 1) != 1 else "",
        }
        text = urlencode({k: v for k, v in pairs.items() if v})
        return f"/?{text}" if text else "/"

    @property
    def narrow(self) -> bool:
        return self.show is not Show.ALL or bool(self.words) or bool(self.namespace)


def read_query(values: dict[str, str]) -> Query:
    """Read a query from an address; what is wrong in it is left out."""
    show = values.get("show", "")
    page = values.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1  # noqa: PLR2004
    return Query(
        show=Show(show) if show in set(Show) else Show.ALL,
        words=values.get("q", "").strip()[:QUERY_CHARACTERS_MAX],
        namespace=values.get("namespace", "")[:QUERY_CHARACTERS_MAX],
        page=min(max(1, number), PAGES_MAX),
    )


def matches(track: Track, query: Query, *, may: May) -> bool:
    if query.namespace and track.key.namespace != query.namespace:
        return False
    if query.show is not Show.ALL and not _shows(track, query.show, may):
        return False
    return all(word in track.search_text for word in query.words.lower().split())


def _shows(track: Track, show: Show, may: May) -> bool:
    return show in track.chips and any(_shown(track, show, may))


def _shown(track: Track, show: Show, may: May) -> Iterator[GateView]:
    """The gates for which a filter shows a track."""
    for gate in track.gates:
        if show is Show.NEEDS_ME:
            mine = may.person_id in gate.begun_by
            if mine or (gate.needs_person and may(GateKey(track.key, gate.environment))):
                yield gate
        elif show in gate.chips:
            yield gate


@dataclass(frozen=True, kw_only=True)
class Group:
    """The tracks of a namespace."""

    namespace: str
    tracks: tuple[Track, ...]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A gate at which a person is awaited."""

    track: Track
    gate: GateView


@dataclass(frozen=True, kw_only=True)
class Board:
    """One page of the board."""

    query: Query
    groups: tuple[Group, ...]
    pages: int
    shown: int
    found: int
    total: int
    counts: dict[Show, int]
    waiting: tuple[Waiting, ...]
    namespaces: tuple[str, ...]

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(t for g in self.groups for t in g.tracks)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The counts of a scope, and all that waits there."""

    counts: dict[Show, int]
    waiting: Sequence[Waiting]


def board(
    tracks: Sequence[Track], query: Query, *, may: May, totals: Totals | None = None
) -> Board:
    """Put one page of the board together.

    Args:
        tracks: all that the viewer may see, by namespace and name.
        query: what of them.
        may: nothing waits for somebody who may not promote there.
        totals: of the query's namespace, where they are known already.

    """
    everything, tracks = tracks, _scoped(tracks, query)
    found = _found(tracks, query, may=may)
    pages = paginate(found)
    page = min(query.page, max(1, len(pages)))
    shown = pages[page - 1] if pages else []
    totals = totals or Totals(
        counts=counts_of(tracks, may=may), waiting=waiting_of(tracks, may=may)
    )
    return Board(
        query=Query(query.show, query.words, query.namespace, page),
        groups=tuple(
            Group(namespace=n, tracks=tuple(ts))
            for n, ts in groupby(shown, key=lambda t: t.key.namespace)
        ),
        pages=len(pages),
        shown=len(shown),
        found=len(found),
        total=len(tracks),
        counts=totals.counts,
        waiting=tuple(totals.waiting),
        namespaces=tuple(dict.fromkeys(t.key.namespace for t in everything)),
    )


def shown_of(tracks: Sequence[Track], query: Query, *, may: May) -> frozenset[PipelineKey]:
    """Return the pipelines that the same page shows."""
    pages = paginate(_found(_scoped(tracks, query), query, may=may))
    page = min(query.page, len(pages))
    return frozenset(t.key for t in pages[page - 1]) if pages else frozenset()


def _found(tracks: Sequence[Track], query: Query, *, may: May) -> Sequence[Track]:
    if query.show is Show.ALL and not query.words:
        return tracks
    return [t for t in tracks if matches(t, query, may=may)]


def _scoped(tracks: Sequence[Track], query: Query) -> Sequence[Track]:
    """A namespace is a scope: everything on the page is of it."""
    if not query.namespace:
        return tracks
    return [t for t in tracks if t.key.namespace == query.namespace]


def counts_of(tracks: Iterable[Track], *, may: May) -> dict[Show, int]:
    counts = dict.fromkeys(Show, 0)
    for track in tracks:
        counts[Show.ALL] += 1
        for show in track.chips:
            counts[show] += sum(1 for _ in _shown(track, show, may))
    return counts


def waiting_of(tracks: Iterable[Track], *, may: May) -> list[Waiting]:
    """Gates that ask for a person; who waits longest comes first."""
    asking = (t for t in tracks if _shows(t, Show.NEEDS_ME, may))
    return in_order(Waiting(track=t, gate=g) for t in asking for g in _shown(t, Show.NEEDS_ME, may))


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Sort by since when, and by name; what does not say since when comes last."""
    return sorted(waiting, key=lambda w: (w.gate.since is None, w.gate.since, w.track.key))


def paginate(tracks: Sequence[Track]) -> list[list[Track]]:
    """Pages of whole namespaces; only a namespace larger than a page is split."""
    pages: list[list[Track]] = []
    for _, group in groupby(tracks, key=lambda t: t.key.namespace):
        rest = list(group)
        if pages and len(pages[-1]) + len(rest) <= PAGE_TRACKS:
            pages[-1].extend(rest)
            continue
        pages.extend(rest[i : i + PAGE_TRACKS] for i in range(0, len(rest), PAGE_TRACKS))
    return pages
