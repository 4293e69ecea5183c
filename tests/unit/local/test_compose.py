"""`compose.yaml` lets nobody in from elsewhere, and agrees with what else names its parts."""

import re
import shutil
import subprocess
from typing import Any

import yaml
from reference import ROOT

from countersign.local.demo.programs import SERVICES

COMPOSE = ROOT / "compose.yaml"


def _services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for one in _services().values() for port in one.get("ports", ())]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_only_one_part_has_a_network_of_its_own() -> None:
    others = {n: one.get("network_mode") for n, one in _services().items() if n != "entry"}

    assert set(others.values()) == {"service:entry"}


def test_every_image_can_be_named_by_a_variable() -> None:
    images = [one["image"] for one in _services().values()]

    assert [
        image for image in images if not re.fullmatch(r"\$\{\w+:-[\w./-]+:[\w.]+\}", image)
    ] == []
    assert [image for image in images if image.endswith(":latest}")] == []


def test_part_may_write_only_what_it_is_for() -> None:
    ours = {n: one for n, one in _services().items() if "countersign/" in one["image"]}

    assert {*SERVICES, "topology", "forge", "cluster", "furnish", "entry"} == set(ours)
    for name, one in ours.items():
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["user"] == "65532:65532", name


def test_prometheus_reads_the_health_port_of_each_service() -> None:
    given = {
        name: str(one["environment"]["COUNTERSIGN_HEALTH_PORT"])
        for name, one in _services().items()
        if name in SERVICES
    }
    config = yaml.safe_load((ROOT / "k8s/monitoring/prometheus/prometheus.yaml").read_text())
    read = {
        one["labels"]["pod"]: one["targets"][0].rpartition(":")[2]
        for one in config["scrape_configs"][0]["static_configs"]
    }

    assert read == given


def test_docker_takes_it() -> None:
    """Where there is a docker to ask; what else can be said of the file, the others say."""
    docker = shutil.which("docker")
    if docker is None:
        return
    asked = [docker, "compose", "version"]
    if subprocess.run(asked, capture_output=True, check=False, timeout=30).returncode:
        return
    command = [docker, "compose", "-f", str(COMPOSE), "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
