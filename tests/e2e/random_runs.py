"""One random run: people release, promote and merge while everything goes wrong, by a seed.

In the end nothing is disturbed any more, and a judge who knows nothing of our code is asked.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from e2e.nemeses import FAULTS, LATE, Nemeses
from e2e.persevering import Perseverance
from e2e.systems import REPOSITORY, canary, system
from e2e.witnessing import REPEATED, witnessing
from laws.evidence import Evidence
from laws.gathering import Listener, System, gather, listening, unheard
from laws.laws import Breach, breaches

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import Layout
from countersign.local.demo.manifests import BOT_SECRET, NAMESPACE
from countersign.local.demo.programs import READER
from countersign.local.demo.running import Running
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.releasing import release
from countersign.local.demo.walk.walking import DELEGATED, STORED

RELEASE_PAUSE_S: Final = (4.0, 20.0)
TORMENT_PAUSE_S: Final = (0.2, 3.0)
MERGE_PAUSE_S: Final = (0.05, 2.0)
# After the last misfortune: late requests arrive, lanes wait 105 s for them, people sign in again.
REST_S: Final = 200.0
LOOK_S: Final = 1.0


@dataclass
class Account:
    """A run, told afterwards."""

    seed: int
    evidence: Evidence
    breaches: list[Breach]
    misfortunes: Counter[str] = field(default_factory=Counter)
    finds: tuple[Any, ...] = ()

    def lines(self) -> Iterator[str]:
        merged = sum(pull.merged for pull in self.evidence.ours)
        yield (
            f"seed {self.seed}: {len(self.evidence.by_promotion())} promotions, "
            f"{len(self.evidence.ours)} pull requests, {merged} merged, "
            f"{len(self.evidence.events)} messages; "
            + ", ".join(f"{count} {name}" for name, count in sorted(self.misfortunes.items()))
        )
        yield from (f"  {breach}" for breach in self.breaches)
        yield from (f"  I3: {find}" for find in self.finds)


def outside(started: Running) -> System:
    """The addresses that the judge is given."""
    layout, ports = started.layout, started.ports
    token = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET).read_text()
    return System(
        bus_url=f"nats://127.0.0.1:{ports.bus}",
        reader_key=layout.bus / "readers" / f"{READER}.nk",
        forge_api=f"{ports.forge_url}/api/v3",
        forge_token=token,
        repository=REPOSITORY,
        git=layout.forge / "repositories" / f"{REPOSITORY}.git",
    )


async def run(root: Path, *, seed: int, seconds: float, late: bool = False) -> Account:
    """Let everything go wrong for so long; with `late`, requests also take effect afterwards.

    Then the forge also takes several pull requests for one branch, and the stream fills up.
    """
    chance = random.Random(seed)  # noqa: S311 - a seed names the run
    async with (
        system(root) as started,
        witnessing(started) as witness,
        listening(outside(started)) as listener,
    ):
        faults = (*FAULTS, *(LATE if late else ()))
        nemeses = Nemeses(started, witness, faults=faults, harsh=late)
        await nemeses.fail_forge()
        walks = [Perseverance(route, started.ports, Browser()) for route in (DELEGATED, STORED)]
        misfortunes: Counter[str] = Counter()
        async with asyncio.TaskGroup() as group:
            living = [group.create_task(walk.run("")) for walk in walks]
            living.append(group.create_task(_merge(started, random.Random(seed + 1))))  # noqa: S311
            busy = [
                group.create_task(_release(started.layout, random.Random(seed + 2))),  # noqa: S311
                group.create_task(_torment(nemeses, chance, misfortunes)),
            ]
            await asyncio.sleep(seconds)
            await _ended(busy)
            await nemeses.make_room()
            await nemeses.fail_forge()
            account = await _at_rest(started, seed=seed)
            await _ended(living)
        for walk in walks:
            await walk.browser.close()
        account.misfortunes = misfortunes
        account.breaches += await _misheard(started, listener)
        places = Places(directory=started.layout.root, pids=frozenset(), answers=())
        account.finds = (await look_for_leaks(await canary(started), places)).finds
        return account


async def _ended(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


async def _release(layout: Layout, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(*RELEASE_PAUSE_S))
        name = chance.choice((DELEGATED.pipeline, STORED.pipeline))
        with suppress(Retryable):
            await asyncio.to_thread(release, layout, name)


async def _torment(nemeses: Nemeses, chance: random.Random, told: Counter[str]) -> None:
    while True:
        await asyncio.sleep(chance.uniform(*TORMENT_PAUSE_S))
        told[await nemeses.torment(chance)] += 1


async def _merge(started: Running, chance: random.Random) -> None:
    """Merge what is open, sometimes within a moment, as an automatic merger does."""
    there = outside(started)
    url = f"{there.forge_api}/repos/{REPOSITORY}/pulls"
    headers = {"Authorization": f"Bearer {there.forge_token}"}
    async with httpx2.AsyncClient(trust_env=False, timeout=10, headers=headers) as client:
        while True:
            await asyncio.sleep(chance.uniform(*MERGE_PAUSE_S))
            with suppress(httpx2.HTTPError, ValueError, TypeError, KeyError):
                for pull in (await client.get(url)).json():
                    await client.put(f"{url}/{pull['number']}/merge", json={})


async def _at_rest(started: Running, *, seed: int) -> Account:
    """Wait until no law is broken any more, or until that should long have been so."""
    there, account = outside(started), None
    with suppress(TimeoutError):
        async with asyncio.timeout(REST_S):
            while account is None or account.breaches:
                await asyncio.sleep(LOOK_S)
                with suppress(Rejected, Retryable, OSError, httpx2.HTTPError):
                    evidence = await gather(there)
                    found = breaches(evidence, repeated=REPEATED)
                    account = Account(seed=seed, evidence=evidence, breaches=found)
    if account is None:
        raise TimeoutError(f"seed {seed}: after {REST_S} s neither bus nor forge can be read")
    return account


async def _misheard(started: Running, listener: Listener) -> list[Breach]:
    return [Breach("reader", what) for what in await unheard(outside(started), listener)]
