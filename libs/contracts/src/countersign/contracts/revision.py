"""Revisions as Flux prints them, taken apart, and the value that a marker gets."""

import re
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Revision
from countersign.contracts.refusals import ContractRefusal

_COMMIT = re.compile(r"(?:^|@)sha1:([0-9a-f]{40})$")
_DIGEST = re.compile(r"(?:^|@)(sha256:[0-9a-f]{64})$")
_SEMVER = re.compile(
    r"v?(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
# Flux appends the first 12 hexadecimal digits of an OCI digest, in the place of other metadata.
_FLUX_BUILD = re.compile(r"\+([0-9a-f]{12})$")
_DIGEST_PREFIX: Final = "sha256:"
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
SUFFIXES: Final = ("", "tag", "digest", "tag@digest", "commit", "name")


def parse_revision(recorded: str, *, digest: str = "", tag: str = "") -> Revision:
    """Take apart `6.9.0`, `6.9.0+702cabdc4401`, `main@sha1:…`, `v1.2.3@sha1:…`, `latest@sha256:…`.

    Args:
        recorded: what Flux wrote, kept as it is.
        digest: the OCI digest that Flux recorded beside it, if it did; a tag may stand before it.
        tag: that the source of a chart resolved, where it is known.

    """
    commit = _COMMIT.search(recorded)
    found = _DIGEST.search(recorded)
    beside = _DIGEST.search(digest)
    name = recorded.partition("@")[0] if "@" in recorded else ""
    version = ""
    if not name and not commit and not found and _SEMVER.fullmatch(recorded):
        version = _undecorated(recorded, digest=beside[1] if beside else "")
    named = name.removeprefix("refs/tags/") if name and not name.startswith("refs/heads/") else ""
    return Revision(
        recorded=recorded,
        version=version,
        tag=tag if version and is_tag(tag) else named,
        commit=commit[1] if commit else "",
        digest=beside[1] if beside else (found[1] if found else ""),
    )


def is_tag(text: str) -> bool:
    """Tell whether an OCI registry takes it as a tag."""
    return _TAG.fullmatch(text) is not None


def _undecorated(version: str, *, digest: str) -> str:
    """The version without the digits of the digest; others are the team's own."""
    build = _FLUX_BUILD.search(version)
    if build and digest.removeprefix(_DIGEST_PREFIX).startswith(build[1]):
        return version[: build.start()]
    return version


def marker_value(revision: Revision, suffix: str) -> str:
    """Return the value to write at a marker.

    A plain marker gets the tag that the source of a chart resolved, or the chart version, or else
    the recorded string. Tags are ones that a registry takes: Helm writes `+` as `_` in them.

    Raises:
        Rejected: `not_promotable`; the revision has no such part.

    """
    tag = revision.tag or revision.version.replace("+", "_")
    plain = revision.tag or revision.version if revision.version else revision.recorded
    value = {
        "": plain,
        "tag": tag,
        "digest": revision.digest,
        "tag@digest": f"{tag}@{revision.digest}" if tag and revision.digest else "",
        "commit": revision.commit,
        "name": revision.recorded.partition("@")[0],
    }.get(suffix)
    if not value:
        raise Rejected(
            ContractRefusal.NOT_PROMOTABLE,
            f"revision {revision.recorded!r} has no {suffix or 'value'}; use another marker suffix",
        )
    return value


def short(revision: Revision | None) -> str:
    """Return it as people say it: `6.9.0`, `main@4f2c1e9`, `sha256:9b1f2c3`; empty for none."""
    if revision is None:
        return ""
    if revision.version:
        return revision.version
    name = revision.recorded.partition("@")[0] if "@" in revision.recorded else ""
    name = name.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if revision.commit:
        return f"{name}@{revision.commit[:7]}" if name else revision.commit[:7]
    if revision.digest:
        return f"{name}@{revision.digest[:14]}" if name else revision.digest[:14]
    return revision.recorded
