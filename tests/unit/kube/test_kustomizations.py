"""Rule K on single objects."""

from typing import Any

import pytest

from countersign.contracts.messages import Destination
from countersign.contracts.messages import EnvironmentCondition as Is
from countersign.kube.flux.applications import App, Source
from countersign.kube.flux.repositories import is_destination
from countersign.kube.flux.rules import read_object
from countersign.kube.flux.sources import settle

REVISION = "main@sha1:" + "a" * 40
NEWER = "main@sha1:" + "b" * 40


def kustomization(**status: Any) -> App:
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    read = read_object(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": "shop", "generation": 1},
            "spec": {"sourceRef": {"kind": "GitRepository", "name": "apps"}, "wait": True},
            "status": {
                "observedGeneration": 1,
                "lastAppliedRevision": REVISION,
                "lastAttemptedRevision": REVISION,
                "conditions": [ready],
                "history": [{"digest": "sha256:" + "d" * 64}],
                **status,
            },
        }
    )
    assert isinstance(read, App)
    return read


def source(revision: str) -> Source:
    read = read_object(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "apps", "namespace": "shop"},
            "spec": {"url": "https://github.com/shop/apps"},
            "status": {"artifact": {"revision": revision}},
        }
    )
    assert isinstance(read, Source)
    return read


def test_kustomization_is_healthy_when_its_source_says_the_same() -> None:
    app = kustomization()

    state = settle(app, source=source(REVISION))

    assert app.source == source(REVISION).key
    assert state.condition is Is.HEALTHY
    assert state.content is not None
    assert state.content.identity == "sha256:" + "d" * 64
    assert state.content.revision.commit == "a" * 40


def test_kustomization_without_history_is_known_by_its_commit() -> None:
    content = settle(kustomization(history=[]), source=source(REVISION)).content

    assert content is not None
    assert content.identity == "a" * 40


def test_kustomization_is_stale_when_its_source_has_moved() -> None:
    state = settle(kustomization(), source=source(NEWER))

    assert state.condition is Is.PROGRESSING
    assert state.content is None
    assert state.last is not None
    assert state.last.recorded == REVISION


def test_kustomization_whose_source_is_unseen_is_unknown() -> None:
    assert settle(kustomization(), source=None).condition is Is.UNKNOWN


def test_kustomization_that_attempts_another_revision_is_not_there() -> None:
    app = kustomization(lastAttemptedRevision=NEWER)

    assert settle(app, source=source(NEWER)).condition is Is.PROGRESSING


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://github.com/shop/gitops", True),
        ("https://github.com/Shop/GitOps.git", True),
        ("ssh://git@github.com/shop/gitops", True),
        ("git@github.com:shop/gitops.git", True),
        ("ssh://git@github.com:2222/shop/gitops.git", True),
        ("https://github.com:8443/shop/gitops", False),
        ("https://github.com/shop/apps", False),
        ("https://gitlab.com/shop/gitops", False),
        ("/srv/git/gitops", False),
        ("", False),
    ],
)
def test_url_names_the_destination_however_it_is_spelled(url: str, *, same: bool) -> None:
    to = Destination(
        origin="https://github.com", owner="shop", repository="gitops", base_branch="main"
    )

    assert is_destination(url, to) is same


def test_other_kind_is_read_by_its_last_applied_revision() -> None:
    read = read_object(
        {
            "apiVersion": "fluxcd.controlplane.io/v1",
            "kind": "ResourceSet",
            "metadata": {"name": "apps", "namespace": "shop"},
            "status": {
                "lastAppliedRevision": "v1.2.3",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
    )

    assert isinstance(read, App)
    assert read.state.condition is Is.HEALTHY
    assert not read.state.checked
