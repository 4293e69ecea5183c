"""The counts of a board and what waits there, kept for each audience and brought up to date.

With thousands of pipelines, counting anew at every change would take longer than all else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.messages import Person
from countersign.gateway.gate_states import Show
from countersign.gateway.interfaces import Access
from countersign.gateway.model import GateKey, May, PipelineKey, Track
from countersign.gateway.view.boards import Totals, Waiting, counts_of, in_order, waiting_of
from countersign.gateway.view.projection import Projection

# Audiences of open pages; each costs about 100 bytes for a pipeline that it may see.
TALLIES_MAX: Final = 64
# Of all namespaces.
_ALL: Final = ""


class _Share(NamedTuple):
    """The part of one pipeline."""

    counts: tuple[tuple[Show, int], ...]
    waiting: tuple[Waiting, ...] = ()


@dataclass
class Tally:
    """Owns the sums of one audience, by namespace and of all."""

    # Its audience, and who of it is signing in.
    key: tuple[str, str]
    counted_to: int = 0
    _shares: dict[PipelineKey, _Share] = field(default_factory=dict)
    _sums: dict[str, Counter[Show]] = field(default_factory=dict)
    _waiting: dict[PipelineKey, tuple[Waiting, ...]] = field(default_factory=dict)

    def totals(self, namespace: str) -> Totals:
        return Totals(counts=self.counts(namespace), waiting=self.waiting(namespace))

    def counts(self, namespace: str) -> dict[Show, int]:
        sums = self._sums.get(namespace, Counter())
        return {show: sums[show] for show in Show}

    def waiting(self, namespace: str) -> list[Waiting]:
        """Gates that ask for a person; who waits longest comes first."""
        found = (
            w for key, ws in self._waiting.items() if namespace in {_ALL, key.namespace} for w in ws
        )
        return in_order(found)

    def put(self, key: PipelineKey, track: Track | None, *, may: May) -> None:
        """Count a pipeline as it is now; none for one that is gone or may not be seen."""
        before = self._shares.pop(key, None)
        self._waiting.pop(key, None)
        if before is not None:
            self._add(key.namespace, before, times=-1)
        if track is None:
            return
        share = _share(track, may)
        self._shares[key] = share
        self._add(key.namespace, share, times=1)
        if share.waiting:
            self._waiting[key] = share.waiting

    def _add(self, namespace: str, share: _Share, *, times: int) -> None:
        for scope in (_ALL, namespace):
            sums = self._sums.setdefault(scope, Counter())
            for show, count in share.counts:
                sums[show] += times * count


_NOTHING: Final = _Share(counts=((Show.ALL, 1),))


def _share(track: Track, may: May) -> _Share:
    if not track.chips:
        return _NOTHING
    counts = tuple((show, n) for show, n in counts_of([track], may=may).items() if n)
    return _Share(counts=counts, waiting=tuple(waiting_of([track], may=may)))


class Tallies:
    """Owns the tallies of all audiences; each catches up when it is asked for."""

    def __init__(self, projection: Projection, access: Access) -> None:
        self._projection = projection
        self._access = access
        self._by_audience = BoundedDict[tuple[str, str], Tally](TALLIES_MAX)
        self._begun: dict[PipelineKey, frozenset[str]] = {}
        self._begun_to = 0

    def signing_in(self) -> frozenset[str]:
        """Return the ids of all who are signing in somewhere."""
        for key in self._projection.changed_after(self._begun_to):
            track = self._projection.track(key)
            people = frozenset(p for g in track.gates for p in g.begun_by) if track else None
            if people:
                self._begun[key] = people
            else:
                self._begun.pop(key, None)
        self._begun_to = self._projection.changes
        return frozenset[str]().union(*self._begun.values())

    def of(self, person: Person) -> Tally:
        """Return what this person is shown.

        Those of an audience share a tally, but who is signing in: they are shown that as well. The
        audience is asked for each time: counted is by rights that a moment later may be others.
        """
        audience = self._access.audience(person)
        mine = person.id if person.id in self.signing_in() else ""
        tally = self._by_audience.get((audience, mine)) or Tally((audience, mine))
        self._by_audience[tally.key] = tally
        may = May(self._promotes(person), mine)
        for key in self._projection.changed_after(tally.counted_to):
            seen = self._access.may_see(person, key)
            tally.put(key, self._projection.track(key) if seen else None, may=may)
        tally.counted_to = self._projection.changes
        return tally

    def _promotes(self, person: Person) -> Callable[[GateKey], bool]:
        return lambda gate: self._access.may_promote(person, gate)
