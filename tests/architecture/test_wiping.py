"""Whoever holds tokens runs so that memory is wiped as it is freed, wherever it is installed."""

from typing import Any

import pytest
import yaml
from reference import ROOT

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.programs import HOLDERS, SERVICES, WIPING, Bus, service


def _in_the_cluster(name: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "k8s" / "services" / f"{name}.yaml").read_text())
    (deployment,) = (d for d in documents if d["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def _in_compose(name: str) -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return dict(compose["services"][name]["environment"])


def _in_the_demonstration(name: str) -> dict[str, Any]:
    layout = Layout(ROOT / ".demo")
    bus = Bus(url="nats://127.0.0.1:1", keys_dir=layout.bus, writers=layout.bus)
    ports = Ports(gateway=1, forge=2, webhooks=3, bus=4)
    return dict(service(name, layout=layout, ports=ports, bus=bus, health_port=5).settings)


@pytest.mark.parametrize("read", [_in_the_cluster, _in_compose, _in_the_demonstration])
@pytest.mark.parametrize("name", SERVICES)
def test_memory_of_who_holds_tokens_is_wiped(read: Any, name: str) -> None:
    wiped = {key: value for key, value in read(name).items() if key in WIPING}

    assert wiped == (WIPING if name in HOLDERS else {})
