"""The handler of each request."""

from countersign.auditor.model import key_of
from countersign.auditor.schedule import Schedule
from countersign.contracts.message import Message
from countersign.contracts.messages import CheckRequest, CheckResponse
from countersign.messaging.bus import Answer, Call
from countersign.telemetry.logs import get_logger

log = get_logger()


def answers(schedule: Schedule) -> tuple[Answer, ...]:
    async def check(request: Message, call: Call) -> Message:
        del call
        if not isinstance(request, CheckRequest):
            raise TypeError("auditor.check: not a CheckRequest")
        key = key_of(request.credential)
        log.info("token.check_wanted", secret=str(key), person_id=request.person.id)
        return CheckResponse(asked_again_at=await schedule.check_now(key))

    return (Answer("auditor.check", check),)
