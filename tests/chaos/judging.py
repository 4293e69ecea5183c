"""Walks a whole system while something goes wrong, and judges what must hold of it afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import httpx2
import pytest
from e2e.invariants import (
    assert_in_order,
    assert_logs_clean,
    assert_only_marked_changed,
    assert_settled,
    assert_shown,
    assert_true,
)
from e2e.people import Person, person
from e2e.persevering import Perseverance
from e2e.systems import assert_never_twice, pulls
from e2e.witnessing import letters, stored

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.manifests import NEW
from countersign.local.demo.running import Running
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.walking import DELEGATED, STORED

# For two minutes a service that has nothing to publish counts what was refused.
FACT_S_MAX: Final = 240.0
WALKS_S_MAX: Final = 400.0
LOOK_S: Final = 0.3
GATES: Final = 6
AWAY: Final = "The bus cannot be reached"


async def until(look: Callable[[], Awaitable[bool]], *, seconds_max: float = FACT_S_MAX) -> None:
    async with asyncio.timeout(seconds_max):
        while not await look():  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(LOOK_S)


async def ready(started: Running) -> Mapping[str, bool]:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        urls = {n: f"http://127.0.0.1:{port}/readyz" for n, port in started.health_ports.items()}
        return {name: (await client.get(url)).is_success for name, url in urls.items()}


async def is_nobody_ready(started: Running) -> bool:
    return not any((await ready(started)).values())


async def is_all_well(started: Running) -> bool:
    return all((await ready(started)).values())


async def says(one: Person, words: str) -> bool:
    page = await one.browser.open(f"{one.ports.gateway_url}/")
    return words in page.text


async def says_nothing_of(one: Person, words: str) -> bool:
    return not await says(one, words)


async def count(started: Running) -> int:
    """Return how many events are stored, as soon as a node that is not cut off can be read.

    For a while one may hand on what it is asked to the node that is.
    """
    while True:
        with suppress(Retryable):
            return len(await stored(started))
        await asyncio.sleep(LOOK_S)


async def walk(
    started: Running,
    *,
    besides: "asyncio.Task[None] | None" = None,
    seconds_max: float = WALKS_S_MAX,
) -> None:
    """Promote, by a delegation and by a stored token, to the last environment."""
    walks = [Perseverance(route, started.ports, Browser()) for route in (DELEGATED, STORED)]
    others = [besides] if besides else []
    try:
        async with asyncio.timeout(seconds_max):
            await asyncio.gather(*(one.run(NEW) for one in walks), *others)
    except TimeoutError:
        pytest.fail(f"still {[one.stuck for one in walks]}")
    finally:
        for one in walks:
            await one.browser.close()


async def assert_nothing_is_lost_or_doubled(started: Running, *, killed: int = 0) -> None:
    async with person("ada", started.ports) as ada:

        async def is_shown() -> bool:
            url = f"{ada.ports.gateway_url}/api/v1/promotions"
            try:
                shown = (await ada.browser.read_json(url))["items"]
                assert_shown(await stored(started), shown)  # type: ignore[arg-type]
            except (AssertionError, Rejected, Retryable):
                return False
            return True

        await until(is_shown)
    events, found = await stored(started), await pulls(started)
    assert_never_twice(found)
    assert len([pull for pull in found if pull.merged]) == GATES
    assert_only_marked_changed(started, found, to={NEW})
    assert_in_order(events)
    assert_settled(events)
    assert_true(events, found)
    assert await letters(started) == []
    assert started.supervisor.restarts == killed, "something died by itself"
    assert_logs_clean(started)
