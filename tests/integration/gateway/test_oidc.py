"""Signing in at a real identity provider, and all the ways in which it must not work."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from doubles.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    PUBLIC_CLIENT_ID,
    IdentityProvider,
    fetch,
    new_key,
    provider,
    sign_in_there,
    sign_out_there,
    walk,
)
from integration.gateway.conftest import environment, free_port, running_gateway
from unit.gateway.browsing import browser, form_token
from unit.gateway.doubles import Scene

from countersign.gateway.oidc.attempts import ATTEMPT_S, Attempts
from countersign.gateway.oidc.claims import ClaimRules
from countersign.gateway.oidc.code_flow import OidcSignIn, Registration
from countersign.gateway.oidc.provider import REFETCH_INTERVAL_S, Provider
from countersign.gateway.oidc.transport import transport
from countersign.messaging.administration.local_server import LocalServer

HOME = "http://127.0.0.1:8080"
RULES = ClaimRules(groups_prefix="oidc:")


class Watch:
    """Time that passes by itself, and more when it is told to."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.later_s = 0.0

    def elapsed(self) -> float:
        return time.monotonic() + self.later_s

    def now(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch(tmp_path_factory.mktemp("oidc-provider"))


@pytest.fixture
async def idp(installed: Path) -> AsyncIterator[IdentityProvider]:
    async with provider(installed, redirect_origin=HOME) as running:
        yield running


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "client-secret"
    path.write_text(f"{CLIENT_SECRET}\n")
    return path


@asynccontextmanager
async def gateway(
    idp: IdentityProvider,
    watch: Watch,
    *,
    secret_file: Path | None,
    client_id: str = CLIENT_ID,
    rules: ClaimRules = RULES,
) -> AsyncIterator[Scene]:
    registration = Registration(
        client_id=client_id,
        secret_file=secret_file,
        scopes="openid profile email groups",
        redirect_uri=f"{HOME}/sign-in/callback",
        farewell_uri=f"{HOME}/sign-in",
    )
    async with transport(None) as http:
        asked = Provider(http, issuer=idp.issuer, elapsed=watch.elapsed)
        sign_in = OidcSignIn(
            asked,
            registration,
            rules,
            attempts=Attempts(elapsed=watch.elapsed, dice=secrets.token_bytes),
            now=watch.now,
        )
        yield Scene(public_url=HOME, provider=sign_in)


@pytest.fixture
async def scene(idp: IdentityProvider, watch: Watch, secret_file: Path) -> AsyncIterator[Scene]:
    async with gateway(idp, watch, secret_file=secret_file) as made:
        yield made


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of nobody yet."""
    async with browser(scene, person="") as made:
        yield made


@pytest.fixture
async def person() -> AsyncIterator[httpx2.AsyncClient]:
    """The same browser, where it is known to the provider."""
    async with httpx2.AsyncClient(trust_env=False) as made:
        yield made


async def begin(client: httpx2.AsyncClient, *, to: str = "/help") -> str:
    answer = await client.get("/sign-in/begin", params={"to": to})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(client: httpx2.AsyncClient, *, person: str = "grace") -> str:
    return await sign_in_there(await begin(client), person, home=HOME)


async def who(client: httpx2.AsyncClient) -> dict[str, object]:
    answer = await client.get("/api/v1/session")
    return answer.json() if answer.status_code == 200 else {}


async def test_person_signs_in_with_name_and_groups(client: httpx2.AsyncClient) -> None:
    page = await client.get("/sign-in", params={"to": "/help"})
    before = client.cookies[f"countersign-{urlsplit(HOME).port}"]

    answer = await client.get(await come_back(client))

    assert "Continue to 127.0.0.1" in page.text
    assert answer.status_code == 303
    assert answer.headers["location"] == "/help"
    assert client.cookies[f"countersign-{urlsplit(HOME).port}"] != before
    known = await who(client)
    assert known["personId"] == "grace@example.org"
    assert known["person"] == "Grace Hopper"
    assert known["groups"] == ["oidc:developers", "oidc:shop"]


async def test_public_client_signs_in_with_pkce_alone(idp: IdentityProvider, watch: Watch) -> None:
    async with (
        gateway(idp, watch, secret_file=None, client_id=PUBLIC_CLIENT_ID) as scene,
        browser(scene, person="") as client,
    ):
        await client.get(await come_back(client))

        assert (await who(client))["personId"] == "grace@example.org"


async def test_answer_counts_once(client: httpx2.AsyncClient) -> None:
    address = await come_back(client)
    assert (await client.get(address)).status_code == 303

    again = await client.get(address)

    assert again.status_code == 400
    assert "used already" in again.text


async def test_answer_does_not_count_in_another_browser(
    scene: Scene, client: httpx2.AsyncClient
) -> None:
    """Else somebody could be signed in as whoever sends them a link."""
    address = await come_back(client)

    async with browser(scene, person="") as other:
        await other.get("/sign-in")
        answer = await other.get(address)

        assert answer.status_code == 400
        assert await who(other) == {}


async def test_answer_does_not_count_when_it_comes_too_late(
    client: httpx2.AsyncClient, watch: Watch
) -> None:
    address = await come_back(client)
    watch.later_s += ATTEMPT_S + 1

    assert (await client.get(address)).status_code == 400


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"state": "made-up"}, 400, "no longer valid"),
        ({"iss": "https://elsewhere.example"}, 400, "not of the provider"),
        ({"iss": ""}, 400, "not of the provider"),
        ({"code": "made-up"}, 502, "invalid_grant"),
        ({"code": ""}, 400, "no code"),
    ],
)
async def test_answer_that_was_changed_is_refused(
    client: httpx2.AsyncClient, change: dict[str, str], status: int, said: str
) -> None:
    query = urlsplit(await come_back(client)).query
    given = {k: v[0] for k, v in parse_qs(query).items()} | change

    answer = await client.get("/sign-in/callback", params={k: v for k, v in given.items() if v})

    assert answer.status_code == status
    assert said in answer.text
    assert await who(client) == {}
    assert given["code"] == "" or given["code"] not in answer.text


@pytest.mark.parametrize("name", ["nonce", "client_id", "code_challenge"])
async def test_question_that_was_changed_on_its_way_leads_to_nobody(
    client: httpx2.AsyncClient, name: str
) -> None:
    url = httpx2.URL(await begin(client))
    other = {"nonce": "x" * 43, "client_id": PUBLIC_CLIENT_ID, "code_challenge": "x" * 43}

    address = await sign_in_there(str(url.copy_set_param(name, other[name])), "grace", home=HOME)
    answer = await client.get(address)

    assert answer.status_code == 502
    assert await who(client) == {}


async def test_expired_id_token_is_refused(client: httpx2.AsyncClient, watch: Watch) -> None:
    address = await come_back(client)
    watch.ahead_s += 200

    answer = await client.get(address)

    assert answer.status_code == 502
    assert "expired" in answer.text


async def test_clocks_that_differ_a_little_do_not_matter(
    client: httpx2.AsyncClient, watch: Watch
) -> None:
    watch.ahead_s -= 30

    assert (await client.get(await come_back(client))).status_code == 303


async def test_declined_sign_in_is_told(client: httpx2.AsyncClient) -> None:
    address = await sign_in_there(await begin(client), "grace", home=HOME, decline=True)

    answer = await client.get(address)

    assert answer.status_code == 403
    assert "declined" in answer.text
    assert 'href="/sign-in"' in answer.text


@pytest.mark.parametrize(
    ("person", "said"), [("mallory", "not verified"), ("root", "system:"), ("nobody", "email")]
)
async def test_claims_that_name_nobody_rightly_are_refused(
    idp: IdentityProvider, watch: Watch, secret_file: Path, person: str, said: str
) -> None:
    async with (
        gateway(idp, watch, secret_file=secret_file, rules=ClaimRules()) as scene,
        browser(scene, person="") as client,
    ):
        answer = await client.get(await come_back(client, person=person))

        assert answer.status_code == 403
        assert said in answer.text
        assert await who(client) == {}


async def test_new_key_of_the_provider_is_found(
    client: httpx2.AsyncClient, idp: IdentityProvider, watch: Watch
) -> None:
    assert (await client.get(await come_back(client))).status_code == 303
    await client.post(
        "/sign-out", data={"form_token": form_token((await client.get("/help")).text)}
    )
    await idp.stop()
    idp.key = new_key("two")
    await idp.start()
    watch.later_s += REFETCH_INTERVAL_S

    answer = await client.get(await come_back(client))

    assert answer.status_code == 303


async def test_provider_that_is_down_is_named(
    client: httpx2.AsyncClient, idp: IdentityProvider
) -> None:
    address = await come_back(client)
    await idp.stop()

    returned = await client.get(address)
    begun = await client.get("/sign-in/begin")

    assert returned.status_code == 503
    assert "is not responding" in returned.text
    # What the provider says of itself is still known.
    assert begun.status_code == 303


async def test_provider_that_was_never_there_is_named(
    installed: Path, watch: Watch, secret_file: Path
) -> None:
    absent = IdentityProvider(installed, HOME)
    async with (
        gateway(absent, watch, secret_file=secret_file) as scene,
        browser(scene, person="") as client,
    ):
        page = await client.get("/sign-in")
        begun = await client.get("/sign-in/begin")

    assert page.status_code == 200
    assert begun.status_code == 503
    assert "sign-in provider is not responding" in begun.text


async def test_signing_out_ends_the_session_here_and_goes_on_at_the_provider(
    client: httpx2.AsyncClient, idp: IdentityProvider, person: httpx2.AsyncClient
) -> None:
    await client.get(await walk(person, await begin(client), "grace", home=HOME))
    page = await client.get("/help")

    out = await client.post("/sign-out", data={"form_token": form_token(page.text)})

    assert (
        f"form-action 'self' http://localhost:3000 {idp.issuer}"
        in (page.headers["content-security-policy"])
    )
    assert await who(client) == {}
    there = urlsplit(out.headers["location"])
    query = parse_qs(there.query)
    assert out.headers["location"].startswith(f"{idp.issuer}/session/end?")
    assert query["post_logout_redirect_uri"] == [f"{HOME}/sign-in"]
    assert "id_token_hint" not in query
    assert (await sign_out_there(person, out.headers["location"])) == f"{HOME}/sign-in"


async def test_session_ends_when_it_is_idle_and_when_it_is_old(
    scene: Scene, client: httpx2.AsyncClient
) -> None:
    await client.get(await come_back(client))
    scene.clock.pass_by(minutes=29)
    used = await who(client)
    scene.clock.pass_by(minutes=31)
    idle = await who(client)

    await client.get(await come_back(client))
    for _ in range(16):
        scene.clock.pass_by(minutes=29)
        await who(client)
    scene.clock.pass_by(minutes=29)

    assert used
    assert idle == {}
    assert await who(client) == {}


async def test_gateway_as_a_process_signs_in_and_keeps_no_token(
    installed: Path, nats: LocalServer, tmp_path: Path, secret_file: Path
) -> None:
    variables = environment(nats, tmp_path, port=free_port())
    home = f"http://127.0.0.1:{variables['COUNTERSIGN_PORT']}"
    log = tmp_path / "gateway.log"
    async with provider(installed, redirect_origin=home) as idp:
        variables |= {
            "COUNTERSIGN_SIGN_IN": "oidc",
            "COUNTERSIGN_PUBLIC_URL": home,
            "COUNTERSIGN_LOG_LEVEL": "debug",
            "COUNTERSIGN_OIDC_ISSUER_URL": idp.issuer,
            "COUNTERSIGN_OIDC_CLIENT_ID": CLIENT_ID,
            "COUNTERSIGN_OIDC_CLIENT_SECRET_FILE": str(secret_file),
        }
        async with running_gateway(variables, log), httpx2.AsyncClient(base_url=home) as client:
            url = await begin(client)
            address = await sign_in_there(url, "grace", home=home)
            entered = await client.get(address)
            known = await who(client)

    code = parse_qs(urlsplit(address).query)["code"][0]
    written = log.read_text()
    assert entered.status_code == 303
    assert known["personId"] == "grace@example.org"
    assert "session.opened" in written
    assert code not in written
    assert CLIENT_SECRET not in written
    assert "eyJ" not in written
