"""The demonstration as containers, started as the documents say."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from reference import ROOT

from countersign.local.demo.layout import Ports, free_port
from countersign.local.demo.walk.walking import Venue, walk_all

PROJECT: Final = "countersign-test"
CALL_S: Final = 600.0
# What is waited for; all else is started for these. `cluster` plays Flux.
SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway", "cluster")
_RELEASE: Final = """
from pathlib import Path
from countersign.local.demo.layout import Layout
from countersign.local.demo.walk.releasing import release
print(release(Layout(Path("/state")), {pipeline!r}))
"""
Json = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """The containers that `docker compose` started."""

    ports: Ports
    environment: dict[str, str]
    services: tuple[str, ...]

    def url(self, part: str) -> str:
        """Return where `compose.yaml` publishes one of its parts."""
        return f"http://127.0.0.1:{self.environment[f'{part}_PORT']}"

    def compose(self, *arguments: str, stdin: str = "") -> str:
        return docker("compose", "-p", PROJECT, *arguments, env=self.environment, stdin=stdin)

    def up(self, *options: str) -> None:
        self.compose("up", *options, "--detach", "--wait", *self.services)

    def containers(self) -> list[Json]:
        ids = self.compose("ps", "-aq").split()
        return list(json.loads(docker("inspect", *ids, env=self.environment)))

    def release(self, pipeline: str) -> str:
        code = _RELEASE.format(pipeline=pipeline)
        return self.compose("exec", "-T", "forge", "/app/bin/python", "-", stdin=code).strip()

    async def walk(self) -> list[str]:
        """Promote as people do, in both flows; returns what was said of it."""
        said: list[str] = []
        await walk_all(Venue(ports=self.ports, release=self.release), say=said.append)
        assert sum(line.startswith("completed") for line in said) >= 6, said
        return said


def docker(*arguments: str, env: Mapping[str, str], stdin: str = "") -> str:
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=CALL_S,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@contextmanager
def started(*more: str, environment: Mapping[str, str] | None = None) -> Iterator[Project]:
    """Start our services and `more`, on free ports, and remove everything at the end."""
    if shutil.which("docker") is None:
        pytest.fail("`make test-compose` needs docker with its plugin compose")
    names = ("BOARD", "FORGE", "BUS", "TRACES", "PROMETHEUS", "GRAFANA")
    chosen = {name: free_port() for name in names}
    project = Project(
        ports=Ports(gateway=chosen["BOARD"], forge=chosen["FORGE"], webhooks=0, bus=chosen["BUS"]),
        environment=os.environ
        | {f"{name}_PORT": str(port) for name, port in chosen.items()}
        | dict(environment or {}),
        services=(*SERVICES, *more),
    )
    project.compose("--profile", "*", "down", "--volumes")
    try:
        project.up("--build")
        yield project
    finally:
        project.compose("--profile", "*", "down", "--volumes")
