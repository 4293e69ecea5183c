"""What a run left outside of our services: the stored stream, the forge's pull requests."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any, Final

import httpx2
import nats
from cluster.machine import Machine, git_of_the_forge
from laws.evidence import Event, Evidence, Pull, Repository, event_of
from laws.gathering import PULLS_A_PAGE, pull_of
from laws.laws import breaches
from nats.aio.client import Client

from countersign.contracts.subjects import inbox_prefix
from countersign.local.demo.layout import free_port

ANSWER_S_MAX: Final = 20.0
LOOK_S: Final = 5.0
STREAM: Final = "PROMOTIONS"
# Whose key is borrowed: it may read the stream, and nothing more.
AS: Final = "gateway"


async def judge(machine: Machine, folder: Path) -> None:
    """Nothing was lost, doubled, or written that nobody asked for."""
    git = await asyncio.to_thread(git_of_the_forge, machine, folder)
    found = breaches(
        Evidence(
            events=await events(machine, folder),
            pulls=await asyncio.to_thread(pulls, machine),
            repository=Repository(path=git),
        )
    )
    assert found == [], "\n".join(map(str, found))


def pulls(machine: Machine) -> tuple[Pull, ...]:
    """Every pull request that the forge has, of all pages."""
    token = machine.secret("flux-bot-token", "token", namespace="shop").decode()
    port = free_port()
    url = f"http://127.0.0.1:{port}/api/v3/repos/shop/gitops/pulls"
    headers = {"Authorization": f"Bearer {token}", "Host": f"localhost:{machine.forge_port}"}
    found: list[Pull] = []
    with (
        machine.forwarded("deployment/forge", port, machine.forge_port),
        httpx2.Client(trust_env=False, timeout=ANSWER_S_MAX) as client,
    ):
        for page in range(1, 100):
            query: dict[str, Any] = {"state": "all", "per_page": PULLS_A_PAGE, "page": page}
            items = client.get(url, params=query, headers=headers).raise_for_status().json()
            found += map(pull_of, items)
            if len(items) < PULLS_A_PAGE:
                break
    return tuple(sorted(found, key=lambda pull: pull.number))


async def events(machine: Machine, folder: Path) -> tuple[Event, ...]:
    """Every message of the stream from the first to the last that it says to have."""
    port = free_port()
    (folder / "ca.crt").write_bytes(machine.secret("countersign-nats-tls", "ca.crt"))
    (folder / "seed").write_bytes(machine.secret(f"countersign-nkey-{AS}", "seed"))
    with machine.forwarded("service/nats", port, 4222):
        client = await nats.connect(
            f"tls://localhost:{port}",
            tls=ssl.create_default_context(cafile=str(folder / "ca.crt")),
            nkeys_seed=str(folder / "seed"),
            inbox_prefix=inbox_prefix(AS),
        )
        try:
            return await _stored(client)
        finally:
            await client.close()


async def _stored(client: Client) -> tuple[Event, ...]:
    answer = await client.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", timeout=ANSWER_S_MAX)
    state = json.loads(answer.data)["state"]
    numbers = range(max(1, state["first_seq"]), state["last_seq"] + 1)
    found = [await _message(client, number) for number in numbers]
    return tuple(event for event in found if event is not None)


async def _message(client: Client, number: int) -> Event | None:
    question = json.dumps({"seq": number}).encode()
    subject = f"$JS.API.DIRECT.GET.{STREAM}"
    answer = await client.request(subject, question, timeout=ANSWER_S_MAX)
    headers = answer.headers or {}
    return event_of(headers, answer.data, number) if "ce-type" in headers else None


async def settled(machine: Machine, *, opened: int, seconds_max: float) -> int:
    """Wait until so many pull requests of many applications are there; returns how many."""
    count = 0
    try:
        async with asyncio.timeout(seconds_max):
            while count < opened:
                await asyncio.sleep(LOOK_S)
                found = await asyncio.to_thread(pulls, machine)
                count = sum("/many-" in pull.branch for pull in found)
    except TimeoutError:
        raise AssertionError(f"{count} of {opened} pull requests after {seconds_max:g} s") from None
    return count
