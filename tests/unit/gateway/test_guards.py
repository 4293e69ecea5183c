"""What keeps the pages closed: hosts, sessions, forms from elsewhere, headers, redirects."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from unit.gateway.browsing import browser, form_token, token_of
from unit.gateway.doubles import DOCUMENTS, FORGE, Scene
from unit.gateway.gallery import rich_board

from countersign.gateway.routes import Who, table
from countersign.gateway.web.guards import content_security_policy
from countersign.telemetry.metrics import exposition

# Of `Scene`, which is on port 8080.
COOKIE = "countersign-8080"
PARTS = {
    "namespace": "shop",
    "name": "checkout",
    "environment": "prod",
    "promotion_id": "nothing",
    "secret": "flux-bot",
    "forge": "github",
    "path:path": "board.css",
}
# Every route by method and audience. A new route must be added here by hand, on purpose.
MATRIX = {
    ("GET", "/"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}/promote"): Who.SIGNED_IN,
    ("POST", "/p/{namespace}/{name}/{environment}/promote"): Who.SIGNED_IN,
    ("POST", "/p/{namespace}/{name}/{environment}/approve"): Who.SIGNED_IN,
    ("POST", "/p/{namespace}/{name}/{environment}/cancel"): Who.SIGNED_IN,
    ("POST", "/p/{namespace}/{name}/{environment}/reject"): Who.SIGNED_IN,
    ("POST", "/p/{namespace}/{name}/{environment}/retry"): Who.SIGNED_IN,
    ("GET", "/promotions/{promotion_id}"): Who.SIGNED_IN,
    ("GET", "/oauth/callback/{forge}"): Who.SIGNED_IN,
    ("GET", "/credentials"): Who.SIGNED_IN,
    ("GET", "/credentials/{namespace}/{secret}"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}/history"): Who.SIGNED_IN,
    (
        "GET",
        "/api/v1/pipelines/{namespace}/{name}/environments/{environment}/history",
    ): Who.SIGNED_IN_PROGRAM,
    ("GET", "/credentials.csv"): Who.SIGNED_IN,
    ("GET", "/credentials.json"): Who.SIGNED_IN,
    ("POST", "/credentials/{namespace}/{secret}/check"): Who.SIGNED_IN,
    ("POST", "/delegations/revoke"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}/access"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}/access.csv"): Who.SIGNED_IN,
    ("GET", "/p/{namespace}/{name}/{environment}/access.json"): Who.SIGNED_IN,
    ("POST", "/sign-out/everywhere"): Who.SIGNED_IN,
    ("GET", "/record"): Who.SIGNED_IN,
    ("GET", "/record.csv"): Who.SIGNED_IN,
    ("GET", "/record.jsonl"): Who.SIGNED_IN,
    ("GET", "/help"): Who.SIGNED_IN,
    ("GET", "/help/docs/{path:path}"): Who.SIGNED_IN,
    ("GET", "/events"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/sign-in"): Who.EVERYBODY,
    ("POST", "/sign-in"): Who.EVERYBODY,
    ("GET", "/sign-in/begin"): Who.EVERYBODY,
    ("GET", "/sign-in/callback"): Who.EVERYBODY,
    ("POST", "/sign-out"): Who.SIGNED_IN,
    ("GET", "/static/{path:path}"): Who.EVERYBODY,
    ("GET", "/favicon.ico"): Who.EVERYBODY,
    ("GET", "/api/v1/openapi.json"): Who.EVERYBODY,
    ("GET", "/api/v1/session"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/pipelines"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/pipelines/{namespace}/{name}"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/promotions"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/promotions/{promotion_id}"): Who.SIGNED_IN_PROGRAM,
    ("POST", "/api/v1/promotions/{promotion_id}/begin"): Who.SIGNED_IN_PROGRAM,
    ("POST", "/api/v1/promotions/{promotion_id}/approve"): Who.SIGNED_IN_PROGRAM,
    ("POST", "/api/v1/promotions/{promotion_id}/reject"): Who.SIGNED_IN_PROGRAM,
    ("POST", "/api/v1/promotions/{promotion_id}/retry"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/credentials"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/credentials/{namespace}/{secret}"): Who.SIGNED_IN_PROGRAM,
    ("GET", "/api/v1/record"): Who.SIGNED_IN_PROGRAM,
}
ROUTES = sorted(MATRIX)


def address(path: str) -> str:
    for name, value in PARTS.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def test_every_route_is_in_the_matrix() -> None:
    scene = Scene()

    rows = {(r.method, r.path): r.who for r in table(scene.site, scene.static, DOCUMENTS)}

    assert rows == MATRIX


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_route_is_closed_to_who_is_not_signed_in(method: str, path: str) -> None:
    async with browser(Scene(), person="") as client:
        answer = await client.request(method, address(path))

    if MATRIX[method, path] is Who.EVERYBODY:
        # Nobody is sent elsewhere to sign in here.
        elsewhere = path in {"/sign-in/begin", "/sign-in/callback"}
        assert answer.status_code in ({404} if elsewhere else {200, 308, 403})
    elif method == "GET" and MATRIX[method, path] is Who.SIGNED_IN:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[1] != "/events"])
async def test_answer_of_every_route_has_the_headers(method: str, path: str) -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        answer = await client.request(method, address(path))

    policy = answer.headers["content-security-policy"]
    assert policy == content_security_policy(scene.links, scene.site.accounts)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"form-action 'self' {FORGE};" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    if not path.startswith("/static"):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", sorted({p for _, p in ROUTES}))
async def test_other_methods_are_refused(method: str, path: str) -> None:
    async with browser(Scene()) as client:
        answer = await client.request(method, address(path))

    assert answer.status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:81", "localhost:8080", ""]
)
async def test_foreign_host_is_refused(host: str) -> None:
    async with browser(Scene(), person="") as client:
        answer = await client.get("/sign-in", headers={"Host": host})

    assert answer.status_code == 421


POSTS = [p for m, p in ROUTES if m == "POST"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
    ids=["origin", "null", "cross-site", "same-site", "none", "disagree"],
)
async def test_action_from_another_site_is_refused(path: str, headers: dict[str, str]) -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        token = await token_of(client)
        sent = {"X-Countersign-Form": token, **headers}
        answer = await client.post(address(path), data={"form_token": token}, headers=sent)

    assert answer.status_code == 403
    assert scene.requests.asked == []


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_action_without_the_sessions_token_is_refused(path: str, token: str) -> None:
    scene = Scene()
    rich_board(scene)

    async with browser(scene) as client:
        answer = await client.post(address(path), data={"form_token": token, "person": "ada"})

    assert answer.status_code == 403
    assert scene.requests.asked == []


async def test_token_of_one_session_is_worth_nothing_in_another() -> None:
    scene = Scene()

    async with browser(scene) as ada, browser(scene, person="ada") as grace:
        token = await token_of(ada)
        answer = await grace.post("/sign-out", data={"form_token": token})

    assert answer.status_code == 403


async def test_body_that_is_too_large_is_refused() -> None:
    async with browser(Scene()) as client:
        announced = await client.post("/sign-out", content=b"x" * 70_000)

        async def drops() -> AsyncIterator[bytes]:
            for _ in range(80):
                yield b"x" * 1_000

        streamed = await client.post(
            "/sign-out",
            content=drops(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    assert announced.status_code == 413
    assert streamed.status_code == 413


async def test_sign_in_gives_a_new_session_id() -> None:
    scene = Scene()

    async with browser(scene, person="") as client:
        page = await client.get("/sign-in")
        planted = client.cookies[COOKIE]
        await client.post("/sign-in", data={"form_token": form_token(page.text), "person": "ada"})
        given = client.cookies[COOKIE]

        assert given != planted
        async with browser(scene, person="") as thief:
            thief.cookies.set("countersign", planted, domain="127.0.0.1")
            assert (await thief.get("/")).status_code == 303


async def test_cookie_that_we_did_not_sign_is_nobody() -> None:
    scene = Scene()

    async with browser(scene, person="") as client:
        client.cookies.set("countersign", "made-up.signature", domain="127.0.0.1")
        answer = await client.get("/")

    assert answer.status_code == 303


async def test_cookie_has_its_flags_and_over_tls_its_prefix() -> None:
    async with browser(Scene(), person="") as client:
        plain = (await client.get("/sign-in")).headers["set-cookie"]
    async with browser(Scene(public_url="https://countersign.example"), person="") as client:
        secure = (await client.get("/sign-in")).headers["set-cookie"]

    assert plain.startswith(f"{COOKIE}=")
    assert plain.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert secure.startswith("__Host-countersign=")
    assert secure.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


@pytest.mark.parametrize(
    ("idle", "rounds", "alive"), [(29, 1, True), (31, 1, False), (25, 18, True), (25, 20, False)]
)
async def test_session_ends_after_idleness_and_after_a_working_day(
    idle: int, rounds: int, *, alive: bool
) -> None:
    scene = Scene()

    async with browser(scene) as client:
        for _ in range(rounds):
            scene.clock.now += timedelta(minutes=idle)
            answer = await client.get("/help")

    assert (answer.status_code == 200) is alive


async def test_sign_out_ends_the_session_and_tells_approval() -> None:
    scene = Scene()

    async with browser(scene) as client:
        cookie = client.cookies[COOKIE]
        answer = await client.post("/sign-out", data={"form_token": await token_of(client)})
        client.cookies.set("countersign", cookie, domain="127.0.0.1", path="/")
        after = await client.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})

    assert answer.headers["location"] == "/sign-in"
    assert after.status_code == 303
    told: Any = scene.requests.told
    (name, request), *_ = told
    assert name == "approval.revoke"
    assert request.person.id == "grace"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2F/evil.example",
        "/%5cevil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        " //evil.example",
        "",
        "/" + "a" * 3_000,
    ],
)
async def test_return_path_never_leaves_the_site(to: str) -> None:
    async with browser(Scene(), person="") as client:
        token = form_token((await client.get("/sign-in")).text)
        data = {"form_token": token, "person": "ada", "to": to}
        answer = await client.post("/sign-in", data=data)

    assert answer.headers["location"] == "/"


async def test_sign_in_returns_to_where_one_wanted_to_go() -> None:
    async with browser(Scene(), person="") as client:
        asked = await client.get("/p/shop/checkout?x=1")
        page = (await client.get(asked.headers["location"])).text
        to = page.split('name="to" value="', 1)[1].split('"', 1)[0]

    assert to == "/p/shop/checkout?x=1"


async def test_callback_of_nobody_leaves_its_code_behind() -> None:
    async with browser(Scene(), person="") as client:
        answer = await client.get("/oauth/callback/github?code=c0de&state=r.x")

    assert "c0de" not in answer.headers["location"]


async def test_sender_who_leaves_within_the_body_is_no_mistake_of_ours() -> None:
    scene = Scene()
    host = scene.public_url.partition("://")[2].encode()
    scope = {
        "type": "http", "method": "POST", "path": "/sign-in", "query_string": b"",
        "headers": [(b"host", host), (b"content-type", b"application/x-www-form-urlencoded")],
    }  # fmt: skip
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    await scene.app(scope, receive, send)

    assert said[0]["status"] == 408


async def test_time_to_answer_leads_to_the_trace_of_the_request(
    spans: Callable[[], list[ReadableSpan]],
) -> None:
    async with browser(Scene()) as client:
        await client.get("/help")

    (asked,) = [one for one in spans() if one.name == "GET /help"]
    led = [
        line
        for line in exposition(with_exemplars=True).decode().splitlines()
        if line.startswith("countersign_http_request_seconds_bucket{") and 'route="/help"' in line
    ]
    assert f'trace_id="{asked.get_span_context().trace_id:032x}"' in "".join(led)
