"""Whatever dies, stands still, fails or forgets: nothing is lost, nothing opened twice."""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from e2e.invariants import (
    assert_in_order,
    assert_logs_clean,
    assert_only_marked_changed,
    assert_settled,
    assert_shown,
    assert_true,
)
from e2e.nemeses import BUS, WRITER, Nemeses
from e2e.persevering import Perseverance
from e2e.systems import Pull, assert_never_twice, canary, pulls, system
from e2e.witnessing import Witness, letters, since_requested, stored, witnessing

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    ApprovalGranted,
    OpeningStep,
    PromotionRequested,
    PullRequestOpened,
    PullRequestProgressed,
)
from countersign.local.demo import programs
from countersign.local.demo.layout import free_port
from countersign.local.demo.manifests import NEW
from countersign.local.demo.running import Running
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.releasing import release
from countersign.local.demo.walk.walking import DELEGATED, STORED, Route
from countersign.messaging.envelope import Received
from countersign.pr_writer.parent.records import SENT_S

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# More than one is for who looks for trouble.
RUNS = int(os.environ.get("COUNTERSIGN_CHAOS_RUNS", "1"))
MISFORTUNES = 26
PAUSE_S = (0.1, 1.5)
RECOVERY_S = 150
STEP_S = 60.0
SETTLING_S = 20.0
LOOK_S = 0.2
GATES = 6
# The durable's time to acknowledge is 30 seconds.
STANDSTILL_S = 33.0
NEWER: Final = "6.9.1"
SECOND: Final = "pr-writer-2"
LATE: Final = "staging"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A running system, who watches it and who harms it."""

    started: Running
    witness: Witness
    nemeses: Nemeses
    walks: dict[Route, Perseverance]


@asynccontextmanager
async def scene(root: Path) -> AsyncIterator[Scene]:
    async with system(root) as started, witnessing(started) as witness:
        walks = {r: Perseverance(r, started.ports, Browser()) for r in (DELEGATED, STORED)}
        nemeses = Nemeses(started, witness)
        try:
            yield Scene(started=started, witness=witness, nemeses=nemeses, walks=walks)
        finally:
            for walk in walks.values():
                await walk.browser.close()


@pytest.mark.parametrize("run", range(RUNS))
async def test_no_promotion_is_lost_or_opened_twice_when_everything_goes_wrong_at_random(
    tmp_path: Path, run: int
) -> None:
    seed = int(os.environ.get("COUNTERSIGN_CHAOS_SEED") or secrets.randbits(32)) + run
    print(f"seed {seed}")  # noqa: T201 - names the run that failed

    async with scene(tmp_path) as on:
        async with _in_time(on), asyncio.TaskGroup() as group:
            tormenting = group.create_task(_torment(on.nemeses, random.Random(seed)))  # noqa: S311
            walking = [group.create_task(w.run(NEW)) for w in on.walks.values()]
            await asyncio.wait([*walking, tormenting])
        await on.nemeses.fail_forge()
        found = await _assert_all_is_well(on, to={NEW})
        assert len([pull for pull in found if pull.merged]) == GATES


@asynccontextmanager
async def _in_time(on: Scene, *, seconds_max: float = RECOVERY_S) -> AsyncIterator[None]:
    """Says of one who waits in vain what was seen last."""
    try:
        async with asyncio.timeout(seconds_max):
            yield
    except TimeoutError:
        stuck = [f"{route.pipeline} at {walk.stuck}" for route, walk in on.walks.items()]
        pytest.fail(f"after {seconds_max:g} s still {stuck}")


async def _torment(nemeses: Nemeses, chance: random.Random) -> None:
    for _ in range(MISFORTUNES):
        await asyncio.sleep(chance.uniform(*PAUSE_S))
        await nemeses.torment(chance)


@pytest.mark.timeout(420)
async def test_promotions_outlive_the_bus_their_consent_and_their_writer(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        delegated, by_bot = on.walks[DELEGATED], on.walks[STORED]
        delegated.merges = by_bot.merges = False
        async with _in_time(on, seconds_max=RECOVERY_S + SENT_S), asyncio.TaskGroup() as group:
            await _refuse_first_attempt(on)
            walking = group.create_task(delegated.run(NEW))
            bot_walking = group.create_task(by_bot.run(NEW))
            await _lose_consent(on)
            # What was sent for when the consent was lost has to take effect, or not.
            before = await _open_pulls(on, seconds_max=STEP_S + SENT_S)
            bot_walking.cancel()
            lost = len(on.witness.heard)
            await _forget_and_release(on)
            bot_walking = group.create_task(by_bot.run(NEWER))
            after = await _open_pulls(on, after=lost)
            for kind in (ApprovalGranted, PromotionRequested):
                await on.nemeses.repeat(random.Random(1), kind=kind, after=lost)  # noqa: S311
            async with _second_writer(on, group):
                await _stand_still_while_opening(on)
                await asyncio.wait([walking, bot_walking])
        found = await _assert_all_is_well(on, to={NEW, NEWER})

    same, other = (_of(DELEGATED, before), _of(DELEGATED, after))
    assert same == other, "another pull request for what was open already"
    assert _of(STORED, before) != _of(STORED, after)
    assert len([pull for pull in found if pull.merged]) == GATES


async def _refuse_first_attempt(on: Scene) -> None:
    await on.nemeses.fail_forge(
        {"path": "/api/graphql", "contains": f"/{DELEGATED.pipeline}/", "count": 1, "status": 401}
    )


async def _lose_consent(on: Scene) -> None:
    """Who holds the second attempt's delegation dies before, or while, it is redeemed."""
    await on.witness.until(
        lambda m: isinstance(m, ApprovalGranted) and m.promotion.attempt > 1, seconds_max=STEP_S
    )
    on.nemeses.kill("approval")


