"""Frames between our processes: four bytes of length, then that many bytes."""

import asyncio
import socket
import struct
from typing import Final

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024  # all files of one look; see what the survey bounds
_LENGTH: Final = struct.Struct(">I")


class Closed(Exception):
    """The other process is gone."""


def send(sock: socket.socket, frame: bytes) -> None:
    """Send one, blocking."""
    sock.sendall(_LENGTH.pack(len(frame)) + frame)


def receive(sock: socket.socket) -> bytes:
    """Receive one, blocking.

    Raises:
        Closed: there is no more.

    """
    (size,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    if size > FRAME_BYTES_MAX:
        raise Closed("a frame is larger than any of ours")
    return _exactly(sock, size)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise Closed("the other process closed its end")
        parts += part
    return bytes(parts)


class Channel:
    """One end, for a process with an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, frame: bytes, *, timeout_s: float) -> None:
        try:
            self._writer.write(_LENGTH.pack(len(frame)) + frame)
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        except ConnectionError as error:
            raise Closed("the other process is gone") from error

    @property
    def is_closed(self) -> bool:
        """Return whether the other end is known to be gone."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def receive(self, *, timeout_s: float | None) -> bytes:
        """Receive one.

        Raises:
            Closed: there is no more.
            TimeoutError: nothing came in time.

        """
        try:
            async with asyncio.timeout(timeout_s):
                (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if size > FRAME_BYTES_MAX:
                    raise Closed("a frame is larger than any of ours")
                return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed("the other process is gone") from error

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


async def open_channel(sock: socket.socket) -> Channel:
    return Channel(*await asyncio.open_connection(sock=sock))
