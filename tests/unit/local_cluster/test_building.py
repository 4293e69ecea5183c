"""Manifests out of the files of a commit."""

import pytest
import yaml

from countersign.contracts.errors import Rejected
from countersign.local.cluster.controllers.building import build, desired
from countersign.local.cluster.objects import Key

RELEASE = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": "podinfo"},
    "spec": {},
}
CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n"


def test_objects_of_played_kinds_are_found_in_any_document() -> None:
    files = {
        "a.yaml": yaml.safe_dump_all([RELEASE, {"kind": "ConfigMap"}, None]).encode(),
        "README.md": b"kind: [",
        "kustomization.yaml": b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    }

    assert list(desired(files)) == [Key("HelmRelease", "default", "podinfo")]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"a.yaml": b"a: ["}, "not YAML"),
        ({"a.yaml": b"\xff\xfe\x00"}, "not YAML"),
        (
            {n: yaml.safe_dump(RELEASE).encode() for n in ("a.yaml", "b.yaml")},
            "defined twice",
        ),
    ],
)
def test_broken_commit_is_refused_as_a_whole(files: dict[str, bytes], problem: str) -> None:
    with pytest.raises(Rejected, match=problem):
        desired(files)


def test_digest_of_a_build_is_of_the_manifests_below_the_path_alone() -> None:
    files = {"deploy/app.yaml": CONFIG, "README.md": b"x"}
    spec = {"path": "./deploy"}

    first = build(spec, files)

    assert first.digest == build(spec, files | {"README.md": b"y"}).digest
    assert first.digest != build(spec, files | {"deploy/app.yaml": CONFIG + b"data: {a: b}"}).digest
    assert first.digest != build(spec | {"targetNamespace": "prod"}, files).digest
    assert dict(first.inventory[0])["id"] == "default_app__ConfigMap"


def test_only_listed_resources_are_built() -> None:
    files = {"kustomization.yaml": b"resources: [a.yaml]", "a.yaml": CONFIG, "b.yaml": b"a: ["}

    assert build({}, files).problem == ""


@pytest.mark.parametrize(
    ("spec", "files", "problem"),
    [
        ({"path": "./absent"}, {"a.yaml": CONFIG}, "path not found"),
        ({}, {"kustomization.yaml": b"resources: [no.yaml]"}, "no such file"),
        ({}, {"a.yaml": b"a: ["}, "not YAML"),
    ],
)
def test_build_that_fails_says_why(
    spec: dict[str, str], files: dict[str, bytes], problem: str
) -> None:
    assert problem in build(spec, files).problem
