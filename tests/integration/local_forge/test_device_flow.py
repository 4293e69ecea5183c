"""The device flow as a person and an application see it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from checked_forge import REPO
from doubles.local_forge import RunningForge, running_forge

from countersign.local.forge.state.device import GRANT_TYPE

CLIENT_ID = "Iv1.made-up"
Json = dict[str, object]


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def forge(tmp_path: Path, clock: Clock) -> AsyncIterator[RunningForge]:
    async with running_forge(tmp_path / "device", clock=clock) as running:
        running.person("ada")
        running.repository(REPO, {"a.yaml": "a: 1\n"}, writers=["ada"])
        running.app(installations=[REPO], device_flow=True)
        running.app(kind="oauth-app", client_id="oauth-made-up")
        yield running


async def _post(forge: RunningForge, path: str, **form: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"accept": "application/json"}
        return await client.post(f"{forge.origin}{path}", data=form, headers=headers)


async def _begin(forge: RunningForge) -> dict[str, str]:
    found: dict[str, str] = (await _post(forge, "/login/device/code", client_id=CLIENT_ID)).json()
    return found


async def _poll(forge: RunningForge, code: str) -> Json:
    answer = await _post(
        forge,
        "/login/oauth/access_token",
        client_id=CLIENT_ID,
        device_code=code,
        grant_type=GRANT_TYPE,
    )
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


async def test_code_that_is_typed_gives_the_persons_token_once(
    forge: RunningForge, clock: Clock
) -> None:
    begun = await _begin(forge)
    pending = await _poll(forge, begun["device_code"])

    await forge.type_code(begun["verification_uri"], begun["user_code"].lower(), "ada")
    clock.pass_(5)
    tokens = await _poll(forge, begun["device_code"])
    again = await _poll(forge, begun["device_code"])

    assert pending["error"] == "authorization_pending"
    assert str(tokens["access_token"]).startswith("ghu_")
    assert (tokens["expires_in"], tokens["scope"]) == (28_800, "")
    assert again["error"] == "incorrect_device_code"


async def test_who_asks_too_often_is_slowed_down(forge: RunningForge, clock: Clock) -> None:
    begun = await _begin(forge)
    await _poll(forge, begun["device_code"])
    clock.pass_(4)
    early = await _poll(forge, begun["device_code"])
    clock.pass_(9)
    earlier = await _poll(forge, begun["device_code"])
    clock.pass_(15)
    patient = await _poll(forge, begun["device_code"])

    assert (early["error"], early["interval"]) == ("slow_down", 10)
    assert (earlier["error"], earlier["interval"]) == ("slow_down", 15)
    assert patient["error"] == "authorization_pending"


async def test_code_ends_after_a_quarter_of_an_hour(forge: RunningForge, clock: Clock) -> None:
    begun = await _begin(forge)
    clock.pass_(900)

    said = await forge.type_code(begun["verification_uri"], begun["user_code"], "ada")

    assert "Nothing waits for this code" in said
    assert (await _poll(forge, begun["device_code"]))["error"] == "expired_token"


async def test_person_may_say_no(forge: RunningForge) -> None:
    begun = await _begin(forge)

    await forge.type_code(begun["verification_uri"], begun["user_code"], "ada", deny=True)

    assert (await _poll(forge, begun["device_code"]))["error"] == "access_denied"


async def test_device_flow_is_off_unless_it_is_turned_on(forge: RunningForge) -> None:
    disabled = await _post(forge, "/login/device/code", client_id="oauth-made-up")
    unknown = await _post(forge, "/login/device/code", client_id="nobody")

    assert (disabled.status_code, disabled.json()["error"]) == (400, "device_flow_disabled")
    assert unknown.status_code == 404
