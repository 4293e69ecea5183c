"""The destination: one request for one event, and what its answer means."""

from datetime import timedelta
from typing import Final

import httpx2

from countersign.bridge.model import BridgeRefusal, Parcel
from countersign.bridge.signing import signature_headers
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.process.clocks import MACHINE, Clocks
from countersign.process.faults.connections import Unreachable
from countersign.telemetry.tracing import carrier

# Below the 10 s after which the bus gives the event to somebody else.
TIMEOUT_S: Final = 6.0
_BUSY: Final = frozenset({408, 425, 429})
_SERVER_TROUBLE: Final = 500
_SUCCESS: Final = range(200, 300)
_AFTER_MAX: Final = timedelta(minutes=15)


class Destination:
    """One URL. Redirects are not followed: a signed event goes where it was meant to go."""

    def __init__(
        self,
        url: str,
        *,
        secret: Secret | None = None,
        clocks: Clocks = MACHINE,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._secret = secret
        self._wall = clocks.wall
        self._client = httpx2.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=transport
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, parcel: Parcel, *, event_id: str) -> None:
        """Send it once.

        Raises:
            Retryable: `unreachable`, `busy`; with `after_s` where the destination says it.
            Rejected: `refused`; it will not take this one.

        """
        headers = {"user-agent": "countersign-bridge", **carrier(), **parcel.headers}
        if self._secret is not None:
            headers |= signature_headers(
                self._secret,
                event_id=event_id,
                at_s=int(self._wall().timestamp()),
                body=parcel.body,
            )
        try:
            answer = await self._client.post(self._url, content=parcel.body, headers=headers)
        except httpx2.TransportError as error:
            # Not chained: its text may repeat the URL, and a webhook's URL is its password.
            raise Unreachable(BridgeRefusal.UNREACHABLE, "", error) from None
        if answer.status_code in _SUCCESS:
            return
        word = f"it answered {answer.status_code}"
        if answer.status_code in _BUSY or answer.status_code >= _SERVER_TROUBLE:
            raise Retryable(BridgeRefusal.BUSY, word, after_s=_after_s(answer))
        raise Rejected(BridgeRefusal.REFUSED, word)


def _after_s(answer: httpx2.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), _AFTER_MAX.total_seconds()) if text.isdecimal() else None
