"""An installation is applied, upgraded and removed, by the lines of docs/operating.md."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import reference
import yaml
from apiserver import ApiServer, running
from controllers import controlling

from countersign.messaging.topology.permissions import USERS

K8S: Final = reference.ROOT / "k8s"
OPERATING: Final = reference.ROOT / "docs" / "operating.md"
INSTALL: Final = reference.ROOT / "docs" / "install.md"
OVERLAYS: Final = ("dev", "production", "existing-nats")
JOBS: Final = {
    "dev": {"setup", "topology", "check"},
    "production": {"setup", "topology", "check"},
    "existing-nats": {"topology", "check"},
}
OTHER: Final = "9.9.9"
PIPELINE: Final = {
    "apiVersion": "pipelines.weave.works/v1alpha1",
    "kind": "Pipeline",
    "metadata": {"name": "checkout", "namespace": "default"},
    "spec": {
        "appRef": {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "c"},
        "environments": [{"name": "dev", "targets": [{"namespace": "c"}]}],
    },
}
# As countersign-rbac writes it, in a namespace that stays.
NAMED_SECRETS: Final = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: countersign-auditor-secrets
  namespace: default
  labels: {app.kubernetes.io/part-of: countersign, app.kubernetes.io/component: named-secrets}
rules: []
"""
# Of a StatefulSet, which nothing makes here.
CLAIM: Final = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": "data-nats-0",
        "namespace": "countersign",
        "labels": {"app.kubernetes.io/part-of": "countersign"},
    },
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


@pytest.fixture(scope="module", name="server")
def server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One of its own: things that others need are removed here."""
    server = running(tmp_path_factory.mktemp("installing"))
    try:
        # Without them a deleted claim or namespace would stay.
        with controlling(
            server, "persistentvolumeclaim-protection-controller", "namespace-controller"
        ):
            yield server
    finally:
        server.stop()


@pytest.fixture(name="k8s")
def k8s_fixture(tmp_path: Path) -> Path:
    """The manifests, to be edited."""
    return Path(shutil.copytree(K8S, tmp_path / "k8s"))


def _jobs(server: ApiServer) -> dict[str, str]:
    """Names of Jobs, and their images."""
    found = json.loads(server.kubectl("-n", "countersign", "get", "job", "-o", "json"))["items"]
    return {
        job["metadata"]["name"]: job["spec"]["template"]["spec"]["containers"][0]["image"]
        for job in found
    }


def _images(manifests: str) -> set[str]:
    return set(re.findall(r"image: (\S+)", manifests))


def _apply(server: ApiServer, folder: Path) -> list[str]:
    return server.kubectl("apply", "-k", str(folder)).splitlines()


def _changed(server: ApiServer, folder: Path) -> list[str]:
    """Apply once more, and return what that changed.

    kubectl says `configured` of some things each time, without changing them.
    """

    def versions() -> dict[str, str]:
        found = json.loads(server.kubectl("get", "-k", str(folder), "-o", "json"))["items"]
        return {
            f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
            for one in found
        }

    before = versions()
    _apply(server, folder)
    after = versions()
    return [name for name in after if after[name] != before[name]]


def _section(page: Path, heading: str) -> str:
    return page.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _lines(page: Path, heading: str) -> list[str]:
    """The arguments of kubectl there, line by line."""
    return re.findall(r"^kubectl (.*?)\s*(?:#.*)?$", _section(page, heading), re.MULTILINE)


def _words(line: str, folder: Path) -> list[str]:
    production, base = "k8s/overlays/production", "k8s/base"
    places = {production: str(folder), base: str(folder.parents[1] / "base")}
    return [places.get(word, word) for word in shlex.split(line)]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_is_applied_upgraded_and_removed(
    server: ApiServer, k8s: Path, overlay: str
) -> None:
    folder = k8s / "overlays" / overlay
    _apply(server, k8s / "base")
    _apply(server, folder)
    first = _jobs(server)
    assert _changed(server, folder) == []

    _change_tags(k8s)
    _apply(server, folder)
    new = {name: image for name, image in _jobs(server).items() if name not in first}

    assert {name.split("-")[1] for name in new} == JOBS[overlay]
    assert set(new.values()) == {f"countersign/setup:{OTHER}"}
    assert _changed(server, folder) == []

    _remove(server, folder, overlay)


def _change_tags(k8s: Path) -> None:
    """In the one file that the page names."""
    (named,) = re.findall(r"`(k8s/images/\S+)`", _section(OPERATING, "Upgrade"))
    tags = k8s.parent / named
    tags.write_text(tags.read_text().replace("newTag: 0.1.0", f"newTag: {OTHER}"))


def _remove(server: ApiServer, folder: Path, overlay: str) -> None:
    """By the page's own lines; what it says is kept is asserted."""
    for thing in (PIPELINE, CLAIM):
        server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(thing))
    server.kubectl("-n", "countersign", "create", "secret", "generic", "ours", "--from-literal=a=b")
    lines = re.findall(
        r"^kubectl (.*?)\s*(?:#.*)?$", _section(OPERATING, "Uninstall"), re.MULTILINE
    )

    for line in lines[:2]:
        server.kubectl(*_words(line, folder))

    kinds = "deployment,statefulset,job,service,configmap,networkpolicy,poddisruptionbudget"
    left = server.kubectl("-n", "countersign", "get", kinds, "-o", "name").split()
    assert left == ["configmap/kube-root-ca.crt"] * (len(left) == 1), overlay
    kept = ("secret/ours", "pvc/data-nats-0", "serviceaccount/countersign-watcher")
    server.kubectl("-n", "countersign", "get", *kept)
    server.kubectl("get", "pipeline/checkout", "namespace/countersign", "-n", "default")
    server.kubectl("get", "clusterrole", "countersign-promoter", "countersign-watcher")
    server.kubectl("-n", "countersign", "delete", "secret/ours")


