"""The watcher beside the cluster of the demonstration: what is merged really arrives."""

from pathlib import Path
from typing import Any

import yaml
from doubles.local_cluster import commit, playing
from doubles.watched import pipeline_manifest, write

from countersign.contracts import messages as m
from countersign.messaging.bus import Bus


def environment(name: str, apps: Path, **ref: str) -> str:
    """A Kustomization of the application's own repository, at a branch or a commit."""
    metadata = {"name": "podinfo", "namespace": f"{name}-0"}
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": metadata,
        "spec": {"url": str(apps), "ref": ref},
    }
    kustomization = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": metadata,
        "spec": {
            "path": "./deploy",
            "wait": True,
            "targetNamespace": f"{name}-0",
            "sourceRef": {"kind": "GitRepository", "name": "podinfo"},
        },
    }
    return yaml.safe_dump_all([source, kustomization])


def config_map(value: str) -> str:
    metadata = {"name": "app"}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return yaml.safe_dump({**document, "data": {"value": value}})


async def merge(bus: Bus, request: m.PromotionRequested) -> None:
    to = request.destination
    ref = m.PullRequestRef(
        origin=to.origin, owner=to.owner, repository=to.repository, repository_id="1", number=1
    )
    opened = m.PullRequestOpened(promotion=request.promotion, pull_request=ref)
    merged = m.PullRequestMerged(promotion=request.promotion, pull_request=ref)
    await bus.publish(opened, message_id="opened")
    await bus.publish(merged, message_id="merged")


async def test_commit_of_an_application_is_promoted_and_arrives(
    watch: Any, heard: Any, writer: Bus, cluster_dir: Path, tmp_path: Path
) -> None:
    gitops, apps = tmp_path / "gitops.git", tmp_path / "apps.git"
    first = commit(apps, {"deploy/app.yaml": config_map("1")})
    files = {
        "dev.yaml": environment("dev", apps, branch="main"),
        "prod.yaml": environment("prod", apps, commit=first),
    }
    commit(gitops, files)
    write(cluster_dir / "checkout.yaml", pipeline_manifest("dev", "prod", kind="Kustomization"))

    async with playing(cluster_dir, gitops), watch():
        await heard.until(lambda: level(heard))
        second = commit(apps, {"deploy/app.yaml": config_map("2")})
        await heard.until(lambda: bool(heard.of(m.PromotionRequested)))
        (request,) = heard.of(m.PromotionRequested)
        await merge(writer, request)
        commit(gitops, {"prod.yaml": environment("prod", apps, commit=second)})
        await heard.until(lambda: bool(heard.of(m.PromotionCompleted)))
        commit(apps, {"README.md": "nothing to deploy"})
        await heard.until(lambda: runs(heard, "dev") not in {first, second, ""})

    assert request.content.revision.commit == second
    assert request.current.commit == first
    assert len(heard.of(m.PromotionRequested)) == 1


def level(heard: Any) -> bool:
    seen = heard.of(m.PipelineObserved)
    return bool(seen) and seen[-1].environments[1].gate.state is m.GateState.LEVEL


def runs(heard: Any, name: str) -> str:
    last = heard.of(m.PipelineObserved)[-1]
    content = next(e.content for e in last.environments if e.name == name)
    return content.revision.commit if content else ""
