"""HTTP to the provider: the only module of the gateway that speaks to anybody but the bus.

Redirects are not followed, and no environment variable sends requests elsewhere.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

import httpx2

from countersign.contracts.bounds.bodies import ACCEPTED, BodyError, BoundedBody
from countersign.contracts.errors import Rejected, Retryable
from countersign.gateway.refusals import Delay, Refusal
from countersign.process.faults.connections import Unreachable

TIMEOUT_S: Final = 8.0
ANSWER_BYTES_MAX: Final = 512 * 1024
CONNECTIONS_MAX: Final = 8
# Several servers close what is idle for 5 s; what is sent in that moment gets no answer.
KEPT_ALIVE_S: Final = 3.0


class Transport:
    """Owns the connections; use it through `transport`."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(self, url: str) -> Mapping[str, Any]:
        """Fetch a JSON document.

        Raises:
            Retryable: `provider_unavailable`.

        """
        status, answer = await self._exchange(self._client.build_request("GET", url))
        if status != httpx2.codes.OK:
            raise Retryable(
                Delay.PROVIDER_UNAVAILABLE, f"the provider answers with status {status}"
            )
        return answer

    async def post(
        self, url: str, fields: Mapping[str, str], *, basic: tuple[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Send a form; what is in it and in the answer is shown nowhere.

        Raises:
            Retryable: `provider_unavailable`.
            Rejected: `provider_refused`, with the provider's own word for it.

        """
        headers = {}
        if basic is not None:
            pair = base64.b64encode(":".join(basic).encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        request = self._client.build_request("POST", url, data=dict(fields), headers=headers)
        status, answer = await self._exchange(request)
        if httpx2.codes.is_success(status):
            return answer
        if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(
                Delay.PROVIDER_UNAVAILABLE, f"the provider answers with status {status}"
            )
        word = answer.get("error")
        known = isinstance(word, str) and word.isascii() and word.replace("_", "").isalpha()
        said = str(word)[:64] if known else f"status {status}"
        raise Rejected(Refusal.PROVIDER_REFUSED, f"the provider refuses the sign-in: {said}")

    async def _exchange(self, request: httpx2.Request) -> tuple[int, Mapping[str, Any]]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._client.send(request, stream=True)
                try:
                    encoding = answer.headers.get("content-encoding")
                    body = BoundedBody(encoding, bytes_max=ANSWER_BYTES_MAX)
                    async for chunk in cast("httpx2.AsyncByteStream", answer.stream):
                        body.feed(chunk)
                    content = body.whole()
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise Unreachable(
                Delay.PROVIDER_UNAVAILABLE, "the identity provider", TimeoutError()
            ) from None
        except (OSError, httpx2.HTTPError, BodyError) as error:
            # Not chained: a request carries a code, an answer a token.
            raise Unreachable(
                Delay.PROVIDER_UNAVAILABLE, "the identity provider", error,
                trust="COUNTERSIGN_OIDC_CA_FILE",
            ) from None  # fmt: skip
        return answer.status_code, _object(content)


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@asynccontextmanager
async def transport(ca_file: Path | None) -> AsyncIterator[Transport]:
    """Connections that are kept."""
    tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with httpx2.AsyncClient(
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        timeout=TIMEOUT_S,
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=KEPT_ALIVE_S),
        headers={
            "User-Agent": "countersign",
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
        },
    ) as client:
        yield Transport(client)
