"""Kinds that are not Flux's: where their revision is, and how little it promises."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from doubles.watched import Cluster, Json, directory_of, namespace, pipeline_manifest, write
from pydantic import ValidationError

from countersign.kube.flux.applications import App
from countersign.kube.flux.rules import read_object
from countersign.watcher.settings import Settings

WRITTEN = "Release.example.org=.status.version"


def other(api_version: str, kind: str, **status: Any) -> Json:
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "podinfo", "namespace": namespace("dev"), "generation": 1},
        "status": {"conditions": [ready], "observedGeneration": 1, **status},
    }


def finding(application: Json) -> str:
    manifest = pipeline_manifest("dev")
    manifest["spec"]["appRef"].update(
        apiVersion=application["apiVersion"], kind=application["kind"]
    )
    cluster = Cluster(manifest, application)
    cluster.step()
    found = [f.message for f in cluster.observed.findings if f.code == "health_not_checked"]
    return found[0] if found else ""


def test_directory_is_read_by_the_paths_that_are_set(tmp_path: Path) -> None:
    settings = Settings(cluster_dir=tmp_path, revision_paths=WRITTEN)
    write(tmp_path / "dev.yaml", other("example.org/v1", "Release", version="1.2.3"))
    read = partial(read_object, paths=settings.revision_path_of)

    (record,) = directory_of(tmp_path, read=read).take().changed.values()

    assert isinstance(record, App)
    assert record.state.content is not None
    assert record.state.content.identity == "1.2.3"


def test_wrong_path_is_refused_by_the_name_of_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"COUNTERSIGN_REVISION_PATHS: 'Release=\.status"):
        Settings(cluster_dir=tmp_path, revision_paths="Release=.status.version")


def test_weaker_promise_is_told_in_words_for_the_kind() -> None:
    revision = {"lastAppliedRevision": "main@sha1:1", "lastAttemptedRevision": "main@sha1:1"}
    kustomization = other("kustomize.toolkit.fluxcd.io/v1", "Kustomization", **revision)
    release = other("example.org/v1", "Release", lastAppliedRevision="1.2.3")

    assert "spec.wait" in finding(kustomization)
    assert finding(release) == (
        "environment 'dev': its Release says that it is ready; "
        "the health of what it brought is not known"
    )
