"""Connections that failed, told by the cause beneath all the wrappings of clients.

An exception's own text is never shown: it may repeat an URL, and with it what nobody should read.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from countersign.contracts.errors import Retryable

# Clients wrap a cause three times.
_DEPTH_MAX: Final = 16
_ERRNO: Final = re.compile(r"\[Errno (\d{1,4})\]")


class ConnectionFault(StrEnum):
    """The way in which a connection failed."""

    NAME_UNKNOWN = "name_unknown"
    REFUSED = "connection_refused"
    TIMED_OUT = "timed_out"
    NOT_TRUSTED = "not_trusted"
    NOT_TLS = "not_tls"
    BROKEN = "unreachable"


_WORDS: Final = {
    ConnectionFault.NAME_UNKNOWN: "its name is not known (DNS)",
    ConnectionFault.REFUSED: "nothing listens there: the connection was refused",
    ConnectionFault.TIMED_OUT: "no answer in time",
    ConnectionFault.NOT_TRUSTED: "its certificate is not trusted",
    ConnectionFault.NOT_TLS: "it does not speak TLS as we do",
}


class Unreachable(Retryable):
    """There was no connection.

    Args:
        reason: a stable word of the boundary.
        where: what was asked, of whom.
        error: the exception that the client raised.
        trust: the setting that names who vouches for its certificate, if there is one.

    """

    def __init__(
        self, reason: StrEnum, where: str, error: BaseException, *, trust: str = ""
    ) -> None:
        self.fault = fault_of(error)
        told = words_of(error)
        if trust and self.fault is ConnectionFault.NOT_TRUSTED:
            told += f"; name who vouches for it in {trust}"
        super().__init__(reason, f"{where}: {told}" if where else told)


def fault_of(error: BaseException) -> ConnectionFault:
    """Tell how a connection failed."""
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return ConnectionFault.NAME_UNKNOWN
            case ConnectionRefusedError():
                return ConnectionFault.REFUSED
            case ssl.SSLCertVerificationError():
                return ConnectionFault.NOT_TRUSTED
            case ssl.SSLError():
                return ConnectionFault.NOT_TLS
            case TimeoutError():
                return ConnectionFault.TIMED_OUT
    return ConnectionFault.BROKEN


def words_of(error: BaseException) -> str:
    """Say it to a person."""
    fault = fault_of(error)
    if fault is ConnectionFault.BROKEN:
        return type(error).__name__
    for cause in _causes(error):
        # What OpenSSL found; an exception of aiohttp's is of that class too, and has no message.
        if message := getattr(cause, "verify_message", ""):
            return f"{_WORDS[fault]} ({message})"
    return _WORDS[fault]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what led to it; a name may have several addresses, and each fails for itself."""
    cause: BaseException | None = error
    for _ in range(_DEPTH_MAX):
        if cause is None:
            return
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            yield from cause.exceptions
        elif isinstance(cause, OSError) and cause.errno is None:
            # asyncio keeps no more of them than their words.
            yield from (OSError(int(number), "") for number in _ERRNO.findall(str(cause)))
        cause = cause.__cause__ or cause.__context__
