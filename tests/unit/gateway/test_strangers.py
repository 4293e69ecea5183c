"""Who is not signed in can keep nobody else out."""

import ipaddress
from typing import Any

import pytest
from pydantic import ValidationError
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene

from countersign.gateway.access.strangers import Strangers
from countersign.gateway.settings import GatewaySettings
from countersign.process.http.rates import RateLimit

PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


def strangers(*, requests_max: int = 1, proxies: Any = ()) -> Strangers:
    rate = RateLimit(requests_max=requests_max, clock=lambda: 0.0)
    return Strangers(rate=rate, proxies=proxies)


def test_places_are_counted_apart() -> None:
    counted = strangers()

    assert counted.wait_s("192.0.2.1", forwarded="") == 0
    assert counted.wait_s("192.0.2.1", forwarded="") > 0
    assert counted.wait_s("192.0.2.2", forwarded="") == 0


def test_place_is_what_a_known_proxy_says() -> None:
    counted = strangers(proxies=PROXIES)

    assert counted.wait_s("10.0.0.1", forwarded="192.0.2.1") == 0
    assert counted.wait_s("10.0.0.1", forwarded="192.0.2.2") == 0
    assert counted.wait_s("10.0.0.2", forwarded="203.0.113.9, 192.0.2.2") > 0


def test_nobody_is_locked_out_by_those_behind_the_same_unknown_proxy() -> None:
    counted = strangers()

    assert [counted.wait_s("10.0.0.1", forwarded="192.0.2.1") for _ in range(3)] == [0, 0, 0]


async def test_who_tries_too_often_is_told_when_to_come_back_and_others_go_on() -> None:
    scene = Scene(strangers_max=3)
    async with browser(scene) as inside, browser(scene, person="") as outside:
        # The person inside took two.
        answers = [await outside.get("/sign-in") for _ in range(2)]
        page = await inside.get("/")
        files = await outside.get("/static/board.css")

        scene.clock.pass_by(seconds=31)
        later = await outside.get("/sign-in")

    assert [a.status_code for a in answers] == [200, 429]
    assert 0 < int(answers[1].headers["retry-after"]) <= 30
    assert "Too many sign in from your network" in answers[1].text
    assert page.status_code == 200
    assert files.status_code == 200
    assert later.status_code == 200


@pytest.mark.parametrize("written", ["nonsense", "10.0.0.1/8", "10.0.0.0/8 fd00::/8"])
def test_proxies_are_networks(written: str) -> None:
    with pytest.raises(ValidationError, match="proxies"):
        GatewaySettings(proxies=written)

    assert GatewaySettings(proxies="10.0.0.0/8, fd00::/8,").proxies
