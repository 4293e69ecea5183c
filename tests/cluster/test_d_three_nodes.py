"""A bus of three nodes, of which one is killed, and which is restarted node by node."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from cluster.judging import judge
from cluster.machine import HOME, Machine, say
from cluster.releasing import release
from cluster.test_c_promotions import walk
from reference import ROOT

from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import NEW

pytestmark = pytest.mark.timeout(1200)

# Longer than a leader keeps its office without the others.
CUT_S: Final = 60
# One node does not become three: this installation is made anew, with the patches of production.
OVERLAY: Final = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../dev]
replicas: [{name: nats, count: 3}]
patches:
- target: {kind: Job, name: countersign-topology}
  patch: |
    - {op: replace, path: /spec/template/spec/containers/0/command/2, value: --replicas=3}
- target: {kind: Job, name: countersign-setup}
  patch: |
    - {op: replace, path: /spec/template/spec/containers/0/env/2/value, value: "3"}
"""


@pytest.fixture(scope="module", name="three")
def three_fixture(machine: Machine) -> Machine:
    machine.kubectl("delete", "namespace", HOME, "shop", "--ignore-not-found")
    folder = ROOT / "k8s" / "overlays" / "three-nodes"
    folder.mkdir()
    try:
        (folder / "kustomization.yaml").write_text(OVERLAY)
        manifests = machine.manifests("three-nodes")
    finally:
        (folder / "kustomization.yaml").unlink(missing_ok=True)
        folder.rmdir()
    machine.kubectl("apply", "-f", "-", stdin=manifests)
    machine.wait_available()
    say("available with three bus nodes")
    return machine


@pytest.fixture(name="ports")
def ports_fixture(three: Machine) -> Ports:
    return Ports(gateway=three.board_port, forge=three.forge_port, webhooks=0, bus=0)


async def test_death_of_a_bus_node_loses_and_doubles_nothing(
    three: Machine, ports: Ports, tmp_path: Path
) -> None:
    def kill() -> None:
        three.kubectl("delete", "pod", "nats-1", "--force", "--grace-period=0")
        three.kubectl("wait", "--for=condition=Ready", "pod/nats-1", "--timeout=180s")
        say("a node was killed and is back")

    await _walk(three, ports, NEW, kill)

    await judge(three, tmp_path)


async def test_rolling_upgrade_of_the_bus_loses_and_doubles_nothing(
    three: Machine, ports: Ports, tmp_path: Path
) -> None:
    revision = await asyncio.to_thread(release, three)
    restarts = {p["metadata"]["uid"] for p in three.pods("nats")}

    def upgrade() -> None:
        three.kubectl("rollout", "restart", "statefulset/nats")
        three.kubectl("rollout", "status", "statefulset/nats", "--timeout=300s")
        say("every node is another")

    await _walk(three, ports, revision, upgrade)

    assert not restarts & {p["metadata"]["uid"] for p in three.pods("nats")}
    await judge(three, tmp_path)


async def test_minority_that_is_cut_off_loses_and_doubles_nothing(
    three: Machine, ports: Ports, tmp_path: Path
) -> None:
    """The node keeps its clients: who is connected there neither stores nor hears anything."""
    revision = await asyncio.to_thread(release, three)

    def part() -> None:
        with three.cut_off("nats-1", "nats-0", "nats-2"):
            time.sleep(CUT_S)
        say("a node was cut off for", CUT_S, "s, and is back")

    await _walk(three, ports, revision, part)

    await judge(three, tmp_path)


async def _walk(
    machine: Machine, ports: Ports, revision: str, meanwhile: Callable[[], None]
) -> None:
    with (
        machine.forwarded("service/countersign-gateway", ports.gateway, 80),
        machine.forwarded("deployment/forge", ports.forge, ports.forge),
    ):
        await walk(ports, revision, meanwhile=meanwhile)


def test_every_stream_is_kept_three_times(three: Machine) -> None:
    code = """
import asyncio, json
from countersign.messaging.settings import BusSettings
from countersign.messaging.connection import ConnectionState, close, connect
async def main():
    state = ConnectionState("probe")
    client = await connect(BusSettings(), service="gateway", state=state)
    found = {}
    for stream in ("PROMOTIONS", "PIPELINES", "TOKENS"):
        answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=10)
        found[stream] = json.loads(answer.data)["config"]["num_replicas"]
    print(json.dumps(found))
    await close(client, state)
asyncio.run(main())
"""
    found = json.loads(three.run_in("gateway", code))

    assert found == {"PROMOTIONS": 3, "PIPELINES": 3, "TOKENS": 3}
