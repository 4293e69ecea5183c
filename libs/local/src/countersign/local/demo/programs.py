"""The processes of the demonstration and their settings. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from countersign.local.demo.layout import HOST, Layout, Ports
from countersign.local.demo.supervisor import Program

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
# Who holds tokens and lives on after a job: of what is freed, nothing is left to be read.
# Source: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONMALLOC and
# https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html
HOLDERS: Final = ("approval", "pr-writer", "auditor")
WIPING: Final[Mapping[str, str]] = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
}
# A tool of the person who tries it; it may read everything.
READER: Final = "demo"
# A person should see what happens, and need not wait for it.
_CLUSTER_PACE: Final = ("--interval", "0.5", "--action", "1", "--timeout", "5")


@dataclass(frozen=True, kw_only=True)
class Bus:
    """The address of the bus, and the files with its users' seeds."""

    url: str
    keys_dir: Path
    writers: Path


def console_script(name: str) -> str:
    """Beside the interpreter, as pip puts it."""
    return str(Path(sys.executable).parent / name)


def topology(layout: Layout, bus: Bus) -> Program:
    return Program(
        name="topology",
        command=(
            *(console_script("countersign-topology"), "apply"),
            *("--readers", str(layout.bus / "readers")),
        ),
        log=layout.logs / "topology.log",
        settings=_bus_settings(bus, "topology"),
    )


def forge(layout: Layout, ports: Ports) -> Program:
    command = (
        console_script("countersign-forge"), "--dir", str(layout.forge),
        "--port", str(ports.forge), "--seed", str(layout.seed_file),
    )  # fmt: skip
    return Program(name="forge", command=command, log=layout.logs / "forge.log")


def cluster(layout: Layout, ports: Ports) -> Program:
    repositories = layout.forge / "repositories"
    command = (
        console_script("countersign-cluster"), "--dir", str(layout.cluster),
        "--git", str(repositories / "shop" / "gitops.git"), "--branch", "main",
        "--replace", f"{ports.forge_url}/={repositories}", *_CLUSTER_PACE,
    )  # fmt: skip
    return Program(name="cluster", command=command, log=layout.logs / "cluster.log")


def service(name: str, *, layout: Layout, ports: Ports, bus: Bus, health_port: int) -> Program:
    settings = {
        **_bus_settings(bus, name),
        "COUNTERSIGN_PUBLIC_URL": ports.gateway_url,
        "COUNTERSIGN_HEALTH_HOST": HOST,
        "COUNTERSIGN_HEALTH_PORT": str(health_port),
        "COUNTERSIGN_FORGES_FILE": str(layout.forges_file),
        **_own_settings(name, layout=layout, ports=ports, bus=bus),
        **(WIPING if name in HOLDERS else {}),
    }
    return Program(
        name=name,
        command=(console_script(f"countersign-{name}"),),
        log=layout.logs / f"{name}.log",
        settings=settings,
    )


def _bus_settings(bus: Bus, user: str) -> dict[str, str]:
    return {
        "COUNTERSIGN_NATS_URL": bus.url,
        "COUNTERSIGN_NKEY_FILE": str(bus.keys_dir / f"{user}.nk"),
    }


def _own_settings(name: str, *, layout: Layout, ports: Ports, bus: Bus) -> Mapping[str, str]:
    secrets = {"COUNTERSIGN_SECRETS_DIR": str(layout.secrets)}
    return {
        "watcher": {
            "COUNTERSIGN_CLUSTER_DIR": str(layout.cluster),
            "COUNTERSIGN_WEBHOOK_HOST": HOST,
            "COUNTERSIGN_WEBHOOK_PORT": str(ports.webhooks),
        },
        "approval": {"COUNTERSIGN_WRITER_NKEYS_FILE": str(bus.writers)},
        "pr-writer": secrets,
        "auditor": secrets,
        "gateway": {
            "COUNTERSIGN_HOST": HOST,
            "COUNTERSIGN_PORT": str(ports.gateway),
            "COUNTERSIGN_SIGN_IN": "local",
            "COUNTERSIGN_PEOPLE_FILE": str(layout.people_file),
        },
    }[name]
