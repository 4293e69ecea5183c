"""Long answers of an API server, read as they come: lists in pages, and watches.

Connections, TLS and credentials are those of kubernetes_asyncio; its models and its `Watch`, which
reconnects without a pause and does not list again, are not used. It is imported when the first
connection is made: that takes two seconds and 70 MB, which who has no cluster need not pay.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp

from countersign.contracts.errors import Retryable
from countersign.kube.access.api import CALL_TIMEOUT_S, refuse
from countersign.kube.access.http_api import KubeSettings, Trust
from countersign.kube.refusals import ClusterRefusal
from countersign.process.faults.connections import Unreachable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, Configuration

# Five hundred objects of 128 KiB; etcd takes 1.5 MiB for each.
PAGE_BYTES_MAX: Final = 64 * 1024 * 1024
# An object with what is said of it.
LINE_BYTES_MAX: Final = 4 * 1024 * 1024
REFUSAL_BYTES_MAX: Final = 64 * 1024
_OK: Final = 200
T = TypeVar("T")


class WatchingApi:
    """One API server, as one of its users."""

    def __init__(self, client: "ApiClient", *, trust: Trust | None = None) -> None:
        self._client = client
        self._trust = trust
        self._waits: set[asyncio.Timeout] = set()

    def give_up(self) -> None:
        """Fail everybody who still waits for an answer."""
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Read a whole answer.

        Raises:
            Retryable: `cluster_unavailable`, `unauthorized`, `too_large`.
            Rejected: `forbidden`, `not_found`, `gone`, `invalid`.

        """
        async with self._answer(path, query or {}, silence_s=CALL_TIMEOUT_S) as answer:
            content = bytearray()
            async for chunk in self._chunks(answer.content, path=path):
                content += chunk
                if len(content) > PAGE_BYTES_MAX:
                    raise Retryable(
                        ClusterRefusal.TOO_LARGE, f"GET {path}: more than {PAGE_BYTES_MAX} bytes"
                    )
            return bytes(content)

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer without end, line by line; what is silent for so long counts as broken.

        Raises:
            Retryable, Rejected: as `get`, also while it is read.

        """
        async with self._answer(path, query, silence_s=silence_s) as answer:
            yield _lines(self._chunks(answer.content, path=path), path=path)

    @asynccontextmanager
    async def _answer(
        self, path: str, query: Mapping[str, str], *, silence_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        asked = f"GET {path}"
        headers = {"Accept": "application/json", "User-Agent": "countersign"}
        try:
            await self._client.update_params_for_auth(headers, [], ["BearerToken"])
            async with await self._asked(
                path, query, headers=headers, silence_s=silence_s
            ) as answer:
                if answer.status != _OK:
                    said = await answer.content.read(REFUSAL_BYTES_MAX)
                    after = answer.headers.get("Retry-After", "")
                    refuse(answer.status, said, asked=asked, retry_after=after)
                try:
                    yield answer
                finally:
                    _abort(answer)
        except TimeoutError:
            raise Unreachable(ClusterRefusal.UNAVAILABLE, asked, TimeoutError()) from None
        except (OSError, aiohttp.ClientError) as error:
            # Not chained: its request carries the token.
            raise Unreachable(ClusterRefusal.UNAVAILABLE, asked, error) from None

    async def _asked(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str],
        silence_s: float,
    ) -> aiohttp.ClientResponse:
        rest = self._client.rest_client
        timeout = aiohttp.ClientTimeout(
            connect=CALL_TIMEOUT_S, sock_connect=CALL_TIMEOUT_S, sock_read=silence_s
        )
        if rest.pool_manager.closed:
            raise Retryable(ClusterRefusal.UNAVAILABLE, f"GET {path}: the connection is replaced")
        try:
            # Not its `request`, which follows redirects to wherever they lead.
            answer: aiohttp.ClientResponse = await self._until_given_up(
                rest.pool_manager.request(
                    "GET",
                    f"{self._client.configuration.host}{path}",
                    params=dict(query),
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                    proxy=rest.proxy,
                    server_hostname=rest.server_hostname,
                    ssl=self._trust.context() if self._trust else True,
                ),
                path=path,
            )
        except ValueError as error:
            # An address, a header or a name that can be none: what somebody wrote into a Secret.
            # Or a certificate that is not trusted, which is a ValueError too.
            raise Unreachable(ClusterRefusal.UNAVAILABLE, f"GET {path}", error) from None
        return answer

    async def _chunks(self, content: aiohttp.StreamReader, *, path: str) -> AsyncIterator[bytes]:
        while chunk := await self._until_given_up(content.readany(), path=path):
            yield chunk

    async def _until_given_up(self, work: Awaitable[T], *, path: str) -> T:
        """Await, until `give_up`: aiohttp wakes nobody who waits on a closed session."""
        message = f"GET {path}: the connection is replaced"
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                return await work
        except TimeoutError:
            if not wait.expired():
                raise
            raise Retryable(ClusterRefusal.UNAVAILABLE, message) from None
        except RuntimeError:
            # What aiohttp raises for a session that was closed before.
            raise Retryable(ClusterRefusal.UNAVAILABLE, message) from None
        finally:
            self._waits.discard(wait)


def _abort(answer: aiohttp.ClientResponse) -> None:
    """Close the connection at once: an answer without an end is not waited for."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


async def _lines(chunks: AsyncIterator[bytes], *, path: str) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for chunk in chunks:
        rest += chunk
        if b"\n" in chunk:
            *whole, left = bytes(rest).split(b"\n")
            rest = bytearray(left)
            for line in whole:
                if line:
                    yield line
        if len(rest) > LINE_BYTES_MAX:
            raise Retryable(
                ClusterRefusal.TOO_LARGE, f"GET {path}: a line of more than {LINE_BYTES_MAX} bytes"
            )


@asynccontextmanager
async def watching_api(settings: KubeSettings) -> AsyncIterator[WatchingApi]:
    """The API server that the settings name; token and `ca.crt` are read for each question."""
    from kubernetes_asyncio.client import Configuration  # noqa: PLC0415 - see above

    configuration = Configuration(host=settings.address)
    configuration.ssl_ca_cert = str(settings.account_dir / "ca.crt")

    def read_token(changed: "Configuration") -> None:
        token = (settings.account_dir / "token").read_text("ascii").strip()
        changed.api_key["BearerToken"] = f"Bearer {token}"

    read_token(configuration)
    configuration.refresh_api_key_hook = read_token
    async with connected(configuration, trust=Trust(settings)) as api:
        yield api


@asynccontextmanager
async def connected(
    configuration: "Configuration", *, trust: Trust | None = None
) -> AsyncIterator[WatchingApi]:
    from kubernetes_asyncio.client import ApiClient  # noqa: PLC0415 - see above

    # Each watch occupies a connection; how many there are is bounded by who watches.
    configuration.connection_pool_maxsize = 0
    client: Any = ApiClient(configuration)
    api = WatchingApi(client, trust=trust)
    try:
        yield api
    finally:
        api.give_up()
        await client.close()
        # What was aborted is closed when the loop comes to it.
        await asyncio.sleep(0)  # noqa: TID251 - lets the loop run, and waits for nothing
