"""No promotion goes backwards unasked, and none hangs without saying so."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from doubles.watched import NOW, Cluster, condition, namespace, pipeline_manifest, release

from countersign.contracts import messages as m
from countersign.contracts.promotion import OVERDUE, State
from countersign.watcher.decision.arrivals import SKEW_MAX
from countersign.watcher.decision.decisions import decide
from countersign.watcher.decision.hindrances import HANGS_AFTER
from countersign.watcher.model import SUPERSEDED_MAX

STORED: dict[str, Any] = {"ask": {"secretRef": {"name": "bot"}}}
ADA = m.Person(id="ada")


def cluster(dev: str = "6.9.0", prod: str = "6.8.4", **promotion: Any) -> Cluster:
    return Cluster(
        pipeline_manifest("dev", "prod", **promotion), release("dev", dev), release("prod", prod)
    )


def requests(events: tuple[Any, ...]) -> list[m.PromotionRequested]:
    return [e for e in events if isinstance(e, m.PromotionRequested)]


def request_of(world: Cluster) -> m.PromotionRequested:
    (request,) = requests(world.step())
    return request


def pull(request: m.PromotionRequested) -> m.PullRequestRef:
    to = request.destination
    return m.PullRequestRef(
        origin=to.origin, repository_id="1", owner=to.owner, repository=to.repository, number=7
    )


def opened(request: m.PromotionRequested, *, at: datetime = NOW) -> m.PullRequestOpened:
    return m.PullRequestOpened(
        promotion=request.promotion, pull_request=pull(request), opened_at=at
    )


def merged(request: m.PromotionRequested, *, at: datetime = NOW) -> m.PullRequestMerged:
    return m.PullRequestMerged(
        promotion=request.promotion, pull_request=pull(request), merged_at=at
    )


def arrived(world: Cluster, version: str) -> None:
    """Walk a promotion of what dev runs to its end."""
    request = request_of(world)
    world.hear(opened(request), merged(request))
    world.apply(release("prod", version))
    world.step()


def state(world: Cluster) -> State:
    return list(world.promotions.values())[-1].state


@pytest.mark.parametrize("phase", ["waiting", "asked", "open"])
def test_gate_is_blocked_when_what_waits_or_is_open_fails_below(phase: str) -> None:
    world = cluster()
    request = request_of(world)
    if phase == "asked":
        begun = m.ApprovalBegun(promotion=request.promotion, approval_id="a", by=ADA)
        world.hear(begun)
    if phase == "open":
        world.hear(opened(request))

    world.apply(release("dev", "6.9.0", phase="failed"))
    world.step()

    gate = world.gate("prod")
    assert (gate.state, gate.reason) == (m.GateState.BLOCKED, m.GateReason.UNHEALTHY)
    assert gate.hindered_by == "dev"
    assert gate.promotion_id == request.promotion.promotion_id
    world.apply(release("dev", "6.9.0"))
    world.step()
    assert world.gate("prod").reason is m.GateReason.UNDER_WAY


def test_merged_promotion_is_not_blocked_by_what_happens_below() -> None:
    world = cluster()
    request = request_of(world)
    world.hear(merged(request))
    world.apply(release("dev", "6.9.0", phase="failed"))
    world.step()

    assert world.gate("prod").reason is m.GateReason.UNDER_WAY


@pytest.mark.parametrize(
    ("dev", "prod", "cautions"),
    [
        ("6.9.0", "6.9.2", (m.Caution.DOWNGRADE,)),
        ("6.9.0-rc.1", "6.9.0", (m.Caution.DOWNGRADE,)),
        ("6.9.0", "6.10.0", (m.Caution.DOWNGRADE,)),
        ("6.9.2", "6.9.0", ()),
    ],
)
def test_lower_version_waits_for_a_person_though_the_token_is_stored(
    dev: str, prod: str, cautions: tuple[m.Caution, ...]
) -> None:
    world = cluster(dev, prod, **STORED)

    request = request_of(world)

    assert request.cautions == cautions
    assert state(world) is (State.WAITING if cautions else State.OPENING)
    assert world.gate("prod").cautions == cautions


def test_hotfix_is_not_taken_back_unasked_even_by_something_newer() -> None:
    world = cluster(**STORED)
    arrived(world, "6.9.0")
    world.apply(release("prod", "6.9.1"))
    world.step()

    world.apply(release("dev", "6.9.5"))
    events = requests(world.step())

    assert [e.cautions for e in events] == [(m.Caution.FOREIGN_CONTENT,)]
    assert state(world) is State.WAITING


def test_what_was_merged_and_has_not_arrived_yet_is_nobodys_hotfix() -> None:
    world = cluster(**STORED)
    world.hear(merged(request_of(world)))
    world.step()

    world.apply(release("dev", "6.9.5"))

    assert [e.cautions for e in requests(world.step())] == [()]


def test_edit_of_the_pipeline_voids_a_consent_that_is_under_way() -> None:
    world = cluster()
    request = request_of(world)
    world.hear(m.ApprovalBegun(promotion=request.promotion, approval_id="a", by=ADA))
    ask = {"url": "https://github.com/shop/elsewhere"}

    ended, renewed = world.apply(pipeline_manifest("dev", "prod", ask=ask)).step()

    assert isinstance(ended, m.PromotionSuperseded)
    assert isinstance(renewed, m.PromotionRequested)
    assert renewed.destination.repository == "elsewhere"


@pytest.mark.parametrize(
    ("phase", "reason"),
    [("open", m.GateReason.OPEN_FOR_LONG), ("merged", m.GateReason.NOT_ARRIVED)],
)
def test_gate_says_after_a_while_that_nothing_comes_of_it(phase: str, reason: m.GateReason) -> None:
    world = cluster()
    request = request_of(world)
    world.hear(opened(request) if phase == "open" else merged(request))
    world.step()
    assert world.gate("prod").reason is m.GateReason.UNDER_WAY
    due_at = NOW + OVERDUE[State.OPEN if phase == "open" else State.DEPLOYING]
    assert decide(world.situation()).again_at == due_at

    world.now = due_at
    world.step()

    gate = world.gate("prod")
    assert gate.reason is reason
    if phase == "merged":
        assert gate.running.recorded == "6.8.4"
        assert gate.running_since is not None
    assert decide(world.situation()).again_at is None


@pytest.mark.parametrize("phase", ["undone", "closed", "failed", "rejected"])
def test_gate_does_not_call_under_way_what_came_to_nothing(phase: str) -> None:
    world = cluster()
    request = request_of(world)
    ref = request.promotion
    ends: dict[str, tuple[Any, ...]] = {
        "undone": (merged(request), m.PromotionUndone(promotion=ref)),
        "closed": (
            opened(request),
            m.PullRequestClosed(promotion=ref, pull_request=pull(request)),
        ),
        "failed": (m.PullRequestFailed(promotion=ref, message="no marker"),),
        "rejected": (m.ApprovalRejected(promotion=ref, by=ADA),),
    }

    world.hear(*ends[phase])
    world.step()

    assert world.gate("prod").reason is m.GateReason.TRY_ENDED


def test_environment_that_tries_what_was_merged_and_fails_says_so() -> None:
    world = cluster()
    world.hear(merged(request_of(world)))
    world.apply(release("prod", "6.9.0", phase="failed"))
    world.step()

    gate = world.gate("prod")
    assert (gate.reason, gate.hindered_by) == (m.GateReason.TRIED_AND_FAILED, "prod")


def test_fix_may_overtake_an_upgrade_that_hangs_when_a_person_wants_it() -> None:
    world = cluster(**STORED).apply(release("prod", "6.8.9", phase="progressing"))
    assert world.step() == ()
    assert world.gate("prod").reason is m.GateReason.PROGRESSING
    hangs_at = decide(world.situation()).again_at
    assert hangs_at is not None
    assert hangs_at - NOW < HANGS_AFTER

    world.now = hangs_at
    request = request_of(world)

    assert request.cautions == (m.Caution.HINDERED,)
    assert state(world) is State.WAITING
    gate = world.gate("prod")
    assert (gate.state, gate.reason) == (m.GateState.BLOCKED, m.GateReason.PROGRESSING)
    assert gate.promotion_id == request.promotion.promotion_id


def test_nothing_is_asked_of_an_environment_that_waits_for_its_first_artifact() -> None:
    waiting = release("prod", "6.9.0", phase="failed")
    waiting["status"].update(history=[], lastAttemptedRevision="", observedGeneration=-1)
    world = cluster().apply(waiting)

    assert world.step() == ()
    assert world.gate("prod").hindered_by == "prod"


@pytest.mark.parametrize(
    ("versions", "dev", "taken"),
    [
        ("*", "6.9.0", True),
        ("*", "6.9.0-rc.1", False),
        (">=6.0.0 <7.0.0", "6.9.0", True),
        (">=6.0.0 <7.0.0", "7.0.0", False),
        ("6.x", "6.9.0", True),
        (">=6.9.0-0", "6.9.0-rc.1", True),
    ],
)
def test_environment_takes_only_the_versions_of_its_range(
    versions: str, dev: str, *, taken: bool
) -> None:
    world = cluster(dev, semver=versions)

    assert bool(requests(world.step())) is taken
    if not taken:
        assert world.gate("prod").reason is m.GateReason.VERSION_NOT_TAKEN


def test_promotion_ends_when_its_environment_takes_no_such_version_any_more() -> None:
    world = cluster("6.9.0-rc.1")
    request_of(world)

    events = world.apply(pipeline_manifest("dev", "prod", semver="*")).step()

    assert [type(e) for e in events] == [m.PromotionSuperseded]
    assert world.gate("prod").reason is m.GateReason.VERSION_NOT_TAKEN


@pytest.mark.parametrize("versions", ["", "newest", 6, "1.0.0 - ", "x" * 300])
def test_range_that_is_none_is_no_strategy(versions: object) -> None:
    world = cluster(semver=versions)

    assert world.step() == ()
    assert world.gate("prod").reason is m.GateReason.NO_STRATEGY


def with_digest(manifest: dict[str, Any], digest: str) -> dict[str, Any]:
    manifest["status"]["history"][0]["ociDigest"] = f"sha256:{digest * 64}"
    return manifest


def test_same_version_from_another_registry_is_level_once_it_was_merged() -> None:
    world = cluster()
    world.apply(with_digest(release("dev", "6.9.0"), "a"))
    world.apply(with_digest(release("prod", "6.9.0"), "b"))
    world.hear(merged(request_of(world)))

    (completed,) = world.step()

    assert isinstance(completed, m.PromotionCompleted)
    assert world.gate("prod").reason is m.GateReason.SAME_CONTENT
    assert world.step() == ()


def test_same_version_that_the_file_names_already_is_level() -> None:
    world = cluster()
    world.apply(with_digest(release("dev", "6.9.0"), "a"))
    world.apply(with_digest(release("prod", "6.9.0"), "b"))
    failed = m.PullRequestFailed(
        promotion=request_of(world).promotion,
        reason=m.FailureReason.ALREADY_THERE,
        message="it is there",
    )
    world.hear(failed)

    (completed,) = world.step()

    assert isinstance(completed, m.PromotionCompleted)
    assert world.gate("prod").reason is m.GateReason.SAME_CONTENT


def test_however_often_releases_flip_no_id_returns() -> None:
    world = cluster()
    seen: list[str] = []

    for turn in range(3 * SUPERSEDED_MAX):
        world.apply(release("dev", "6.9.0" if turn % 2 else "6.9.1"))
        seen += [e.promotion.promotion_id for e in requests(world.step())]
        # As a stream and a projection forget.
        world.promotions = dict(list(world.promotions.items())[-2:])

    assert len(seen) == 3 * SUPERSEDED_MAX
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("late_s", [1, 60, SKEW_MAX.total_seconds()])
def test_trial_before_the_merge_is_none_by_whichever_clock(late_s: float) -> None:
    """The forge's clock is slow, so the merge seems older than what was tried before it."""
    world = cluster()
    request = request_of(world)
    tried = release("prod", "6.8.4")
    tried["status"]["history"].append(
        {
            "chartVersion": "6.9.0",
            "status": "failed",
            "version": 2,
            "lastDeployed": (NOW + timedelta(seconds=late_s)).isoformat(),
        }
    )
    world.apply(tried)
    world.hear(merged(request))

    assert world.step() == ()


