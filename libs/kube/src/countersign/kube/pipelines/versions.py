"""Versions compared as semantic versions, and the range of them that an environment takes.

Ranges are written as Flux takes them in `spec.ref.semver`; a pre-release is in a range only where
the range names one.
Source: https://fluxcd.io/flux/components/source/ocirepositories/#semver-example
"""

from typing import Final

from semantic_version import NpmSpec, Version

# Longer than any that people write; what is longer costs time to take apart.
VERSION_CHARACTERS_MAX: Final = 256
RANGE_CHARACTERS_MAX: Final = 256


def is_lower(version: str, *, than: str) -> bool:
    """Tell whether one is lower; of what is no version nothing is known."""
    ours, theirs = _parsed(version), _parsed(than)
    return ours is not None and theirs is not None and ours < theirs


def is_range(text: str) -> bool:
    if not 0 < len(text) <= RANGE_CHARACTERS_MAX:
        return False
    try:
        NpmSpec(text)
    except ValueError:
        return False
    return True


def is_in(version: str, *, versions: str) -> bool:
    """Tell whether a version is in a range that `is_range`; what is no version is in none."""
    parsed = _parsed(version)
    return parsed is not None and NpmSpec(versions).match(parsed)


def _parsed(text: str) -> Version | None:
    if len(text) > VERSION_CHARACTERS_MAX:
        return None
    try:
        found = Version(text.removeprefix("v"))
    except ValueError:
        return None
    # What was built twice of one version is neither lower nor higher.
    return Version(
        major=found.major, minor=found.minor, patch=found.patch, prerelease=found.prerelease
    )
