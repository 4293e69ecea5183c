"""The configuration of a nats-server, and the keys of its users."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nkeys

from countersign.messaging.topology.permissions import TOPOLOGY, USERS, Permissions, permissions
from countersign.messaging.topology.readers import Kind, Reader, publishes, shares, subscribes
from countersign.messaging.topology.streams import MESSAGE_BYTES_MAX

ACCOUNT: Final = "COUNTERSIGN"
_SEED_BYTES: Final = 32
_STORE_BYTES_MAX: Final = 8 * 1024**3
_CONNECTIONS_MAX: Final = 1024
# The server's own 2 s are not enough for a program that starts on a busy machine (seen with Java).
_HANDSHAKE_S: Final = 10
# A tool with a leak of connections must leave some for our services.
READER_CONNECTIONS_MAX: Final = 16
READER_SUBSCRIPTIONS_MAX: Final = 256


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Several servers that keep the same streams. Each is named by its host: `$HOSTNAME`.

    `nodes` are the names by which they reach each other; routes are mutually authenticated by the
    certificate of `ServerOptions`, whose authority signs for nobody else.
    """

    name: str
    nodes: tuple[str, ...]
    port: int = 6222


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """`port` -1 lets the server choose; what it chose is in a file in `ports_dir`.

    `monitor_port` serves health over plain HTTP, and the names of all subjects with it: nobody
    but the kubelet should reach it.
    """

    store_dir: Path
    host: str = "127.0.0.1"
    port: int = 4222
    ports_dir: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    authority: Path | None = None
    monitor_port: int = 0
    cluster: ClusterOptions | None = None


def make_keys(directory: Path) -> dict[str, str]:
    """Make the seeds that are missing, one file a user; returns the public keys by user."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {user: public_key(directory / f"{user}.nk") for user in USERS}


def server_config(
    public_keys: Mapping[str, str], options: ServerOptions, readers: Sequence[Reader] = ()
) -> str:
    """Text of `nats-server.conf`: our account, one for each reader, streams on disk.

    Every write is synced: an acknowledged promotion survives a power failure.
    """
    lines = [
        f"listen: {json.dumps(f'{options.host}:{options.port}')}",
        f"max_payload: {MESSAGE_BYTES_MAX}",
        f"max_connections: {_CONNECTIONS_MAX}",
        f"authorization {{ timeout: {_HANDSHAKE_S} }}",
        "debug: false",
        "trace: false",
        "jetstream {",
        f"  store_dir: {json.dumps(str(options.store_dir))}",
        f"  max_file_store: {_STORE_BYTES_MAX}",
        "  sync_interval: always",
        "}",
        "accounts {",
        accounts(public_keys, readers),
        "}",
    ]
    if options.ports_dir is not None:
        lines.append(f"ports_file_dir: {json.dumps(str(options.ports_dir))}")
    if options.monitor_port:
        lines.append(f"http: {json.dumps(f'{options.host}:{options.monitor_port}')}")
    if options.certificate is not None:
        lines += ["tls {", *_certificate(options), "}"]
    if options.cluster is not None:
        lines += _cluster(options, options.cluster)
    return "\n".join(lines) + "\n"


def accounts(public_keys: Mapping[str, str], readers: Sequence[Reader] = ()) -> str:
    """Return our account and those of readers, for `accounts { … }`."""
    users = ",\n".join(
        _user(key, permissions(name, readers=readers)) for name, key in public_keys.items()
    )
    return "\n".join(
        [
            f"  {ACCOUNT} {{ jetstream: enabled, users: [",
            users,
            "  ],",
            exports(readers),
            "  }",
            *(account(reader) for reader in readers),
        ]
    )


def reader_fragments(readers: Sequence[Reader]) -> str:
    """Return what an existing server needs for its readers, where each belongs."""
    rights = permissions(TOPOLOGY, readers=readers)
    return "\n".join(
        [
            "accounts {",
            f"  {ACCOUNT} {{",
            "    # the user `topology` may publish:",
            f"    #   {json.dumps(rights.publish)}",
            exports(readers),
            "  }",
            *(account(reader) for reader in readers),
            "}",
        ]
    )


def exports(readers: Sequence[Reader]) -> str:
    """Return the exports of our account, for `accounts { COUNTERSIGN { … } }`."""
    allowed: dict[tuple[Kind, str, bool], list[str]] = {}
    for reader in readers:
        for share in shares(reader):
            allowed.setdefault((share.kind, share.subject, share.many), []).append(reader.account)
    lines = [
        f"      {{ {kind}: {json.dumps(subject)},{' response_type: stream,' if many else ''} "
        f"accounts: {json.dumps(accounts)} }}"
        for (kind, subject, many), accounts in allowed.items()
    ]
    return "\n".join(["    exports: [", *lines, "    ]"])


def account(reader: Reader) -> str:
    """The account of one reader, for `accounts { … }`."""
    lines = [
        f"      {{ {share.kind}: {{ account: {ACCOUNT}, subject: {json.dumps(share.subject)} }}"
        + (f", to: {json.dumps(share.local)} }}" if share.local != share.subject else " }")
        for share in shares(reader)
    ]
    allowed = Permissions(publish=publishes(reader), subscribe=subscribes(reader))
    return "\n".join(
        [
            f"  {reader.account} {{",
            (
                f"    limits: {{ max_connections: {READER_CONNECTIONS_MAX}, "
                f"max_subscriptions: {READER_SUBSCRIPTIONS_MAX} }}"
            ),
            "    users: [",
            _user(reader.public_key, allowed),
            "    ]",
            "    imports: [",
            *lines,
            "    ]",
            "  }",
        ]
    )


def _certificate(options: ServerOptions) -> list[str]:
    return [
        f"  cert_file: {json.dumps(str(options.certificate))}",
        f"  key_file: {json.dumps(str(options.certificate_key))}",
        '  min_version: "1.3"',
        f"  timeout: {_HANDSHAKE_S}",
    ]


def _cluster(options: ServerOptions, cluster: ClusterOptions) -> list[str]:
    routes = [f"nats-route://{node}:{cluster.port}" for node in cluster.nodes]
    return [
        "server_name: $HOSTNAME",
        "cluster {",
        f"  name: {json.dumps(cluster.name)}",
        f"  listen: {json.dumps(f'{options.host}:{cluster.port}')}",
        f"  routes: {json.dumps(routes)}",
        "  tls {",
        *(f"  {line}" for line in _certificate(options)),
        f"    ca_file: {json.dumps(str(options.authority))}",
        "    verify: true",
        "  }",
        "}",
    ]


def _user(public_key: str, allowed: Permissions) -> str:
    return (
        f"      {{ nkey: {public_key}, permissions: {{\n"
        f"        publish: {_side(allowed.publish)}\n"
        f"        subscribe: {_side(allowed.subscribe)}\n"
        "      } }"
    )


def _side(subjects: tuple[str, ...]) -> str:
    # An empty list of what is allowed would allow everything.
    return f"{{ allow: {json.dumps(subjects)} }}" if subjects else '{ deny: [">"] }'


def public_key(path: Path) -> str:
    """Return the public key of the seed in a file, which is made where it is missing."""
    if not path.exists():
        seed = nkeys.encode_seed(os.urandom(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(seed + b"\n")
    pair = nkeys.from_seed(bytearray(path.read_bytes().strip()))
    return str(pair.public_key.decode())
