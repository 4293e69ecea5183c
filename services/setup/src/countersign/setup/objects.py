"""The Secrets of an installation. Pure."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from countersign.kube.objects import Manifest
from countersign.messaging.administration.server_config import (
    ClusterOptions,
    ServerOptions,
    server_config,
)
from countersign.messaging.topology.readers import Reader

LABELS: Final = {
    "app.kubernetes.io/part-of": "countersign",
    "app.kubernetes.io/managed-by": "countersign-setup",
}
SEED: Final = "seed"
CONFIGURATION: Final = "nats.conf"
SESSION_KEY: Final = "key"
WRITER_KEYS: Final = "writer-nkeys"
CONFIGURATION_ANNOTATION: Final = "countersign/configuration"
BUS_PORT: Final = 4222
ROUTES_PORT: Final = 6222
MONITOR_PORT: Final = 8222
_DATA: Final = Path("/data")
_TLS: Final = Path("/etc/nats-tls")


def nkey_secret(user: str) -> str:
    return f"countersign-nkey-{user}"


def reader_key(name: str) -> str:
    """The key of a reader's seed within the one Secret that holds those of all."""
    return f"{name}.nk"


def secret(name: str, *, namespace: str, data: Mapping[str, bytes]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(LABELS)},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def is_clustered(configuration: str) -> bool:
    return "\ncluster {" in configuration


def mark(configuration: str, now: datetime) -> str:
    """Tell one configuration, and its time, from the next."""
    digest = hashlib.sha256(configuration.encode()).hexdigest()
    return f"{digest[:16]} {now.isoformat(timespec='seconds')}"


def bus_names(bus: str, *, namespace: str, nodes: int) -> list[str]:
    """Every name by which services, other nodes and a person's port-forward reach the bus."""
    service = [bus, f"{bus}.{namespace}", f"{bus}.{namespace}.svc"]
    each = [f"{bus}-{n}.{bus}-nodes.{namespace}.svc" for n in range(nodes)]
    return [*service, *each, "localhost", "127.0.0.1"]


def configuration(
    public_keys: Mapping[str, str],
    readers: Sequence[Reader] = (),
    *,
    bus: str,
    namespace: str,
    nodes: int,
) -> str:
    """Text of `nats.conf`: the same for each node, which is named by its Pod."""
    names: Sequence[str] = [f"{bus}-{n}.{bus}-nodes.{namespace}.svc" for n in range(nodes)]
    cluster = ClusterOptions(name="countersign", nodes=tuple(names), port=ROUTES_PORT)
    options = ServerOptions(
        store_dir=_DATA,
        host="0.0.0.0",
        port=BUS_PORT,
        certificate=_TLS / "tls.crt",
        certificate_key=_TLS / "tls.key",
        authority=_TLS / "ca.crt",
        monitor_port=MONITOR_PORT,
        cluster=cluster if nodes > 1 else None,
    )
    return server_config(public_keys, options, readers)
