"""Approve → pull request opened: our own time and the calls to the forge.

Run as `python tests/bench/writing.py [promotions]`. Everything is real but the forge, which is a
process of its own; the time that the executor waits for it is taken out of what is printed. The
repositories take turns, so that all meet the same neighbours on the machine.
"""

import asyncio
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from doubles.pr_writer_stage import FILES, REPOSITORY, Stage, Story, setting_stage, telling_story
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import CredentialMode, ForgeUser, PullRequestOpened
from countersign.contracts.secret import Secret
from countersign.process.setup import telemetry
from countersign.telemetry.settings import TelemetrySettings

PROMOTIONS = 40
COMMITS = 256
FORGE_S = 120.0
CONSENT_S = 0.3
FIRST_CONSENT_S = 2.0


@dataclass(frozen=True)
class Case:
    """A repository: how large its history is, and how many files its tip has."""

    name: str
    history_mib: int
    more_files: int = 0


CASES = (
    Case("1 MB of history", 1),
    Case("1 GB of history", 1024),
    Case("400 files", 1, more_files=396),
)


@dataclass(frozen=True)
class Sample:
    own_ms: float
    forge_ms: float
    calls: int


@dataclass(frozen=True)
class Turn:
    """A case on its stage."""

    case: Case
    stage: Stage
    token: Secret
    user: ForgeUser
    samples: list[Sample] = field(default_factory=list)


def serve_forge(root: Path, case: Case, pipe: Connection) -> None:
    asyncio.run(_serve_forge(root, case, pipe))


async def _serve_forge(root: Path, case: Case, pipe: Connection) -> None:
    async with telling_story(root) as story:
        if case.more_files:
            count = range(case.more_files)
            files = {f"apps/{n % 40}/{n}.yaml": f"n: {n}\n" * 100 for n in count}
            story.forge.commit(REPOSITORY, dict(files))
        await asyncio.to_thread(_write_history, story.forge.git_dir(REPOSITORY), case.history_mib)
        app = story.forge.app(kind="github-app", installations=[REPOSITORY])
        token = story.forge.user_token(app, "ada").text
        ada = next(p for p in story.forge.store.people if p.login == "ada")
        pipe.send((story.forge.origin, token.reveal(), str(ada.id)))
        await asyncio.to_thread(pipe.recv)


