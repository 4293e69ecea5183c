"""Two replicas of the gateway: either takes up what the other began."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cluster.judging import judge
from cluster.machine import Machine, say
from cluster.releasing import release
from cluster.test_c_promotions import walk_anew

from countersign.local.demo.walk.browsing import Browser, Page

pytestmark = pytest.mark.timeout(900)

DEPLOYMENT: Final = "deployment/countersign-gateway"


@pytest.fixture(name="replicas")
def replicas_fixture(installed: Machine) -> Iterator[tuple[str, str]]:
    installed.kubectl("scale", DEPLOYMENT, "--replicas=2")
    installed.kubectl("rollout", "status", DEPLOYMENT, "--timeout=240s")
    one, other = sorted(pod["metadata"]["name"] for pod in installed.pods("gateway"))
    yield one, other
    installed.kubectl("scale", DEPLOYMENT, "--replicas=1")
    installed.kubectl("rollout", "status", DEPLOYMENT, "--timeout=240s")


async def test_session_and_forms_of_one_replica_are_taken_by_the_other(
    installed: Machine, replicas: tuple[str, str]
) -> None:
    one, other = replicas
    board = f"http://127.0.0.1:{installed.board_port}"
    browser = Browser()

    with installed.forwarded(f"pod/{one}", installed.board_port, 8080):
        page = await sign_in(browser, board)
    with installed.forwarded(f"pod/{other}", installed.board_port, 8080):
        session = await browser.read_json(f"{board}/api/v1/session")
        left = await browser.submit(page, "/sign-out")
    await browser.close()

    assert session["personId"] == "ada"
    assert left.url.endswith("/sign-in")


async def test_sign_out_everywhere_at_one_replica_ends_sessions_at_the_other(
    installed: Machine, replicas: tuple[str, str]
) -> None:
    one, other = replicas
    board = f"http://127.0.0.1:{installed.board_port}"
    at_one, at_other = Browser(), Browser()

    with installed.forwarded(f"pod/{other}", installed.board_port, 8080):
        await sign_in(at_other, board)
        before = await at_other.read_json(f"{board}/api/v1/session")
    with installed.forwarded(f"pod/{one}", installed.board_port, 8080):
        await sign_in(at_one, board)
        page = await at_one.open(f"{board}/credentials")
        await at_one.submit(page, "/sign-out/everywhere")
    with installed.forwarded(f"pod/{other}", installed.board_port, 8080):
        async with asyncio.timeout(30):
            while "/sign-in" not in (await at_other.open(board)).url:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.2)
    await at_one.close()
    await at_other.close()

    assert before["personId"] == "ada"


async def sign_in(browser: Browser, board: str) -> Page:
    page = await browser.open(f"{board}/sign-in")
    return await browser.submit(page, "/sign-in", {"person": "ada"})


async def test_walk_goes_on_where_the_replica_in_use_dies(
    installed: Machine, replicas: tuple[str, str], tmp_path: Path
) -> None:
    revision = await asyncio.to_thread(release, installed)

    async def kill() -> None:
        for name in replicas:
            await asyncio.to_thread(
                installed.kubectl, "delete", "pod", name, "--force", "--grace-period=0"
            )
            await asyncio.to_thread(
                installed.kubectl, "rollout", "status", DEPLOYMENT, "--timeout=240s"
            )
        say("each replica was killed")

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        await walk_anew(installed, revision)

    await judge(installed, tmp_path)
