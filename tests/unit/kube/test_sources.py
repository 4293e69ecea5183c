"""Applications in the light of their sources."""

from typing import Any

import pytest

from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.applications import App, Source
from countersign.kube.flux.helm_releases import read_helm_release
from countersign.kube.flux.kustomizations import read_kustomization
from countersign.kube.flux.rules import read_object
from countersign.kube.flux.sources import SOURCE_KINDS, read_source, settle

DIGEST = "sha256:85ea0013056258452ce27431392167ac036fd7fd1cb64df3a750b04851ac6d20"
OTHER = "sha256:" + "0" * 64
READY = {"type": "Ready", "status": "True", "observedGeneration": 1}


def release(*, chart_ref: Any = None, version: str = "1.20.6+85ea00130562") -> App:
    chart = {"kind": "OCIRepository", "name": "rook"} if chart_ref is None else chart_ref
    return read_helm_release(
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "rook", "namespace": "apps", "generation": 1},
            "spec": {"chartRef": chart},
            "status": {
                "observedGeneration": 1,
                "lastAttemptedRevision": version,
                "conditions": [READY],
                "history": [
                    {
                        "status": "deployed",
                        "version": 1,
                        "chartVersion": version,
                        "ociDigest": DIGEST,
                    }
                ],
            },
        }
    )


def kustomization(kind: str) -> App:
    return read_kustomization(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": "apps", "generation": 1},
            "spec": {"sourceRef": {"kind": kind, "name": "rook"}},
            "status": {
                "observedGeneration": 1,
                "lastAppliedRevision": f"latest@{DIGEST}",
                "lastAttemptedRevision": f"latest@{DIGEST}",
                "conditions": [READY],
            },
        }
    )


def source(revision: str, *, kind: str = "OCIRepository", ready: Any = READY) -> Source:
    return read_source(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": kind,
            "metadata": {"name": "rook", "namespace": "apps", "generation": 1},
            "status": {"artifact": {"revision": revision}, "conditions": [ready]},
        }
    )


@pytest.mark.parametrize("tag", ["v1.20.6", "1.20.6_up57.0.3", "1.20.6"])
def test_chart_is_promoted_by_the_tag_that_its_source_resolved(tag: str) -> None:
    state = settle(release(), source=source(f"{tag}@{DIGEST}"))

    assert state.condition is Is.HEALTHY
    assert state.content is not None
    assert state.content.revision.tag == tag
    assert state.content.revision.recorded == "1.20.6+85ea00130562"
    assert state.not_promotable == ""


def test_chart_whose_source_is_further_is_on_its_way() -> None:
    state = settle(release(), source=source(f"v1.20.7@{OTHER}"))

    assert state.condition is Is.PROGRESSING
    assert state.content is None


@pytest.mark.parametrize("found", [None, source("")], ids=["unread", "no-artifact"])
def test_chart_whose_tag_is_not_known_is_healthy_and_not_promotable(found: Any) -> None:
    state = settle(release(), source=found)

    assert state.condition is Is.HEALTHY
    assert "OCIRepository apps/rook" in state.not_promotable


def test_chart_that_is_asked_for_by_its_digest_is_promoted_by_it() -> None:
    state = settle(release(), source=source(DIGEST))

    assert state.not_promotable == ""
    assert state.content is not None
    assert (state.content.revision.digest, state.content.revision.tag) == (DIGEST, "")


def test_chart_of_a_helm_repository_needs_no_source() -> None:
    app = release(chart_ref={})

    assert app.source is None
    assert settle(app, source=None) is app.state


@pytest.mark.parametrize("kind", sorted(SOURCE_KINDS))
def test_source_that_fails_is_a_condition_of_what_comes_from_it(kind: str) -> None:
    failing = {**READY, "status": "False", "reason": "Failed", "message": "absent"}
    found = source(f"latest@{DIGEST}", kind=kind, ready=failing)

    state = settle(kustomization(kind), source=found)

    assert state.condition is Is.FAILED
    assert "absent" in state.message
    assert state.content is None


def test_failing_source_of_a_chart_is_a_condition_too() -> None:
    failing = {**READY, "status": "False", "message": "absent"}

    state = settle(release(), source=source(f"v1.20.6@{DIGEST}", ready=failing))

    assert (state.condition, "absent" in state.message) == (Is.FAILED, True)


def test_failure_of_an_earlier_generation_says_nothing_of_now() -> None:
    earlier = {**READY, "status": "False", "message": "x", "observedGeneration": 0}

    assert source(f"v1@{DIGEST}", ready=earlier).failing == ""


@pytest.mark.parametrize("kind", sorted(SOURCE_KINDS))
def test_every_kind_of_source_is_read_as_one(kind: str) -> None:
    read = read_object(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": kind,
            "metadata": {"name": "rook"},
            "status": {"artifact": {"revision": f"latest@{DIGEST}"}},
        }
    )

    assert isinstance(read, Source)
    assert settle(kustomization(kind), source=read).condition is Is.HEALTHY


@pytest.mark.parametrize("told", ["2026-11-22T16:40:00Z", "", "9999-99-99", None])
def test_content_is_as_old_as_its_source_says(told: str | None) -> None:
    manifest = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "podinfo", "namespace": "shop", "generation": 1},
        "status": {
            "artifact": {
                "revision": f"1.20.6@{DIGEST}",
                "metadata": {"org.opencontainers.image.created": told},
            }
        },
    }

    state = settle(release(), source=read_source(manifest))

    assert (state.created_at is not None) == (told == "2026-11-22T16:40:00Z")


@pytest.mark.parametrize(
    ("told", "page"),
    [
        ("https://github.com/stefanprodan/podinfo", "https://github.com/stefanprodan/podinfo"),
        ("http://github.com/a/b", ""),
        ("javascript:alert(1)", ""),
        ("https://user:secret@github.com/a", ""),
        ("https://x.example/" + "a" * 400, ""),
        (7, ""),
    ],
)
def test_source_page_is_what_the_artifact_names_if_it_is_one(told: object, page: str) -> None:
    manifest = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "OCIRepository",
        "metadata": {"name": "podinfo", "namespace": "shop", "generation": 1},
        "status": {
            "artifact": {
                "revision": f"1.20.6@{DIGEST}",
                "metadata": {"org.opencontainers.image.source": told},
            }
        },
    }

    assert settle(release(), source=read_source(manifest)).source_page == page
