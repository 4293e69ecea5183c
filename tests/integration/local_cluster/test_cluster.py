"""A cluster in this process follows a bare repository."""

from pathlib import Path

import yaml
from doubles.local_cluster import commit, playing, until

from countersign.contracts.messages import EnvironmentCondition
from countersign.kube.flux.helm_releases import read_helm_release
from countersign.kube.flux.kustomizations import read_kustomization
from countersign.local.cluster.control import Control, Failure, Fate, Target, write_control
from countersign.local.cluster.objects import Json, Key, condition, is_true

RELEASE = Key("HelmRelease", "dev", "podinfo")
APPS = Key("Kustomization", "dev", "apps")
SOURCE = Key("GitRepository", "dev", "apps")
PATH = "clusters/dev/podinfo.yaml"


def release(version: str, *, namespace: str = "dev", **spec: object) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "podinfo", "namespace": namespace},
            "spec": {"chart": {"spec": {"chart": "podinfo", "version": version}}, **spec},
        }
    )


def application(url: Path, **ref: str) -> str:
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "apps", "namespace": "dev"},
        "spec": {"url": str(url), "ref": ref},
    }
    kustomization = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "dev"},
        "spec": {
            "path": "./deploy",
            "wait": True,
            "sourceRef": {"kind": "GitRepository", "name": "apps"},
        },
    }
    return yaml.safe_dump_all([source, kustomization])


def config_map(value: str) -> str:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}}
    return yaml.safe_dump({**document, "data": {"value": value}})


def runs(version: str, manifest: Json) -> bool:
    content = read_helm_release(manifest).state.content
    return content is not None and content.revision.recorded == version


def applies(commit_id: str, manifest: Json) -> bool:
    content = read_kustomization(manifest).state.content
    return content is not None and content.revision.commit == commit_id


def fails(manifest: Json) -> bool:
    status, metadata = manifest["status"], manifest["metadata"]
    return is_true(status, "Stalled") and status["observedGeneration"] == metadata["generation"]


