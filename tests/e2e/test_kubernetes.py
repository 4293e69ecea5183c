"""The same path with a real API server: objects, status, rights, and Secrets read by name."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2
import pytest
from e2e.clusters import Json, Scene, grant_secret, mirrored, until
from e2e.ending import end_delegated, end_stored
from e2e.invariants import assert_in_order, assert_settled, assert_true
from e2e.leaking import assert_no_token_is_left
from e2e.nemeses import Nemeses
from e2e.persevering import Perseverance
from e2e.systems import assert_never_twice, pulls
from e2e.witnessing import Witness, letters, since_requested, stored, witnessing

from countersign.contracts.messages import (
    PipelineDeleted,
    PromotionRequested,
    PromotionSuperseded,
    PullRequestOpened,
)
from countersign.local.demo import programs
from countersign.local.demo.layout import HOST, free_port
from countersign.local.demo.manifests import ENVIRONMENTS, NAMESPACE, NEW
from countersign.local.demo.supervisor import Program
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.walking import BY_COMMIT, DELEGATED, STORED, Route
from countersign.messaging.envelope import Received

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

WALK_S: Final = 150.0
LOOK_S: Final = 0.2
STEP_S: Final = 20.0
SECOND: Final = "watcher-2"


async def test_promotions_outlive_the_api_server_and_end_with_their_pipelines(
    tmp_path: Path,
) -> None:
    async with mirrored(tmp_path) as on, witnessing(on.started) as witness:
        await grant_secret(on, told_by=STORED.pipeline, login=STORED.login)
        await _walk(on)
        for route in (DELEGATED, STORED):
            await _assert_told(on, route)
        async with asyncio.TaskGroup() as group:
            group.create_task(end_delegated(on, witness))
            group.create_task(end_stored(on, witness))
        events = await stored(on.started)
        found = await pulls(on.started)
        assert_never_twice(found)
        assert_in_order(events)
        assert_settled(events)
        assert_true(events, found)
        _assert_solo_mode_is_carried(events)
        assert await letters(on.started) == []
        await assert_no_token_is_left(on)


async def _walk(on: Scene) -> None:
    """From dev to prod by both flows, with an API server that is away for a while."""
    walks = {r: Perseverance(r, on.started.ports, Browser()) for r in (DELEGATED, STORED)}
    try:
        async with asyncio.timeout(WALK_S), asyncio.TaskGroup() as group:
            for walk in walks.values():
                group.create_task(walk.run(NEW))
            await _until_merged(on)
            await asyncio.to_thread(on.server.stop)
            await asyncio.sleep(2)
            await asyncio.to_thread(on.server.start)
    except TimeoutError:
        pytest.fail(f"{[f'{r.pipeline} at {w.stuck}' for r, w in walks.items()]}")
    finally:
        for walk in walks.values():
            await walk.browser.close()


async def test_two_watchers_find_out_again_what_every_stream_has_lost(tmp_path: Path) -> None:
    async with mirrored(tmp_path) as on, witnessing(on.started) as witness:
        nemeses = Nemeses(on.started, witness)
        walk = Perseverance(DELEGATED, on.started.ports, Browser())
        walk.merges = False
        try:
            async with asyncio.timeout(WALK_S), asyncio.TaskGroup() as group:
                port = free_port()
                program = _second(on, nemeses, health_port=port)
                second = group.create_task(on.started.supervisor.supervise(program))
                pid = await _until_ready(on, port)
                walking = group.create_task(walk.run(NEW))
                before = await _opened(on, witness)
                lost = len(witness.heard)
                await nemeses.forget_everything()
                after = await _opened(on, witness, after=lost)
                walk.merges = True
                await walking
                await _delete_pipeline(on, witness)
                assert await _until_ready(on, port) == pid, "it was started again"
                second.cancel()
        except TimeoutError:
            pytest.fail(f"{DELEGATED.pipeline} at {walk.stuck}")
        finally:
            await walk.browser.close()
        found = await pulls(on.started)
        events = since_requested(await stored(on.started))

    assert after == before, "another pull request for what was open already"
    assert_never_twice(found)
    assert_in_order(events)
    assert_settled(events)
    assert_true(events, found)


def _second(on: Scene, nemeses: Nemeses, *, health_port: int) -> Program:
    """Another watcher, with the first one's rights."""
    settings = on.settings["watcher"]
    program = programs.service(
        "watcher",
        layout=on.started.layout,
        ports=replace(on.started.ports, webhooks=free_port()),
        bus=nemeses.bus,
        health_port=health_port,
    )
    return replace(
        program,
        name=SECOND,
        log=on.started.layout.logs / f"{SECOND}.log",
        settings={**program.settings, **settings, "COUNTERSIGN_REPLICA": SECOND},
    )


async def _until_ready(on: Scene, health_port: int) -> int:
    """The process of the second watcher, as soon as it has read objects and streams."""
    async with httpx2.AsyncClient(trust_env=False, timeout=STEP_S) as client:

        async def look() -> int:
            try:
                return (await client.get(f"http://{HOST}:{health_port}/readyz")).status_code
            except httpx2.TransportError:
                return 0

        await until(look, lambda status: status == httpx2.codes.OK)
    return on.started.supervisor.pids[SECOND]


async def _opened(on: Scene, witness: Witness, *, after: int = 0) -> list[int]:
    await witness.until(
        lambda m: (
            isinstance(m, PullRequestOpened) and m.promotion.pipeline.name == DELEGATED.pipeline
        ),
        after=after,
        seconds_max=60,
    )
    return [p.number for p in await pulls(on.started) if f"/{DELEGATED.pipeline}/" in p.branch]


async def _delete_pipeline(on: Scene, witness: Witness) -> None:
    """While a promotion of it waits, which ends it."""
    said = len(witness.heard)
    name = BY_COMMIT.pipeline
    await on.kubectl("-n", NAMESPACE, "delete", "pipeline", name, "--wait=false")
    for kind in (PromotionSuperseded, PipelineDeleted):
        await witness.until(
            lambda m, kind=kind: isinstance(m, kind), after=said, seconds_max=STEP_S
        )


async def _until_merged(on: Scene) -> None:
    while not any(pull.merged for pull in await pulls(on.started)):  # noqa: ASYNC110 - a forge
        await asyncio.sleep(LOOK_S)


async def _assert_told(on: Scene, route: Route) -> None:
    """What `kubectl` shows is what happened."""
    name, last = route.pipeline, ENVIRONMENTS[-1]

    def is_told(status: Json) -> bool:
        into = status.get("environments", {}).get(last, {}).get("promotion", {})
        return into.get("phase") == "Completed" and "nextPromotion" not in status

    status = await until(lambda: on.status(name), is_told)
    told = status["environments"][last]["promotion"]
    assert told["revision"] == NEW
    assert told["pullRequest"].startswith(on.started.ports.forge_url)
    assert route.author == STORED.author or told["approvers"] == [route.login]
    waited = await on.kubectl(
        "-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=10s", f"pipeline/{name}"
    )
    assert "condition met" in waited
    assert name in await on.kubectl("-n", NAMESPACE, "get", "pl")


def _assert_solo_mode_is_carried(events: list[Received]) -> None:
    """From the Pipeline into each request, which decides alone who may approve."""
    asked = [r.message for r in events if isinstance(r.message, PromotionRequested)]
    terms = {(a.promotion.pipeline.name, a.approvals, a.solo_mode) for a in asked}
    assert terms >= {(DELEGATED.pipeline, 1, True), (BY_COMMIT.pipeline, 2, False)}
