"""Tells files that are searched for markers, and paths that may be written. Pure."""

import re
from typing import Final

from countersign.contracts.errors import Rejected

FILE_BYTES_MAX: Final = 256 * 1024  # SR-26: what a parser survives well within its five seconds
_RUNS_CODE = re.compile(
    r"""
    (?:.*/)?\.(?:github|gitea|forgejo|gitlab|circleci|buildkite|woodpecker|tekton)/.*
    | (?:.*/)?\.(?:semaphore|azuredevops|azure-pipelines|pipelines|gitlab-ci|harness|builds)/.*
    | (?:.*/)?\.(?:gitlab-ci|travis|drone|woodpecker|appveyor|cirrus|pre-commit-config)[^/]*\.ya?ml
    | (?:.*/)?(?:azure|bitbucket)-pipelines[^/]*\.ya?ml
    | (?:.*/)?(?:appveyor|buildspec|cloudbuild|codefresh|action)[^/]*\.ya?ml
    | (?:.*/)?jenkinsfile[^/]*
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_candidate(path: str) -> bool:
    """Return whether a path is of the kind that may hold markers."""
    return path.endswith((".yaml", ".yml"))


def check_path(path: str, *, root: str) -> None:
    """Refuse what must not be written, whoever says that a marker is there.

    Raises:
        Rejected: `not_promotable`.

    """
    parts = path.split("/")
    odd = any(p in {"", ".", ".."} or p.lower() == ".git" for p in parts)
    if odd or not path.isprintable() or "\\" in path or not is_candidate(path):
        raise Rejected("not_promotable", f"{path!r} is not a path that can be written")
    if root and not path.startswith(f"{root}/"):
        raise Rejected("not_promotable", f"{path!r} is not below {root!r}")
    if _RUNS_CODE.fullmatch(path):
        raise Rejected(
            "not_promotable",
            f"{path!r} runs code at the forge and is never written; move the marker elsewhere",
        )
