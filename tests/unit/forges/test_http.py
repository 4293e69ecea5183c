"""The one client: where it sends, what it refuses, what a status means."""

import base64
import gzip

import httpx2
import pytest

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Basic, Call, Request
from countersign.dialects.github.limits import LIMITS
from countersign.forges.http import ForgeHttp

TOKEN = "made-up-token"
FORGE = Forge(name="Forge", kind="github", origin="https://forge.example")


class Wire(httpx2.AsyncBaseTransport):
    """Answers what it is told and keeps what came."""

    def __init__(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(
            self.status, stream=httpx2.ByteStream(self.body), headers=self.headers
        )


async def send(wire: httpx2.AsyncBaseTransport, request: Request, token: str = TOKEN) -> Answer:
    async with ForgeHttp(FORGE, transport=wire) as http:
        return await http.send(request, Secret(token) if token else None)


def get(url: str, **rest: object) -> Request:
    return Request(name="look", method="GET", url=url, **rest)  # type: ignore[arg-type]


async def test_client_sends_the_token_as_bearer_to_the_api_base() -> None:
    wire = Wire()

    answer = await send(wire, get("/user"))

    assert answer.json() == {}
    assert str(wire.requests[0].url) == "https://forge.example/api/v3/user"
    assert wire.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/user",
        "https://forge.example.evil.example/user",
        "https://forge.example@evil.example/user",
        "https://forge.example:8443/user",
        "http://forge.example/user",
        "https://forge.example\\@evil.example/user",
        "//evil.example/user",
        "https://forge.example",
    ],
)
async def test_client_sends_nothing_to_an_origin_that_is_not_the_forges(url: str) -> None:
    wire = Wire()

    if url.startswith("//"):
        await send(wire, get(url))
        assert wire.requests[0].url.host == "forge.example"
        return
    with pytest.raises(Rejected, match="forge_not_listed"):
        await send(wire, get(url))

    assert wire.requests == []


async def test_client_sends_an_applications_own_secret_to_the_forges_pages() -> None:
    wire = Wire()
    request = Request(
        name="exchange",
        method="POST",
        url="https://forge.example/login/oauth/access_token",
        form={"code": "c"},
        basic=Basic(user="id", password=Secret("made-up")),
    )

    await send(wire, request, token="")

    assert wire.requests[0].headers["authorization"].startswith("Basic ")
    assert wire.requests[0].read() == b"code=c"


async def test_client_sends_a_token_with_a_name_where_it_is_presented_so() -> None:
    wire = Wire()

    async with ForgeHttp(FORGE, transport=wire) as http:
        await http.send(get("/user"), Basic(user="ada", password=Secret(TOKEN)))

    sent = wire.requests[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == f"ada:{TOKEN}".encode()


async def test_answer_that_quotes_a_token_with_a_name_is_refused() -> None:
    wire = Wire(body=f'{{"you sent": "{TOKEN}"}}'.encode())

    async with ForgeHttp(FORGE, transport=wire) as http:
        with pytest.raises(Rejected, match="bad_answer") as caught:
            await http.send(get("/user"), Basic(user="ada", password=Secret(TOKEN)))

    assert TOKEN not in str(caught.value)


async def test_token_does_not_go_where_people_sign_in() -> None:
    wire = Wire()
    entra = "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    azure = Forge(name="Azure", kind="azure-devops", origin="https://dev.azure.com")

    async with ForgeHttp(azure, transport=wire) as http:
        await http.send(get(entra))
        with pytest.raises(Rejected, match="forge_not_listed"):
            await http.send(get(entra), Secret(TOKEN))

    assert len(wire.requests) == 1


async def test_client_never_follows_a_redirect() -> None:
    wire = Wire(302, location="https://evil.example/")

    with pytest.raises(Rejected, match=r"bad_answer.*redirects"):
        await send(wire, get("/user"))

    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("wire", "kind", "reason", "after_s"),
    [
        (Wire(401), Rejected, "unauthorized", None),
        (Wire(403), Rejected, "forbidden", None),
        (Wire(404), Rejected, "not_found", None),
        (Wire(403, x_ratelimit_remaining="0"), Retryable, "rate_limited", 60),
        (Wire(403, retry_after="7"), Retryable, "rate_limited", 7),
        (Wire(403, b'{"message":"Secondary rate limit"}'), Retryable, "rate_limited", 60),
        (Wire(429), Retryable, "rate_limited", 60),
        (Wire(502, b"<html>", content_type="text/html"), Retryable, "forge_unavailable", None),
        (Wire(200, b"<html>", content_type="text/html"), Rejected, "bad_answer", None),
        (Wire(400), Rejected, "refused", None),
    ],
)
async def test_client_says_what_a_status_means(
    wire: Wire, kind: type[Exception], reason: str, after_s: float | None
) -> None:
    with pytest.raises(kind) as caught:
        await send(wire, get("/user"))

    assert getattr(caught.value, "reason", "") == reason
    assert getattr(caught.value, "after_s", None) == after_s