async def test_release_runs_what_was_merged(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"
    commit(git, {PATH: release("6.8.4")})

    async with playing(tmp_path / "cluster", git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        commit(git, {PATH: release("6.9.0")})
        after = await until(cluster, RELEASE, lambda m: runs("6.9.0", m))

    assert after["metadata"]["generation"] == 2
    assert [h["chartVersion"] for h in after["status"]["history"]] == ["6.9.0", "6.8.4"]
    assert (tmp_path / "cluster" / "dev.HelmRelease.podinfo.yaml").is_file()


async def test_release_fails_where_the_control_file_says_so(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4")})

    async with playing(directory, git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        write_control(directory, Control(fail=(Failure(name="podinfo", revision="6.9.0"),)))
        commit(git, {PATH: release("6.9.0")})
        failed = await until(cluster, RELEASE, fails)
        commit(git, {PATH: release("6.9.1")})
        await until(cluster, RELEASE, lambda m: runs("6.9.1", m))

    assert read_helm_release(failed).state.condition is EnvironmentCondition.FAILED
    assert failed["status"]["history"][0]["status"] == "failed"


async def test_release_is_rolled_back_on_demand(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4")})

    async with playing(directory, git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        failure = Failure(revision="6.9.0", how=Fate.ROLLBACK)
        write_control(directory, Control(fail=(failure,)))
        commit(git, {PATH: release("6.9.0")})
        after = await until(cluster, RELEASE, fails)

    assert condition(after["status"], "Ready")["reason"] == "RollbackSucceeded"
    state = read_helm_release(after).state
    assert state.rolled_back is not None
    assert state.rolled_back.version == "6.8.4"


async def test_unhealthy_target_fails_and_comes_back(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4")})

    async with playing(directory, git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        write_control(directory, Control(unhealthy=(Target(namespace="dev"),)))
        await until(cluster, RELEASE, fails)
        write_control(directory, Control())
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))


async def test_kustomization_follows_the_commit_that_its_source_names(tmp_path: Path) -> None:
    git, apps = tmp_path / "gitops.git", tmp_path / "apps.git"
    first = commit(apps, {"deploy/app.yaml": config_map("1")})
    second = commit(apps, {"deploy/app.yaml": config_map("2")})
    commit(git, {PATH: application(apps, commit=first)})

    async with playing(tmp_path / "cluster", git) as cluster:
        before = await until(cluster, APPS, lambda m: applies(first, m))
        commit(git, {PATH: application(apps, commit=second)})
        after = await until(cluster, APPS, lambda m: applies(second, m))
        source = cluster.store.get(SOURCE)

    assert before["status"]["lastAppliedRevision"] == f"sha1:{first}"
    assert after["status"]["lastAppliedRevision"] == f"sha1:{second}"
    assert after["status"]["history"][0]["digest"] != before["status"]["history"][0]["digest"]
    assert source is not None
    assert source["status"]["observedGeneration"] == source["metadata"]["generation"] == 2


async def test_commit_outside_of_the_path_moves_the_revision_but_not_the_digest(
    tmp_path: Path,
) -> None:
    git, apps = tmp_path / "gitops.git", tmp_path / "apps.git"
    first = commit(apps, {"deploy/app.yaml": config_map("1")})
    commit(git, {PATH: application(apps, branch="main")})

    async with playing(tmp_path / "cluster", git) as cluster:
        before = await until(cluster, APPS, lambda m: applies(first, m))
        second = commit(apps, {"README.md": "nothing to deploy"})
        after = await until(cluster, APPS, lambda m: applies(second, m))

    assert after["status"]["lastAppliedRevision"] == f"main@sha1:{second}"
    newest = after["status"]["history"][0]
    assert newest["digest"] == before["status"]["history"][0]["digest"]
    assert newest["totalReconciliations"] == 2


async def test_kustomization_that_is_never_ready_fails_its_health_check(tmp_path: Path) -> None:
    git, apps, directory = tmp_path / "gitops.git", tmp_path / "apps.git", tmp_path / "cluster"
    first = commit(apps, {"deploy/app.yaml": config_map("1")})
    commit(git, {PATH: application(apps, branch="main")})

    async with playing(directory, git) as cluster:
        await until(cluster, APPS, lambda m: applies(first, m))
        failure = Failure(kind="Kustomization", how=Fate.NEVER_READY)
        write_control(directory, Control(fail=(failure,)))
        second = commit(apps, {"deploy/app.yaml": config_map("2")})
        failed = await until(
            cluster,
            APPS,
            lambda m: condition(m["status"], "Ready")["reason"] == "HealthCheckFailed",
        )
        write_control(directory, Control())
        await until(cluster, APPS, lambda m: applies(second, m))

    assert failed["status"]["lastAppliedRevision"] == f"main@sha1:{first}"
    assert failed["status"]["lastAttemptedRevision"] == f"main@sha1:{second}"


async def test_object_removed_from_git_is_removed_and_others_are_left_alone(
    tmp_path: Path,
) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4"), "clusters/prod/podinfo.yaml": release("1.0.0")})
    directory.mkdir()
    foreign = directory / "other.Pipeline.kept.yaml"
    foreign.write_text("kind: Pipeline\nmetadata: {name: kept, namespace: other}\nspec: {}\n")
    commit(git, {"clusters/prod/podinfo.yaml": release("6.8.4", namespace="prod")})

    async with playing(directory, git) as cluster:
        gone = Key("HelmRelease", "prod", "podinfo")
        await until(cluster, gone, lambda m: runs("6.8.4", m))
        commit(git, {"clusters/prod/podinfo.yaml": None})
        await until(cluster, RELEASE, lambda _: cluster.store.get(gone) is None)

    assert foreign.exists()


async def test_broken_commit_changes_nothing(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"
    commit(git, {PATH: release("6.8.4")})

    async with playing(tmp_path / "cluster", git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        commit(git, {PATH: release("6.9.0"), "clusters/broken.yaml": "a: [1"})
        commit(git, {"clusters/broken.yaml": None})
        after = await until(cluster, RELEASE, lambda m: runs("6.9.0", m))

    assert after["metadata"]["generation"] == 2


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4")})
    async with playing(directory, git) as cluster:
        before = await until(cluster, RELEASE, lambda m: runs("6.8.4", m))

    commit(git, {PATH: release("6.9.0")})
    async with playing(directory, git) as cluster:
        after = await until(cluster, RELEASE, lambda m: runs("6.9.0", m))

    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [h["version"] for h in after["status"]["history"]] == [2, 1]


async def test_release_in_progress_is_finished_after_a_restart(tmp_path: Path) -> None:
    git, directory = tmp_path / "gitops.git", tmp_path / "cluster"
    commit(git, {PATH: release("6.8.4")})
    async with playing(directory, git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        write_control(directory, Control(slow_s=60))
        commit(git, {PATH: release("6.9.0")})
        await until(cluster, RELEASE, lambda m: m["status"].get("lastAttemptedRevision") == "6.9.0")

    write_control(directory, Control())
    async with playing(directory, git) as cluster:
        after = await until(cluster, RELEASE, lambda m: runs("6.9.0", m))

    assert [h["version"] for h in after["status"]["history"]] == [2, 1]


async def test_release_overtaken_in_the_middle_ends_at_the_newest(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"
    commit(git, {PATH: release("6.8.4")})

    async with playing(tmp_path / "cluster", git) as cluster:
        await until(cluster, RELEASE, lambda m: runs("6.8.4", m))
        commit(git, {PATH: release("6.9.0")})
        await until(cluster, RELEASE, lambda m: m["status"].get("lastAttemptedRevision") == "6.9.0")
        commit(git, {PATH: release("6.9.1")})
        await until(cluster, RELEASE, lambda m: runs("6.9.1", m))


async def test_pipeline_is_applied_as_it_is(tmp_path: Path) -> None:
    git = tmp_path / "gitops.git"
    spec = {"appRef": {"kind": "HelmRelease", "name": "podinfo"}, "environments": []}
    pipeline = {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "podinfo", "namespace": "apps"},
        "spec": spec,
    }
    commit(git, {"pipelines/podinfo.yaml": yaml.safe_dump(pipeline)})

    async with playing(tmp_path / "cluster", git) as cluster:
        found = await until(cluster, Key("Pipeline", "apps", "podinfo"), lambda _: True)

    assert found["spec"] == spec
    assert found["metadata"]["uid"]
    assert "status" not in found
