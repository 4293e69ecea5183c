"""The handler of each request, and refusals in the words of `Problem.code`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from countersign.approval.handlers import Handlers
from countersign.approval.refusals import problem_code
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import METHODS
from countersign.messaging.bus import Answer, Call

_Request = TypeVar("_Request", bound=Message)


def answers(handlers: Handlers) -> tuple[Answer, ...]:
    return (
        _answer("approval.begin", handlers.on_begin),
        _answer("approval.complete", handlers.on_complete),
        _answer("approval.poll", handlers.on_poll),
        _answer("approval.approve", handlers.on_approve),
        _answer("approval.reject", handlers.on_reject),
        _answer("approval.retry", handlers.on_retry),
        _answer("approval.redeem", handlers.on_redeem),
        _answer("approval.revoke", handlers.on_revoke),
        _answer("approval.ping", handlers.on_ping),
    )


def _answer(name: str, handler: Callable[[_Request, Call], Awaitable[Message]]) -> Answer:
    async def on_call(request: Message, call: Call) -> Message:
        if not isinstance(request, METHODS[name].request):
            raise TypeError(f"{name}: not a {METHODS[name].request.__name__}")
        try:
            # The bus reads a body as the method's request and as nothing else.
            return await handler(request, call)  # type: ignore[arg-type]
        except Rejected as error:
            raise Rejected(problem_code(error.reason), error.message) from error
        except Retryable as error:
            code = problem_code(error.reason)
            raise Retryable(code, error.message, after_s=error.after_s) from error

    return Answer(name, on_call)
