"""Flux's own controllers install us from an OCI artifact, upgrade us, and take us away again.

The overlay is the demonstration's, whose forge is inside; the objects are those of our example.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cluster import fluxing
from cluster.flux_programs import built
from cluster.fluxing import Flux, condition, started
from cluster.judging import events, judge
from cluster.machine import HOME, Machine, on_node, say
from cluster.test_c_promotions import walk
from reference import ROOT

from countersign.local.demo.layout import Ports
from countersign.local.demo.manifests import NEW

pytestmark = pytest.mark.timeout(1800)

OLD, UNSIGNED, UPGRADE = "0.1.0", "0.1.1", "0.1.2"
SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
IMAGES: Final = (*SERVICES, "setup", "local")
SETTING: Final = {"COUNTERSIGN_KEPT_PROMOTIONS": "5000"}
# What git of the demonstration's forge is on; its Pod would begin anew with another.
FORGE_STAYS: Final = """
- {op: add, path: /metadata/labels, value: {kustomize.toolkit.fluxcd.io/prune: disabled}}
"""
APPLIED: Final = (
    "deployment,statefulset,job,service,configmap,networkpolicy,role,rolebinding,serviceaccount"
)
SECRETS: Final = {
    "session-key": "key",
    "nats-authority": "ca.key",
    **{f"nkey-{user}": "seed" for user in (*SERVICES, "topology", "record")},
}
KEPT: Final = "namespace/countersign,crd/pipelines.pipelines.weave.works"


@pytest.fixture(scope="module", name="flux")
def flux_fixture(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    programs, folder = built(), tmp_path_factory.mktemp("flux")
    machine.kubectl("delete", "namespace", HOME, "shop", "--ignore-not-found")
    machine.kubectl("apply", "-k", str(ROOT / "k8s" / "flux-kinds"))
    true_kinds = ("apply", "--server-side", "--force-conflicts", "-f", str(programs.crds))
    machine.kubectl(*true_kinds)
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fluxing.SYSTEM}}
    machine.kubectl("apply", "-f", "-", stdin=json.dumps(system))
    with started(machine, programs, folder) as flux:
        flux.make_key()
        flux.push(machine.tree(folder / OLD), OLD)
        flux.apply(*demonstration(flux, OLD))
        say("Flux installs; waiting until it is ready")
        flux.wait(OLD)
        say("ready")
        yield flux


def demonstration(flux: Flux, tag: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our example, for the overlay that needs nothing of the Internet."""
    source, applied = flux.example(tag)
    settings, *_ = applied["spec"]["patches"]
    patch = yaml.safe_load(settings["patch"]) | {"data": SETTING}
    forge = {"target": {"kind": "PersistentVolumeClaim", "name": "forge"}, "patch": FORGE_STAYS}
    applied["spec"] |= {
        "path": "./overlays/dev",
        "patches": [settings | {"patch": yaml.safe_dump(patch)}, forge],
    }
    return source, applied


@pytest.fixture(name="ports")
def ports_fixture(flux: Flux) -> Iterator[Ports]:
    machine = flux.machine
    ports = Ports(gateway=machine.board_port, forge=machine.forge_port, webhooks=0, bus=0)
    with (
        machine.forwarded("service/countersign-gateway", ports.gateway, 80),
        machine.forwarded("deployment/forge", ports.forge, ports.forge),
    ):
        yield ports


def test_example_builds_the_overlay_that_it_names(flux: Flux, tmp_path: Path) -> None:
    _, applied = yaml.safe_load_all(fluxing.EXAMPLE.read_text())

    found = flux.build(flux.machine.tree(tmp_path), applied)

    for patch in applied["spec"]["patches"]:
        data = found["ConfigMap", patch["target"]["name"]]["data"]
        for key, wanted in yaml.safe_load(patch["patch"])["data"].items():
            assert data[key].strip() == wanted.strip()
    assert found["StatefulSet", "nats"]["spec"]["replicas"] == 3


def test_substitution_leaves_alone_what_is_of_others(flux: Flux, tmp_path: Path) -> None:
    _, applied = yaml.safe_load_all(fluxing.EXAMPLE.read_text())
    monitoring = {"path": "overlays/monitoring", "patches": []}
    applied["spec"] |= monitoring | {"postBuild": {"substitute": {"datasource": "theirs"}}}

    found = flux.build(flux.machine.tree(tmp_path), applied)

    boards = found["ConfigMap", "countersign-dashboards"]["data"]
    assert all("${datasource}" in board for board in boards.values())


def test_what_is_signed_is_applied_with_our_settings(flux: Flux) -> None:
    flux.machine.wait_available()

    assert condition(flux.get("ocirepository"), "SourceVerified")["status"] == "True"
    settings = flux.machine.json("get", "configmap", "countersign-settings")
    assert settings["data"].items() >= SETTING.items()


def test_second_reconciliation_changes_nothing(flux: Flux) -> None:
    before = state(flux)

    flux.reconcile()

    assert set(flux.done().values()) == {"unchanged"}
    assert state(flux) == before


def test_what_is_changed_by_hand_is_taken_back(flux: Flux) -> None:
    before = specs(flux)

    flux.machine.kubectl("scale", "deployment/countersign-auditor", "--replicas=0")
    flux.machine.kubectl("delete", "networkpolicy", "nothing")
    flux.machine.kubectl("delete", "job", "-l", "app.kubernetes.io/part-of=countersign")
    assert specs(flux) != before
    flux.reconcile()

    assert specs(flux) == before


