"""The programs and material that tests need and no Python package brings.

Run as a script it says what is absent and how to get it; `.ci/provide` is what installs.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apiserver
import pytest
import reference


@dataclass(frozen=True)
class Prerequisite:
    """A program by any of its names, the Debian packages that bring it, and its purpose."""

    programs: tuple[str, ...]
    package: str
    purpose: str
    required: bool = False

    @property
    def path(self) -> str | None:
        return next(filter(None, map(shutil.which, self.programs)), None)

    @property
    def remedy(self) -> str:
        return f"apt-get install --no-install-recommends {self.package}"


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


def go() -> Path | None:
    """Return a Go that is new enough: the machine's, else that of the wheel beside our packages."""
    found = shutil.which("go")
    if found is not None and _version_of(found) >= GO_VERSION:
        return Path(found)
    wheel = Path(sys.prefix) / "go/go/bin/go"
    return wheel if wheel.is_file() else None


def _version_of(go: str) -> tuple[int, int]:
    said = subprocess.run(
        (go, "env", "GOVERSION"),
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.match(r"go(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


GIT = Prerequisite(("git",), "git", "repositories of the local forge", required=True)
BROWSER = Prerequisite(
    ("chromium", "chromium-browser", "google-chrome"),
    "chromium",
    "tests that use the pages as a person does",
)
NODE = Prerequisite(("node",), "nodejs", "an identity provider to sign in at")
NPM = Prerequisite(("npm",), "npm", "the packages of that provider and of axe, and for buf")
PROMTOOL = Prerequisite(("promtool",), "prometheus", "the alert rules, tried")
PREREQUISITES = (GIT, BROWSER, NODE, NPM, PROMTOOL)
# As the files go.mod of our tests ask for.
GO_VERSION = (1, 26)
_FOLDER = f"{reference.VARIABLE}=a folder"
GO = Place(
    "go 1.26 or later",
    lambda: go() is not None,
    "subscribers in Go and with the `nats` command, tests/cluster/test_e_flux.py",
    "make go",
)
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
    GO,
)


def path_or_skip(wanted: Prerequisite) -> str:
    """The path of a program; where it is absent the test is skipped, with the command to type."""
    if (found := wanted.path) is None:
        pytest.skip(f"{wanted.programs[0]} is absent; {wanted.remedy}")
    return found


def go_or_skip() -> Path:
    """The path of a Go that is new enough; without one the test is skipped, with what to type."""
    if (found := go()) is None:
        pytest.skip(f"{GO.what} is absent; {GO.remedy}")
    return found


def main() -> int:
    if sys.argv[1:] == ["--go"]:
        path = go()
        sys.stdout.write(f"{path}\n" if path else "")
        return 0 if path else 1
    absent = [entry for entry in PREREQUISITES if entry.path is None]
    for entry in absent:
        weight = "needed" if entry.required else "optional"
        sys.stdout.write(f"missing ({weight}): {entry.programs[0]}, for {entry.purpose}\n")
        sys.stdout.write(f"  {entry.remedy}\n")
    for place in PLACES:
        if not place.is_there():
            sys.stdout.write(f"missing (optional): {place.what}; skipped: {place.skipped}\n")
            sys.stdout.write(f"  {place.remedy}\n")
    return 1 if any(entry.required for entry in absent) else 0


if __name__ == "__main__":
    sys.exit(main())
