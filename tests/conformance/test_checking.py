"""The suite fails for a request or an answer that the vendor does not describe."""

import httpx2
import pytest
from conformance.stages import FULL_NAME, Stage

from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Request
from countersign.forges.http import ForgeHttp

WRONG = [
    pytest.param(f"/repos/{FULL_NAME}/pulls", {"title": 5, "head": [], "base": "main"}, id="types"),
    pytest.param(f"/repos/{FULL_NAME}/nonsense", {"title": "x"}, id="operation"),
]


@pytest.mark.parametrize(("path", "body"), WRONG)
async def test_request_that_no_vendor_describes_fails(
    stage: Stage, path: str, body: dict[str, object]
) -> None:
    with pytest.raises(AssertionError):
        await _send(stage.http, Request(name="x", method="POST", url=path, json=body))


async def test_answer_that_no_vendor_describes_fails(stage: Stage) -> None:
    odd = httpx2.Response(200, json={"id": "one", "full_name": 7})
    stage.transport.answer_checked(f"/repos/{FULL_NAME}", odd)

    with pytest.raises(AssertionError):
        await _send(stage.http, Request(name="x", method="GET", url=f"/repos/{FULL_NAME}"))


async def _send(http: ForgeHttp, request: Request) -> None:
    await http.send(request, Secret("example-token"))
