"""Every overlay is taken by an API server as it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer
from e2e.mirroring import loose_crd

K8S = Path(__file__).parents[3] / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
BESIDE = ("bridge", "record")
# Of the Prometheus operator, whose schemas are not ours to copy.
OPERATOR = {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}


@pytest.fixture(scope="module", autouse=True)
def operator(apiserver: ApiServer) -> None:
    group = "monitoring.coreos.com"
    kinds = [loose_crd(kind, plural, group=group) for kind, plural in OPERATOR.items()]
    apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(kinds))
    names = [f"crd/{plural}.{group}" for plural in OPERATOR.values()]
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


def _built(server: ApiServer, overlay: str) -> list[dict[str, Any]]:
    folder = K8S / overlay if overlay in BESIDE else K8S / "overlays" / overlay
    text = server.kubectl("kustomize", str(folder))
    return [m for m in yaml.safe_load_all(text) if m]


@pytest.mark.parametrize("overlay", [*OVERLAYS, *BESIDE])
def test_overlay_is_taken_by_the_api_server(apiserver: ApiServer, overlay: str) -> None:
    manifests = _built(apiserver, overlay)
    namespaces = [m for m in manifests if m["kind"] == "Namespace"]
    others = [m for m in manifests if m["kind"] != "Namespace"]

    if not namespaces:
        # It is put beside an installation.
        apiserver.kubectl("apply", "-k", str(K8S / "base"))
    else:
        apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(namespaces))
    said = apiserver.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-",
        stdin=yaml.safe_dump_all(others),
    )  # fmt: skip

    assert len(said.splitlines()) == len(others)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_brings_every_config_map_that_its_pods_wait_for(
    apiserver: ApiServer, overlay: str
) -> None:
    manifests = _built(apiserver, overlay)
    there = {m["metadata"]["name"] for m in manifests if m["kind"] == "ConfigMap"}
    pods = [
        m["spec"]["template"]["spec"]
        for m in manifests
        if m["kind"] in {"Deployment", "StatefulSet", "Job"}
    ]
    volumes = [volume["configMap"] for pod in pods for volume in pod.get("volumes", ())
               if "configMap" in volume]  # fmt: skip

    assert {v["name"] for v in volumes if not v.get("optional")} <= there


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_private_key_of_an_app_is_given_to_the_pr_writer_alone(
    apiserver: ApiServer, overlay: str
) -> None:
    manifests = _built(apiserver, overlay)
    given = {
        manifest["metadata"]["name"]
        for manifest in manifests
        if manifest["kind"] in {"Deployment", "StatefulSet", "Job"}
        for volume in manifest["spec"]["template"]["spec"].get("volumes", ())
        if volume.get("secret", {}).get("secretName") == "countersign-app-keys"
    }

    # There is an overlay without any pods.
    names = {m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment"}
    assert given == names & {"countersign-pr-writer"}


@pytest.mark.parametrize("overlay", [*OVERLAYS, *BESIDE])
def test_pod_has_no_right_that_it_does_not_need(apiserver: ApiServer, overlay: str) -> None:
    for manifest in _built(apiserver, overlay):
        if manifest["kind"] not in {"Deployment", "StatefulSet", "Job", "CronJob"}:
            continue
        spec = manifest["spec"]
        pod = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], manifest["metadata"]["name"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"], manifest["metadata"]["name"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert ":" in container["image"], container["image"]
            assert not container["image"].endswith(":latest")


def test_example_of_an_ingress_is_taken_by_the_api_server(apiserver: ApiServer) -> None:
    apiserver.kubectl("apply", "-k", str(K8S / "base"))
    file = K8S / "examples" / "ingress.yaml"

    said = apiserver.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file))

    assert len(said.splitlines()) == len(list(yaml.safe_load_all(file.read_text())))


@pytest.mark.parametrize("path", sorted(K8S.glob("examples/*.yaml")), ids=lambda p: p.stem)
def test_example_names_services_and_ports_that_are_there(path: Path) -> None:
    services = {
        manifest["metadata"]["name"]: {p["port"] for p in manifest["spec"]["ports"]}
        | {p["name"] for p in manifest["spec"]["ports"]}
        for file in (K8S / "services").glob("*.yaml")
        for manifest in yaml.safe_load_all(file.read_text())
        if manifest["kind"] == "Service"
    }
    for example in yaml.safe_load_all(path.read_text()):
        for name, port in _backends(example["spec"]):
            assert port in services[name], name


def _backends(spec: dict[str, Any]) -> list[tuple[str, Any]]:
    rules = spec.get("rules", ())
    ingress = [
        path["backend"]["service"]
        for rule in rules
        for path in rule.get("http", {}).get("paths", ())
    ]
    routes = [ref for rule in rules for ref in rule.get("backendRefs", ())]
    return [
        *((one["name"], one["port"]["name"]) for one in ingress),
        *((ref["name"], ref["port"]) for ref in routes),
    ]
