"""What must hold of a running system whatever happened to it, said by forge, stream and logs."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from e2e.systems import Pull, changes
from e2e.witnessing import by_promotion, folded, is_repeated

from countersign.contracts.messages import (
    ApprovalGranted,
    PromotionCompleted,
    PromotionRequested,
    PromotionRetried,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
)
from countersign.contracts.promotion import OVER, State
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.messaging.envelope import Received

# Each is said once of a promotion's attempt, however often it is found out.
_ONCE: Final = (PullRequestOpened, PullRequestMerged, PullRequestClosed, PromotionCompleted)
_AFTER: Final[dict[type, type]] = {
    PullRequestMerged: PullRequestOpened,
    PullRequestClosed: PullRequestOpened,
}
# Where nobody is waited for and nothing is under way, a promotion must have ended, or say why not.
_SETTLED: Final = OVER | {State.WAITING, State.OPEN, State.DEPLOYING}


def assert_in_order(events: list[Received]) -> None:
    """I5, and that nothing is said twice."""
    for promotion_id, own in by_promotion(events).items():
        said = [r for r in own if not is_repeated(r)]
        assert isinstance(own[0].message, PromotionRequested), (promotion_id, own[0].subject)
        names = Counter(_name(r) for r in said)
        assert names[("PromotionRequested",)] == 1, promotion_id
        assert not [n for n, count in names.items() if count > 1 and n[1:]], names
        seen: set[tuple[object, ...]] = set()
        attempt = 1
        for received in said:
            _assert_follows(received, seen)
            message = received.message
            if isinstance(message, PromotionRetried):
                assert message.promotion.attempt == attempt + 1, promotion_id
                attempt += 1
            seen.add(_name(received))


def _name(received: Received) -> tuple[object, ...]:
    """What may be said once; without a number of the attempt, what may be said more often."""
    message: Any = received.message
    kind = type(message).__name__
    if isinstance(message, _ONCE):
        return kind, max(1, message.promotion.attempt)
    if isinstance(message, ApprovalGranted) and message.count == message.needed:
        return kind, message.approval_id
    return (kind,)


def _assert_follows(received: Received, seen: set[tuple[object, ...]]) -> None:
    message: Any = received.message
    before = _AFTER.get(type(message))
    if before is not None:
        assert (before.__name__, max(1, message.promotion.attempt)) in seen, received.subject
    if isinstance(message, PullRequestOpened) and message.approval_id:
        assert ("ApprovalGranted", message.approval_id) in seen, received.subject


def assert_settled(events: list[Received]) -> None:
    """I2: every promotion that was requested ended with a reason, or visibly waits."""
    for promotion_id, own in by_promotion(events).items():
        promotion = folded(own)
        reason = promotion.reason or promotion.failure_message or promotion.rejected_by
        settled = promotion.state in _SETTLED or bool(reason)
        assert settled or promotion.state is State.CLOSED, (promotion_id, promotion.state)


def assert_shown(events: list[Received], shown: Iterable[Mapping[str, Any]]) -> None:
    """Nothing is invisible, and nothing is shown that is not so."""
    states = {p["promotionId"]: p["state"] for p in shown}
    told = {name: folded(own).state.value for name, own in by_promotion(events).items()}
    assert states == told


def assert_true(events: list[Received], found: list[Pull]) -> None:
    """What the stream says of pull requests is what the forge has, and the other way round."""
    by_number = {pull.number: pull for pull in found}
    for own in by_promotion(events).values():
        for received in own:
            message: Any = received.message
            if not isinstance(message, PullRequestOpened | PullRequestMerged | PullRequestClosed):
                continue
            pull = by_number[message.pull_request.number]
            assert pull.promotion_id == message.promotion.promotion_id, received.subject
            assert pull.branch == message.pull_request.head_branch, received.subject
            if isinstance(message, PullRequestOpened):
                assert message.author is not None, received.subject
                assert pull.author == message.author.login, received.subject
            elif isinstance(message, PullRequestMerged):
                assert pull.merged, received.subject
            else:
                assert (pull.state, pull.merged) == ("closed", False), received.subject
    promotions = {name: folded(own) for name, own in by_promotion(events).items()}
    for pull in found:
        if pull.state == "open":
            known = promotions[pull.promotion_id].pull_request
            assert known is not None, pull.branch
            assert known.number == pull.number, pull.branch


def assert_only_marked_changed(started: Running, found: list[Pull], *, to: set[str]) -> None:
    """I4: of every pull request that there ever was, by its bytes."""
    for pull in found:
        _, namespace, pipeline, environment = pull.gate.split("/")
        marker = f'# {{"$promotion": "{namespace}:{pipeline}:{environment}"}}'.encode()
        changed = changes(started, pull.head_commit)
        assert changed, pull.branch
        for before, after in changed.values():
            lines = list(
                zip(before.splitlines(keepends=True), after.splitlines(keepends=True), strict=True)
            )
            other = [(old, new) for old, new in lines if old != new]
            assert other, pull.branch
            for old, new in other:
                assert old.rstrip().endswith(marker), (pull.branch, old)
                was, value = _value(old), _value(new)
                assert new == old.replace(was, value, 1), (pull.branch, new)
                assert value.decode() in to, (pull.branch, new)


def _value(line: bytes) -> bytes:
    return line.partition(b": ")[2].partition(b" #")[0].strip()


def assert_logs_clean(started: Running) -> None:
    """No service met a bug: each line is one event, and none tells of an error."""
    logs = [log for name in SERVICES for log in started.layout.logs.glob(f"{name}*.log")]
    for log in logs:
        name, text = log.stem, log.read_text()
        assert "Traceback" not in text, f"{name}: {text}"
        for line in text.splitlines():
            event = json.loads(line)
            assert event["level"] in {"debug", "info", "warning"}, f"{name}: {line}"
