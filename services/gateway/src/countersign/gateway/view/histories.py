"""The revisions that an environment ran: from when to when, how they came, and by whom. Pure.

Told by promotions, and by what they found running: what nobody promoted is known from the moment
at which it was seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from countersign.contracts.messages import (
    Caution,
    EnvironmentObserved,
    PipelineObserved,
    PullRequestRef,
    Revision,
)
from countersign.contracts.record.decisions import Outcome
from countersign.contracts.revision import short
from countersign.gateway.timeline.moments import Moment, name_of
from countersign.gateway.timeline.timelines import Timeline


class How(StrEnum):
    """The way in which a revision came to an environment."""

    PROMOTION = "promotion"
    # A promotion to a lower version than the one that ran.
    DOWNGRADE = "downgrade"
    # The upgrade failed, and what ran before came back.
    ROLLBACK = "rollback"
    # By hand, or by another tool.
    OTHERWISE = "otherwise"
    # Into the first environment nothing is promoted.
    SOURCE = "source"


HOW_WORDS: Final = {
    How.PROMOTION: "promotion",
    How.DOWNGRADE: "promotion to a lower version",
    How.ROLLBACK: "rollback after a failed upgrade",
    How.OTHERWISE: "not by a promotion: by hand, or by another tool",
    How.SOURCE: "from its source",
}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A revision that an environment ran for a while."""

    revision: Revision
    # When it came, or, where nobody promoted it, when it was first seen.
    since: datetime | None
    how: How
    until: datetime | None = None
    is_running: bool = False
    people: tuple[str, ...] = ()
    merged_by: str = ""
    promotion_id: str = ""
    pull_request: PullRequestRef | None = None

    def covers(self, at: datetime) -> bool:
        """Tell whether it ran then, as far as is known."""
        begun = self.since is not None and self.since <= at
        return begun and (self.until is None or at < self.until)


def history_of(
    observed: PipelineObserved, environment: str, timelines: Sequence[Timeline]
) -> tuple[Ran, ...]:
    """Tell what the environment ran, the newest first.

    Args:
        observed: the pipeline, as it is now.
        environment: one of its environments.
        timelines: promotions into it, or for the first environment those out of it, oldest first.

    """
    names = [e.name for e in observed.environments]
    is_first = names[:1] == [environment]
    found: list[Ran] = []
    for timeline in timelines:
        for ran in _left(timeline) if is_first else _brought(timeline):
            _add(found, ran)
    now = next((e for e in observed.environments if e.name == environment), None)
    _end(found, now, how=How.SOURCE if is_first else How.OTHERWISE)
    return tuple(reversed(found))


def ran_at(history: Sequence[Ran], at: datetime) -> tuple[Ran, ...]:
    """Keep what ran at that moment."""
    return tuple(ran for ran in history if ran.covers(at))


def _left(timeline: Timeline) -> Iterator[Ran]:
    request = timeline.promotion.request
    if request.content.revision is not None:
        at = request.requested_at
        yield Ran(revision=request.content.revision, since=at, how=How.SOURCE)


def _brought(timeline: Timeline) -> Iterator[Ran]:
    promotion = timeline.promotion
    request = promotion.request
    if request.current is not None:
        yield Ran(revision=request.current, since=request.requested_at, how=How.OTHERWISE)
    for moment in timeline.moments:
        if moment.kind == "completed" and request.content.revision is not None:
            yield _arrived(timeline, moment)
        elif moment.kind == "undone":
            back = promotion.running or request.current
            if back is not None:
                yield Ran(
                    revision=back,
                    since=moment.at,
                    how=How.ROLLBACK,
                    promotion_id=timeline.promotion_id,
                    pull_request=promotion.pull_request,
                )


def _arrived(timeline: Timeline, moment: Moment) -> Ran:
    promotion = timeline.promotion
    request = promotion.request
    granted = (
        d
        for d in timeline.decisions
        if d.outcome is Outcome.GRANTED and d.attempt == promotion.attempt
    )
    down = Caution.DOWNGRADE in request.cautions
    return Ran(
        revision=request.content.revision,
        since=moment.at,
        how=How.DOWNGRADE if down else How.PROMOTION,
        people=tuple(dict.fromkeys(name_of(d.by) for d in granted)),
        merged_by=name_of(promotion.merged_by),
        promotion_id=timeline.promotion_id,
        pull_request=promotion.pull_request,
    )


def _add(found: list[Ran], ran: Ran) -> None:
    """Append what is not known yet; the one before ended then."""
    if found and ran.how is not How.ROLLBACK and _same(found[-1].revision, ran.revision):
        return
    if found:
        found[-1] = replace(found[-1], until=ran.since)
    found.append(ran)


def _end(found: list[Ran], now: EnvironmentObserved | None, *, how: How) -> None:
    """Add what runs today, where that is something else."""
    if now is None or now.content is None or now.content.revision is None:
        return
    _add(found, Ran(revision=now.content.revision, since=now.since, how=how))
    found[-1] = replace(found[-1], is_running=True)


def _same(one: Revision, other: Revision) -> bool:
    return one.recorded == other.recorded or short(one) == short(other)
