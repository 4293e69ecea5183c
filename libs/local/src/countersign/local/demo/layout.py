"""The directory of the demonstration; removing it removes everything."""

import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.refusals import LocalRefusal

HOST: Final = "127.0.0.1"
GATEWAY_PORT: Final = 8080  # what people expect; another is taken when this one is
FORGE_NAME: Final = "Local forge"
FORGE_SLUG: Final = "local-forge"
CLIENT_ID: Final = "Iv1.countersign-demo"
_LOWEST_PORT, _EPHEMERAL_PORT = 20_000, 32_768  # of Linux: net.ipv4.ip_local_port_range
_TRIES_MAX: Final = 100
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The port of each server; kept between starts, because files name them."""

    gateway: int
    forge: int
    webhooks: int
    bus: int

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.gateway}"

    @property
    def forge_url(self) -> str:
        # Not 127.0.0.1: browsers keep cookies by host, whatever the port.
        return f"http://localhost:{self.forge}"

    @property
    def bus_url(self) -> str:
        return f"nats://{HOST}:{self.bus}"

    @property
    def webhooks_url(self) -> str:
        return f"http://{HOST}:{self.webhooks}/webhooks/{FORGE_SLUG}"


@dataclass(frozen=True)
class Layout:
    root: Path

    @property
    def bus(self) -> Path:
        return self.root / "bus"

    @property
    def forge(self) -> Path:
        return self.root / "forge"

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def seed(self) -> Path:
        return self.root / "seed"

    @property
    def seed_file(self) -> Path:
        return self.seed / "seed.yaml"

    @property
    def forges_file(self) -> Path:
        return self.root / "forges.yaml"

    @property
    def people_file(self) -> Path:
        return self.root / "people.yaml"

    @property
    def client_secret_file(self) -> Path:
        return self.secrets / "oauth-client-secret"

    @property
    def webhook_secret_file(self) -> Path:
        return self.secrets / "webhook-secret"

    @property
    def ports_file(self) -> Path:
        return self.root / "ports.json"

    def stored_token_file(self, *, namespace: str, secret: str) -> Path:
        return self.secrets / namespace / secret / "token"

    @property
    def is_seeded(self) -> bool:
        return self.ports_file.is_file()


def made_up(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(text)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """One below the range from which the system takes ports for connections that go out.

    A port that is listened on only later must not be taken by such a connection meanwhile.

    Raises:
        Retryable: `no_port`.

    """
    for _ in range(_TRIES_MAX):
        port = _LOWEST_PORT + secrets.randbelow(_EPHEMERAL_PORT - _LOWEST_PORT)
        if is_free(port):
            return port
    raise Retryable(
        LocalRefusal.NO_PORT, f"none of {_TRIES_MAX} ports below {_EPHEMERAL_PORT} is free"
    )


def choose_ports(
    layout: Layout, *, gateway: int | None, free: Callable[[int], bool] = is_free
) -> Ports:
    """The ports of the last start where they are free, or others.

    Raises:
        Rejected: `port_taken`; the one asked for, or the forge's, which files in git name.

    """
    last = _last_ports(layout)
    if last is not None and not free(last.forge):
        raise Rejected(
            LocalRefusal.PORT_TAKEN,
            f"port {last.forge}, on which the forge of {layout.root} has its addresses, is taken; "
            "stop what listens there, or choose another --dir",
        )
    if gateway is not None and not free(gateway):
        raise Rejected(LocalRefusal.PORT_TAKEN, f"port {gateway} is taken; choose another --port")

    def other(wanted: int | None) -> int:
        return wanted if wanted and free(wanted) else free_port()

    return Ports(
        gateway=gateway or other(last.gateway if last else GATEWAY_PORT),
        forge=last.forge if last else free_port(),
        webhooks=other(last.webhooks if last else None),
        bus=other(last.bus if last else None),
    )


def displaced(layout: Layout, ports: Ports) -> int:
    """Return the port that people expect the board on, where it has another; 0 where it has not."""
    last = _last_ports(layout)
    expected = last.gateway if last else GATEWAY_PORT
    return 0 if ports.gateway == expected else expected


def _last_ports(layout: Layout) -> Ports | None:
    return Ports(**json.loads(layout.ports_file.read_text())) if layout.is_seeded else None


def keep_ports(layout: Layout, ports: Ports) -> None:
    layout.ports_file.write_text(json.dumps(asdict(ports), indent=2) + "\n")
