"""The handlers' needs of the bus, the clock and the executors."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from countersign.contracts.message import Message
from countersign.contracts.messages import RedeemRequest
from countersign.pr_writer.jobs.model import Job, OpenJob
from countersign.pr_writer.jobs.outcomes import Failure, Followed, Looked, Opened, Progress

Clock = Callable[[], datetime]
MonotonicClock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
Outcome = Failure | Opened | Looked | Followed
OnProgress = Callable[[Progress], Awaitable[None]]


class ReceivedEvent(Protocol):
    """An event, where in the stream it is, and how often it was delivered."""

    @property
    def message(self) -> Message: ...
    @property
    def trace(self) -> Mapping[str, str]: ...
    @property
    def sequence(self) -> int: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def deliveries(self) -> int: ...


class Publisher(Protocol):
    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> object: ...


class Redeemer(Protocol):
    async def redeem(self, job: OpenJob, *, public_key: bytes) -> tuple[RedeemRequest, bytes]:
        """The signed request and what came for it, sealed to that key.

        Raises:
            Retryable: nobody answered.
            Rejected: `delegation_expired`, or refused.

        """
        ...


class Executors(Protocol):
    async def run(self, job: Job, *, on_progress: OnProgress, redeemer: Redeemer) -> Outcome:
        """Have a job done by a process of its own.

        Raises:
            Retryable: `executor_died`, or the redeemer's.
            Rejected: the redeemer's.

        """
        ...