def test_given_up_promotion_completes_when_it_arrives_after_all() -> None:
    world = cluster()
    request = request_of(world)
    world.hear(merged(request), m.ApprovalRejected(promotion=request.promotion, by=ADA))
    world.step()
    world.apply(release("prod", "6.9.0"))

    (completed,) = world.step()

    assert isinstance(completed, m.PromotionCompleted)


def test_given_up_promotion_is_not_asked_for_again_by_itself() -> None:
    world = cluster(**STORED)
    request = request_of(world)
    world.hear(merged(request), m.ApprovalRejected(promotion=request.promotion, by=ADA))

    assert world.step() == ()
    assert world.step() == ()


def test_time_is_asked_for_again_only_where_it_matters() -> None:
    world = cluster("6.9.0", "6.9.0")
    world.step()

    assert decide(replace(world.situation(), now=NOW)).again_at is None


@pytest.mark.parametrize("told", [True, False])
def test_completion_says_whether_its_merge_was_told_or_follows(*, told: bool) -> None:
    world = cluster()
    request = request_of(world)
    world.hear(opened(request), *([merged(request)] if told else []))
    before = [e for e in world.step() if isinstance(e, m.PromotionCompleted)]

    world.apply(release("prod", "6.9.0"))
    (completed,) = [e for e in world.step() if isinstance(e, m.PromotionCompleted)]

    assert before == []
    assert completed.merge_inferred is not told


