"""Packages and pages as other programs find them."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from countersign.contracts.messages import Content, Revision
from countersign.watcher.decision.addresses import package_of, page_of

COMMIT = "5f1c8e0a5f1c8e0a5f1c8e0a5f1c8e0a5f1c8e0a"
DIGEST = "sha256:" + "ab" * 32


def situation(*, board_url: str = "", source: str = "") -> Any:
    pipeline = SimpleNamespace(
        key=SimpleNamespace(namespace="shop", name="checkout"), app_key=lambda _target: "app"
    )
    return SimpleNamespace(
        pipeline=pipeline,
        board_url=board_url,
        source_urls={"app": source} if source else {},
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )


def stage(revision: Revision, *, chart: str = "") -> Any:
    return SimpleNamespace(
        content=Content(identity="x", revision=revision),
        apps=(SimpleNamespace(chart=chart),),
        environment=SimpleNamespace(targets=("here",)),
    )


@pytest.mark.parametrize(
    ("environment", "page"),
    [
        ("prod", "https://board.example/p/shop/checkout/prod"),
        ("a/b ü", "https://board.example/p/shop/checkout/a=2Fb=20=C3=BC"),
    ],
)
def test_page_of_a_gate_is_below_the_board(environment: str, page: str) -> None:
    assert page_of(situation(board_url="https://board.example"), environment) == page


def test_page_is_not_known_where_nobody_said_the_address() -> None:
    assert page_of(situation(), "prod") == ""


GIT = Revision(recorded=f"main@sha1:{COMMIT}", commit=COMMIT)


@pytest.mark.parametrize(
    ("source", "revision", "chart", "package"),
    [
        ("", Revision(recorded="6.9.0", version="6.9.0"), "podinfo", "pkg:helm/podinfo@6.9.0"),
        (
            "",
            Revision(recorded="6.9.0+ab", version="6.9.0+ab", digest=DIGEST),
            "podinfo",
            f"pkg:helm/podinfo@6.9.0%2Bab?checksum={DIGEST}",
        ),
        (
            "oci://ghcr.io/Shop/manifests",
            Revision(recorded="x", tag="latest", digest=DIGEST),
            "",
            (
                f"pkg:oci/manifests@{DIGEST.replace(':', '%3A')}"
                "?repository_url=ghcr.io/shop/manifests&tag=latest"
            ),
        ),
        (
            "git@git.example:shop/site.git",
            GIT,
            "",
            (
                f"pkg:generic/site@{COMMIT}?vcs_url="
                f"git%2Bssh%3A%2F%2Fgit.example%2Fshop%2Fsite%40{COMMIT}"
            ),
        ),
        (
            "https://u:made-up@git.example:8443/shop/site",
            GIT,
            "",
            (
                f"pkg:generic/site@{COMMIT}?vcs_url="
                f"git%2Bhttps%3A%2F%2Fgit.example%3A8443%2Fshop%2Fsite%40{COMMIT}"
            ),
        ),
        ("", GIT, "", ""),
        ("https://git.example/shop/site", Revision(recorded="main"), "", ""),
    ],
    ids=["chart", "chart-digest", "oci", "ssh", "https", "no-source", "no-commit"],
)
def test_content_is_named_as_a_package(
    source: str, revision: Revision, chart: str, package: str
) -> None:
    assert package_of(situation(source=source), stage(revision, chart=chart)) == package
