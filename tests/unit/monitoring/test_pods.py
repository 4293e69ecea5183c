"""What scrapes in a cluster finds the Pods and ports that our manifests have."""

from collections.abc import Iterator
from typing import Any

import yaml
from reference import ROOT

K8S = ROOT / "k8s"
Json = dict[str, Any]


def _objects(*globs: str) -> Iterator[Json]:
    for glob in globs:
        for path in sorted(K8S.glob(glob)):
            yield from (found for found in yaml.safe_load_all(path.read_text()) if found)


def _pods() -> Iterator[Json]:
    """Templates of Pods of ours that say metrics: those with a health port."""
    for found in _objects("services/*.yaml", "bridge/*.yaml"):
        if found["kind"] == "Deployment":
            yield found["spec"]["template"]


def _monitoring(kind: str) -> list[Json]:
    return [found for found in _objects("monitoring/*.yaml") if found.get("kind") == kind]


def _chosen(selector: Json, labels: dict[str, str]) -> bool:
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        one["operator"] == "In" and labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", ())
    )


def _ports(template: Json) -> dict[str, int]:
    containers = template["spec"]["containers"]
    return {p["name"]: p["containerPort"] for one in containers for p in one.get("ports", ())}


def test_every_pod_with_metrics_is_scraped_at_a_port_that_it_has() -> None:
    (monitor,) = _monitoring("PodMonitor")
    pods = list(_pods())
    asked = [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]]

    assert len(pods) >= 6
    for template in pods:
        labels = template["metadata"]["labels"]
        assert _chosen(monitor["spec"]["selector"], labels), labels
        assert set(asked) <= set(_ports(template)), labels


def test_policy_lets_in_whoever_scrapes_and_out_to_whoever_takes_traces() -> None:
    policies = {found["metadata"]["name"]: found["spec"] for found in _monitoring("NetworkPolicy")}
    let_in = {p["port"] for p in policies["metrics"]["ingress"][0]["ports"]}
    let_out = {p["port"] for p in policies["traces"]["egress"][0]["ports"]}

    # As OTLP over HTTP has it.
    assert let_out == {4318}
    for template in _pods():
        labels = template["metadata"]["labels"]
        assert let_in == {_ports(template)["health"]}, labels
        assert all(_chosen(one["podSelector"], labels) for one in policies.values()), labels
