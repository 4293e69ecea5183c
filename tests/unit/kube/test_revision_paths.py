"""Where other kinds tell their revision, as written in a setting."""

from typing import Any

import pytest

from countersign.kube.flux.revision_paths import PATHS_MAX, parse_revision_paths, text_at


def test_paths_are_found_by_group_and_kind() -> None:
    written = " Release.example.org = .status.version, App.k8s.example.org=.status.parts[0].tag, "

    assert parse_revision_paths(written) == {
        ("example.org", "Release"): ".status.version",
        ("k8s.example.org", "App"): ".status.parts[0].tag",
    }
    assert parse_revision_paths("") == {}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("Release.example.org", "has no path like .status.version"),
        ("Release.example.org=", "has no path like .status.version"),
        ("Release.example.org=status.version", "has no path like"),
        ("Release.example.org=.status", "has no path like"),
        ("Release.example.org=.spec.version", "has no path like"),
        ("Release.example.org=[0].version", "has no path like"),
        ("Release.example.org=.status.parts[-1]", "has no path like"),
        ("Release.example.org=.status.parts[*].tag", "has no path like"),
        ("Release.example.org=.status..version", "has no path like"),
        ("Release.example.org=.status.a=b", "has no path like"),
        ("Release=.status.version", "does not begin with Kind.group="),
        ("release.example.org=.status.version", "does not begin with Kind.group="),
        ("Release.Example.org=.status.version", "does not begin with Kind.group="),
        ("=.status.version", "does not begin with Kind.group="),
        ("HelmRelease.helm.toolkit.fluxcd.io=.status.version", "has a rule of its own"),
        ("GitRepository.source.toolkit.fluxcd.io=.status.url", "has a rule of its own"),
        ("A.b.c=.status.d,A.b.c=.status.e", "named twice"),
        (",".join(f"A{n}.b.c=.status.d" for n in range(PATHS_MAX + 1)), "more than"),
    ],
)
def test_other_text_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_revision_paths(written)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"parts": [{"tag": "v1"}, {"tag": "v2"}]}, "v2"),
        ({"parts": [{"tag": "v1"}]}, ""),
        ({"parts": {"1": {"tag": "v1"}}}, ""),
        ({"parts": ["v1", "v2"]}, ""),
        ({"parts": [{}, {"tag": 2}]}, ""),
        ({"parts": "v1"}, ""),
        ({}, ""),
        (None, ""),
        ("v1", ""),
    ],
)
def test_text_is_found_at_its_path_or_absent(status: Any, found: str) -> None:
    assert text_at({"status": status}, ".status.parts[1].tag") == found
