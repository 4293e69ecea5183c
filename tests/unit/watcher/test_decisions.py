"""What follows from what runs where: requests, endings and gates."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from doubles.watched import NOW, Cluster, namespace, pipeline_manifest, release

from countersign.contracts import messages as m
from countersign.contracts.forge_list import KIND_BY_NAME
from countersign.contracts.promotion import State
from countersign.kube.flux.applications import App
from countersign.kube.objects import ObjectKey
from countersign.watcher.decision.contents import is_there


def cluster(**promotion: Any) -> Cluster:
    """Dev already runs 6.9.0, staging and prod still 6.8.4."""
    return Cluster(
        pipeline_manifest("dev", "staging", "prod", **promotion),
        release("dev", "6.9.0"),
        release("staging", "6.8.4"),
        release("prod", "6.8.4"),
    )


def only(events: tuple[Any, ...], kind: type) -> Any:
    found = [e for e in events if isinstance(e, kind)]
    assert len(found) == 1, events
    return found[0]


def opened(request: m.PromotionRequested, *, number: int = 7) -> m.PullRequestOpened:
    to = request.destination
    ref = m.PullRequestRef(
        origin=to.origin,
        repository_id="1",
        owner=to.owner,
        repository=to.repository,
        number=number,
    )
    return m.PullRequestOpened(promotion=request.promotion, pull_request=ref)


def merged(request: m.PromotionRequested) -> m.PullRequestMerged:
    ref = opened(request).pull_request
    return m.PullRequestMerged(promotion=request.promotion, pull_request=ref, merged_at=NOW)


def walk_to_merge(world: Cluster) -> m.PromotionRequested:
    request = only(world.step(), m.PromotionRequested)
    world.hear(opened(request), merged(request))
    assert world.step() == ()
    return request


def test_revision_is_requested_for_the_next_environment_only() -> None:
    world = cluster()

    request = only(world.step(), m.PromotionRequested)

    assert request.promotion.environment == "staging"
    assert request.from_environment == "dev"
    assert request.content.identity == "6.9.0"
    assert request.current.recorded == "6.8.4"
    assert request.marker_key == "shop:checkout:staging"
    assert request.mode is m.CredentialMode.DELEGATED
    assert world.gate("staging").state is m.GateState.PENDING
    assert world.gate("prod").state is m.GateState.LEVEL


def test_request_says_what_the_artifact_below_tells_of_itself() -> None:
    world = cluster()
    told = (m.StatedChange(kind=m.ChangeKind.FIXED, description="Start without a cache"),)
    for key, app in world.objects.items():
        if isinstance(app, App) and key.namespace == namespace("dev"):
            state = replace(app.state, source_page="https://x.example/a", stated_changes=told)
            world.objects[key] = replace(app, state=state)

    request = only(world.step(), m.PromotionRequested)

    assert request.source_page == "https://x.example/a"
    assert request.stated_changes == told


def test_nothing_is_said_twice() -> None:
    world = cluster()
    world.step()
    said = world.observed

    assert world.step() == ()
    assert world.observed is said


def test_ids_are_the_same_on_an_empty_bus() -> None:
    first = only(cluster().step(), m.PromotionRequested)
    second = only(cluster().step(), m.PromotionRequested)

    assert first.promotion.promotion_id == second.promotion.promotion_id


@pytest.mark.parametrize("phase", ["progressing", "failed", "rolled back"])
def test_nothing_is_requested_while_the_environment_below_is_not_healthy(phase: str) -> None:
    world = cluster().apply(release("dev", "6.9.1", phase=phase))

    assert world.step() == ()
    gate = world.gate("staging")
    assert gate.state is m.GateState.BLOCKED
    assert gate.reason in {m.GateReason.PROGRESSING, m.GateReason.UNHEALTHY}
    assert gate.hindered_by == "dev"
    assert gate.cause
    assert gate.message.endswith(f": {gate.cause}")


def test_all_targets_must_run_it() -> None:
    world = Cluster(
        pipeline_manifest("dev", "prod", targets=2),
        release("dev", "6.9.0"),
        release("dev", "6.8.4", target=1),
        release("prod", "6.8.4"),
        release("prod", "6.8.4", target=1),
    )

    assert world.step() == ()
    assert world.gate("prod").reason is m.GateReason.TARGETS_DISAGREE
    world.apply(release("dev", "6.9.0", target=1))
    assert only(world.step(), m.PromotionRequested).content.identity == "6.9.0"


def test_promotion_is_completed_when_all_targets_run_it() -> None:
    world = cluster()
    walk_to_merge(world)

    assert world.apply(release("staging", "6.9.0", phase="progressing")).step() == ()
    events = world.apply(release("staging", "6.9.0")).step()

    assert only(events, m.PromotionCompleted).revision.recorded == "6.9.0"
    assert only(events, m.PromotionRequested).promotion.environment == "prod"


def test_return_to_an_earlier_revision_is_a_promotion_of_its_own() -> None:
    world = Cluster(pipeline_manifest("dev", "prod"), release("prod", "6.8.4"))
    ids = []
    for version in ("6.9.0", "6.9.1", "6.9.0"):
        world.apply(release("dev", version))
        ids.append(walk_to_merge(world).promotion.promotion_id)
        world.apply(release("prod", version))
        assert only(world.step(), m.PromotionCompleted)

    assert len(set(ids)) == 3


def test_newer_revision_supersedes_what_waits() -> None:
    world = cluster()
    old = only(world.step(), m.PromotionRequested)

    events: Any = world.apply(release("dev", "6.9.1")).step()

    assert [type(e) for e in events] == [m.PromotionSuperseded, m.PromotionRequested]
    assert events[0].promotion.promotion_id == old.promotion.promotion_id
    assert events[0].by_promotion_id == events[1].promotion.promotion_id
    assert events[0].reason == "dev runs 6.9.1 now"


def test_overtaken_revision_can_come_back() -> None:
    world = cluster()
    first = only(world.step(), m.PromotionRequested)
    world.apply(release("dev", "6.9.1")).step()

    events = world.apply(release("dev", "6.9.0")).step()

    again = only(events, m.PromotionRequested)
    assert again.content.identity == "6.9.0"
    assert again.promotion.promotion_id != first.promotion.promotion_id
    assert world.step() == ()


def test_waiting_promotion_ends_when_the_environment_below_goes_back() -> None:
    world = cluster()
    world.step()

    events = world.apply(release("dev", "6.8.4")).step()

    assert only(events, m.PromotionSuperseded).reason == "dev runs 6.8.4 now"
    assert world.gate("staging").state is m.GateState.LEVEL


def test_waiting_promotion_ends_when_the_environment_runs_it_anyhow() -> None:
    world = cluster()
    world.step()

    events = world.apply(release("staging", "6.9.0")).step()

    assert only(events, m.PromotionSuperseded).reason == "staging runs 6.9.0 already"


@pytest.mark.parametrize(
    ("environments", "reason"),
    [
        (("dev", "prod"), "environment 'staging' was removed or renamed"),
        (("dev", "stage", "prod"), "environment 'staging' was removed or renamed"),
        (("staging", "dev", "prod"), "staging is the first environment now"),
    ],
)
def test_promotion_ends_with_its_environment(environments: tuple[str, ...], reason: str) -> None:
    world = cluster()
    world.step()

    events = world.apply(pipeline_manifest(*environments)).step()

    assert reason in [e.reason for e in events if isinstance(e, m.PromotionSuperseded)]


@pytest.mark.parametrize("names", [(), ("dev", "dev"), ("dev", "", "prod")])
def test_slip_in_the_pipeline_ends_no_promotion(names: tuple[str, ...]) -> None:
    world = cluster()
    world.step()

    assert world.apply(pipeline_manifest(*names)).step() == ()
    assert any(f.level is m.FindingLevel.ERROR for f in world.observed.findings)
    assert world.apply(pipeline_manifest("dev", "staging", "prod")).step() == ()


def test_rejected_revision_is_not_requested_again() -> None:
    world = cluster()
    request = only(world.step(), m.PromotionRequested)
    world.hear(m.ApprovalRejected(promotion=request.promotion, by=m.Person(id="ada")))

    assert world.step() == ()
    assert world.gate("staging").promotion_id == request.promotion.promotion_id


def test_merged_promotion_is_undone_when_it_was_rolled_back() -> None:
    world = cluster()
    walk_to_merge(world)
    assert world.apply(release("staging", "6.9.0", phase="progressing")).step() == ()

    events = world.apply(release("staging", "6.9.0", phase="rolled back")).step()

    undone = only(events, m.PromotionUndone)
    assert undone.running.recorded == "6.8.4"
    assert undone.reason.startswith("staging is back on 6.8.4: HelmRelease podinfo:")
    assert world.step() == ()


def test_merged_promotion_is_undone_when_it_was_reverted_after_it_failed() -> None:
    world = cluster()
    walk_to_merge(world)
    world.apply(release("staging", "6.9.0", phase="failed")).step()

    events = world.apply(release("staging", "6.8.4")).step()

    undone = only(events, m.PromotionUndone)
    assert undone.running.recorded == "6.8.4"
    assert "HelmRelease" not in undone.reason


def test_merged_promotion_is_not_undone_before_flux_has_noticed() -> None:
    world = cluster()
    walk_to_merge(world)

    assert world.step() == ()
    assert world.apply(release("staging", "6.8.4")).step() == ()


def test_undone_promotion_completes_when_it_arrives_after_all() -> None:
    world = cluster()
    walk_to_merge(world)
    world.apply(release("staging", "6.9.0", phase="rolled back")).step()

    events = world.apply(release("staging", "6.9.0")).step()

    assert only(events, m.PromotionCompleted)


def test_merged_promotion_outlives_the_stream() -> None:
    """The status file knows it, so it is asked for again under the same id."""
    world = cluster()
    request = walk_to_merge(world)
    world.promotions, world.observed = {}, None

    again = only(world.step(), m.PromotionRequested)

    assert again.promotion == request.promotion
    assert again.previous_promotion_id == request.previous_promotion_id


def test_completed_promotions_chain_outlives_the_stream() -> None:
    world = cluster()
    walk_to_merge(world)
    world.apply(release("staging", "6.9.0")).step()
    kept = dict(world.links)
    expected = only(world.apply(release("dev", "6.9.1")).step(), m.PromotionRequested)

    world.promotions, world.observed, world.links = {}, None, kept
    events = world.step()

    asked = {e.promotion.environment: e for e in events if isinstance(e, m.PromotionRequested)}
    assert asked["staging"].promotion == expected.promotion


def test_environment_that_runs_nothing_yet_gets_its_first_revision() -> None:
    world = Cluster(pipeline_manifest("dev", "prod"), release("dev", "6.9.0"))

    request = only(world.step(), m.PromotionRequested)

    assert request.current is None


def test_nothing_is_requested_while_the_environment_above_moves() -> None:
    world = cluster().apply(release("staging", "6.9.0", phase="progressing"))

    assert world.step() == ()
    assert world.gate("staging").state is m.GateState.BLOCKED


def test_nothing_is_requested_that_the_environment_above_tries_and_fails() -> None:
    world = cluster().apply(release("staging", "6.9.0", phase="failed"))

    assert world.step() == ()
    assert world.gate("staging").reason is m.GateReason.TRIED_AND_FAILED
    assert world.gate("staging").hindered_by == "staging"


def test_newer_revision_is_requested_for_an_environment_that_fails_on_an_older() -> None:
    world = cluster().apply(release("staging", "6.8.9", phase="failed"))

    assert only(world.step(), m.PromotionRequested).content.identity == "6.9.0"


def test_changed_destination_is_asked_for_anew() -> None:
    world = cluster()
    old = only(world.step(), m.PromotionRequested)
    ask = {"url": "https://github.com/shop/elsewhere"}

    events = world.apply(pipeline_manifest("dev", "staging", "prod", ask=ask)).step()

    assert only(events, m.PromotionSuperseded).promotion == old.promotion
    assert only(events, m.PromotionRequested).destination.repository == "elsewhere"
    assert world.step() == ()


def test_changed_destination_leaves_an_open_pull_request_alone() -> None:
    world = cluster()
    world.hear(opened(only(world.step(), m.PromotionRequested)))
    ask = {"url": "https://github.com/shop/elsewhere"}

    assert world.apply(pipeline_manifest("dev", "staging", "prod", ask=ask)).step() == ()


def test_pipeline_without_strategy_says_why_nothing_is_promoted() -> None:
    manifest = pipeline_manifest("dev", "prod")
    del manifest["spec"]["promotion"]
    world = Cluster(manifest, release("dev", "6.9.0"), release("prod", "6.8.4"))

    assert world.step() == ()
    assert world.gate("prod").state is m.GateState.NOT_PROMOTABLE
    assert world.gate("prod").reason is m.GateReason.NO_STRATEGY


@pytest.mark.parametrize("kind", sorted(KIND_BY_NAME.keys() - {"azure-devops"}))
def test_type_that_is_known_is_no_finding(kind: str) -> None:
    manifest = pipeline_manifest("dev", "staging", "prod", ask={"type": kind})
    world = Cluster(manifest, release("dev", "6.9.0"))

    world.step()

    assert [f.message for f in world.observed.findings if "prod" in f.message] == []


def test_chart_by_revision_is_not_promotable() -> None:
    by_revision = release("dev", "6.9.0")
    by_revision["spec"] = {"chart": {"spec": {"reconcileStrategy": "Revision"}}}
    world = cluster().apply(by_revision)

    assert world.step() == ()
    assert world.gate("staging").state is m.GateState.NOT_PROMOTABLE
    assert world.gate("staging").reason is m.GateReason.NOT_REPRODUCIBLE


def test_kustomization_from_the_repository_we_write_to_is_not_promotable() -> None:
    world = cluster()
    key = ObjectKey(
        group="helm.toolkit.fluxcd.io", kind="HelmRelease", namespace="dev-0", name="podinfo"
    )
    world.sources = {key: "ssh://git@github.com/shop/gitops.git"}

    assert world.step() == ()
    assert world.gate("staging").reason is m.GateReason.OWN_REPOSITORY


def test_remote_cluster_is_unknown_to_this_watcher() -> None:
    manifest = pipeline_manifest("dev", "prod")
    manifest["spec"]["environments"][1]["targets"][0]["clusterRef"] = {
        "kind": "GitopsCluster",
        "name": "eu-2",
    }
    world = Cluster(manifest, release("dev", "6.9.0"))

    assert world.step() == ()
    assert world.gate("prod").state is m.GateState.BLOCKED
    assert world.gate("prod").reason is m.GateReason.UNKNOWN
    assert "'eu-2'" in world.gate("prod").cause


def test_absent_object_is_unknown_while_not_everything_could_be_read() -> None:
    world = Cluster(pipeline_manifest("dev", "prod"), release("dev", "6.9.0"))
    world.complete = False

    assert world.step() == ()
    assert world.observed.environments[1].condition is m.EnvironmentCondition.UNKNOWN


def test_target_keeps_what_it_last_ran_healthily() -> None:
    world = cluster()
    world.step()
    lost = release("staging", "6.9.9", phase="progressing")
    lost["status"]["history"] = []

    world.apply(lost).step()

    target = world.observed.environments[1].targets[0]
    assert target.namespace == namespace("staging")
    assert target.revision.recorded == "6.8.4"


def test_stored_credential_is_named_for_the_auditor() -> None:
    world = cluster(ask={"secretRef": {"name": "flux-bot"}})

    request = only(world.step(), m.PromotionRequested)

    assert request.mode is m.CredentialMode.STORED
    assert request.secret == m.SecretRef(namespace="shop", name="flux-bot")
    assert world.promotions[request.promotion.promotion_id].state is State.OPENING
    assert [use.environment for use in world.observed.credentials] == ["staging", "prod"]


def test_later_merge_ends_what_was_merged_before_it() -> None:
    world = cluster()
    first = walk_to_merge(world)
    second = only(world.apply(release("dev", "6.9.1")).step(), m.PromotionRequested)
    later = merged(second).model_copy(update={"merged_at": NOW + timedelta(minutes=1)})
    world.hear(opened(second), later)

    events = world.step()

    assert only(events, m.PromotionSuperseded).promotion == first.promotion
    assert second.previous_promotion_id == first.promotion.promotion_id


def kustomized(commit: str, digest: str) -> m.Content:
    recorded = f"main@sha1:{commit * 40}"
    revision = m.Revision(recorded=recorded, commit=commit * 40)
    return m.Content(identity=f"sha256:{digest}", revision=revision)


def test_kustomization_is_there_by_its_commit_whatever_it_builds() -> None:
    assert is_there(kustomized("a", "dev"), kustomized("a", "prod"))
    assert not is_there(kustomized("a", "dev"), kustomized("b", "prod"))


def test_chart_is_there_with_or_without_the_digest_of_its_registry() -> None:
    plain = m.Content(identity="6.9.0", revision=m.Revision(recorded="6.9.0", version="6.9.0"))
    digest = "sha256:" + "7" * 64
    revision = m.Revision(recorded="6.9.0+777777777777", version="6.9.0", digest=digest)
    oci = m.Content(identity=f"6.9.0+777777777777@{digest}", revision=revision)

    assert is_there(plain, oci)
    other = oci.revision.model_copy(update={"digest": "sha256:" + "8" * 64})
    assert not is_there(oci, m.Content(identity="other", revision=other))
