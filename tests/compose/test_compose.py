"""The demonstration as containers, started as the documents say; `make test-compose` runs it.

It takes the project `countersign-test`, on free ports, and removes it afterwards.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any, Final

import pytest
from compose.projects import PROJECT, Project, started

from countersign.local.demo.walk.browsing import Browser

pytestmark = [pytest.mark.timeout(900)]

# Once, and never again: they only prepare.
ENDED: Final = ("furnish", "topology")


@pytest.fixture(scope="module", name="project")
def project_fixture() -> Iterator[Project]:
    with started() as project:
        yield project


async def test_both_flows_go_from_dev_to_prod(project: Project) -> None:
    await project.walk()


async def test_what_happened_outlives_a_restart(project: Project) -> None:
    before = await record_of(project)

    project.compose("down")
    project.up()

    after = await record_of(project)
    assert before
    assert after >= before
    await project.walk()


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


def test_nobody_is_sent_traces_where_nobody_takes_them(project: Project) -> None:
    said = project.compose("logs", "--no-log-prefix", *project.services)

    assert "promotion.requested" in said
    assert "4318" not in said


def test_no_container_had_to_be_started_twice(project: Project) -> None:
    restarts = {c["Name"]: c["RestartCount"] for c in project.containers()}

    assert {name: count for name, count in restarts.items() if count} == {}
    assert all(f"{PROJECT}-{name}-1" in str(restarts) for name in ENDED)
