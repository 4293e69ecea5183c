"""Promotions that have lost their point, each with the reason that a person reads."""

from collections.abc import Iterable
from typing import Final

from countersign.contracts.messages import PromotionRequested, PromotionSuperseded
from countersign.contracts.promotion import OVER, Promotion, State
from countersign.contracts.revision import short
from countersign.kube.pipelines.strategies import PullRequests
from countersign.kube.pipelines.versions import is_in
from countersign.watcher.decision.cautions import version_of
from countersign.watcher.decision.contents import is_there
from countersign.watcher.model import Link, Situation, Stage

# What is merged is not taken back by something newer: it ends by arriving, or by being followed.
_REPLACEABLE: Final = frozenset(
    {
        State.WAITING,
        State.ASKED,
        State.OPENING,
        State.OPEN,
        State.FAILED,
        State.REJECTED,
        State.CLOSED,
        State.UNDONE,
    }
)
# These name a revision in a pull request, or are about to.
_TO_BE_WRITTEN: Final = frozenset({State.WAITING, State.ASKED, State.OPENING, State.OPEN})
# Nobody is busy with these, so that a changed Pipeline may ask anew.
_AT_REST: Final = frozenset({State.WAITING, State.FAILED, State.REJECTED, State.CLOSED})


def marker_key(situation: Situation, environment: str) -> str:
    key = situation.pipeline.key
    return f"{key.namespace}:{key.name}:{environment}"


def is_replaceable(promotion: Promotion) -> bool:
    return promotion.state in _REPLACEABLE


def why_overtaken(*, below: Stage, above: Stage, promotion: Promotion, link: Link) -> str:
    """Empty while the promotion still has its point."""
    state, content = promotion.state, promotion.request.content
    if state is State.DEPLOYING and link.promotion_id not in {"", promotion.promotion_id}:
        return _followed_by(link)
    if state in _AT_REST | {State.ASKED} and is_there(content, above.content):
        return f"{above.name} runs {short(content.revision)} already"
    if state in _REPLACEABLE and promotion.promotion_id in link.superseded:
        return "something newer took its place"
    if moved := _moved(promotion, below=below):
        return moved
    if state in _AT_REST | {State.ASKED}:
        return _changed(request=promotion.request, below=below, above=above)
    return ""


def _moved(promotion: Promotion, *, below: Stage) -> str:
    asked, running = promotion.request.content, below.content
    if running is None or promotion.state not in _REPLACEABLE:
        return ""
    if running.identity != asked.identity:
        return f"{below.name} runs {short(running.revision)} now"
    # The same manifests from another commit; the one that was asked for may be gone by now.
    ours, theirs = asked.revision.commit, running.revision.commit
    if promotion.state in _TO_BE_WRITTEN and ours and theirs and ours != theirs:
        return f"{below.name} names {short(running.revision)} now"
    return ""


def _followed_by(link: Link) -> str:
    revision = short(link.content.revision) if link.content else link.promotion_id
    return f"{revision} was merged after it"


def _changed(*, request: PromotionRequested, below: Stage, above: Stage) -> str:
    strategy = above.environment.strategy
    if strategy is None:
        return f"nothing is promoted into {above.name} any more"
    if request.from_environment != below.name:
        return f"{above.name} now follows {below.name}"
    if _terms(request) != _terms_of(strategy):
        return "the Pipeline now says otherwise how to promote"
    version = version_of(request.content.revision)
    if strategy.versions and not is_in(version, versions=strategy.versions):
        return f"{above.name} takes only versions {strategy.versions}"
    return ""


def _terms(request: PromotionRequested) -> tuple[object, ...]:
    return (
        request.destination,
        request.mode,
        request.secret,
        request.manual,
        max(1, request.approvals),
        request.solo_mode,
        request.reason_required,
        request.auto_merge,
    )


def _terms_of(strategy: PullRequests) -> tuple[object, ...]:
    return (
        strategy.destination,
        strategy.mode,
        strategy.secret,
        strategy.manual,
        max(1, strategy.approvals),
        strategy.solo,
        strategy.reason_required,
        strategy.auto_merge,
    )


def superseded(
    promotion: Promotion, *, reason: str, situation: Situation, by: str = ""
) -> PromotionSuperseded:
    return PromotionSuperseded(
        promotion=promotion.ref,
        reason=reason,
        by_promotion_id=by if by != promotion.promotion_id else "",
        superseded_at=situation.now,
    )


def homeless(
    situation: Situation, promotions: Iterable[Promotion]
) -> tuple[PromotionSuperseded, ...]:
    """Promotions into environments that are gone, or that nothing comes before any more."""
    names = [environment.name for environment in situation.pipeline.environments]
    found: list[PromotionSuperseded] = []
    for promotion in promotions:
        name = promotion.request.promotion.environment
        if promotion.state in OVER or name in names[1:]:
            continue
        reason = f"environment {name!r} was removed or renamed"
        if names[:1] == [name]:
            reason = f"{name} is the first environment now"
        found.append(superseded(promotion, reason=reason, situation=situation))
    return tuple(found)