def test_seals_are_kept_when_the_record_is_no_longer_sealed(server: ApiServer) -> None:
    _apply(server, K8S / "base")
    _apply(server, K8S / "record")

    server.kubectl("delete", "-k", str(K8S / "record"), "-l", "!countersign/kept")

    server.kubectl("-n", "countersign", "get", "pvc/countersign-seals")
    left = server.kubectl("-n", "countersign", "get", "cronjob,networkpolicy", "-o", "name")
    assert not left


@pytest.mark.parametrize("overlay", [*OVERLAYS, "../bridge", "../record"])
def test_every_image_has_the_tag_of_the_one_list(
    server: ApiServer, k8s: Path, overlay: str
) -> None:
    _change_tags(k8s)

    images = _images(server.kubectl("kustomize", str(k8s / "overlays" / overlay)))

    ours = {image for image in images if image.startswith("countersign/")}
    assert ours
    assert {image.rpartition(":")[2] for image in ours} == {OTHER}
    assert images - ours <= {"nats:2.15.1"}


def test_images_by_digest_as_a_release_names_them_are_taken(server: ApiServer, k8s: Path) -> None:
    tags = k8s / "images" / "kustomization.yaml"
    tags.write_text(tags.read_text().replace("newTag: 0.1.0", f"digest: sha256:{'0' * 64}"))
    folder = str(k8s / "overlays" / "production")
    _apply(server, k8s / "base")

    said = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", folder)

    assert len(re.findall(r"^job.batch/\S+ created", said, re.MULTILINE)) == len(JOBS["production"])


