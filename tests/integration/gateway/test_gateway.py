"""The gateway on a real bus: what is published is shown, what people do is asked for."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from integration.gateway.conftest import (
    PATIENCE_S,
    Gateway,
    Publishers,
    environment,
    form_token,
    free_port,
    running_gateway,
)
from unit.gateway.stories import Pipeline

from countersign.contracts.consent.sign_in import person_digest
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    BeginRequest,
    BeginResponse,
    CompleteRequest,
    CompleteResponse,
    GateState,
    RevokeRequest,
    RevokeResponse,
    SessionEnded,
)
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.requests.responder import Answer, Call

CHECKOUT = Pipeline("checkout")


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await check():  # noqa: ASYNC110 - another process has no event for it
            await asyncio.sleep(0.05)


async def shows(client: httpx2.AsyncClient, path: str, text: str) -> None:
    async def shown() -> bool:
        return text in (await client.get(path)).text

    await eventually(shown)


async def tell_checkout(publishers: Publishers) -> str:
    story = CHECKOUT.promotion("prod", "6.9.0", current="6.8.4")
    observed = CHECKOUT.observed(
        CHECKOUT.environment("staging", "6.9.0", gate=None),
        CHECKOUT.environment("prod", "6.8.4", gate=GateState.PENDING),
    )
    await publishers.publish("watcher", observed, story.requested)
    return story.id


async def test_board_shows_what_was_published_before_and_after_the_start(
    gateway: Gateway, publishers: Publishers
) -> None:
    await tell_checkout(publishers)

    client = await gateway.client()

    await shows(client, "/", "Promote 6.9.0…")


async def test_sign_out_everywhere_outlives_the_gateway_and_reaches_those_beside_it(
    nats: LocalServer, publishers: Publishers, tmp_path: Path
) -> None:
    key = tmp_path / "session-key"
    key.write_bytes(bytes(range(64)))
    port = free_port()
    variables = environment(nats, tmp_path, port=port) | {"COUNTERSIGN_SESSION_KEY_FILE": str(key)}
    async with running_gateway(variables, tmp_path / "one.log") as one:
        client = await one.client("ada")
        await client.get("/api/v1/session")
        kept = dict(client.cookies)

        async def is_out() -> bool:
            return (await client.get("/api/v1/session")).status_code == httpx2.codes.UNAUTHORIZED

        event = SessionEnded(person=person_digest("ada"), ended_at=datetime.now(UTC))
        await publishers.publish("approval", event)
        await eventually(is_out)
    async with (
        running_gateway(variables, tmp_path / "next.log") as following,
        httpx2.AsyncClient(base_url=following.url, cookies=kept) as thief,
    ):
        refused = (await thief.get("/api/v1/session")).status_code
        again = await (await following.client("ada")).get("/api/v1/session")

    assert refused == httpx2.codes.UNAUTHORIZED
    assert again.status_code == httpx2.codes.OK


async def test_stream_brings_a_change_and_resumes_where_it_broke_off(
    gateway: Gateway, publishers: Publishers
) -> None:
    await tell_checkout(publishers)
    client = await gateway.client()
    await shows(client, "/", "Promote 6.9.0…")
    page = (await client.get("/p/shop/checkout")).text
    found = re.search(r'hx-sse:connect="([^"]+)"', page)
    assert found is not None
    address = found[1].replace("&amp;", "&")
    story = CHECKOUT.promotion("prod", "6.9.0", current="6.8.4")

    async with client.stream("GET", address) as stream:
        lines = stream.aiter_lines()
        await publishers.publish("approval", story.rejected("not on Fridays"))
        first = await _event(lines, containing="not on Fridays")
    async with client.stream("GET", address, headers={"Last-Event-ID": first}) as stream:
        await publishers.publish("approval", story.retried())
        second = await _event(stream.aiter_lines(), containing="waiting")

    assert [int(n) for n in second.split(".")] > [int(n) for n in first.split(".")]


async def _event(lines: object, *, containing: str) -> str:
    event_id, body = "", ""
    async with asyncio.timeout(PATIENCE_S):
        async for line in lines:  # type: ignore[attr-defined]
            if line.startswith("id: "):
                event_id = line[4:]
            body += line
            if not line and containing in body:
                return event_id
    raise AssertionError(f"no event with {containing!r}: {body!r}")


async def test_promote_asks_approval_and_the_callback_comes_back_with_the_same_session(
    gateway: Gateway, publishers: Publishers
) -> None:
    promotion_id = await tell_checkout(publishers)
    story = CHECKOUT.promotion("prod", "6.9.0", current="6.8.4")
    asked: list[Message] = []

    async def begin(request: Message, call: Call) -> Message:
        asked.append(request)
        url = "http://localhost:3000/login/oauth/authorize?state=approval-test.abc"
        return BeginResponse(approval_id="ap1", replica="approval-test", authorize_url=url)

    async def complete(request: Message, call: Call) -> Message:
        asked.append(request)
        return CompleteResponse(promotion=story.ref, approval_id="ap1")

    client = await gateway.client()
    await shows(client, "/", "Promote 6.9.0…")
    answers = (Answer("approval.begin", begin), Answer("approval.complete", complete))
    async with publishers.connected("approval") as bus, bus.serving(answers=answers):
        sheet = (await client.get("/p/shop/checkout/prod/promote")).text
        begun = await client.post(
            "/p/shop/checkout/prod/promote",
            data={"form_token": form_token(sheet), "promotion_id": promotion_id},
        )
        returned = await client.get("/oauth/callback/github?code=c0de&state=approval-test.abc")

    assert begun.headers["location"].startswith("http://localhost:3000/login/oauth/authorize?")
    assert returned.headers["location"] == f"/promotions/{promotion_id}"
    first, second = asked
    assert isinstance(first, BeginRequest)
    assert isinstance(second, CompleteRequest)
    assert (first.session, second.code) == (second.session, "c0de")
    assert re.fullmatch(r"[0-9a-f]{64}", first.session)
    assert "c0de" not in gateway.log.read_text()


async def test_sign_out_tells_every_replica_to_revoke(
    gateway: Gateway, publishers: Publishers
) -> None:
    heard: asyncio.Queue[RevokeRequest] = asyncio.Queue()

    async def revoke(request: Message, call: Call) -> Message:
        assert isinstance(request, RevokeRequest)
        heard.put_nowait(request)
        return RevokeResponse(revoked=1)

    client = await gateway.client()
    page = (await client.get("/credentials")).text
    async with (
        publishers.connected("approval") as bus,
        bus.serving(answers=(Answer("approval.revoke", revoke),)),
    ):
        await client.post("/sign-out", data={"form_token": form_token(page)})
        request = await asyncio.wait_for(heard.get(), PATIENCE_S)

    assert request.person.id == "grace"
    assert (await client.get("/")).status_code == 303


async def test_page_says_so_when_the_bus_is_gone_and_recovers(
    gateway: Gateway, publishers: Publishers, nats: LocalServer
) -> None:
    await tell_checkout(publishers)
    client = await gateway.client()
    await shows(client, "/", "Promote 6.9.0…")

    await nats.kill()
    await shows(client, "/", "The bus cannot be reached")
    failed = await client.get("/p/shop/checkout/prod/promote")
    await nats.start()

    async def current() -> bool:
        return "The bus cannot be reached" not in (await client.get("/")).text

    assert failed.status_code == 200
    await eventually(current)


async def test_bus_that_hangs_is_noticed_and_actions_wait(
    gateway: Gateway, publishers: Publishers, nats: LocalServer
) -> None:
    """It is stopped and not gone: connections stay, and nothing is answered."""
    promotion_id = await tell_checkout(publishers)
    client = await gateway.client()
    await shows(client, "/", "Promote 6.9.0…")

    async def current() -> bool:
        return "banner wait lost" not in (await client.get("/")).text

    await eventually(current)
    page = (await client.get("/p/shop/checkout")).text
    found = re.search(r'hx-sse:connect="([^"]+)"', page)
    assert found is not None

    async with client.stream("GET", found[1].replace("&amp;", "&")) as stream:
        nats.hang()
        try:
            # Five seconds where nothing else runs.
            async with asyncio.timeout(30):
                await _event(stream.aiter_lines(), containing="banner wait lost")
            data = {"form_token": form_token(page), "promotion_id": promotion_id}
            refused = await client.post("/p/shop/checkout/prod/promote", data=data)
        finally:
            nats.recover()

    assert refused.status_code == 503
    (reason,) = re.findall(r"503 · ([a-z_]+)", refused.text)
    assert reason in {"bus_unavailable", "timeout"}
    await eventually(current)


async def test_gateway_refuses_to_start_where_others_could_reach_local_sign_in(
    nats: LocalServer, tmp_path: Path
) -> None:
    variables = environment(nats, tmp_path, port=free_port()) | {"COUNTERSIGN_HOST": "0.0.0.0"}

    code, said = await _refused(variables)

    assert code == 2
    assert "local sign-in asks for no password" in said


async def test_gateway_says_which_file_is_wrong(nats: LocalServer, tmp_path: Path) -> None:
    variables = environment(nats, tmp_path, port=free_port())
    variables["COUNTERSIGN_PEOPLE_FILE"] = str(tmp_path / "nobody.yaml")

    code, said = await _refused(variables)

    assert code == 2
    assert "nobody.yaml" in said


async def _refused(variables: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "countersign.gateway", env=variables,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, said.decode()


async def test_address_that_no_browser_reaches_is_told_at_the_start(
    nats: LocalServer, tmp_path: Path
) -> None:
    health_port = free_port()
    variables = environment(nats, tmp_path, port=free_port())
    variables["COUNTERSIGN_HEALTH_PORT"] = str(health_port)
    (tmp_path / "forges.yaml").write_text(
        "forges:\n- {name: Forge, kind: gitea, origin: 'https://gitea.forges.svc'}\n"
    )

    async with running_gateway(variables, tmp_path / "log") as gateway:

        async def told() -> bool:
            return "start.fault" in gateway.log.read_text()

        await eventually(told)
        async with httpx2.AsyncClient() as client:
            metrics = (await client.get(f"http://127.0.0.1:{health_port}/metrics")).text

    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    (fault,) = [line for line in lines if line["event"] == "start.fault"]
    assert (fault["subject"], fault["fault"]) == ("address", "only_inside")
    assert 'countersign_start_faults{fault="only_inside",kind="address"} 1.0' in metrics