async def _open_pulls(on: Scene, *, after: int = 0, seconds_max: float = STEP_S) -> list[Pull]:
    """Of both walks, as the forge has them, once the bus told of both after so many events."""
    for route in on.walks:
        await on.witness.until(
            lambda m, name=route.pipeline: (
                isinstance(m, PullRequestOpened) and m.promotion.pipeline.name == name
            ),
            after=after,
            seconds_max=seconds_max,
        )
    found = await pulls(on.started)
    assert_never_twice(found)
    return [pull for pull in found if pull.state == "open"]


def _of(route: Route, found: list[Pull]) -> list[int]:
    return [pull.number for pull in found if f"/{route.pipeline}/" in pull.branch]


async def _forget_and_release(on: Scene) -> None:
    """Every stream is lost; one of the two pipelines gets something newer meanwhile."""
    assert await asyncio.to_thread(release, on.started.layout, STORED.pipeline) == NEWER
    await on.nemeses.forget_everything()


@asynccontextmanager
async def _second_writer(on: Scene, group: asyncio.TaskGroup) -> AsyncIterator[None]:
    program = programs.service(
        WRITER,
        layout=on.started.layout,
        ports=on.started.ports,
        bus=on.nemeses.bus,
        health_port=free_port(),
    )
    log = on.started.layout.logs / f"{SECOND}.log"
    running = group.create_task(
        on.started.supervisor.supervise(replace(program, name=SECOND, log=log))
    )
    yield
    running.cancel()


async def _stand_still_while_opening(on: Scene) -> None:
    """The writer's job is given to another meanwhile; then it goes on where it stood."""
    opening = {"path": "/api/graphql", "method": "POST", "contains": "createPullRequest"}
    await on.nemeses.fail_forge({**opening, "latency_ms": 2_000})
    for walk in on.walks.values():
        walk.merges = True
    await on.witness.until(
        lambda m: (
            isinstance(m, PullRequestProgressed)
            and m.step is OpeningStep.OPENING
            and m.promotion.pipeline.name == STORED.pipeline
            and m.promotion.environment == LATE
        ),
        seconds_max=STEP_S,
    )
    async with on.nemeses.standing_still(WRITER):
        await on.nemeses.fail_forge()
        await asyncio.sleep(STANDSTILL_S)


async def _assert_all_is_well(on: Scene, *, to: set[str]) -> list[Pull]:
    """What must hold in the end, whatever happened."""
    started = on.started
    events = await _until_shown(on)
    found = await pulls(started)
    assert_never_twice(found)
    assert_only_marked_changed(started, found, to=to)
    assert_in_order(events)
    assert_settled(events)
    assert_true(events, found)
    assert await letters(started) == []
    killed = on.nemeses.killed
    assert started.supervisor.restarts == killed.total() - killed[BUS], "something died by itself"
    assert_logs_clean(started)
    places = Places(directory=started.layout.root, pids=frozenset({os.getpid()}), answers=())
    assert (await look_for_leaks(await canary(started), places)).finds == ()
    return found


async def _until_shown(on: Scene) -> list[Received]:
    """The stream, once the board shows nothing else and nothing is under way."""
    last: Exception | None = None
    try:
        async with asyncio.timeout(SETTLING_S):
            while True:
                try:
                    events = await stored(on.started)
                    if on.nemeses.forgot:
                        events = since_requested(events)
                    assert_settled(events)
                    assert_shown(events, await _shown(on))
                except (AssertionError, Rejected, Retryable) as error:
                    # What was killed last may only just be starting.
                    last = error
                else:
                    return events
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise last or AssertionError("the stream or the board does not answer") from None


async def _shown(on: Scene) -> list[dict[str, Any]]:
    walk = on.walks[DELEGATED]
    # A gateway that was started again knows no session.
    await walk.sign_in()
    url = f"{on.started.ports.gateway_url}/api/v1/promotions"
    found: Any = (await walk.browser.read_json(url))["items"]
    return list(found)
