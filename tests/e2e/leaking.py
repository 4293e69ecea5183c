"""No delegated token is left: on disk, in processes, and in what a cluster keeps and tells."""

import asyncio
import os

from e2e.clusters import Scene
from e2e.systems import canary

from countersign.local.demo.manifests import NAMESPACE
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.scanning import Scanner

Answers = dict[str, bytes]


async def assert_no_token_is_left(on: Scene) -> None:
    """Looks with a token planted in the cluster as well, which must be found: it ends there."""
    issued = await canary(on.started)
    answers = await _of_the_cluster(on)
    places = Places(
        directory=on.started.layout.root,
        pids=frozenset({os.getpid()}),
        answers=tuple(answers.values()),
    )
    assert (await look_for_leaks(issued, places)).finds == ()
    planted = f"control=ghu_{issued}"
    await on.kubectl("-n", NAMESPACE, "annotate", "pipeline", "search", planted)
    scanner = Scanner(issued)
    again = await _of_the_cluster(on)
    seen = {name for name, answer in again.items() if list(scanner.search(answer, name))}
    assert seen >= {"pipelines", "etcd"}, "a planted token was not found"


async def _of_the_cluster(on: Scene) -> Answers:
    """What it tells whoever may ask, what it says itself, and all that it ever stored."""
    directory = on.server.directory
    found = {
        kind: (await on.kubectl("get", kind, "-A", "-o", "json", "--show-managed-fields")).encode()
        for kind in ("pipelines", "events")
    }
    assert b'"reason": "PullRequestOpened"' in found["events"]
    for log in ("kube-apiserver", "etcd"):
        found[f"{log}.log"] = (directory / f"{log}.log").read_bytes()
    # It is preallocated: what follows the last entry was never written.
    parts = [p for p in sorted((directory / "etcd").rglob("*")) if p.is_file()]
    stored = await asyncio.gather(*(asyncio.to_thread(p.read_bytes) for p in parts))
    found["etcd"] = b"\n".join(content.rstrip(b"\0") for content in stored)
    return found
