"""Follows the chain of promotions into an environment, and names the next one.

The chain is kept in the status of the Pipeline, and followed on with what the stream says, so that
any number of watchers, and one that starts with an empty bus, agree on every id.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from countersign.contracts.identity import promotion_id
from countersign.contracts.messages import Content
from countersign.contracts.promotion import Promotion, State
from countersign.watcher.decision.contents import is_tried
from countersign.watcher.model import NO_LINK, SUPERSEDED_MAX, Link, Situation, Stage

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
# More links than that between the file and the stream means that the stream lies.
_STEPS_MAX: Final = 10_000


def into(situation: Situation, environment: str) -> tuple[Promotion, ...]:
    """Promotions of this Pipeline into that environment, oldest first."""
    return tuple(
        p
        for p in situation.promotions.values()
        if p.request.promotion.environment == environment
        and p.request.promotion.pipeline.uid == situation.pipeline.ref.uid
    )


def follow(kept: Link, promotions: Iterable[Promotion]) -> Link:
    """The last link, beginning with the one that was kept."""
    known = {p.promotion_id: p for p in promotions}
    children: dict[str, list[Promotion]] = {}
    for promotion in known.values():
        children.setdefault(promotion.request.previous_promotion_id, []).append(promotion)
    link = _refreshed(kept, known.get(kept.promotion_id))
    for _ in range(_STEPS_MAX):
        arrived, overtaken = _beyond(link, children)
        if not arrived:
            own = known.get(link.promotion_id)
            first = [link.promotion_id] if own and own.state is State.SUPERSEDED else []
            ids = dict.fromkeys((*first, *link.superseded, *overtaken))
            return replace(link, superseded=tuple(ids)[-SUPERSEDED_MAX:])
        link = _as_link(max(arrived, key=lambda p: (p.changed_at or _LONG_AGO, p.promotion_id)))
    raise RuntimeError(f"the chain of {kept.promotion_id!r} does not end")


def _refreshed(kept: Link, promotion: Promotion | None) -> Link:
    done = promotion is not None and promotion.state is State.COMPLETED
    return replace(kept, completed=True) if done else kept


def _beyond(link: Link, children: dict[str, list[Promotion]]) -> tuple[list[Promotion], list[str]]:
    """Find what arrived after a link, looking through what was overtaken on the way, in order."""
    arrived: list[Promotion] = []
    overtaken: list[str] = []
    level = [link.promotion_id, *link.superseded]
    looked_at: set[str] = set()
    while level:
        looked_at.update(level)
        found = {c.promotion_id: c for previous in level for c in children.get(previous, ())}
        level = []
        for found_id in sorted(found.keys() - looked_at):
            if _has_arrived(found[found_id]):
                arrived.append(found[found_id])
            elif found[found_id].state is State.SUPERSEDED:
                overtaken.append(found_id)
                level.append(found_id)
    return arrived, overtaken


def _has_arrived(promotion: Promotion) -> bool:
    return promotion.merged or promotion.state is State.COMPLETED


def _as_link(promotion: Promotion) -> Link:
    return Link(
        promotion_id=promotion.promotion_id,
        content=promotion.request.content,
        previous_promotion_id=promotion.request.previous_promotion_id,
        completed=promotion.state is State.COMPLETED,
    )


def next_id(situation: Situation, *, stage: Stage, content: Content, link: Link) -> tuple[str, str]:
    """The id of bringing `content` there, and that of the promotion before it.

    What is merged and still on its way keeps its id. What was overtaken since the last arrival is
    in the chain as well: so an id never returns, and of all that was overtaken only the last must
    be remembered.
    """
    if _is_on_its_way(link, content):
        return link.promotion_id, link.previous_promotion_id
    previous = link.superseded[-1] if link.superseded else link.promotion_id
    overtaken = set(link.superseded)
    while True:
        found = promotion_id(
            pipeline_uid=situation.pipeline.ref.uid,
            environment=stage.name,
            content_identity=content.identity,
            previous_promotion_id=previous,
        )
        if found not in overtaken:
            return found, previous
        overtaken.discard(found)
        previous = found


def _is_on_its_way(link: Link, content: Content) -> bool:
    if link.content is None or link.completed or link.promotion_id in link.superseded:
        return False
    return link.content.identity == content.identity


def noticed(link: Link, *, stage: Stage, promotions: Iterable[Promotion]) -> Link:
    """Remember that the environment was seen to try what was merged into it."""
    current = next((p for p in promotions if p.promotion_id == link.promotion_id), None)
    if current is None or current.state is not State.DEPLOYING or link.content is None:
        return link
    if link.tried >= current.attempt:
        return link
    if any(is_tried(link.content, app.attempted) for app in stage.apps):
        return replace(link, tried=current.attempt)
    return link


def kept_link(situation: Situation, stage: Stage) -> Link:
    """The link as of now: kept, followed on, and with what the environment shows."""
    promotions = into(situation, stage.name)
    link = follow(situation.links.get(stage.name, NO_LINK), promotions)
    return noticed(link, stage=stage, promotions=promotions)
