"""A forge behind a private authority and an egress proxy, both named by the administrator alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conformance.doubles import DOUBLES
from doubles.connect_proxy import ConnectProxy, connect_proxy
from doubles.forge.asgi import ForgeApi
from doubles.forge.served import served
from doubles.forge.state import SmallForge
from doubles.tls_front import tls_front

from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Request
from countersign.dialects.refusals import ForgeRefusal
from countersign.forges.http import ForgeHttp

WHO = Request(name="ask whose token it is", method="GET", url="/user")


@dataclass
class Place:
    api: ForgeApi
    proxy: ConnectProxy
    origin: str
    ca_file: Path
    token: Secret

    def http(self, **more: Any) -> ForgeHttp:
        given = {"ca_file": str(self.ca_file), "proxy": self.proxy.url, **more}
        return ForgeHttp(Forge(name="GitLab", kind="gitlab", origin=self.origin, **given))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    forge = SmallForge("gitlab")
    token = Secret(forge.token("ada", "api"))
    api = DOUBLES["gitlab"].api(forge, None)
    async with (
        served(api) as behind,
        tls_front(tmp_path / "tls", port=urlsplit(behind).port or 0) as front,
        connect_proxy() as proxy,
    ):
        ca_file = tmp_path / "authority.pem"
        ca_file.write_text(front.authority)
        yield Place(api, proxy, front.origin, ca_file, token)


async def test_token_goes_through_the_proxy_and_is_not_seen_there(place: Place) -> None:
    async with place.http() as http:
        answer = await http.send(WHO, place.token)

    assert answer.json()["username"] == "ada"
    assert place.proxy.asked == [f"CONNECT {urlsplit(place.origin).netloc}"]
    assert place.token.reveal().encode() not in bytes(place.proxy.seen)


async def test_variables_name_no_proxy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, place.proxy.url)

    async with place.http(proxy="") as http:
        await http.send(WHO, place.token)

    assert place.proxy.asked == []


async def test_authority_that_nobody_named_is_not_believed_behind_a_proxy(place: Place) -> None:
    async with place.http(ca_file="") as http:
        with pytest.raises(Retryable) as caught:
            await http.send(WHO, place.token)

    assert caught.value.reason == ForgeRefusal.FORGE_UNAVAILABLE
    assert place.api.calls == []
