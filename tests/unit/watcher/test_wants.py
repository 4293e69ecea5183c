"""Which kinds are watched, where, and what is said of what is not known."""

from doubles.watched import pipeline_manifest

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.applications import App, AppState
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline, read_pipeline
from countersign.watcher.gaps import Gap, forbidden, unreachable
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.inventory import Inventory
from countersign.watcher.reading.wants import Wants

HELM = ("helm.toolkit.fluxcd.io", "HelmRelease")


def pipeline(*, name: str = "checkout", **target: object) -> Pipeline:
    manifest = pipeline_manifest("dev")
    manifest["metadata"]["name"] = name
    manifest["spec"]["environments"][0]["targets"] = [{"namespace": "dev", **target}]
    return read_pipeline(manifest)


def test_kind_is_wanted_until_nothing_names_it() -> None:
    wants = Wants()
    first, second = pipeline(name="a"), pipeline(name="b")

    assert wants.update(changed=[first], removed=[])
    assert not wants.update(changed=[second], removed=[])
    assert wants.by_cluster() == {"": {HELM: frozenset({"dev"})}}
    assert not wants.update(changed=[], removed=[first.key])
    assert wants.update(changed=[], removed=[second.key])
    assert wants.by_cluster() == {}


def test_same_pipeline_again_changes_nothing() -> None:
    wants = Wants()
    wants.update(changed=[pipeline()], removed=[])

    assert not wants.update(changed=[pipeline()], removed=[])


def test_target_elsewhere_wants_its_cluster_too() -> None:
    wants = Wants()
    ref = {"kind": "GitopsCluster", "name": "far", "namespace": "fleet"}

    wants.update(changed=[pipeline(clusterRef=ref)], removed=[])

    assert wants.by_cluster() == {
        "fleet/far": {HELM: frozenset({"dev"})},
        "": {("gitops.weave.works", "GitopsCluster"): frozenset({"fleet"})},
    }


def test_cluster_without_namespace_is_beside_the_pipeline() -> None:
    found = pipeline(clusterRef={"kind": "GitopsCluster", "name": "far"})
    target = found.environments[0].targets[0]

    assert target.cluster == "far"
    assert found.app_key(target).cluster == "shop/far"


def test_secrets_are_never_wanted() -> None:
    manifest = pipeline_manifest("dev")
    manifest["spec"]["appRef"].update(apiVersion="v1", kind="Secret")
    wants = Wants()

    wants.update(changed=[read_pipeline(manifest)], removed=[])

    assert wants.by_cluster() == {}


def key(*, namespace: str = "dev", cluster: str = "") -> ObjectKey:
    group, kind = HELM
    return ObjectKey(group=group, kind=kind, namespace=namespace, name="podinfo", cluster=cluster)


def test_gap_covers_its_part_and_no_other() -> None:
    group, kind = HELM
    here = forbidden(cluster="", group=group, kind=kind, plural="helmreleases", namespace="dev")
    far = Gap(cluster="fleet/far", message="away")

    assert here.covers(key())
    assert not here.covers(key(namespace="prod"))
    assert not here.covers(key(cluster="fleet/far"))
    assert far.covers(key(cluster="fleet/far"))
    assert not far.covers(key())


def test_line_for_another_cluster_is_not_said_to_fit_there_as_it_is() -> None:
    group, kind = HELM
    here, there = (
        forbidden(cluster=c, group=group, kind=kind, plural="helmreleases", namespace="").message
        for c in ("", "fleet/far")
    )

    assert "in place of the service account" not in here
    assert "in place of the service account" in there


def test_what_is_in_a_gap_is_unknown_and_found_again_when_it_closes() -> None:
    world, found = Inventory(), pipeline()
    group, kind = HELM
    app = App(key=key(), state=AppState(condition=Is.HEALTHY))
    gap = unreachable(cluster="", group=group, kind=kind, namespace="", why="no answer in time")
    records: dict[ObjectKey, Pipeline | App] = {found.key: found, app.key: app}
    world.apply(Changes(changed=records, gaps=()))

    assert world.apps_of(found)[key()].condition is Is.HEALTHY
    assert world.apply(Changes(gaps=(gap,))) == {found.key}
    assert world.apps_of(found)[key()].condition is Is.UNKNOWN
    assert world.apps_of(found)[key()].code == "cluster_unreachable"
    assert [finding.code for finding in world.findings_of(found)] == ["cluster_unreachable"]
    assert world.apply(Changes(gaps=())) == {found.key}
    assert world.apps_of(found)[key()].condition is Is.HEALTHY
    assert world.findings_of(found) == ()


def test_name_that_would_be_another_path_is_never_asked_for() -> None:
    wants = Wants()
    elsewhere = pipeline()
    strange = pipeline_manifest("dev")
    strange["spec"]["appRef"]["apiVersion"] = "../api/v1/v1"

    wants.update(changed=[pipeline(namespace="../../api/v1/namespaces/kube-system")], removed=[])
    assert wants.by_cluster() == {}
    wants.update(changed=[pipeline(namespace="dev; reboot")], removed=[])
    assert wants.by_cluster() == {}
    wants.update(changed=[read_pipeline(strange)], removed=[])
    assert wants.by_cluster() == {}
    wants.update(changed=[pipeline(clusterRef={"name": "far", "namespace": ".."})], removed=[])
    assert wants.by_cluster().keys() == {"../far"}, "it is said to be missing"
    wants.update(changed=[elsewhere], removed=[])
    assert wants.by_cluster() == {"": {HELM: frozenset({"dev"})}}
