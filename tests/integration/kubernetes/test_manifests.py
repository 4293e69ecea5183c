"""Every overlay is taken by an API server as it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer

K8S = Path(__file__).parents[3] / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
BRIDGE = "bridge"


def _built(server: ApiServer, overlay: str) -> list[dict[str, Any]]:
    folder = K8S / overlay if overlay == BRIDGE else K8S / "overlays" / overlay
    text = server.kubectl("kustomize", str(folder))
    return [m for m in yaml.safe_load_all(text) if m]


@pytest.mark.parametrize("overlay", [*OVERLAYS, BRIDGE])
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


@pytest.mark.parametrize("overlay", [*OVERLAYS, BRIDGE])
def test_pod_has_no_right_that_it_does_not_need(apiserver: ApiServer, overlay: str) -> None:
    for manifest in _built(apiserver, overlay):
        if manifest["kind"] not in {"Deployment", "StatefulSet", "Job"}:
            continue
        pod = manifest["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], manifest["metadata"]["name"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"], manifest["metadata"]["name"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert ":" in container["image"], container["image"]
            assert not container["image"].endswith(":latest")