@pytest.mark.parametrize(
    ("manager", "stays"), [("flux-client-side-apply", True), ("kubectl-rollout", False)]
)
def test_restart_stays_with_the_name_that_the_document_gives(
    flux: Flux, manager: str, *, stays: bool
) -> None:
    """Without it, Flux takes the restart back, which is one more restart."""
    deployment = "deployment/countersign-auditor"

    flux.machine.kubectl("rollout", "restart", deployment, f"--field-manager={manager}")
    flux.reconcile()

    template = flux.machine.json("get", deployment)["spec"]["template"]
    found = "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert found == stays


async def test_revision_goes_from_dev_to_prod(flux: Flux, ports: Ports, tmp_path: Path) -> None:
    await walk(ports, NEW)

    await judge(flux.machine, tmp_path)


def test_unsigned_artifact_is_not_applied(flux: Flux) -> None:
    tree = flux.machine.tree(flux.folder / UNSIGNED)
    (tree / "overlays" / "dev" / "shop.yaml").write_text("")
    before = state(flux)

    digest = flux.push(tree, UNSIGNED, signed=False)
    flux.apply(flux.example(UNSIGNED)[0])
    flux.kubectl("wait", "ocirepository", fluxing.NAME, "--for=condition=Ready=false")

    found = flux.get("ocirepository")
    assert condition(found, "SourceVerified")["status"] == "False"
    assert digest not in json.dumps(found["status"]["artifact"])
    assert state(flux) == before


async def test_upgrade_keeps_keys_and_record(flux: Flux, tmp_path: Path) -> None:
    """Other images make other Jobs, which find everything there; the bus learns of a reader."""
    for image in IMAGES:
        known = f"docker.io/countersign/{image}"
        tag = ("ctr", "--namespace=k8s.io", "images", "tag", "--force")
        on_node(*tag, f"{known}:{OLD}", f"{known}:{UPGRADE}")
    tree = flux.machine.tree(flux.folder / UPGRADE)
    change(tree / "images" / "kustomization.yaml", OLD, UPGRADE)
    change(tree / "overlays/dev/settings.yaml", "- name: tools", "- name: tools\n    - name: more")
    jobs, before = named(flux, "job"), kept(flux)
    record = await events(flux.machine, tmp_path)

    flux.push(tree, UPGRADE)
    flux.apply(*demonstration(flux, UPGRADE))
    await asyncio.to_thread(flux.wait, UPGRADE)
    await asyncio.to_thread(flux.machine.wait_available)
    restarted = specs(flux)
    await asyncio.to_thread(flux.reconcile)

    assert named(flux, "job").isdisjoint(jobs)
    assert kept(flux) == before
    assert (await events(flux.machine, tmp_path))[: len(record)] == record
    # What the setup Job wrote there, for the bus to start again, is not Flux's to take away.
    assert specs(flux) == restarted
    assert flux.machine.secret("countersign-reader-nkeys", "more.nk")
    images = flux.machine.kubectl("get", "deployment", "-o", "jsonpath={..image}").split()
    assert {image.rpartition(":")[2] for image in images} == {UPGRADE}


async def test_uninstallation_keeps_what_the_document_says(flux: Flux, tmp_path: Path) -> None:
    before, record = kept(flux), await events(flux.machine, tmp_path)
    tag = flux.get("ocirepository")["spec"]["ref"]["tag"]

    await asyncio.to_thread(flux.kubectl, "delete", "kustomization", fluxing.NAME)
    flux.machine.attempt("wait", "--for=delete", "pod", "--all", "--timeout=120s")
    left = named(flux, f"{APPLIED},pod")
    still = kept(flux)
    flux.apply(*demonstration(flux, tag))
    await asyncio.to_thread(flux.wait, tag)

    assert left == {"serviceaccount/default", "configmap/kube-root-ca.crt"}
    assert still == before
    assert kept(flux) == before
    assert (await events(flux.machine, tmp_path))[: len(record)] == record


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def state(flux: Flux) -> dict[str, str]:
    """The generation of each object, or where it has none its version."""
    return {
        f"{each['kind']}/{each['metadata']['name']}": str(
            each["metadata"].get("generation") or each["metadata"]["resourceVersion"]
        )
        for each in flux.machine.json("get", APPLIED)["items"]
    }


def specs(flux: Flux) -> dict[str, Any]:
    """Return the wanted state of each object; that of a Job names its only run."""
    return {
        f"{each['kind']}/{each['metadata']['name']}": each.get("spec", each.get("data"))
        if each["kind"] != "Job"
        else None
        for each in flux.machine.json("get", APPLIED)["items"]
    }


def named(flux: Flux, kinds: str) -> set[str]:
    return set(flux.machine.kubectl("get", kinds, "-o", "name").split())


def kept(flux: Flux) -> dict[str, object]:
    """Everything beside the record that must outlive an upgrade and an uninstallation."""
    machine = flux.machine
    secrets = {
        name: hashlib.sha256(machine.secret(f"countersign-{name}", key)).hexdigest()
        for name, key in SECRETS.items()
    }
    names = ("pvc/data-nats-0", *KEPT.split(","))
    return secrets | {name: machine.json("get", name)["metadata"]["uid"] for name in names}
