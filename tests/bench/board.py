"""How fast the board is: `python tests/bench/board.py`. Prints medians, never fails.

A gateway in a process of its own, without a bus, shows 1,000 pipelines, then 5,000. First paint is
measured by Chromium; from event to page by 100 and by 200 readers of `/events` in another process.
"""

import asyncio
import gzip
import multiprocessing
import re
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import httpx2
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.gateway.browsing import form_token
from unit.gateway.doubles import Scene
from unit.gateway.gallery import many_pipelines
from unit.gateway.serving import scene_on_a_port, serving
from unit.gateway.stories import Pipeline

EVENTS, UNSEEN, PAINTS, ASKED = 50, 20, 7, 15
# Pipelines of five environments each, and pages that are open.
SIZES: Final = ((1_000, 100), (5_000, 200))
TABS: Final = 10
_REVISION: Final = re.compile(r"Promote 9\.(\d+)\.0")
SEARCHES: Final = ("/?q=service-0042", "/?show=needs-me", "/?namespace=team-007", "/?q=nothing")
CHROMIUM = "/usr/bin/chromium"


def spread(name: str, seconds: list[float]) -> str:
    found = sorted(s * 1000 for s in seconds)
    p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
    return f"{name:<48} median {statistics.median(found):7.1f} ms   p99 {p99:7.1f} ms"


async def signed_in(url: str, *, person: str = "grace") -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None)
    client = httpx2.AsyncClient(base_url=url, limits=limits, timeout=60)
    token = form_token((await client.get("/sign-in")).text)
    await client.post("/sign-in", data={"form_token": token, "person": person})
    return client


async def asked(client: httpx2.AsyncClient, path: str) -> tuple[list[float], httpx2.Response]:
    times = []
    for _ in range(ASKED):
        started = time.perf_counter()
        page = await client.get(path)
        times.append(time.perf_counter() - started)
    return times, page


async def answers(scene: Scene, pipelines: int) -> None:
    client = await signed_in(scene.public_url)
    times, page = await asked(client, "/")
    page_bytes = len(gzip.compress(page.content, 5))
    files = sum(len(f.compressed) for f in scene.static.by_name.values())
    print(spread(f"board of {pipelines:,} pipelines, answered", times))
    for path in SEARCHES:
        print(spread(f"… {path}", (await asked(client, path))[0]))
    print(f"{'page, compressed':<48} {page_bytes / 1000:.1f} kB + files {files / 1000:.1f} kB")
    await client.aclose()


async def paints(scene: Scene, pipelines: int) -> None:
    if not Path(CHROMIUM).exists():  # noqa: ASYNC240 - once
        print(f"first paint: not measured, there is no {CHROMIUM}")
        return
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only where it is used

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        times = []
        for _ in range(PAINTS):
            page = await (await browser.new_context()).new_page()
            await page.goto(f"{scene.public_url}/sign-in")
            await page.get_by_role("button", name="Grace Hopper").click()
            await page.wait_for_url(f"{scene.public_url}/")
            await page.goto(f"{scene.public_url}/")
            paint = await page.evaluate(
                "new Promise(r => new PerformanceObserver(l => r(l.getEntriesByName("
                "'first-contentful-paint')[0].startTime)).observe({type: 'paint', buffered: true}))"
            )
            times.append(float(paint) / 1000)
            await page.context.close()
        await browser.close()
    print(spread(f"board of {pipelines:,} pipelines, first paint", times))


def view(url: str, viewers: int, results: Connection) -> None:
    asyncio.run(_view(url, viewers, results))


async def _view(url: str, viewers: int, results: Connection) -> None:
    """Read as many pages; each notes when each event came."""
    people = [f"viewer-{i // TABS}" for i in range(viewers)]
    clients = [await signed_in(url, person=p) for p in sorted(set(people))]
    position = (await clients[0].get("/api/v1/pipelines?q=none")).json()["position"]
    seen: list[tuple[int, float]] = []
    ready = asyncio.Semaphore(0)

    async def read(client: httpx2.AsyncClient) -> None:
        async with client.stream("GET", f"/events?view=board&since={position}") as stream:
            known = 0
            async for line in stream.aiter_lines():
                if line == ": open":
                    ready.release()
                # A change may be sent together with the next ones.
                told = [int(number) + 1 for number in _REVISION.findall(line)]
                newest = max([known, *told])
                seen.extend((number, time.monotonic()) for number in range(known, newest))
                known = newest
                if known == EVENTS:
                    return

    async with asyncio.TaskGroup() as tasks:
        for i in range(viewers):
            tasks.create_task(read(clients[i % len(clients)]))
        for _ in range(viewers):
            await ready.acquire()
        results.send("ready")
    for client in clients:
        await client.aclose()
    results.send(seen)


async def fan_out(scene: Scene, *, pipelines: int, viewers: int) -> None:
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=view, args=(scene.public_url, viewers, theirs)
    )
    process.start()
    theirs.close()
    await asyncio.to_thread(mine.recv)
    unseen = Pipeline(f"service-{pipelines - 1:04d}", namespace=f"team-{(pipelines - 1) // 12:03d}")
    began_s = time.process_time()
    for i in range(UNSEEN):
        scene.tell(unseen.promotion("prod", f"8.{i}.0").requested)
        await asyncio.sleep(0.1)
    unseen_cpu_ms = (time.process_time() - began_s) * 1000 / UNSEEN
    told: list[float] = []
    pipeline = Pipeline("service-0002", namespace="team-000")
    began_s = time.process_time()
    for i in range(EVENTS):
        story = pipeline.promotion("prod", f"9.{i}.0")
        told.append(time.monotonic())
        scene.tell(story.requested)
        await asyncio.sleep(0.1)
    cpu_ms = (time.process_time() - began_s) * 1000 / EVENTS
    seen: list[tuple[int, float]] = await asyncio.to_thread(mine.recv)
    await asyncio.to_thread(process.join)
    print(spread(f"event to {viewers} open pages", [at - told[i] for i, at in seen]))
    print(f"{'… CPU of the gateway for each event':<48} mean   {cpu_ms:7.1f} ms")
    print(f"{'… of one of a track on none of the pages':<48} mean   {unseen_cpu_ms:7.1f} ms")


async def measure(pipelines: int, viewers: int) -> None:
    scene, listener = scene_on_a_port()
    people = tuple(
        scene.people[0].model_copy(update={"id": f"viewer-{i}", "name": f"Viewer {i}"})
        for i in range(viewers // TABS)
    )
    scene.people = (*scene.people, *people)
    scene.__post_init__()
    started = time.perf_counter()
    many_pipelines(scene, count=pipelines)
    scene.projection.tracks()
    took = time.perf_counter() - started
    print(f"{f'fold of {pipelines:,} pipelines':<48} once   {took * 1000:7.1f} ms")
    async with serving(scene, listener):
        await answers(scene, pipelines)
        await paints(scene, pipelines)
        await fan_out(scene, pipelines=pipelines, viewers=viewers)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'memory at its highest, RSS':<48} {memory:.0f} MiB")


def run(pipelines: int, viewers: int) -> None:
    # The gateway logs to where the figures go.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(measure(pipelines, viewers))


if __name__ == "__main__":
    # One process for each size, so that none remembers what another needed.
    for size in SIZES:
        process = multiprocessing.get_context("spawn").Process(target=run, args=size)
        process.start()
        process.join()
