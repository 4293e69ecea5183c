"""`countersign-furnish`: write what the demonstration needs where its parts run in containers.

In a cluster, what the services must know as well becomes Secrets there. What is there stays.
"""

import argparse
import asyncio
import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import APPLY, ClusterApi
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.objects import Manifest
from countersign.local.demo.layout import FORGE_SLUG, GATEWAY_PORT, Layout, Ports
from countersign.local.demo.manifests import BOT_SECRET, NAMESPACE
from countersign.local.demo.programs import READER
from countersign.local.demo.seeding import seed
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-furnish"
FORGE_PORT: Final = 3000
WEBHOOKS_PORT: Final = 8082
BUS_PORT: Final = 4222
HOME: Final = "countersign"
TRIES: Final = 20
PAUSE_S: Final = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Writes what the demonstration needs: repositories, people, secrets, the keys"
        " and configuration of a bus. With COUNTERSIGN_KUBE_URL the secrets become Secrets there."
        " For demonstrations and tests only.",
    )
    parser.add_argument("--dir", type=Path, required=True, help="where it is written")
    parser.add_argument("--port", type=int, default=GATEWAY_PORT, help="of the board, in browsers")
    parser.add_argument("--forge-port", type=int, default=FORGE_PORT, help="of the forge")
    given = parser.parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    layout = Layout(given.dir.resolve())
    # Containers share a loopback, or relays make it look so: the other ports are nobody else's.
    ports = Ports(gateway=given.port, forge=given.forge_port, webhooks=WEBHOOKS_PORT, bus=BUS_PORT)
    try:
        kube = KubeSettings()
        seed(layout, ports)
        write_bus(layout, port=ports.bus)
        if kube.in_use:
            asyncio.run(_make_secrets(layout, kube))
    except ValidationError as error:
        print(f"{PROGRAM}: {error.errors()[0]['msg']}", file=sys.stderr)
        return 2
    except (Rejected, Retryable) as error:
        print(f"{PROGRAM}: {error.message}", file=sys.stderr)
        return 1
    return 0


def write_bus(layout: Layout, *, port: int) -> None:
    """Write keys of the bus's users, those of a reader, and the configuration of the server."""
    readers = layout.bus / "readers"
    reader_files.add(readers, READER)
    keys = make_keys(layout.bus / "keys")
    options = ServerOptions(store_dir=layout.bus / "store", port=port)
    text = server_config(keys, options, reader_files.load(readers))
    (layout.bus / "nats.conf").write_text(text, encoding="utf-8")
    (layout.bus / "writer-nkeys").write_text(keys["pr-writer"], encoding="utf-8")


def secrets_of(layout: Layout) -> list[Manifest]:
    """Return the Secrets that an administrator would make of these files."""
    stored = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
    return [
        _secret("countersign-client-secrets", HOME, FORGE_SLUG, layout.client_secret_file),
        _secret("countersign-webhook-secrets", HOME, FORGE_SLUG, layout.webhook_secret_file),
        _secret(BOT_SECRET, NAMESPACE, "token", stored),
    ]


def _secret(name: str, namespace: str, key: str, file: Path) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(file.read_bytes()).decode()},
    }


async def _make_secrets(layout: Layout, kube: KubeSettings) -> None:
    async with cluster_api(kube) as api:
        for left in reversed(range(TRIES)):
            try:
                for manifest in secrets_of(layout):
                    await _apply(api, manifest)
            except (Rejected, Retryable):
                # The Role that was applied together with this Pod may count a moment later.
                if not left:
                    raise
                await asyncio.sleep(PAUSE_S)
            else:
                return


async def _apply(api: ClusterApi, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
    query = {"fieldManager": PROGRAM, "force": "true"}
    await api.call("PATCH", path, query=query, body=manifest, content_type=APPLY)


if __name__ == "__main__":
    sys.exit(main())
