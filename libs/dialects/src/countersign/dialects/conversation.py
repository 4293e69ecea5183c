"""Conversations with a forge, without I/O: what to send next, until there is a result.

A dialect is a generator: it yields the requests that may go out side by side, is sent their answers
in the same order, and returns what it learned. Errors of the transport are thrown into it, so it
can clean up by asking once more. The one driver is in the library that does I/O.
"""

from collections.abc import Generator, Sequence
from typing import TypeVar

from countersign.dialects.exchange import Answer, Request, Sent, Token

_Result = TypeVar("_Result")


Conversation = Generator[Sequence[Sent], Sequence[Answer], _Result]


def ask(request: Request, token: Token | None = None) -> Conversation[Answer]:
    """Send one request and return its answer."""
    (answer,) = yield (Sent(request=request, token=token),)
    return answer
