"""Chart versions as helm-controller decorates them, and what is written of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.revision import is_tag, marker_value, parse_revision

DIGEST = "sha256:85ea0013056258452ce27431392167ac036fd7fd1cb64df3a750b04851ac6d20"


@pytest.mark.parametrize(
    ("recorded", "beside", "tag", "suffix", "right"),
    [
        ("1.20.6+85ea00130562", DIGEST, "v1.20.6", "", "v1.20.6"),
        ("104.1.1+85ea00130562", DIGEST, "104.1.1_up57.0.3", "", "104.1.1_up57.0.3"),
        ("104.1.1+up57.0.3", DIGEST, "104.1.1_up57.0.3", "tag", "104.1.1_up57.0.3"),
        ("104.1.1+up57.0.3", "", "", "tag", "104.1.1_up57.0.3"),
        ("104.1.1+up57.0.3", "", "", "", "104.1.1+up57.0.3"),
        ("0.1.0+85ea00130562", f"latest@{DIGEST}", "latest", "digest", DIGEST),
        ("1.4.0+0a1b2c3d4e5f", "", "", "", "1.4.0+0a1b2c3d4e5f"),
        ("1.4.0+0a1b2c3d4e5f", DIGEST, "", "", "1.4.0+0a1b2c3d4e5f"),
        ("6.9.0+85ea00130562", DIGEST, "", "", "6.9.0"),
        ("6.9.0", "", "", "", "6.9.0"),
        ("1.20.6+85ea00130562", DIGEST, "v1.20.6", "tag@digest", f"v1.20.6@{DIGEST}"),
        ("v1.2.3@sha1:" + "a" * 40, "", "", "", "v1.2.3@sha1:" + "a" * 40),
    ],
    ids=[
        "v-prefix", "build-metadata", "without-decoration", "tag-of-a-version", "version-itself",
        "tag-beside-the-digest", "own-hexadecimal-digits", "digits-of-another-digest",
        "decoration-alone", "plain", "pinned", "git",
    ],
)  # fmt: skip
def test_what_the_source_resolved_is_written(
    recorded: str, beside: str, tag: str, suffix: str, right: str
) -> None:
    revision = parse_revision(recorded, digest=beside, tag=tag)

    assert marker_value(revision, suffix) == right


@given(build=st.from_regex(r"[0-9A-Za-z.-]{1,20}", fullmatch=True))
def test_tag_of_a_version_is_one_that_a_registry_takes(build: str) -> None:
    assert is_tag(marker_value(parse_revision(f"1.2.3+{build}"), "tag"))


@given(tag=st.text(max_size=10))
def test_text_that_is_no_tag_is_never_written_as_one(tag: str) -> None:
    written = marker_value(parse_revision("1.2.3", tag=tag), "tag")

    assert written == (tag if is_tag(tag) else "1.2.3")


def test_parts_follow_from_what_was_recorded_and_the_tag() -> None:
    """What the writer checks before there is a token."""
    revision = parse_revision("1.20.6+85ea00130562", digest=DIGEST, tag="v1.20.6")

    assert revision == parse_revision(revision.recorded, digest=revision.digest, tag=revision.tag)
