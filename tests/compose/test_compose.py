"""The demonstration as containers, started as the documents say; `make test-compose` runs it.

It takes the project `countersign-test`, on free ports, and removes it afterwards.
"""

import asyncio
import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from reference import ROOT

from countersign.local.demo.layout import Ports, free_port
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.walking import Venue, walk_all

pytestmark = [pytest.mark.timeout(900)]

PROJECT: Final = "countersign-test"
CALL_S: Final = 600.0
# What is waited for; all else is started for these. `cluster` plays Flux.
SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway", "cluster")
# Once, and never again: they only prepare.
ENDED: Final = ("furnish", "topology")
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

    def compose(self, *arguments: str, stdin: str = "") -> str:
        return _docker("compose", "-p", PROJECT, *arguments, env=self.environment, stdin=stdin)

    def containers(self) -> list[Json]:
        ids = self.compose("ps", "-aq").split()
        return list(json.loads(_docker("inspect", *ids, env=self.environment)))

    def release(self, pipeline: str) -> str:
        code = _RELEASE.format(pipeline=pipeline)
        return self.compose("exec", "-T", "forge", "/app/bin/python", "-", stdin=code).strip()


def _docker(*arguments: str, env: dict[str, str], stdin: str = "") -> str:
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


@pytest.fixture(scope="module", name="project")
def project_fixture() -> Iterator[Project]:
    if shutil.which("docker") is None:
        pytest.fail("`make test-compose` needs docker with its plugin compose")
    names = ("BOARD", "FORGE", "BUS", "TRACES", "PROMETHEUS", "GRAFANA")
    chosen = {name: free_port() for name in names}
    project = Project(
        ports=Ports(gateway=chosen["BOARD"], forge=chosen["FORGE"], webhooks=0, bus=chosen["BUS"]),
        environment=os.environ | {f"{name}_PORT": str(port) for name, port in chosen.items()},
    )
    project.compose("down", "--volumes")
    try:
        project.compose("up", "--build", "--detach", "--wait", *SERVICES)
        yield project
    finally:
        project.compose("down", "--volumes")


def walked(project: Project) -> None:
    said: list[str] = []
    venue = Venue(ports=project.ports, release=project.release)
    asyncio.run(walk_all_of(venue, said))
    assert sum(line.startswith("completed") for line in said) >= 6, said


async def walk_all_of(venue: Venue, said: list[str]) -> None:
    await walk_all(venue, say=said.append)


def test_both_flows_go_from_dev_to_prod(project: Project) -> None:
    walked(project)


def test_what_happened_outlives_a_restart(project: Project) -> None:
    before = asyncio.run(record_of(project))

    project.compose("down")
    project.compose("up", "--detach", "--wait", *SERVICES)

    after = asyncio.run(record_of(project))
    assert before
    assert after >= before
    walked(project)


async def record_of(project: Project) -> set[str]:
    """Sign in as somebody, and read what the record has."""
    browser = Browser()
    try:
        page = await browser.open(f"{project.ports.gateway_url}/sign-in")
        await browser.submit(page, "/sign-in", {"person": "ada"})
        found: Any = await browser.read_json(f"{project.ports.gateway_url}/api/v1/record")
    finally:
        await browser.close()
    return {f"{row['promotionId']} {row['attempt']} {row['state']}" for row in found["items"]}


def test_nothing_listens_beyond_loopback(project: Project) -> None:
    published = [
        binding["HostIp"]
        for container in project.containers()
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or ()
    ]

    assert published
    assert [ip for ip in published if not ipaddress.ip_address(ip).is_loopback] == []


def test_containers_are_nobody_and_write_to_the_volume_alone(project: Project) -> None:
    for container in project.containers():
        host, name = container["HostConfig"], container["Name"]
        assert container["Config"]["User"] == "65532:65532", name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["RestartPolicy"]["Name"] in {"unless-stopped", "no"}, name
        assert {mount["Destination"] for mount in container["Mounts"]} <= {"/state"}, name


def test_no_container_had_to_be_started_twice(project: Project) -> None:
    restarts = {c["Name"]: c["RestartCount"] for c in project.containers()}

    assert {name: count for name, count in restarts.items() if count} == {}
    assert all(f"{PROJECT}-{name}-1" in str(restarts) for name in ENDED)
