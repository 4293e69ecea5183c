"""Images of what shows traces and metrics: those of `compose.yaml`, else built from source."""

import hashlib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import prerequisites
import pytest
import yaml
from reference import ROOT

HERE: Final = Path(__file__).parent / "viewers"
BUILD_S_MAX: Final = 5400.0
PULL_S_MAX: Final = 600.0


@dataclass(frozen=True)
class Viewer:
    """A service of `compose.yaml`, what names another image for it, and its program in Go."""

    service: str
    variable: str
    package: str


VIEWERS: Final = (
    Viewer("traces", "TRACES_IMAGE", "github.com/jaegertracing/jaeger/cmd/jaeger"),
    Viewer("prometheus", "PROMETHEUS_IMAGE", "github.com/prometheus/prometheus/cmd/prometheus"),
)


def images_or_skip() -> dict[str, str]:
    """Return the image for each variable; the test is skipped where one can be had nowhere."""
    return {viewer.variable: _image(viewer) for viewer in VIEWERS}


def _image(viewer: Viewer) -> str:
    if given := os.environ.get(viewer.variable):
        return given
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    image = re.sub(r"\$\{\w+:-(.*)\}", r"\1", services[viewer.service]["image"])
    if _works("image", "inspect", image) or _works("pull", "--quiet", image):
        return image
    return _built(viewer)


def _built(viewer: Viewer) -> str:
    """Build it once for each state of what it is built from."""
    recipe = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum", "Dockerfile"))
    image = f"countersign/{viewer.service}-for-tests:{hashlib.sha256(recipe).hexdigest()[:12]}"
    if _works("image", "inspect", image):
        return image
    go = prerequisites.go()
    if go is None:
        pytest.skip(
            f"no image for {viewer.service} can be pulled, and to build one "
            f"{prerequisites.GO.what} is absent; {prerequisites.GO.remedy}"
        )
    with tempfile.TemporaryDirectory() as context:
        subprocess.run(
            (go, "build", "-mod=readonly", "-ldflags=-s -w", "-o", context, viewer.package),
            cwd=HERE,
            env={**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"},
            check=True,
            timeout=BUILD_S_MAX,
        )
        base = os.environ.get("PYTHON_IMAGE")
        subprocess.run(
            (
                *("docker", "build", "--quiet", "--file", HERE / "Dockerfile"),
                *("--target", viewer.service, "--tag", image),
                *(("--build-arg", f"PYTHON_IMAGE={base}") if base else ()),
                context,
            ),
            check=True,
            timeout=BUILD_S_MAX,
        )
    return image


def _works(*arguments: str) -> bool:
    done = subprocess.run(
        ("docker", *arguments), capture_output=True, check=False, timeout=PULL_S_MAX
    )
    return done.returncode == 0
