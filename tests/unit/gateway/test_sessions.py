"""A session outlives the replica that began it, and is over when it was ended."""

from datetime import timedelta

import httpx2
import pytest
from unit.gateway.doubles import Clock, Scene

from countersign.contracts.consent.sign_in import person_digest
from countersign.contracts.messages import Person
from countersign.gateway.access.capsules import CHARACTERS_MAX, FRESH, Capsules
from countersign.gateway.access.sessions import ABSOLUTE, IDLE, Sessions

KEY = bytes(range(64))
ADA = Person(id="ada", name="Ada Lovelace", groups=("shop",))
ORIGIN = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}


class Replicas:
    """Two gateways at one address, and a clock for both."""

    def __init__(self, *, key: bytes = KEY) -> None:
        self.clock = Clock()
        self.scenes = [Scene(clock=self.clock, session_key=key) for _ in range(2)]

    def browser(self, number: int, jar: httpx2.Cookies) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.scenes[number].app)
        return httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8080", cookies=jar, headers=ORIGIN
        )

    async def sign_in(self) -> httpx2.Cookies:
        async with self.browser(0, httpx2.Cookies()) as browser:
            token = await _form_token(browser, "/sign-in")
            await browser.post("/sign-in", data={"person": "ada", "form_token": token})
            assert (await browser.get("/api/v1/session")).status_code == httpx2.codes.OK
            return browser.cookies


async def _form_token(browser: httpx2.AsyncClient, path: str) -> str:
    page = (await browser.get(path)).text
    return page.partition('name="form_token" value="')[2].partition('"')[0]


async def test_replica_that_never_saw_a_session_takes_it_up() -> None:
    replicas = Replicas()
    jar = await replicas.sign_in()

    async with replicas.browser(1, jar) as browser:
        answer = await browser.get("/api/v1/session")

    assert answer.status_code == httpx2.codes.OK
    assert answer.json()["person"] == ADA.name


async def test_form_of_one_replica_is_taken_by_another() -> None:
    replicas = Replicas()
    jar = await replicas.sign_in()

    async with replicas.browser(0, jar) as browser:
        token = (await browser.get("/api/v1/session")).json()["formToken"]
    async with replicas.browser(1, jar) as browser:
        answer = await browser.post("/sign-out", data={"form_token": token})

    assert answer.status_code == httpx2.codes.SEE_OTHER


async def test_replica_with_another_key_takes_nothing_up() -> None:
    replicas = Replicas(key=b"")
    jar = await replicas.sign_in()

    async with replicas.browser(1, jar) as browser:
        answer = await browser.get("/api/v1/session")

    assert answer.status_code == httpx2.codes.UNAUTHORIZED


async def test_session_that_was_ended_is_not_taken_up_again() -> None:
    replicas = Replicas()
    jar = await replicas.sign_in()
    before = dict(jar)

    async with replicas.browser(0, jar) as browser:
        token = (await browser.get("/api/v1/session")).json()["formToken"]
        await browser.post("/sign-out", data={"form_token": token})
        assert not any(name.endswith("-session") for name in browser.cookies)
    async with replicas.browser(0, httpx2.Cookies(before)) as thief:
        answer = await thief.get("/api/v1/session")

    assert answer.status_code == httpx2.codes.UNAUTHORIZED


async def test_sign_out_everywhere_is_so_where_it_is_heard() -> None:
    replicas = Replicas()
    jar = await replicas.sign_in()
    other = await replicas.sign_in()
    async with replicas.browser(1, other) as browser:
        await browser.get("/api/v1/session")
    replicas.clock.pass_by(seconds=1)

    ended = replicas.scenes[1].sessions.close_all(person_digest("ada"), before=replicas.clock.now)
    replicas.clock.pass_by(seconds=1)
    answers = []
    for cookies in (jar, other, await replicas.sign_in()):
        async with replicas.browser(1, cookies) as browser:
            answers.append((await browser.get("/api/v1/session")).status_code)

    assert len(ended) == 1
    assert answers == [httpx2.codes.UNAUTHORIZED, httpx2.codes.UNAUTHORIZED, httpx2.codes.OK]


def _capsules(clock: Clock, key: bytes = KEY) -> Capsules:
    return Capsules(key, clock=clock, dice=bytes)


def test_capsule_is_bound_to_the_id_beside_it() -> None:
    clock = Clock()
    sealed = _capsules(clock).seal(session_id="mine", person=ADA, created_at=clock.now)
    sessions = Sessions(clock=clock, dice=bytes, key=KEY)

    assert sessions.take_up("another", sealed) is None
    assert sessions.take_up("mine", sealed) is not None


@pytest.mark.parametrize("late", [IDLE, ABSOLUTE])
def test_capsule_that_is_too_old_is_no_session(late: timedelta) -> None:
    clock = Clock()
    created = clock.now
    clock.now += ABSOLUTE - IDLE if late == ABSOLUTE else timedelta()
    sealed = _capsules(clock).seal(session_id="mine", person=ADA, created_at=created)
    clock.now += IDLE + timedelta(seconds=1)

    sessions = Sessions(clock=clock, dice=bytes, key=KEY)

    assert sessions.take_up("mine", sealed) is None


def test_capsule_is_written_anew_only_after_a_while() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock, dice=bytes, key=KEY)
    session = sessions.open(ADA)

    first = sessions.encapsulate(session.id, "")
    assert first is not None
    assert sessions.encapsulate(session.id, first) is None
    clock.now += FRESH
    assert sessions.encapsulate(session.id, first)


@pytest.mark.parametrize(
    "cookie", ["", "x", "é", "A" * 40, "A" * (CHARACTERS_MAX + 1), "=" * 8, "*" * 64]
)
def test_foreign_capsule_is_none(cookie: str) -> None:
    assert _capsules(Clock()).open(cookie) is None


def test_capsule_changed_anywhere_is_none() -> None:
    clock = Clock()
    capsules = _capsules(clock)
    sealed = capsules.seal(session_id="mine", person=ADA, created_at=clock.now)

    changed = [
        sealed[:n] + ("A" if c != "A" else "B") + sealed[n + 1 :] for n, c in enumerate(sealed[:-1])
    ]

    assert [c for c in changed if capsules.open(c) is not None] == []


def test_person_with_too_many_groups_stays_at_one_replica() -> None:
    clock = Clock()
    groups = tuple(f"{hash((n, 'group')):x}" for n in range(2000))
    many = Person(id="ada", name="Ada", groups=groups)

    assert _capsules(clock).seal(session_id="mine", person=many, created_at=clock.now) == ""
