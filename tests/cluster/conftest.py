"""One installation for all tests here, as `k8s/overlays/dev` has it, in the cluster of KUBECONFIG.

It is made anew at the start: whatever an earlier run left in the namespace is removed.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from cluster.machine import HOME, Machine, chosen_ports, has_cluster, say
from reference import ROOT

from countersign.local.demo.layout import Ports

# Where one of these tests is worked on, the minutes of an installation are not spent each time.
REUSE = "COUNTERSIGN_CLUSTER_REUSE"


@pytest.fixture(scope="session", name="machine")
def machine_fixture() -> Machine:
    if not has_cluster() or shutil.which("kubectl") is None:
        pytest.fail("`make test-cluster` starts a cluster; these tests are for nothing else")
    board_port, forge_port = chosen_ports()
    return Machine(board_port=board_port, forge_port=forge_port)


@pytest.fixture(scope="session", name="installed")
def installed_fixture(machine: Machine) -> Machine:
    if os.environ.get(REUSE) == "1":
        return machine
    machine.kubectl("delete", "namespace", HOME, "shop", "--ignore-not-found")
    machine.kubectl("apply", "-k", str(ROOT / "k8s" / "flux-kinds"))
    machine.kubectl("apply", "-f", "-", stdin=machine.manifests("dev"))
    say("applied; waiting for all to be available")
    machine.wait_available()
    say("all available")
    return machine


@pytest.fixture(name="ports")
def ports_fixture(installed: Machine) -> Iterator[Ports]:
    """The board and the forge, as a person reaches them: by forwarded ports."""
    ports = Ports(gateway=installed.board_port, forge=installed.forge_port, webhooks=0, bus=0)
    with (
        installed.forwarded("service/countersign-gateway", ports.gateway, 80),
        installed.forwarded("deployment/forge", ports.forge, ports.forge),
    ):
        yield ports