def test_overlay_of_the_page_names_another_registry(server: ApiServer, k8s: Path) -> None:
    (shown,) = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", INSTALL.read_text(), re.DOTALL)
        if "resources: [../production" in block
    ]
    ours = k8s / "overlays" / "ours"
    ours.mkdir()
    (ours / "kustomization.yaml").write_text(shown)
    for name in re.findall(r"[\w-]+\.yaml", yaml.safe_load(shown).get("resources", [""])[-1]):
        shutil.copy(k8s / "examples" / name, ours / name)

    images = _images(server.kubectl("kustomize", str(ours)))

    assert {image.partition("/")[0] for image in images} == {"registry.example.org"}


def test_last_lines_remove_all_and_it_can_be_installed_anew(server: ApiServer, k8s: Path) -> None:
    folder = k8s / "overlays" / "production"
    _apply(server, k8s / "base")
    server.kubectl("apply", "-f", "-", stdin=NAMED_SECRETS)

    for line in _lines(OPERATING, "Uninstall"):
        server.kubectl(*_words(line, folder))

    left = server.kubectl(
        "get", "crd,clusterrole,clusterrolebinding,role,namespace", "-A", "-o", "name"
    )
    assert not [name for name in left.split() if "countersign" in name or "pipelines" in name]
    _apply(server, k8s / "base")


def test_lines_for_a_nats_of_others_make_every_secret_that_its_pods_wait_for(
    server: ApiServer, k8s: Path
) -> None:
    """Tried with its server in `tests/integration/messaging/test_server_of_others.py`."""
    _apply(server, k8s / "base")
    (k8s.parent / "ca.crt").write_text("who vouches for it")
    (block,) = re.findall(
        r"```console\n(.*?)```", _section(INSTALL, "A NATS of your own"), re.DOTALL
    )
    config = k8s.parent / "kubeconfig"
    config.write_text(server.kubeconfig())
    path = f"{server.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    subprocess.run(
        ["bash", "-euc", block], cwd=k8s.parent, check=True, capture_output=True,
        env={**os.environ, "PATH": path, "KUBECONFIG": str(config)},
    )  # fmt: skip

    there = {
        one["metadata"]["name"]: set(one["data"])
        for one in json.loads(server.kubectl("-n", "countersign", "get", "secret", "-o", "json"))[
            "items"
        ]
    }
    built = _documents(server.kubectl("kustomize", str(k8s / "overlays" / "existing-nats")))
    pods = [m["spec"]["template"]["spec"] for m in built if m["kind"] in {"Deployment", "Job"}]
    for pod in pods:
        for volume in (v["secret"] for v in pod["volumes"] if "secret" in v):
            if not volume.get("optional"):
                assert {i["key"] for i in volume.get("items", ())} <= there[volume["secretName"]]
        for variable in pod["containers"][0]["env"]:
            if key := variable.get("valueFrom", {}).get("secretKeyRef"):
                assert key["key"] in there[key["name"]]
    assert all(there[f"countersign-nkey-{user}"] == {"seed"} for user in USERS)
    assert there["countersign-session-key"] == {"key"}
    server.kubectl("-n", "countersign", "delete", "secret", "--all")


def _documents(text: str) -> list[dict[str, Any]]:
    return [m for m in yaml.safe_load_all(text) if m]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_flux_keeps_what_others_would_be_lost_with(server: ApiServer, overlay: str) -> None:
    built = _documents(server.kubectl("kustomize", str(K8S / "overlays" / overlay)))

    kept = {
        m["metadata"]["name"]
        for m in built
        if m["metadata"].get("labels", {}).get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
    }
    assert kept == {"countersign", "pipelines.pipelines.weave.works"}


def test_jobs_are_named_after_what_they_are_and_not_where(server: ApiServer, k8s: Path) -> None:
    """Flux unpacks an artifact elsewhere each time."""
    built = [server.kubectl("kustomize", str(k / "overlays" / "production")) for k in (K8S, k8s)]

    names = [
        {m["metadata"]["name"] for m in _documents(text) if m["kind"] == "Job"} for text in built
    ]
    assert names[0] == names[1]
    assert len(names[0]) == len(JOBS["production"])
