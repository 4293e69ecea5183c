"""Says what the tests need that no Python package brings, and how to get it. Installs nothing."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apiserver
import reference


@dataclass(frozen=True)
class Prerequisite:
    """A program, the Debian package that brings it, and what cannot be tested without it."""

    programs: tuple[str, ...]
    package: str
    purpose: str
    required: bool


@dataclass(frozen=True)
class Place:
    """What lies in a folder that a variable names; tests that ask for it are skipped without."""

    what: str
    is_there: Callable[[], bool]
    skipped: str
    remedy: str


def has_api_server() -> bool:
    named = os.environ.get(apiserver.ASSETS)
    return apiserver.has_programs(Path(named) if named else None) or _has("cluster/cluster")


def _has(part: str) -> bool:
    found = reference.directory()
    return found is not None and (found / part).exists()


PREREQUISITES = (
    Prerequisite(("git",), "git", "repositories of the local forge", required=True),
    Prerequisite(
        ("chromium", "chromium-browser", "google-chrome"),
        "chromium",
        "tests that walk the pages as a person does",
        required=False,
    ),
    Prerequisite(("node",), "nodejs npm", "buf, which `make proto` runs", required=False),
)
_FOLDER = f"{reference.VARIABLE}=a folder"
PLACES = (
    Place(
        "kube-apiserver, etcd and kubectl",
        has_api_server,
        "tests/integration/kubernetes, tests/e2e/test_kubernetes.py",
        f"export {apiserver.ASSETS}=$(setup-envtest use -p path)",
    ),
    Place(
        "the CRDs of Flux and Weave",
        lambda: _has("crds"),
        "of those the tests with real kinds, and tests/e2e/test_kubernetes.py",
        f"{_FOLDER} with crds/{{{','.join(reference.CRDS)}}}.yaml, as Flux and Weave publish them",
    ),
    Place(
        "recordings of real controllers",
        lambda: _has("recordings"),
        "tests that replay them",
        f"{_FOLDER} with recordings/",
    ),
    Place(
        "the forges' API descriptions",
        lambda: _has("api"),
        "tests against them",
        f"{_FOLDER} with api/",
    ),
)


def missing() -> tuple[Prerequisite, ...]:
    return tuple(p for p in PREREQUISITES if not any(map(shutil.which, p.programs)))


def main() -> int:
    absent = missing()
    for entry in absent:
        weight = "needed" if entry.required else "optional"
        sys.stdout.write(f"missing ({weight}): {entry.programs[0]}, for {entry.purpose}\n")
    if absent:
        packages = " ".join(entry.package for entry in absent)
        sys.stdout.write(f"  apt-get install --no-install-recommends {packages}\n")
    for place in PLACES:
        if not place.is_there():
            sys.stdout.write(f"missing (optional): {place.what}; skipped: {place.skipped}\n")
            sys.stdout.write(f"  {place.remedy}\n")
    return 1 if any(entry.required for entry in absent) else 0


if __name__ == "__main__":
    sys.exit(main())
