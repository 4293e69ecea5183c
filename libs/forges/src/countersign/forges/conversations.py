"""Drives a dialect's conversation: sends what it asks to send and tells it what came back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Sent

Send = Callable[[Sent], Awaitable[Answer]]
_Result = TypeVar("_Result")


async def converse(send: Send, conversation: Conversation[_Result]) -> _Result:
    """Hold the conversation and return its result.

    What goes wrong, cancellation too, is thrown into it, so that it can take back what it made.
    """
    try:
        batch = next(conversation)
        while True:
            try:
                answers = await _send_all(send, batch)
            except BaseException as error:  # noqa: BLE001 - it goes on to the conversation
                batch = conversation.throw(error)
            else:
                batch = conversation.send(answers)
    except StopIteration as done:
        result: _Result = done.value
        return result


async def _send_all(send: Send, batch: Sequence[Sent]) -> tuple[Answer, ...]:
    """Send side by side, and wait for all before the first error is raised."""
    if len(batch) == 1:
        return (await send(batch[0]),)
    outcomes = await asyncio.gather(*(send(sent) for sent in batch), return_exceptions=True)
    answers: list[Answer] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        answers.append(outcome)
    return tuple(answers)
