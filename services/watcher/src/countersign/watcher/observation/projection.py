"""Folds the streams: promotions by their life, and the last observation of each Pipeline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    PipelineDeleted,
    PipelineObserved,
    PromotionRef,
    PromotionRequested,
    PullRequestClosed,
    PullRequestRef,
    TokenChecked,
    TokenUsed,
)
from countersign.contracts.promotion import OVER, Promotion
from countersign.watcher.decision.contents import is_there
from countersign.watcher.observation.credentials import Credentials

# Of promotions that are over only the latest matter for the chain of their environment.
OVER_KEPT_MAX: Final = 16
# As many are looked at of a Pipeline.
ENVIRONMENTS_MAX: Final = 100

Place = tuple[str, str]
PullRequestPlace = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedPromotion:
    """A promotion with the trace that its request began; provisional until the stream has it."""

    promotion: Promotion
    trace: Mapping[str, str]
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The last observation of a Pipeline and where in the stream it is; 0 is ours, unheard."""

    event: PipelineObserved
    sequence: int


class Projection:
    """Folded from events; the watcher's own are folded in at once when they are published."""

    def __init__(self) -> None:
        self.credentials = Credentials()
        self._entries: dict[str, TrackedPromotion] = {}
        self._by_uid: dict[str, dict[str, None]] = {}
        # By Pipeline and environment, in the order in which they ended.
        self._over: dict[tuple[str, str], dict[str, None]] = {}
        self._observed: dict[Place, Observed] = {}
        self._pull_requests: dict[PullRequestPlace, str] = {}
        # By the forge's clock; outlives the attempt, as a pull request can be opened again.
        self._closed_at: dict[PullRequestPlace, datetime] = {}

    def forget(self, stream: str) -> None:
        """It was made anew: nothing that it held counts."""
        if stream == "PROMOTIONS":
            self.forget_promotions()
        elif stream == "PIPELINES":
            self.forget_observations()
        else:
            self.credentials.forget()

    def forget_promotions(self) -> None:
        """Their stream was made anew: nothing that it held counts."""
        self._entries.clear()
        self._by_uid.clear()
        self._over.clear()
        self._pull_requests.clear()
        self._closed_at.clear()

    def forget_observations(self) -> None:
        self._observed.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def promotions(self) -> Iterable[Promotion]:
        """All that are known."""
        return [entry.promotion for entry in self._entries.values()]

    def entry(self, promotion_id: str) -> TrackedPromotion | None:
        return self._entries.get(promotion_id)

    def promotions_of(self, uid: str) -> dict[str, Promotion]:
        ids = self._by_uid.get(uid, {})
        return {i: self._entries[i].promotion for i in ids}

    def uids(self) -> Iterable[str]:
        """Return the uids of Pipelines with promotions that are not over."""
        return [
            uid
            for uid, ids in self._by_uid.items()
            if any(self._entries[i].promotion.state not in OVER for i in ids)
        ]

    def earlier(self, request: PromotionRequested) -> Sequence[TrackedPromotion]:
        """Return the promotions of the same content into environments below, the first one first.

        Where an environment had it more than once, the last time counts.
        """
        uid, found = request.promotion.pipeline.uid, list[TrackedPromotion]()
        below, known = request.from_environment, self._by_uid.get(uid, {})
        while below and len(found) < ENVIRONMENTS_MAX:
            entry = next(
                (
                    entry
                    for entry in map(self._entries.__getitem__, reversed(known))
                    if entry.promotion.request.promotion.environment == below
                    and is_there(request.content, entry.promotion.request.content)
                ),
                None,
            )
            if entry is None:
                break
            found.append(entry)
            below = entry.promotion.request.from_environment
        return found[::-1]

    def observed(self) -> Mapping[Place, Observed]:
        return self._observed

    def by_pull_request(
        self, *, origin: str, repository_id: str, number: int
    ) -> TrackedPromotion | None:
        found = self._pull_requests.get((origin, repository_id, number))
        return self._entries.get(found) if found else None

    def is_known_closed(self, ref: PullRequestRef, *, at: datetime | None) -> bool:
        """Tell whether a closing at that time, or a later one, was told already."""
        last = self._closed_at.get(_place(ref))
        return at is not None and last is not None and at <= last

    def apply(
        self,
        event: Message,
        *,
        sequence: int = 0,
        trace: Mapping[str, str] | None = None,
    ) -> bool:
        """Fold an event in; returns whether anything is different now."""
        if isinstance(event, PipelineObserved):
            place = (event.pipeline.namespace, event.pipeline.name)
            before = self._observed.get(place)
            if before is None or sequence == 0 or sequence > before.sequence:
                self._observed[place] = Observed(event=event, sequence=sequence)
            return before is None or before.event != event
        if isinstance(event, PipelineDeleted):
            place = (event.pipeline.namespace, event.pipeline.name)
            return self._observed.pop(place, None) is not None
        if isinstance(event, TokenChecked):
            return self.credentials.apply(event)
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None or isinstance(event, TokenUsed):
            return False
        return self._fold(event, ref=ref, sequence=sequence, trace=trace or {})

    def _fold(
        self, event: Message, *, ref: PromotionRef, sequence: int, trace: Mapping[str, str]
    ) -> bool:
        before = self._entries.get(ref.promotion_id)
        if isinstance(event, PromotionRequested) and before is not None and before.provisional:
            if sequence:
                # The stream's own request counts, be it ours or another watcher's.
                life = replace(before.promotion, request=event)
                self._entries[ref.promotion_id] = TrackedPromotion(promotion=life, trace=trace)
            return False
        if isinstance(event, PullRequestClosed) and before is not None and event.closed_at:
            place = _place(event.pull_request)
            last = self._closed_at.get(place, event.closed_at)
            self._closed_at[place] = max(last, event.closed_at)
        advanced = advance(before.promotion if before else None, event)
        if advanced is None or (before is not None and advanced is before.promotion):
            return False
        self._entries[ref.promotion_id] = TrackedPromotion(
            promotion=advanced,
            trace=before.trace if before else trace,
            provisional=before.provisional if before else sequence == 0,
        )
        if advanced.pull_request is not None:
            self._pull_requests[_place(advanced.pull_request)] = ref.promotion_id
        ids = self._by_uid.setdefault(ref.pipeline.uid, {})
        ids[ref.promotion_id] = None
        if advanced.state in OVER:
            self._prune(ref, ids)
        return True

    def _prune(self, ref: PromotionRef, ids: dict[str, None]) -> None:
        over = self._over.setdefault((ref.pipeline.uid, ref.environment), {})
        over[ref.promotion_id] = None
        while len(over) > OVER_KEPT_MAX:
            old = next(iter(over))
            del over[old]
            dropped = self._entries.pop(old).promotion
            del ids[old]
            if dropped.pull_request is not None:
                self._pull_requests.pop(_place(dropped.pull_request), None)
                self._closed_at.pop(_place(dropped.pull_request), None)


def _place(ref: PullRequestRef) -> PullRequestPlace:
    return ref.origin, ref.repository_id, ref.number
