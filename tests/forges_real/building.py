"""Programs of real forges, built of their published source, once for each version."""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import prerequisites

CACHE: Final = Path(sys.prefix) / "forges"
BUILD_S: Final = 3600
# Without what browsers are given beside pages, which takes another language to build.
_PARTS: Final = ("templates", "options", "public")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version as the module proxy serves it.

    Args:
        kind: as on the forge list.
        module: its path there.
        name: the version.
        checksum: of its source, as `go.sum` writes it.
        toolchain: the oldest Go that builds it.

    """

    kind: str
    module: str
    name: str
    checksum: str
    toolchain: str

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.kind}-{self.name}"

    @property
    def program(self) -> Path:
        return self.folder / "gitea"


# The first is tried, unless this variable has the name of another.
VARIABLE: Final = "COUNTERSIGN_GITEA"
VERSIONS: Final = (
    Version(
        kind="gitea",
        module="code.gitea.io/gitea",
        name="v1.27.3",
        checksum="h1:SRnjvw24ASELKCqyYvAWIlzwOqyFMgfD+UkqQ9SE5eU=",
        toolchain="go1.26.4",
    ),
    Version(
        kind="gitea",
        module="code.gitea.io/gitea",
        name="v1.26.0",
        checksum="h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA=",
        toolchain="go1.26.2",
    ),
)


def chosen() -> Version:
    """The version that is tried."""
    named = os.environ.get(VARIABLE) or VERSIONS[0].name
    return next(version for version in VERSIONS if version.name == named)


def built() -> Path:
    """The folder with the program and the files it reads; skips with the reason without Go."""
    version = chosen()
    if version.program.is_file():
        return version.folder
    go = prerequisites.go_or_skip()
    source = _source(version, go)
    work = version.folder.with_name(f"{version.folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work, copy_function=_copy_writable)
    for folder in work.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)
    work.chmod(0o755)
    # Its own replacements hold only where it is the main module.
    _run(
        go,
        *("build", "-p", "2", "-trimpath", "-tags", "sqlite sqlite_unlock_notify"),
        *("-ldflags", f"-s -w -X main.Version={version.name.removeprefix('v')}"),
        *("-o", "gitea", "."),
        folder=work,
        toolchain=version.toolchain,
    )
    version.folder.mkdir(parents=True, exist_ok=True)
    for part in _PARTS:
        shutil.copytree(work / part, version.folder / part, dirs_exist_ok=True)
    shutil.move(work / "gitea", version.program)
    shutil.rmtree(work)
    return version.folder


def _copy_writable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(stat.S_IRUSR | stat.S_IWUSR)


def _source(version: Version, go: Path) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    module = f"{version.module}@{version.name}"
    told = json.loads(_run(go, "mod", "download", "-json", module, folder=CACHE))
    assert told.get("Sum") == version.checksum, told
    return Path(told["Dir"])


def _run(go: Path, *arguments: str, folder: Path, toolchain: str = "") -> str:
    wanted = {"GOTOOLCHAIN": f"{toolchain}+auto"} if toolchain else {}
    done = subprocess.run(
        ("nice", str(go), *arguments),
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-buildvcs=false", **wanted},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] or done.stdout
    return done.stdout
