"""A watcher on a real bus and a real API server, and what a person sees with kubectl."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from apiserver import ApiServer
from doubles.observed_cluster import put, true_pipeline, true_release
from doubles.streams import provision

from countersign.contracts import messages as m
from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS
from countersign.contracts.subjects import event_subject
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings
from countersign.kube.objects import mapping
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.bus import Bus, open_bus
from countersign.process.health import Health
from countersign.watcher import bootstrap
from countersign.watcher.settings import Settings
from countersign.watcher.status.objects import Pace

Json = dict[str, Any]
UNTIL_S: Final = 30.0
LOOK_S: Final = 0.05
NAME: Final = "checkout"
# The same as in earnest, only sooner.
PACE: Final = Pace(review_s=0.5, retry_s=0.5, retry_max_s=2.0)


class Told:
    """One Pipeline from dev to prod, in a Namespace and the one beside it."""

    def __init__(
        self, server: ApiServer, api: HttpClusterApi, bus: LocalServer, space: str
    ) -> None:
        self.server = server
        self.api = api
        self.bus = bus
        self.space = space
        self.path = f"/apis/pipelines.weave.works/v1alpha1/namespaces/{space}/pipelines/{NAME}"

    async def lay(self, *, prod: str = "6.8.4", **promotion: Any) -> None:
        targets = {"prod": [{"namespace": f"{self.space}-prod"}]}
        await put(self.api, true_pipeline(self.space, "dev", "prod", targets=targets, **promotion))
        await self.run("dev", "6.9.0")
        await self.run("prod", prod)

    async def run(self, environment: str, version: str, **more: Any) -> None:
        space = self.space if environment == "dev" else f"{self.space}-prod"
        await put(self.api, true_release(space, version, **more))

    @asynccontextmanager
    async def watcher(
        self, *, replica: str = "watcher-0", settings: KubeSettings | None = None
    ) -> AsyncIterator[Health]:
        health = Health()
        kube = settings or self.server.settings()
        own = Settings(kube=kube, namespaces=self.space)
        as_watcher = self.bus.settings("watcher", replica=replica)
        async with open_bus(as_watcher, service="watcher", health=health) as bus:
            serving = bootstrap.serve(own, bus, health=health, sources={}, pace=PACE)
            job = asyncio.create_task(serving)
            try:
                yield health
            finally:
                job.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await job

    @asynccontextmanager
    async def as_service(self, name: str) -> AsyncIterator[Bus]:
        async with open_bus(self.bus.settings(name), service=name, health=Health()) as bus:
            yield bus

    async def publish(self, service: str, *events: Message) -> None:
        async with self.as_service(service) as bus:
            for event in events:
                ref: m.PromotionRef = event.promotion  # type: ignore[attr-defined]
                name = EVENTS[type(event)].name
                await bus.publish(event, message_id=f"{name}:{ref.promotion_id}:{ref.attempt}")

    async def lose_streams(self) -> None:
        """Nobody has the right to delete one, so the disk goes."""
        await self.bus.stop()
        shutil.rmtree(self.bus.directory / "store")
        await self.bus.start()
        await provision(self.bus)

    async def requested(self, promotion_id: str) -> m.PromotionRequested:
        """As the stream holds it, once it does."""
        pipeline = m.PipelineRef(namespace=self.space, name=NAME, uid="any")
        ref = m.PromotionRef(promotion_id=promotion_id, pipeline=pipeline, environment="prod")
        done = event_subject(m.PromotionUndone(promotion=ref))
        subject = done.replace(".promotion.undone.", ".promotion.requested.")
        async with self.as_service("gateway") as bus, asyncio.timeout(UNTIL_S):
            while True:
                found = await bus.last(m.PromotionRequested, subject, stream="PROMOTIONS")
                if found is not None:
                    assert isinstance(found.message, m.PromotionRequested)
                    return found.message
                await asyncio.sleep(LOOK_S)

    async def object(self) -> Json:
        return dict(await self.api.call("GET", self.path))

    async def status(self) -> Json:
        return dict((await self.object()).get("status", {}))

    async def until(self, met: Callable[[Json], Any]) -> Json:
        """The status, once it is so."""
        deadline_s = time.monotonic() + UNTIL_S
        while True:
            status = await self.status()
            if met(status):
                return status
            assert time.monotonic() < deadline_s, json.dumps(status, indent=1)
            await asyncio.sleep(LOOK_S)

    async def phase(self, phase: str, environment: str = "prod") -> Json:
        """What the status says of the promotion, once it is in that phase."""
        status = await self.until(lambda s: promotion_in(s, environment).get("phase") == phase)
        return promotion_in(status, environment)

    async def reference(self) -> m.PromotionRef:
        found = await self.object()
        ref = m.PipelineRef(
            namespace=self.space,
            name=NAME,
            uid=found["metadata"]["uid"],
            generation=found["metadata"]["generation"],
        )
        promotion = promotion_in(found["status"], "prod")
        return m.PromotionRef(
            promotion_id=promotion["id"], pipeline=ref, environment="prod", attempt=1
        )

    async def steps(self) -> list[Json]:
        """Events of the Pipeline, the oldest first."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.space}/events"
        items = (await self.api.call("GET", path))["items"]
        return sorted(items, key=lambda item: str(item["eventTime"]))

    async def until_told(self, *reasons: str) -> list[Json]:
        deadline_s = time.monotonic() + UNTIL_S
        while True:
            found = await self.steps()
            if {step["reason"] for step in found} >= set(reasons):
                return found
            assert time.monotonic() < deadline_s, [step["reason"] for step in found]
            await asyncio.sleep(LOOK_S)


def promotion_in(status: Json, environment: str) -> Json:
    return dict(mapping(status, "environments", environment, "promotion"))


def condition_in(status: Json, kind: str) -> Json:
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


def granted(ref: m.PromotionRef, by: str = "ada") -> m.ApprovalGranted:
    return m.ApprovalGranted(
        promotion=ref,
        approval_id=f"a-{by}",
        by=m.Person(id=by, name=by.title()),
        mode=m.CredentialMode.STORED,
        consent_digest="d" * 64,
    )


def pull_request() -> m.PullRequestRef:
    return m.PullRequestRef(
        kind=m.ForgeKind.GITHUB,
        origin="https://github.com",
        repository_id="1",
        owner="shop",
        repository="gitops",
        number=7,
    )
