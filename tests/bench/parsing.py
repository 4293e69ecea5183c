"""Measures finding, writing and verifying markers, in files from 300 bytes to five megabytes.

CPU time of each step, medians of seven rounds, and how far memory grows; each file in a process of
its own. At the end whole jobs at the local forge, without the time of its calls.
Run: `python tests/bench/parsing.py [FILE ...]`.
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from doubles.pr_writer_stage import REPOSITORY, Runner, Story, running_executors, telling_story

from countersign.contracts.errors import Rejected
from countersign.pr_writer.executor.manifests.scalars import apply
from countersign.pr_writer.parser.scanning import find
from countersign.pr_writer.parser.verification import verify

ROUNDS: Final = 7
JOBS: Final = 9
STEP_S: Final = 0.05  # what one round of a step takes at least, by repetition
KEY: Final = "apps:podinfo:prod"
RELEASE: Final = """\
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: apps
spec:
  interval: 5m
  chart:
    spec:
      chart: podinfo
      version: 6.8.0 # {"$promotion": "apps:podinfo:prod"}
      sourceRef: {kind: HelmRepository, name: podinfo}
"""
PLAIN: Final = RELEASE.replace(f' # {{"$promotion": "{KEY}"}}', "")
HEAD: Final = """\
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.org
spec:
  schema:
    openAPIV3Schema:
      properties:
"""
FIELD: Final = """\
        field%d:
          description: |-
            Field %d says how the thing is to be done, and by whom, in a sentence
            that is as long as those of real definitions are.
          type: string
"""
DASHBOARD: Final = "    a line of a dashboard that is as long as many of them are\n"


def definition(fields: int) -> str:
    return HEAD + "".join(FIELD % (n, n) for n in range(fields))


def bundle(marked: str, *, definitions: int = 38) -> str:
    one = definition(720)
    return one * (definitions // 2) + marked + one * (definitions - definitions // 2)


FILES: Final[dict[str, Callable[[], str]]] = {
    "a release": lambda: RELEASE,
    "ten documents of 3 kB": lambda: RELEASE + definition(16) * 9,
    "one document of 230 kB": lambda: RELEASE + definition(1_100).partition("spec:\n")[2],
    "38 definitions and a release": lambda: bundle(RELEASE),
    "38 definitions": lambda: bundle(PLAIN),
    "600 releases of 8 kB": lambda: (RELEASE + f"  values: |\n{DASHBOARD * 130}") * 600,
    "one document with a long text": lambda: RELEASE + f"  values: |\n{DASHBOARD * 85_000}",
    "one document of many values": lambda: RELEASE + definition(27_000).partition("spec:\n")[2],
}


def median_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    times = max(1, int(STEP_S / max(time.process_time() - started, 1e-6)))
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - started) / times * 1e3)
    return statistics.median(found)


def measure(name: str) -> None:
    body = FILES[name]().encode()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        marked, refused = find(body).marked, ""
    except Rejected as error:
        marked, refused = (), f"; {error}"
    after, changed = apply(body, marked, key=KEY, values={"": "6.9.0"})
    verified = {"places": changed, "key": KEY, "values": {"": "6.9.0"}}
    if changed:
        verify(body, after, **verified)  # type: ignore[arg-type]
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib

    def finding() -> None:
        try:
            find(body)
        except Rejected:
            return

    steps = {"find": median_ms(finding)}
    if changed:
        steps["write"] = median_ms(lambda: apply(body, marked, key=KEY, values={"": "6.9.0"}))
        steps["verify"] = median_ms(lambda: verify(body, after, **verified))  # type: ignore[arg-type]
    told = ", ".join(f"{step} {ms:.2f} ms" for step, ms in steps.items())
    print(f"{name} ({len(body):,} bytes): {told}; {grown_kib / 1024:.0f} MiB{refused}", flush=True)


async def own_ms(story: Story, runner: Runner, path: str) -> float:
    """Own time of a first job, of which nothing is known."""
    found = []
    for n in range(JOBS):
        runner.told.clear()
        # Each has a branch of its own.
        request = story.requested(f"6.{n + 9}.0", path=path, previous=path)
        started = time.perf_counter()
        await runner.open(story.job(request))
        took_s = time.perf_counter() - started
        calls = [p.call for p in runner.told if p.call]
        found.append(took_s * 1e3 - sum(end - start for *_, start, end in calls) / 1e6)
    return statistics.median(found)


async def jobs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with telling_story(Path(folder)) as story, running_executors() as runner:
            files = {"small": RELEASE, "large": bundle(RELEASE), "beside": bundle(PLAIN)}
            story.forge.commit(REPOSITORY, {f"{p}/a.yaml": text for p, text in files.items()})
            story.forge.commit(REPOSITORY, {"beside/b.yaml": RELEASE})
            for path in ("small", "large", "beside"):
                print(f"a first job, {path}: {await own_ms(story, runner, path):.0f} ms of our own")


def main() -> None:
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            measure(name)
        return
    for name in FILES:
        subprocess.run([sys.executable, __file__, name], check=True)
    asyncio.run(jobs())


if __name__ == "__main__":
    main()
