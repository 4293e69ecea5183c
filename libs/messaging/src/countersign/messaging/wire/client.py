"""One client of the bus on the client library."""

import asyncio
import ssl
from contextlib import suppress
from typing import Any, Final, cast

from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from nkeys import NkeysError

from countersign.messaging.envelope import STEERED
from countersign.messaging.settings import BusSettings

CLOSE_TIMEOUT_S: Final = 5.0


class PromptTransport(TcpTransport):
    """Closes in time, whatever became of the connection.

    A connection that is reset during its TLS handshake never counts as closed to asyncio, and the
    client library, which waits for that, would neither connect again nor say why.
    """

    def __bool__(self) -> bool:
        """Count as made before it is connected, so that the client library makes no other."""
        return True

    async def connect_tls(self, *args: Any, **kwargs: Any) -> None:
        """Tell the stream that its connection is made, as the client library does not.

        The stream would not know that it is TLS, of which asyncio complains when the server hangs
        up, nor what to pause when more comes than is read.
        """
        await super().connect_tls(*args, **kwargs)
        if self._io_writer is not None:
            transport = self._io_writer.transport
            transport.get_protocol().connection_made(transport)

    @property
    def is_encrypted(self) -> bool:
        return (
            self._io_writer is not None and self._io_writer.get_extra_info("ssl_object") is not None
        )

    async def wait_closed(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await super().wait_closed()  # type: ignore[no-untyped-call]  # theirs


class BusClient(Client):
    """Speaks to the bus, and where encryption is wanted to nobody without it.

    Args:
        settings: where the bus is, and our key; what its files hold is read at each connection.

    """

    def __init__(self, settings: BusSettings) -> None:
        super().__init__()
        self._bus = settings

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Trust who vouches for the bus by now: certificates are replaced while we run."""
        return ssl.create_default_context(cafile=self._bus.nats_ca_file)

    async def _connect_to_server(self, server: Any) -> None:
        if self._transport is None:
            self._transport = PromptTransport()  # type: ignore[no-untyped-call]  # theirs
        await super()._connect_to_server(server)

    async def _process_pong(self) -> None:
        """Take the answer to a flush that was cancelled or timed out as any other.

        The client library would fail at it, and read no more of the connection.
        """
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    async def _process_info(self, info: dict[str, Any], *args: Any, **first: Any) -> None:
        """Follow no address that was told before encryption: anybody may have put it there.

        Who is an authority's own bus is told by its certificate; of the world's authorities many
        people have one.
        """
        if first and self._is_secret and self._bus.nats_ca_file is None:
            info = {name: value for name, value in info.items() if name != "connect_urls"}
        await super()._process_info(info, *args, **first)

    def _connect_command(self) -> bytes:
        """Say who we are, with the key that is in the file by now, once nobody else hears it.

        The client library encrypts if the server says so, and whoever is between could say no.
        Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#info
        """
        transport = cast("PromptTransport", self._transport)
        try:
            self._refuse_the_open(transport)
            if self._nkeys_seed is not None:
                self._setup_nkeys_connect()
            return super()._connect_command()
        except (OSError, NkeysError, ValueError) as error:
            # The client library would connect again, and leave this one open.
            transport.close()  # type: ignore[no-untyped-call]  # theirs
            if isinstance(error, OSError):
                raise
            # A key that is half written is tried again, as is a bus that is not there.
            raise NatsError(f"the nkey cannot be used: {type(error).__name__}") from None

    def _refuse_the_open(self, transport: PromptTransport) -> None:
        if self._is_secret and not transport.is_encrypted:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "no TLS is offered, and nothing is said without")

    @property
    def _is_secret(self) -> bool:
        server = self._current_server
        return self._bus.nats_ca_file is not None or (
            server is not None and server.uri.scheme == "tls"
        )

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        """Mark messages that a service steered into a stream by naming an intake subject as the
        reply of a request to the server: permissions do not cover that (tried). The server adds
        its headers once where it stores such an answer and once where it sends it, which our dict
        would hide.
        """
        parsed: dict[str, str] | None = await super()._process_headers(headers)
        if parsed is not None and headers and headers.count(b"\r\nNats-Stream:") > 1:
            parsed[STEERED] = "1"
        return parsed
