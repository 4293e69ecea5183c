"""Repositories that are read over HTTP, or from the folder that the forge keeps them in."""

from pathlib import Path

import yaml
from doubles.local_cluster import FAST, playing, playing_as, until
from doubles.local_forge import running_forge

from countersign.local.cluster.objects import Key, condition
from countersign.local.cluster.player import ClusterSettings

APPS = Key("GitRepository", "dev", "apps")


def repository(url: str, **ref: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "apps", "namespace": "dev"},
            "spec": {"url": url, "ref": ref},
        }
    )


async def test_gitops_repository_is_followed_over_http(tmp_path: Path) -> None:
    async with running_forge(tmp_path / "forge") as forge:
        forge.person("ada")
        url = f"{forge.origin}/shop/gitops.git"
        forge.repository("shop/gitops", {"a.yaml": repository(url, branch="main")}, private=False)
        async with playing(tmp_path / "cluster", url) as cluster:
            first = forge.head("shop/gitops")
            await until(cluster, APPS, lambda m: _is_at(m, f"main@sha1:{first}"))
            second = forge.commit("shop/gitops", {"b.yaml": "a: 1"})
            await until(cluster, APPS, lambda m: _is_at(m, f"main@sha1:{second}"))


async def test_private_repository_is_read_from_the_folder_in_place_of_its_url(
    tmp_path: Path,
) -> None:
    async with running_forge(tmp_path / "forge") as forge:
        url = f"{forge.origin}/shop/gitops"
        forge.repository("shop/gitops", {"a.yaml": repository(url, branch="main")})
        folder = forge.git_dir("shop/gitops")
        settings = ClusterSettings(
            directory=tmp_path / "cluster",
            git=str(folder),
            interval_s=0.05,
            pace=FAST,
            replacements={f"{forge.origin}/": str(folder.parent.parent)},
        )
        async with playing_as(settings) as cluster:
            head = forge.head("shop/gitops")
            await until(cluster, APPS, lambda m: _is_at(m, f"main@sha1:{head}"))


async def test_repository_that_cannot_be_reached_fails_visibly_and_comes_back(
    tmp_path: Path,
) -> None:
    async with running_forge(tmp_path / "forge") as forge:
        url = f"{forge.origin}/shop/absent.git"
        forge.repository("shop/gitops", {"a.yaml": repository(url, branch="main")}, private=False)
        async with playing(tmp_path / "cluster", f"{forge.origin}/shop/gitops.git") as cluster:
            await until(
                cluster,
                APPS,
                lambda m: condition(m["status"], "Ready").get("reason") == "GitOperationFailed",
            )
            forge.repository("shop/absent", {"README.md": "here"}, private=False)
            head = forge.head("shop/absent")
            await until(cluster, APPS, lambda m: _is_at(m, f"main@sha1:{head}"))


def _is_at(manifest: dict[str, dict[str, dict[str, str]]], revision: str) -> bool:
    return manifest["status"].get("artifact", {}).get("revision") == revision
