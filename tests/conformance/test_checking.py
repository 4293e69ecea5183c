"""The suite fails for a request or an answer that the vendor does not describe."""

import httpx2
import pytest
from conformance.stages import FULL_NAME, Stage

from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Request
from countersign.forges.http import ForgeHttp


async def test_request_that_no_vendor_describes_fails(stage: Stage) -> None:
    for method, path, body in stage.wire.wrong:
        request = Request(name="x", method=method, url=path, json=body)  # type: ignore[arg-type]
        with pytest.raises(AssertionError):
            await _send(stage.http, request)


async def test_answer_that_no_vendor_describes_fails(stage: Stage) -> None:
    path = f"/repos/{FULL_NAME}" if stage.kind == "github" else stage.wire.repository[1]
    odd = httpx2.Response(200, json={"id": ["one"], "full_name": 7, "name": 7})
    stage.transport.answer_checked(path, odd)

    with pytest.raises(AssertionError):
        await _send(stage.http, Request(name="x", method="GET", url=path))


async def _send(http: ForgeHttp, request: Request) -> None:
    await http.send(request, Secret("example-token"))
