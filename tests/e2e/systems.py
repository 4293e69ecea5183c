"""The whole system in real processes, as the demonstration starts it, and what its forge holds."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from countersign.local.demo.layout import Layout, Ports, free_port
from countersign.local.demo.layout import choose_ports as choose
from countersign.local.demo.manifests import BOT_SECRET, NAMESPACE
from countersign.local.demo.running import Running, only_one, running
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk.scanning import with_descendants

PULLS_MAX: Final = 100
REPOSITORY: Final = "shop/gitops"


@asynccontextmanager
async def system(
    root: Path,
    *,
    collector: str = "",
    furnish: Callable[[Layout, Ports], None] = seed,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    has_forge: bool = True,
) -> AsyncIterator[Running]:
    """Everything, ready. `collector` is where spans go, if anywhere."""
    layout = Layout(root / "demo")
    with _exporting(collector), only_one(layout):
        ports = choose(layout, gateway=free_port())
        async with running(
            layout, ports, furnish=furnish, settings=settings, has_forge=has_forge
        ) as started:
            yield started


@contextmanager
def _exporting(collector: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if collector:
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        yield


@dataclass(frozen=True)
class Pull:
    """A pull request, as the forge itself tells of it."""

    number: int
    author: str
    state: str
    merged: bool
    branch: str
    base_commit: str
    head_commit: str
    body: str

    @property
    def promotion_id(self) -> str:
        return self.branch.rpartition("/")[2].partition("-")[0]

    @property
    def gate(self) -> str:
        """Pipeline and environment, as its branch names them."""
        return self.branch.rpartition("/")[0]


def bus_pid(started: Running) -> int | None:
    """The nats-server of this system, by its configuration's path."""
    ours = str(started.layout.bus).encode()
    for pid in with_descendants({os.getpid()}):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"nats-server" in command and ours in command:
            return pid
    return None


async def canary(started: Running) -> str:
    """What every token that the forge issued holds."""
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        found = (await client.get(f"{started.ports.forge_url}/_local/canary")).json()
    assert found["issued"], "nothing was delegated; there is nothing to look for"
    return str(found["canary"])


async def pulls(started: Running) -> list[Pull]:
    token = started.layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET).read_text()
    url = f"{started.ports.forge_url}/api/v3/repos/{REPOSITORY}/pulls"
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(
            url,
            params={"state": "all", "per_page": PULLS_MAX},
            headers={"Authorization": f"Bearer {token}"},
        )
    answer.raise_for_status()
    found = [_pull(item) for item in answer.json()]
    assert len(found) < PULLS_MAX, "more pull requests than one page; the checks would miss some"
    return found


def _pull(item: dict[str, Any]) -> Pull:
    return Pull(
        number=item["number"],
        author=item["user"]["login"],
        state=item["state"],
        merged=item["merged_at"] is not None,
        branch=item["head"]["ref"],
        base_commit=item["base"]["sha"],
        head_commit=item["head"]["sha"],
        body=item["body"] or "",
    )


def git(started: Running, *arguments: str) -> bytes:
    bare = started.layout.forge / "repositories" / f"{REPOSITORY}.git"
    command = ["git", "--git-dir", str(bare), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def changes(started: Running, commit: str) -> dict[str, tuple[bytes, bytes]]:
    """Path to bytes before and after, of one commit against its only parent."""
    names = git(started, "diff-tree", "-r", "-z", "--no-commit-id", "--name-only", commit)
    paths = [name.decode() for name in names.split(b"\x00") if name]
    return {
        path: (
            git(started, "show", f"{commit}^:{path}"),
            git(started, "show", f"{commit}:{path}"),
        )
        for path in paths
    }


def assert_never_twice(found: list[Pull]) -> None:
    """I1: at most one open or merged for a promotion, and one open for a gate."""
    alive = [pull for pull in found if pull.merged or pull.state == "open"]
    by_promotion = [pull.promotion_id for pull in alive]
    assert len(set(by_promotion)) == len(by_promotion), sorted(p.branch for p in alive)
    gates = [pull.gate for pull in alive if not pull.merged]
    assert len(set(gates)) == len(gates), sorted(gates)
