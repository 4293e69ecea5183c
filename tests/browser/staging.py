"""The whole system, run beside the event loops of tests, with a pipeline and a person for each."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from e2e.furnishing import Application
from e2e.systems import system

from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.manifests import NEW, OLD
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed

START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 40.0
PIPELINES: Final = ("live", "plain", "refused", "denied", "first", "second", "keys", "stale")
BY_CODE: Final = ("typed", "typed-plain", "typed-program")
# One for each test: the forge remembers who has authorized the application.
WRITERS: Final = {
    "barbara": "Barbara Liskov",
    "dorothy": "Dorothy Vaughan",
    "edith": "Edith Clarke",
    "hedy": "Hedy Lamarr",
    "jean": "Jean Sammet",
    "katherine": "Katherine Johnson",
    "mary": "Mary Jackson",
}

Json = dict[str, Any]


@contextmanager
def stage(root: Path) -> Iterator[Running]:
    """Everything, ready; in a thread of its own, because each test has its own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stage")
    thread.start()
    ready: Future[Running] = Future()
    over = asyncio.Event()
    ending = asyncio.run_coroutine_threadsafe(_stand(root, ready, over), loop)
    try:
        wait((ready, ending), timeout=START_S_MAX, return_when=FIRST_COMPLETED)
        if not ready.done():
            ending.result(timeout=0)
        yield ready.result(timeout=0)
    finally:
        loop.call_soon_threadsafe(over.set)
        try:
            ending.result(timeout=STOP_S_MAX)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _stand(root: Path, ready: "Future[Running]", over: asyncio.Event) -> None:
    async with system(root, furnish=furnish) as started:
        ready.set_result(started)
        await over.wait()


def furnish(layout: Layout, ports: Ports) -> None:
    """Beside what the demonstration has: pipelines from `dev` to `prod`, and more people."""
    folder = layout.seed / "gitops"
    for name in (*PIPELINES, *BY_CODE):
        one = Application(name=name)
        files = {
            one.dev_path: one.release("dev", NEW),
            one.path: one.release("prod", OLD, marker=one.marker),
            one.pipeline_path: yaml.safe_dump(one.pipeline(ports.forge_url), sort_keys=False),
        }
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    seed(layout, ports)
    people = yaml.safe_load(layout.people_file.read_text())
    people["people"] += [{"id": i, "name": n, "groups": ["shop"]} for i, n in WRITERS.items()]
    layout.people_file.write_text(yaml.safe_dump(people))
    forge = yaml.safe_load(layout.seed_file.read_text())
    forge["people"] += [{"login": login, "name": name} for login, name in WRITERS.items()]
    for repository in forge["repositories"]:
        repository["writers"] += list(WRITERS)
    for app in forge["apps"]:
        app["device_flow"] = True
    forges = yaml.safe_load(layout.forges_file.read_text())
    forges["forges"][0]["deviceFlow"] = True
    layout.forges_file.write_text(yaml.safe_dump(forges))
    layout.seed_file.write_text(yaml.safe_dump(forge))