def applied(environment: str, commit: str, *, built: str) -> dict[str, Any]:
    """A Kustomization that runs a commit, and what it built of that."""
    recorded = f"main@sha1:{commit * 40}"
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "podinfo", "namespace": namespace(environment), "generation": 2},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "podinfo"}},
        "status": {
            "observedGeneration": 2,
            "lastAppliedRevision": recorded,
            "lastAttemptedRevision": recorded,
            "conditions": [condition("Ready", "True", reason="Succeeded")],
            "history": [{"digest": f"sha256:{built * 64}"}],
        },
    }


@pytest.mark.parametrize("phase", [State.WAITING, State.OPEN, State.DEPLOYING])
def test_commit_that_the_environment_below_names_no_more_is_replaced_until_it_is_merged(
    phase: State,
) -> None:
    """A force-push amended the commit; the pull request kept the one that is gone."""
    world = Cluster(
        pipeline_manifest("dev", "prod", kind="Kustomization"),
        applied("dev", "b", built="2"),
        applied("prod", "a", built="1"),
    )
    request = request_of(world)
    told = [opened(request), merged(request)]
    world.hear(*told[: {State.WAITING: 0, State.OPEN: 1, State.DEPLOYING: 2}[phase]])

    world.apply(applied("dev", "c", built="2"))
    asked = requests(world.step())

    if phase is State.DEPLOYING:
        assert asked == []
        return
    (again,) = asked
    assert again.content.revision.commit == "c" * 40
    assert world.promotions[request.promotion.promotion_id].state is State.SUPERSEDED
