"""Kinds that nobody else has, for an API server."""

import asyncio
from typing import Any, Final

from doubles.observed_cluster import put

from countersign.contracts.errors import Rejected
from countersign.kube.access.api import ClusterApi

GROUP: Final = "example.org"
CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_TRIES_MAX: Final = 100
_PAUSE_S: Final = 0.1


def crd(kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }


def application(kind: str, namespace: str, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "podinfo", "namespace": namespace, "generation": 1},
        "spec": {},
        "status": {**status, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def names(manifest: dict[str, Any], kind: str) -> dict[str, Any]:
    """The Pipeline, with applications of that kind."""
    manifest["spec"]["appRef"].update(apiVersion=f"{GROUP}/v1", kind=kind)
    return manifest


async def put_patiently(api: ClusterApi, manifest: dict[str, Any]) -> None:
    """A kind is served a moment after it is announced."""
    for _ in range(_TRIES_MAX):
        try:
            await put(api, manifest)
        except Rejected as refusal:
            if refusal.reason != "not_found":
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return
    raise TimeoutError(f"{manifest['kind']} is not served")