def _write_history(repository: Path, mib: int) -> None:
    """Commits that rewrite one file which nothing compresses, and a last one that removes it."""
    command = ["git", "-C", str(repository), "-c", "core.compression=0"]
    command += ["-c", "core.bigFileThreshold=2k", "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as git:
        assert git.stdin is not None
        for part in _commits(mib):
            git.stdin.write(part)
        git.stdin.close()
        if git.wait():
            raise SystemExit("git fast-import failed")


def _commits(mib: int) -> Iterator[bytes]:
    made_up = random.Random(1)  # noqa: S311 - bytes that nothing compresses, no secret
    for n in range(COMMITS + 1):
        yield b"commit refs/heads/main\ncommitter somebody <somebody@localhost> %d +0000\n" % n
        yield b"data 3\nlog\n" + (b"" if n else b"from refs/heads/main^0\n")
        if n < COMMITS:
            body = made_up.randbytes((mib << 20) // COMMITS)
            yield b"M 100644 inline log.bin\ndata %d\n" % len(body) + body + b"\n"
        else:
            yield b"D log.bin\n"


@asynccontextmanager
async def forge_process(root: Path, case: Case) -> AsyncIterator[tuple[str, str, str]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve_forge, args=(root, case, theirs)
    )
    process.start()
    try:
        if not await asyncio.to_thread(ours.poll, FORGE_S):
            raise SystemExit(f"no forge with {case.name} after {FORGE_S} s")
        yield ours.recv()
    finally:
        ours.send("end")
        await asyncio.to_thread(process.join)


async def take_stage(case: Case, root: Path, stack: AsyncExitStack) -> Turn:
    root.mkdir()  # noqa: ASYNC240 - once
    started = time.perf_counter()
    origin, text, person_id = await stack.enter_async_context(forge_process(root, case))
    print(f"forge with {case.name}: made in {time.perf_counter() - started:.0f} s", flush=True)
    entry = Forge(name="Forge", kind="github", origin=origin, repositories={"apps": ("acme/*",)})
    token = Secret(text)
    forge: Any = SimpleNamespace(origin=origin)
    story = Story(forge=forge, secrets_dir=root / "secrets", token=token, entry=entry)
    stage = await stack.enter_async_context(setting_stage(story, root))
    return Turn(case, stage, token, ForgeUser(id=person_id, login="ada"))


async def promote(turn: Turn, exporter: InMemorySpanExporter) -> None:
    n = len(turn.samples)
    event = turn.stage.story.requested(f"7.0.{n}", mode=CredentialMode.DELEGATED)
    await turn.stage.request(event)
    # The consent of a person comes no sooner; and the executor in waiting is there by then.
    await asyncio.sleep(CONSENT_S if n else FIRST_CONSENT_S)
    exporter.clear()
    start_ns = time.time_ns()
    await turn.stage.grant(event, token=turn.token, user=turn.user)
    await turn.stage.next(PullRequestOpened, count=n + 1, timeout_s=60)
    end_ns = time.time_ns()
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        await asyncio.to_thread(provider.force_flush)
    calls = [
        ((s.end_time or 0) - (s.start_time or 0)) / 1e6
        for s in exporter.get_finished_spans()
        if "http.response.status_code" in (s.attributes or {})
        and start_ns < (s.start_time or 0) < end_ns
    ]
    total_ms = (end_ns - start_ns) / 1e6
    turn.samples.append(Sample(total_ms - sum(calls), sum(calls), len(calls)))


def report(turn: Turn) -> None:
    cold, warm = turn.samples[0], turn.samples[1:]
    print(f"{turn.case.name:<18}{'cold':<6}{_figures([cold])}")
    if warm:
        print(f"{turn.case.name:<18}{'warm':<6}{_figures(warm)}")


def _figures(samples: list[Sample]) -> str:
    own = sorted(s.own_ms for s in samples)
    p99 = own[min(len(own) - 1, int(len(own) * 0.99))]
    calls = statistics.median(s.calls for s in samples)
    forge = statistics.median(s.forge_ms for s in samples)
    return f"{len(own):>4}{statistics.median(own):>10.0f}{p99:>10.0f}{calls:>8.0f}{forge:>10.0f}"


def growth(turns: list[Turn]) -> None:
    """How much more the largest history costs, each promotion against its neighbour."""
    small, large = (turns[0].samples[1:], turns[1].samples[1:])
    pairs = zip(small, large, strict=True)
    ratio = statistics.median(b.own_ms / a.own_ms for a, b in pairs) if small else 0.0
    print(f"own time, {turns[1].case.name} / {turns[0].case.name}: {ratio:.2f} (goal 1)")


async def measure(promotions: int, exporter: InMemorySpanExporter) -> None:
    with tempfile.TemporaryDirectory(
        prefix="countersign-writing-", ignore_cleanup_errors=True
    ) as folder:
        async with AsyncExitStack() as stack:
            turns = [
                await take_stage(case, Path(folder) / str(n), stack) for n, case in enumerate(CASES)
            ]
            for _ in range(promotions):
                for turn in turns:
                    await promote(turn, exporter)
            print(f"{'repository':<24}{'n':>4}{'own p50':>10}{'own p99':>10}", end="")
            print(f"{'calls':>8}{'forge ms':>10}")
            for turn in turns:
                report(turn)
            growth(turns)
    print("goal: own p50 100 ms, p99 400 ms; at most 5 calls cold, 3 warm")


async def main() -> None:
    promotions = int(sys.argv[1]) if len(sys.argv) > 1 else PROMOTIONS
    exporter = InMemorySpanExporter()
    settings = TelemetrySettings(log_level="error")
    print(f"approve -> pull request opened; {len(FILES)} files where nothing else is said")
    with telemetry("bench", settings, exporter=exporter):
        await measure(promotions, exporter)


if __name__ == "__main__":
    asyncio.run(main())
