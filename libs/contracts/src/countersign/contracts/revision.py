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
# Flux appends the first 12 hexadecimal digits of an OCI digest or of a commit.
_FLUX_BUILD = re.compile(r"\+[0-9a-f]{12}$")
SUFFIXES: Final = ("", "tag", "digest", "tag@digest", "commit", "name")


def parse_revision(recorded: str, *, digest: str = "") -> Revision:
    """Take apart `6.9.0`, `6.9.0+702cabdc4401`, `main@sha1:…`, `v1.2.3@sha1:…`, `latest@sha256:…`.

    Args:
        recorded: what Flux wrote, kept as it is.
        digest: the OCI digest that Flux recorded beside it, if it did.

    """
    commit = _COMMIT.search(recorded)
    found = _DIGEST.search(recorded)
    name = recorded.partition("@")[0] if "@" in recorded else ""
    version = ""
    if not name and not commit and not found and _SEMVER.fullmatch(recorded):
        version = _FLUX_BUILD.sub("", recorded)
    tag = name.removeprefix("refs/tags/") if name and not name.startswith("refs/heads/") else ""
    return Revision(
        recorded=recorded,
        version=version,
        tag=tag,
        commit=commit[1] if commit else "",
        digest=digest or (found[1] if found else ""),
    )


def marker_value(revision: Revision, suffix: str) -> str:
    """Return the value to write at a marker.

    A plain marker gets the chart version, or else the recorded string.

    Raises:
        Rejected: `not_promotable`; the revision has no such part.

    """
    tag = revision.tag or revision.version
    value = {
        "": revision.version or revision.recorded,
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
    """As people say it: `6.9.0`, `main@4f2c1e9`, `sha256:9b1f2c3`; empty for none."""
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
