"""Decides what to publish about a Pipeline, given all that is known of it.

Level-triggered: the same situation gives the same events however it came about, and a situation in
which they have been published gives none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from countersign.contracts.life import advance
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    Caution,
    EnvironmentObserved,
    PipelineDeleted,
    PipelineObserved,
    PromotionRef,
    PromotionRequested,
    PromotionSuperseded,
)
from countersign.contracts.promotion import OVER, Promotion
from countersign.watcher.decision.addresses import package_of, page_of
from countersign.watcher.decision.arrivals import arrivals
from countersign.watcher.decision.chains import follow, into, kept_link, next_id
from countersign.watcher.decision.gates import gate, judge
from countersign.watcher.decision.hindrances import hangs_from
from countersign.watcher.decision.observations import environment_observed, observed
from countersign.watcher.decision.stages import stages
from countersign.watcher.decision.supersession import (
    homeless,
    is_replaceable,
    marker_key,
    superseded,
    why_overtaken,
)
from countersign.watcher.model import Decision, Judgement, Link, Situation, Stage

_DOUBLED: Final = "it was asked for twice"


def decide(situation: Situation) -> Decision:
    """Everything to publish about one Pipeline: what ended, what is asked for, what is seen."""
    found = stages(situation)
    draft = _Draft(situation)
    sound = situation.pipeline.is_sound
    if sound:
        # A slip of the pen must not end promotions: they are looked at again when it is mended.
        draft.add(*homeless(situation, situation.promotions.values()))
    shown = [environment_observed(stage) for stage in found[:1] if stage.name]
    for below, above in pairwise(found):
        if not above.name:
            continue
        link = kept_link(situation, above)
        if sound:
            link = _settle(draft, above=above, link=link)
        judgement = judge(draft.situation, below=below, above=above, link=link)
        if sound:
            link = _renew(draft, below=below, above=above, judgement=judgement, link=link)
            draft.links[above.name] = link
        shown.append(_shown(draft, below=below, above=above, judgement=judgement))
    news = observed(situation, stages=found, environments=tuple(shown))
    return Decision(
        events=(*draft.events, *news), links=draft.links, again_at=_again_at(draft.situation, found)
    )


def _again_at(situation: Situation, found: tuple[Stage, ...]) -> datetime | None:
    """Say when time alone changes a gate: by then something hangs, or does not end."""
    times = [
        *(hangs_from(stage) for stage in found[1:]),
        *(stage.quiet_until for stage in found),
        *(promotion.overdue_at for promotion in situation.promotions.values()),
    ]
    return min((at for at in times if at is not None and at > situation.now), default=None)


@dataclass
class _Draft:
    """The situation as it will be once the events so far are published."""

    situation: Situation
    events: list[Message] = field(default_factory=list)
    links: dict[str, Link] = field(default_factory=dict)

    def add(self, *events: Message) -> None:
        self.events.extend(events)
        self.situation = replace(
            self.situation, promotions=after(self.situation.promotions.values(), events)
        )

    def into(self, stage: Stage) -> tuple[Promotion, ...]:
        return into(self.situation, stage.name)


def after(promotions: Iterable[Promotion], events: Iterable[Message]) -> dict[str, Promotion]:
    """Promotions by id, with the events folded in."""
    known = {p.promotion_id: p for p in promotions}
    for event in events:
        ref: PromotionRef | None = getattr(event, "promotion", None)
        if ref is None:
            continue
        advanced = advance(known.get(ref.promotion_id), event)
        if advanced is not None:
            known[ref.promotion_id] = advanced
    return known


def _settle(draft: _Draft, *, above: Stage, link: Link) -> Link:
    """End what has arrived, and what the environment has come back from."""
    draft.add(*arrivals(draft.situation, stage=above, promotions=draft.into(above), link=link))
    return follow(link, draft.into(above))


def _renew(draft: _Draft, *, below: Stage, above: Stage, judgement: Judgement, link: Link) -> Link:
    """End what is overtaken, and ask for what is missing; the old ends before the new begins."""
    reasons = {
        p.promotion_id: why_overtaken(below=below, above=above, promotion=p, link=link)
        for p in draft.into(above)
    }
    ending = [p for p in draft.into(above) if reasons[p.promotion_id]]
    ended = [superseded(p, reason="-", situation=draft.situation) for p in ending]
    left = into(_with(draft.situation, ended), above.name)
    link = follow(link, left)
    successor, previous = _successor(
        draft.situation, stage=above, judgement=judgement, link=link, left=left
    )
    draft.add(
        *(
            superseded(p, reason=reasons[p.promotion_id], situation=draft.situation, by=successor)
            for p in ending
        ),
        *(
            superseded(p, reason=_DOUBLED, situation=draft.situation, by=successor)
            for p in left
            if successor and p.promotion_id != successor and is_replaceable(p)
        ),
    )
    if successor and successor not in draft.situation.promotions:
        draft.add(
            *_requested(
                draft.situation,
                stages=(below, above),
                promotion_id=successor,
                previous=previous,
                cautions=judgement.cautions,
            )
        )
    return follow(link, draft.into(above))


def _successor(
    situation: Situation,
    *,
    stage: Stage,
    judgement: Judgement,
    link: Link,
    left: tuple[Promotion, ...],
) -> tuple[str, str]:
    """The promotion that brings what is wanted, known or new, and the one before it."""
    if judgement.wanted is None:
        return "", ""
    identity = judgement.wanted.identity
    # Where file and stream were lost at different times, what is alive counts more than the chain.
    alive = [p for p in left if p.state not in OVER and p.request.content.identity == identity]
    if alive:
        current = max(alive, key=_newest)
        return current.promotion_id, current.request.previous_promotion_id
    return next_id(situation, stage=stage, content=judgement.wanted, link=link)


def _with(situation: Situation, events: Iterable[Message]) -> Situation:
    return replace(situation, promotions=after(situation.promotions.values(), events))


def _requested(
    situation: Situation,
    *,
    stages: tuple[Stage, Stage],
    promotion_id: str,
    previous: str,
    cautions: tuple[Caution, ...],
) -> tuple[PromotionRequested, ...]:
    below, above = stages
    strategy, content = above.environment.strategy, below.content
    if strategy is None or content is None:
        return ()
    event = PromotionRequested(
        promotion=PromotionRef(
            promotion_id=promotion_id,
            pipeline=situation.pipeline.ref,
            environment=above.name,
            attempt=1,
            url=page_of(situation, above.name),
            revision=content.revision,
            purl=package_of(situation, below),
        ),
        app=situation.pipeline.app,
        from_environment=below.name,
        content=content,
        current=above.current,
        destination=strategy.destination,
        marker_key=marker_key(situation, above.name),
        mode=strategy.mode,
        secret=strategy.secret,
        manual=strategy.manual,
        approvals=strategy.approvals,
        solo_mode=strategy.solo,
        reason_required=strategy.reason_required,
        auto_merge=strategy.auto_merge,
        cautions=cautions,
        previous_promotion_id=previous,
        requested_at=situation.now,
        content_created_at=next((app.created_at for app in below.apps if app.created_at), None),
        source_page=next((app.source_page for app in below.apps if app.source_page), ""),
        stated_changes=next((app.stated_changes for app in below.apps if app.stated_changes), ()),
    )
    return (event,)


def _shown(
    draft: _Draft, *, below: Stage, above: Stage, judgement: Judgement
) -> EnvironmentObserved:
    alive = [p for p in draft.into(above) if p.state not in OVER]
    current = max(alive, key=_newest) if alive else None
    return environment_observed(
        above, gate=gate(judgement, stages=(below, above), current=current, now=draft.situation.now)
    )


def _newest(promotion: Promotion) -> tuple[bool, float, str]:
    at = promotion.request.requested_at
    return at is not None, at.timestamp() if at else 0.0, promotion.promotion_id


def decide_deleted(
    promotions: Iterable[Promotion], *, now: datetime, last: PipelineObserved | None = None
) -> tuple[Message, ...]:
    """End what goes with a Pipeline that is gone: its promotions, then the Pipeline itself."""
    reason = "the Pipeline was deleted"
    ended = tuple(
        PromotionSuperseded(promotion=p.ref, reason=reason, superseded_at=now)
        for p in promotions
        if p.state not in OVER
    )
    if last is None:
        return ended
    return (*ended, PipelineDeleted(pipeline=last.pipeline, deleted_at=now))
