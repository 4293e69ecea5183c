"""What a destination answers, and what that means."""

import base64
import hashlib
import hmac
import logging
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest

from countersign.bridge.destination import Destination
from countersign.bridge.model import BridgeRefusal, Parcel
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.process.clocks import MACHINE

AT = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
CLOCKS = replace(MACHINE, wall=lambda: AT)
URL = "https://hooks.example/made-up-path"
PARCEL = Parcel(body=b'{"a":1}', headers={"content-type": "application/json"})


async def sent(
    answer: httpx2.Response | Exception, *, secret: Secret | None = None
) -> httpx2.Request:
    requests: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    target = Destination(URL, secret=secret, clocks=CLOCKS, transport=httpx2.MockTransport(handle))
    try:
        await target.send(PARCEL, event_id="m1")
    finally:
        await target.close()
    return requests[0]


@pytest.mark.parametrize("text", ["made-up", "whsec_" + base64.b64encode(b"made-up").decode()])
async def test_request_is_signed_as_standard_webhooks_has_it(text: str) -> None:
    request = await sent(httpx2.Response(204), secret=Secret(text))

    at = str(int(AT.timestamp()))
    digest = hmac.new(b"made-up", f"m1.{at}.".encode() + PARCEL.body, hashlib.sha256).digest()
    assert request.headers["webhook-id"] == "m1"
    assert request.headers["webhook-timestamp"] == at
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert "made-up" not in str(request.headers)


async def test_request_without_a_secret_is_not_signed() -> None:
    request = await sent(httpx2.Response(200))

    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_destination_that_is_busy_is_asked_again(status: int) -> None:
    with pytest.raises(Retryable) as put_off:
        await sent(httpx2.Response(status, headers={"retry-after": "7"}))

    assert put_off.value.reason == BridgeRefusal.BUSY
    assert put_off.value.after_s == 7


@pytest.mark.parametrize("text", ["soon", "-1", "", "1e9"])
async def test_time_to_wait_that_is_none_is_not_obeyed(text: str) -> None:
    with pytest.raises(Retryable) as put_off:
        await sent(httpx2.Response(503, headers={"retry-after": text}))

    assert put_off.value.after_s is None


async def test_time_to_wait_has_a_bound() -> None:
    with pytest.raises(Retryable) as put_off:
        await sent(httpx2.Response(503, headers={"retry-after": "999999999"}))

    assert put_off.value.after_s == 900


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 413])
async def test_destination_that_will_not_take_it_is_not_asked_again(status: int) -> None:
    with pytest.raises(Rejected) as refused:
        await sent(httpx2.Response(status, headers={"location": "https://elsewhere.example"}))

    assert refused.value.reason == BridgeRefusal.REFUSED


async def test_address_that_is_a_password_is_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(Retryable) as put_off:
        await sent(httpx2.ConnectError(f"cannot reach {URL}"))

    assert "made-up-path" not in str(put_off.value)
    assert put_off.value.__cause__ is None
    assert "made-up-path" not in caplog.text
