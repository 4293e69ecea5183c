"""The loop between what is read, what is heard and what is published."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from doubles.watched import CLOCKS, NOW, pipeline_manifest, release
from prometheus_client import REGISTRY

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.kube.flux.rules import Record, read_object
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.messaging.refusals import BusRefusal
from countersign.watcher.gaps import secret_subject
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import FileProblem, Links, Situation
from countersign.watcher.observation.key_findings import KEY_PATH
from countersign.watcher.observation.observer import Observer

TIMEOUT_S = 10.0


class Stored:
    def __init__(self, sequence: int) -> None:
        self.sequence = sequence


class Bus:
    """Takes events, or refuses the next ones as it was told."""

    def __init__(self) -> None:
        self.events: list[Message] = []
        self.ids: list[str] = []
        self.errors: list[Exception] = []
        self.unreadable = False
        self.only_requests = False
        self.bytes_max = 1024 * 1024
        self.heard = asyncio.Event()

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> Stored:
        self.heard.set()
        spared = self.only_requests and not isinstance(event, m.PromotionRequested)
        if self.errors and not spared:
            raise self.errors.pop(0)
        if len(event.to_json()) > self.bytes_max:
            raise Rejected(BusRefusal.TOO_LARGE, "for the bus")
        assert create_once is isinstance(event, m.PromotionRequested)
        self.events.append(event)
        self.ids.append(message_id)
        return Stored(len(self.events))

    def findings(self) -> list[m.Finding]:
        seen = [e for e in self.events if isinstance(e, m.PipelineObserved)]
        return list(seen[-1].findings)

    async def last(self, model: type[Message], subject: str, *, stream: str) -> object:
        assert (model, stream) == (m.PromotionRequested, "PROMOTIONS")
        assert subject.startswith("countersign.v1.promotion.requested.")
        if self.unreadable:
            raise Rejected(BusRefusal.MALFORMED, "no message of ours")
        return None

    async def until(self, kind: type[Message], count: int = 1) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while len([e for e in self.events if isinstance(e, kind)]) < count:
                self.heard.clear()
                await self.heard.wait()


class Memory:
    def __init__(self) -> None:
        self.links: Links = {}

    def read(self, _pipeline: Pipeline) -> Links:
        return self.links

    def write(self, _pipeline: Pipeline, links: Links) -> None:
        self.links = links

    def published(self, _situation: Situation) -> None:
        pass


def objects() -> dict[ObjectKey, Record]:
    manifests = (
        pipeline_manifest("dev", "prod"),
        release("dev", "6.9.0"),
        release("prod", "6.8.4"),
    )
    return {record.key: record for record in map(read_object, manifests)}


@asynccontextmanager
async def watching(bus: Bus, *, links: Memory | None = None) -> AsyncIterator[Observer]:
    service = Observer(publisher=bus, links=links or Memory(), clocks=CLOCKS)
    job = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job


async def test_nothing_is_decided_before_the_streams_are_replayed() -> None:
    bus = Bus()
    async with watching(bus) as service:
        await service.on_changes(Changes(changed=objects()))
        assert service.not_ready() == "the streams are not replayed yet"
        assert bus.events == []

        service.caught_up.set()
        await bus.until(m.PromotionRequested)

        assert service.not_ready() is None


async def test_what_the_bus_did_not_take_is_published_later() -> None:
    bus = Bus()
    bus.errors = [Retryable(BusRefusal.TIMEOUT, "away")]
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))

        await bus.until(m.PromotionRequested)
        await bus.until(m.PipelineObserved)


async def test_request_that_another_watcher_made_is_not_made_again() -> None:
    bus = Bus()
    bus.errors = [Rejected(BusRefusal.EXISTS, "somebody was first")]
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved)

    assert not [e for e in bus.events if isinstance(e, m.PromotionRequested)]
    assert len(service.projection) == 1


async def test_request_that_is_there_and_cannot_be_read_is_told_on_the_board() -> None:
    """Nobody who shows or fulfils promotions sees it, so that it would wait for ever."""
    bus = Bus()
    bus.errors = [Rejected(BusRefusal.EXISTS, "somebody was first")] * 9
    bus.unreadable = True
    async with watching(bus) as service:
        service.caught_up.set()
        bus.only_requests = True
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved)
        await bus.until(m.PipelineObserved, count=2)

        assert len(service.projection) == 0

    (finding,) = bus.findings()
    assert finding.code == FindingCode.REQUEST_UNREADABLE


async def test_file_that_was_never_readable_is_counted() -> None:
    async with watching(Bus()) as service:
        key = next(iter(objects()))
        shown = FileProblem(path="a.yaml", message="is no YAML", keys=frozenset({key}))
        await service.on_changes(
            Changes(problems=(shown, FileProblem(path="b.yaml", message="is no YAML")))
        )

    assert REGISTRY.get_sample_value("countersign_watcher_unreadable_files") == 1


async def test_deletion_that_the_bus_did_not_take_is_told_later() -> None:
    bus = Bus()
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved)
        bus.errors = [Retryable(BusRefusal.TIMEOUT, "away")]
        key = next(iter(service.inventory.pipelines))
        await service.on_changes(Changes(removed=frozenset({key})))

        await bus.until(m.PipelineDeleted)

    assert [type(e) for e in bus.events[-2:]] == [m.PromotionSuperseded, m.PipelineDeleted]


async def test_nothing_is_ended_while_not_everything_could_be_read() -> None:
    bus = Bus()
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved)
        key = next(iter(service.inventory.pipelines))
        await service.on_changes(Changes(removed=frozenset({key}), complete=False))
        await service.on_changes(Changes(changed=objects()))
        await asyncio.sleep(0)

    assert not [e for e in bus.events if isinstance(e, m.PipelineDeleted)]


async def test_pipeline_that_another_watcher_saw_first_is_not_ended() -> None:
    """Its events come by the bus, which may well be faster than a watch."""
    other = Bus()
    async with watching(other) as first:
        first.caught_up.set()
        await first.on_changes(Changes(changed=objects()))
        await other.until(m.PipelineObserved)
    bus = Bus()
    async with watching(bus) as second:
        second.caught_up.set()
        await second.on_changes(Changes())
        for sequence, event in enumerate(other.events, 1):
            second.on_event(event, sequence=sequence, trace={})
        await asyncio.sleep(0.05)
        assert bus.events == []

        await second.on_changes(Changes(changed=objects()))
        key = next(iter(second.inventory.pipelines))
        await second.on_changes(Changes(removed=frozenset({key})))
        await bus.until(m.PipelineDeleted)


async def test_return_to_an_earlier_state_has_another_message_id() -> None:
    bus = Bus()
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved)
        moved = read_object(release("prod", "6.9.0", phase="progressing"))
        await service.on_changes(Changes(changed={moved.key: moved}))
        await bus.until(m.PipelineObserved, 2)
        back = read_object(release("prod", "6.8.4"))
        await service.on_changes(Changes(changed={back.key: back}))
        await bus.until(m.PipelineObserved, 3)

    assert len(set(bus.ids)) == len(bus.ids)


def checked(*codes: str) -> m.TokenChecked:
    found = [m.Finding(level=m.FindingLevel.ERROR, code=c, message=f"{c} it is") for c in codes]
    secret = m.SecretRef(namespace="shop", name="bot")
    return m.TokenChecked(credential=secret, findings=tuple(found))


async def test_secret_that_cannot_be_read_is_told_of_the_pipeline_until_it_can() -> None:
    bus = Bus()
    manifest = pipeline_manifest("dev", "prod", ask={"secretRef": {"name": "bot"}})
    pipeline = read_object(manifest)
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed={pipeline.key: pipeline}))
        await bus.until(m.PipelineObserved)
        service.on_event(checked("secret_forbidden", "unused"), sequence=1, trace={})
        await bus.until(m.PipelineObserved, count=2)
        told = bus.findings()
        service.on_event(checked("unused"), sequence=2, trace={})
        await bus.until(m.PipelineObserved, count=3)

    assert [(f.level, f.code) for f in told] == [(m.FindingLevel.WARNING, "secret_forbidden")]
    assert bus.findings() == []


async def test_what_is_told_of_other_secrets_concerns_no_pipeline() -> None:
    bus = Bus()
    pipeline = read_object(pipeline_manifest("dev", "prod"))
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed={pipeline.key: pipeline}))
        service.on_event(checked("secret_missing"), sequence=1, trace={})
        used = m.TokenUsed(credential=m.SecretRef(namespace="shop", name="bot"))
        service.on_event(used, sequence=2, trace={})
        await bus.until(m.PipelineObserved)

    assert "secret_missing" not in [f.code for f in bus.findings()]


async def test_findings_of_secrets_are_forgotten_with_their_stream() -> None:
    async with watching(Bus()) as service:
        manifest = pipeline_manifest("dev", "prod", ask={"secretRef": {"name": "bot"}})
        pipeline = read_object(manifest)
        assert isinstance(pipeline, Pipeline)
        service.on_event(checked("secret_missing"), sequence=1, trace={})
        before = service.projection.credentials.findings_of(pipeline)
        service.on_restarted("TOKENS")

    assert len(before) == 1
    assert service.projection.credentials.findings_of(pipeline) == ()


async def test_what_another_watcher_says_of_a_key_of_hints_is_doubted() -> None:
    manifest = pipeline_manifest("dev", "prod", strategy={"secretRef": {"name": "key"}})
    pipeline = read_object(manifest)
    assert isinstance(pipeline, Pipeline)
    said = m.Finding(
        code="secret_missing",
        message="gone",
        subject=secret_subject("shop", "key"),
        path=KEY_PATH,
    )
    event = m.PipelineObserved(
        pipeline=pipeline.ref, app=pipeline.app, findings=(said,), observed_at=NOW
    )
    async with watching(Bus()) as service:
        await service.on_changes(Changes(changed={pipeline.key: pipeline}))
        service.key_findings.tell(("shop", "key"))
        service.on_event(event, sequence=1, trace={})

        assert service.key_findings.take_doubted() == {pipeline.key}


async def test_what_is_too_long_for_the_bus_is_told_once_in_short_until_it_is_mended() -> None:
    bus = Bus()
    bus.bytes_max = 8_000
    known = {k: r for k, r in objects().items() if not isinstance(r, Pipeline)}
    long = read_object(pipeline_manifest("dev", "p" * 9_000))
    short = read_object(pipeline_manifest("dev", "prod"))
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed={**known, long.key: long}))
        await bus.until(m.PipelineObserved)
        assert [f.code for f in bus.findings()] == ["too_large"]

        bus.heard.clear()
        await service.on_changes(Changes(changed={long.key: long}))
        async with asyncio.timeout(TIMEOUT_S):
            await bus.heard.wait()
        await service.on_changes(Changes(changed={short.key: short}))
        await bus.until(m.PipelineObserved, 2)

    told = [e for e in bus.events if isinstance(e, m.PipelineObserved)]
    assert [[e.name for e in event.environments] for event in told] == [[], ["dev", "prod"]]


async def test_request_too_long_for_the_bus_is_told_at_its_pipeline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bus = Bus()
    bus.errors = [Rejected(BusRefusal.TOO_LARGE, "for the bus")] * 9
    bus.only_requests = True
    async with watching(bus) as service:
        service.caught_up.set()
        await service.on_changes(Changes(changed=objects()))
        await bus.until(m.PipelineObserved, count=2)

        assert len(service.projection) == 0

    (finding,) = bus.findings()
    assert finding.code == "too_large"
    assert "prod" in finding.message
    assert "promotion.requested" not in capsys.readouterr().out


class Poisoned(Memory):
    """What is remembered of one Pipeline makes whoever reads it fail."""

    def read(self, pipeline: Pipeline) -> Links:
        if pipeline.key.name == "checkout":
            raise RuntimeError("an error of ours")
        return super().read(pipeline)


async def test_pipeline_that_cannot_be_decided_ends_no_look_at_the_others() -> None:
    bus = Bus()
    other = pipeline_manifest("dev", "prod")
    other["metadata"].update(name="basket", uid="uid-basket")
    record = read_object(other)
    service = Observer(publisher=bus, links=Poisoned(), clocks=CLOCKS)
    service.caught_up.set()
    failed = ("countersign_entries_failed_total", {"work": "look at Pipelines"})
    before = REGISTRY.get_sample_value(*failed) or 0

    async with asyncio.TaskGroup() as tasks:
        job = tasks.create_task(service.run())
        await service.on_changes(Changes(changed={**objects(), record.key: record}))
        await bus.until(m.PipelineObserved)
        job.cancel()

    assert {e.pipeline.name for e in bus.events if isinstance(e, m.PipelineObserved)} == {"basket"}
    assert REGISTRY.get_sample_value(*failed) == before + 1
