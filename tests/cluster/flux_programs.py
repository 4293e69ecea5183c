"""Flux's controllers and command, a registry and cosign, built as `go.sum` locks their modules."""

import hashlib
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
from cluster.machine import say

MODULE: Final = Path(__file__).with_name("flux")
CACHE: Final = Path(sys.prefix) / "flux"
BUILD_S_MAX: Final = 3600
_FLUX: Final = "github.com/fluxcd/flux2/v2"
_CONTROLLERS: Final = (
    "github.com/fluxcd/source-controller",
    "github.com/fluxcd/kustomize-controller",
)
_PACKAGES: Final = (
    *_CONTROLLERS,
    f"{_FLUX}/cmd/flux",
    "github.com/google/go-containerregistry/cmd/crane",
    "github.com/sigstore/cosign/v3/cmd/cosign",
)


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Paths of the programs, and the controllers' kinds as they were published with them."""

    folder: Path

    @property
    def crds(self) -> Path:
        return self.folder / "crds"

    def path(self, name: str) -> str:
        return str(self.folder / name)


def built() -> Programs:
    """Build what is not built yet; the test is skipped with the reason where there is no Go."""
    go = prerequisites.go_or_skip()
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "tools.go"):
        digest.update((MODULE / name).read_bytes())
    folder = CACHE / digest.hexdigest()[:16]
    if not folder.is_dir():
        say("building Flux's controllers, once: minutes")
        _build(go, folder)
        say("built")
    return Programs(folder=folder)


def _build(go: Path, folder: Path) -> None:
    work = folder.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(MODULE, work)
    made = work / "made"
    # What the command installs is no part of its module, and it does not build without any of it.
    _copy(_source(go, _FLUX), work / "flux2")
    manifests = work / "flux2" / "cmd" / "flux" / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / "none.yaml").touch()
    _run(go, "mod", "edit", f"-replace={_FLUX}=./flux2", folder=work)
    options = ("-mod=readonly", "-ldflags=-s -w", "-o", f"{made}/")
    _run(go, "build", *options, *_PACKAGES, folder=work)
    for controller in _CONTROLLERS:
        _copy(_source(go, controller) / "config" / "crd" / "bases", made / "crds")
    made.rename(folder)
    shutil.rmtree(work)


def _source(go: Path, module: str) -> Path:
    return Path(json.loads(_run(go, "mod", "download", "-json", module, folder=MODULE))["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Copy what nobody may write, and have it written."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for each in (target, *target.rglob("*")):
        each.chmod(each.stat().st_mode | stat.S_IWUSR)


def _run(go: Path, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        (go, *arguments),
        cwd=folder,
        env={
            **os.environ,
            "GOFLAGS": "-buildvcs=false",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        },
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] or done.stdout
    return done.stdout
