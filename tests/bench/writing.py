"""Approve → pull request opened: our own time and the calls to the forge.

Run as `python tests/bench/writing.py [promotions]`. Everything is real but the forge, which runs in
this process; the time that the executor waits for it is taken out of what is printed.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from doubles.pr_writer_stage import FILES, REPOSITORY, Stage, Story, setting_stage, telling_story
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from countersign.contracts.messages import CredentialMode, ForgeUser, PullRequestOpened
from countersign.telemetry.settings import TelemetrySettings
from countersign.telemetry.setup import telemetry

PROMOTIONS = 30
HISTORY_COMMITS = 400
MANY_FILES = 400


@dataclass(frozen=True)
class Sample:
    own_ms: float
    forge_ms: float
    calls: int


async def measure(name: str, promotions: int, exporter: InMemorySpanExporter) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        async with telling_story(root) as story:
            _fill(story, name)
            async with setting_stage(story, root) as stage:
                samples = await _promote(stage, promotions, exporter)
    cold, warm = samples[0], samples[1:]
    print(f"{name}: {_line('cold', [cold])}; {_line('warm', warm)}")


def _fill(story: Story, name: str) -> None:
    if name == "large":
        files = {f"apps/{n % 40}/{n}.yaml": f"n: {n}\n" * 100 for n in range(MANY_FILES)}
        story.forge.commit(REPOSITORY, dict(files))
        for n in range(HISTORY_COMMITS):
            story.forge.commit(REPOSITORY, {"log.bin": bytes(str(n), "ascii") * 20_000})


async def _promote(stage: Stage, promotions: int, exporter: InMemorySpanExporter) -> list[Sample]:
    story = stage.story
    app = story.forge.app(kind="github-app", installations=[REPOSITORY])
    token = story.forge.user_token(app, "ada").text
    person = next(p for p in story.forge.store.people if p.login == "ada")
    user = ForgeUser(id=str(person.id), login="ada")
    samples = []
    for n in range(promotions):
        event = story.requested(f"7.0.{n}", mode=CredentialMode.DELEGATED)
        await stage.request(event)
        # The consent of a person comes no sooner; and the executor in waiting is there by then.
        await asyncio.sleep(0.3 if n else 2)
        exporter.clear()
        started = time.perf_counter()
        await stage.grant(event, token=token, user=user)
        await stage.next(PullRequestOpened, count=n + 1)
        total_s = time.perf_counter() - started
        provider = trace.get_tracer_provider()
        if isinstance(provider, TracerProvider):
            await asyncio.to_thread(provider.force_flush)
        calls = [
            ((s.end_time or 0) - (s.start_time or 0)) / 1e6
            for s in exporter.get_finished_spans()
            if "http.response.status_code" in (s.attributes or {})
        ]
        # What is told of an older pull request comes after the event.
        calls = calls[: 5 if n == 0 else 3]
        samples.append(Sample(total_s * 1000 - sum(calls), sum(calls), len(calls)))
    return samples


def _line(what: str, samples: list[Sample]) -> str:
    own = sorted(s.own_ms for s in samples)
    p99 = own[min(len(own) - 1, int(len(own) * 0.99))]
    calls = statistics.median(s.calls for s in samples)
    forge = statistics.median(s.forge_ms for s in samples)
    return (
        f"{what} n={len(own)} own p50={statistics.median(own):.0f} ms p99={p99:.0f} ms, "
        f"calls={calls:.0f}, forge p50={forge:.0f} ms"
    )


async def main() -> None:
    promotions = int(sys.argv[1]) if len(sys.argv) > 1 else PROMOTIONS
    exporter = InMemorySpanExporter()
    settings = TelemetrySettings(log_level="error")
    with telemetry("bench", settings, exporter=exporter):
        print(f"{len(FILES)} files, no history; {MANY_FILES} files, {HISTORY_COMMITS} commits")
        for name in ("small", "large"):
            await measure(name, promotions, exporter)


if __name__ == "__main__":
    asyncio.run(main())
