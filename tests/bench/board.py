"""How fast the board is: `python tests/bench/board.py`. Prints medians, never fails.

A gateway in this process, without a bus, shows 1,000 pipelines. First paint is measured by
Chromium; from event to page by 100 readers of `/events` in a process of their own.
"""

import asyncio
import gzip
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from unit.gateway.browsing import form_token
from unit.gateway.doubles import Scene
from unit.gateway.gallery import many_pipelines
from unit.gateway.serving import scene_on_a_port, serving
from unit.gateway.stories import Pipeline

PIPELINES, VIEWERS, EVENTS, PAINTS = 1_000, 100, 50, 7
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


async def answers(scene: Scene) -> None:
    client = await signed_in(scene.public_url)
    times = []
    for _ in range(15):
        started = time.perf_counter()
        page = await client.get("/")
        times.append(time.perf_counter() - started)
    page_bytes = len(gzip.compress(page.content, 5))
    files = sum(len(f.compressed) for f in scene.static.by_name.values())
    print(spread(f"board of {PIPELINES:,} pipelines, answered", times))
    print(f"{'page, compressed':<48} {page_bytes / 1000:.1f} kB + files {files / 1000:.1f} kB")
    await client.aclose()


async def paints(scene: Scene) -> None:
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
    print(spread(f"board of {PIPELINES:,} pipelines, first paint", times))


def view(url: str, results: Connection) -> None:
    asyncio.run(_view(url, results))


async def _view(url: str, results: Connection) -> None:
    """100 readers; each notes when each event came."""
    people = [f"viewer-{i % 10}" for i in range(VIEWERS)]
    clients = [await signed_in(url, person=p) for p in sorted(set(people))]
    position = (await clients[0].get("/api/v1/pipelines?q=none")).json()["position"]
    seen: list[tuple[int, float]] = []
    ready = asyncio.Semaphore(0)

    async def read(client: httpx2.AsyncClient) -> None:
        async with client.stream("GET", f"/events?view=board&since={position}") as stream:
            count = 0
            async for line in stream.aiter_lines():
                if line == ": open":
                    ready.release()
                if line.startswith("id: "):
                    seen.append((count, time.monotonic()))
                    count += 1
                    if count == EVENTS:
                        return

    async with asyncio.TaskGroup() as tasks:
        for i in range(VIEWERS):
            tasks.create_task(read(clients[i % len(clients)]))
        for _ in range(VIEWERS):
            await ready.acquire()
        results.send("ready")
    for client in clients:
        await client.aclose()
    results.send(seen)


async def fan_out(scene: Scene) -> None:
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=view, args=(scene.public_url, theirs)
    )
    process.start()
    await asyncio.to_thread(mine.recv)
    told: list[float] = []
    pipeline = Pipeline("service-0002", namespace="team-000")
    for i in range(EVENTS):
        story = pipeline.promotion("prod", f"9.{i}.0")
        told.append(time.monotonic())
        scene.tell(story.requested)
        await asyncio.sleep(0.1)
    seen: list[tuple[int, float]] = await asyncio.to_thread(mine.recv)
    await asyncio.to_thread(process.join)
    print(spread(f"event to {VIEWERS} open pages", [at - told[i] for i, at in seen]))


async def main() -> None:
    scene, listener = scene_on_a_port()
    people = tuple(
        scene.people[0].model_copy(update={"id": f"viewer-{i}", "name": f"Viewer {i}"})
        for i in range(10)
    )
    scene.people = (*scene.people, *people)
    scene.__post_init__()
    started = time.perf_counter()
    many_pipelines(scene, count=PIPELINES)
    scene.projection.tracks()
    took = time.perf_counter() - started
    print(f"{f'fold of {PIPELINES:,} pipelines':<48} once   {took * 1000:7.1f} ms")
    async with serving(scene, listener):
        await answers(scene)
        await paints(scene)
        await fan_out(scene)


if __name__ == "__main__":
    import structlog  # the gateway logs to where the figures go

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(main())
