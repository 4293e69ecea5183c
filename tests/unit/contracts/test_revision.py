"""Revisions as Flux prints them."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Revision
from countersign.contracts.revision import SUFFIXES, marker_value, parse_revision, short

SHA1 = "4f2c1e9a" * 5
SHA256 = "9b1f2c3d" * 8


@pytest.mark.parametrize(
    ("recorded", "version", "tag", "commit", "digest", "said"),
    [
        ("6.9.0", "6.9.0", "", "", "", "6.9.0"),
        ("v6.9.0", "v6.9.0", "", "", "", "v6.9.0"),
        ("6.9.0+702cabdc4401", "6.9.0+702cabdc4401", "", "", "", "6.9.0+702cabdc4401"),
        ("6.9.0-rc.1+build.5", "6.9.0-rc.1+build.5", "", "", "", "6.9.0-rc.1+build.5"),
        (f"main@sha1:{SHA1}", "", "main", SHA1, "", "main@4f2c1e9"),
        (f"refs/heads/main@sha1:{SHA1}", "", "", SHA1, "", "main@4f2c1e9"),
        (f"refs/tags/v1.2.3@sha1:{SHA1}", "", "v1.2.3", SHA1, "", "v1.2.3@4f2c1e9"),
        (f"v1.2.3@sha1:{SHA1}", "", "v1.2.3", SHA1, "", "v1.2.3@4f2c1e9"),
        (f"sha1:{SHA1}", "", "", SHA1, "", "4f2c1e9"),
        (f"latest@sha256:{SHA256}", "", "latest", "", f"sha256:{SHA256}", "latest@sha256:9b1f2c3"),
        (f"sha256:{SHA256}", "", "", "", f"sha256:{SHA256}", "sha256:9b1f2c3"),
        ("latest", "", "", "", "", "latest"),
        ("main@sha1:short", "", "main", "", "", "main@sha1:short"),
        (f"a@b@sha1:{SHA1}", "", "a", SHA1, "", "a@4f2c1e9"),
    ],
)
def test_revision_is_taken_apart(  # noqa: PLR0917 - a table of six columns
    recorded: str, version: str, tag: str, commit: str, digest: str, said: str
) -> None:
    revision = parse_revision(recorded)

    assert revision == Revision(
        recorded=recorded, version=version, tag=tag, commit=commit, digest=digest
    )
    assert short(revision) == said


def test_digest_recorded_beside_a_version_is_kept() -> None:
    revision = parse_revision(f"6.9.0+{SHA256[:12]}", digest=f"sha256:{SHA256}")

    assert (revision.version, revision.digest) == ("6.9.0", f"sha256:{SHA256}")


@pytest.mark.parametrize(
    ("recorded", "suffix", "value"),
    [
        ("6.9.0+702cabdc4401", "", "6.9.0+702cabdc4401"),
        ("6.9.0", "tag", "6.9.0"),
        (f"main@sha1:{SHA1}", "", f"main@sha1:{SHA1}"),
        (f"main@sha1:{SHA1}", "commit", SHA1),
        (f"main@sha1:{SHA1}", "name", "main"),
        (f"refs/tags/v1.2.3@sha1:{SHA1}", "tag", "v1.2.3"),
        (f"latest@sha256:{SHA256}", "digest", f"sha256:{SHA256}"),
        (f"latest@sha256:{SHA256}", "tag", "latest"),
    ],
)
def test_marker_gets_the_part_it_names(recorded: str, suffix: str, value: str) -> None:
    assert marker_value(parse_revision(recorded), suffix) == value


@pytest.mark.parametrize(
    ("recorded", "suffix"),
    [("6.9.0", "digest"), ("6.9.0", "commit"), (f"main@sha1:{SHA1}", "digest"), ("x", "unknown")],
)
def test_marker_for_a_part_that_is_not_there_is_not_promotable(recorded: str, suffix: str) -> None:
    with pytest.raises(Rejected) as caught:
        marker_value(parse_revision(recorded), suffix)

    assert caught.value.reason == "not_promotable"


def test_no_revision_is_said_as_nothing() -> None:
    assert short(None) == ""


@given(st.text(min_size=1), st.sampled_from(SUFFIXES))
def test_any_text_is_a_revision_that_is_kept_as_it_is(recorded: str, suffix: str) -> None:
    revision = parse_revision(recorded)

    assert revision.recorded == recorded
    assert short(revision)
    with contextlib.suppress(Rejected):
        assert marker_value(revision, suffix)


def test_every_revision_that_flux_was_recorded_to_print_has_its_parts() -> None:
    recorded = set(_recorded_revisions(reference.skip_without("recordings/flux")))

    parsed = [parse_revision(text) for text in recorded]

    assert len(parsed) > 20
    assert [r.recorded for r in parsed if not (r.version or r.commit or r.digest)] == []


def _recorded_revisions(directory: Path) -> Iterator[str]:
    for path in sorted(directory.glob("*.watch.jsonl*")):
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for line in lines:
                yield from _applied(json.loads(line))


def _applied(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key in ("lastAppliedRevision", "chartVersion"):
            if isinstance(value := node.get(key), str) and value:
                yield value
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _applied(child)