async def test_client_passes_on_the_forges_sentence_but_never_the_token() -> None:
    with pytest.raises(Rejected, match="accessible"):
        await send(Wire(403, b'{"message":"not accessible by integration"}'), get("/user"))
    with pytest.raises(Rejected) as caught:
        await send(Wire(403, f'{{"message":"no {TOKEN}"}}'.encode()), get("/user"))

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(
            Wire(200, f'{{"errors":[{{"message":"no {TOKEN}"}}]}}'.encode()), id="a sentence"
        ),
        pytest.param(Wire(200, f'{{"login":"{TOKEN}"}}'.encode()), id="a name"),
        pytest.param(Wire(200, b"x", content_type=f"text/{TOKEN}"), id="its type"),
        pytest.param(Wire(200, b"{}", etag=TOKEN), id="another header"),
    ],
)
async def test_client_refuses_an_answer_that_quotes_the_token(wire: Wire) -> None:
    with pytest.raises(Rejected, match="quotes") as caught:
        await send(wire, get("/user"))

    assert TOKEN not in str(caught.value)


async def test_client_refuses_an_answer_without_end() -> None:
    with pytest.raises(Rejected, match="larger than 10 bytes"):
        await send(Wire(200, b'"' + b"x" * 20 + b'"'), get("/user", body_bytes_max=10))


async def test_client_turns_a_lost_connection_into_retryable_without_its_request() -> None:
    class Lost(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError("no", request=request)

    with pytest.raises(Retryable) as caught:
        await send(Lost(), get("/user"))

    assert caught.value.reason == "forge_unavailable"
    assert caught.value.__cause__ is None


async def test_client_tells_of_each_call() -> None:
    calls: list[Call] = []
    async with ForgeHttp(FORGE, transport=Wire(404), observe=calls.append) as http:
        with pytest.raises(Rejected):
            await http.send(get("/user"), Secret(TOKEN))

    assert [(c.name, c.method, c.host, c.status) for c in calls] == [
        ("look", "GET", "forge.example", 404)
    ]
    assert calls[0].end_ns >= calls[0].start_ns


def test_wait_is_until_the_reset_that_the_forge_names() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"}

    assert LIMITS.wait_s(headers, 1000) == 30


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip, gzip, gzip, gzip, gzip", "br"])
async def test_answer_that_is_packed_more_than_once_is_not_unpacked(encoding: str) -> None:
    packed = gzip.compress(gzip.compress(bytes(1024 * 1024)))
    wire = Wire(body=packed, content_encoding=encoding)

    with pytest.raises(Rejected, match="bad_answer"):
        await send(wire, get("/user"))


async def test_answer_that_is_packed_once_is_read() -> None:
    wire = Wire(body=gzip.compress(b'{"a": 1}'), content_encoding="gzip")

    assert (await send(wire, get("/user"))).json() == {"a": 1}
