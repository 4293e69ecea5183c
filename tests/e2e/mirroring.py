"""Kinds of Flux in an API server, so that what is played can be brought there."""

from pathlib import Path
from typing import Any

import reference
import yaml
from apiserver import ApiServer

from countersign.local.cluster.mirror import SOURCES

Json = dict[str, Any]


def install(server: ApiServer, *crds: Path) -> None:
    """The kinds of Flux, and what else is given."""
    theirs = reference.skip_without("crds")
    files = [theirs / f"{name}.yaml" for name in ("helmreleases", "kustomizations")]
    for file in (*files, *crds):
        server.kubectl("apply", "--server-side", "-f", str(file))
    made = [loose_crd(kind, plural) for kind, plural in SOURCES.items()]
    server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")


def loose_crd(kind: str, plural: str, *, group: str = "source.toolkit.fluxcd.io") -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
