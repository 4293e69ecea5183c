"""Recognising a stream by messages that were read of it.

A stream that was made anew has another date of creation. One that was restored from an older copy
keeps it, and may have grown past what was read; but other messages stand where those stood.
"""

from datetime import datetime
from typing import Final

from nats.aio.client import Client

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.messaging.direct_get import recorded_at
from countersign.messaging.leader_reads import StreamState

# Of a stream that keeps the last message of each subject, earlier ones go.
LANDMARKS_MAX: Final = 16


class Landmarks:
    """The last messages that were read, by sequence and time."""

    def __init__(self, client: Client, *, stream: str) -> None:
        self.created: datetime | None = None
        self._client = client
        self._stream = stream
        self._times: BoundedDict[int, datetime] = BoundedDict(LANDMARKS_MAX)

    def add(self, sequence: int, at: datetime) -> None:
        self._times[sequence] = at

    def clear(self) -> None:
        self._times.clear()

    def are_before(self, at: datetime) -> bool:
        return all(known < at for known in self._times.values())

    async def are_missing_in(self, state: StreamState, *, applied: int) -> bool:
        """Tell whether it is another stream than the one that was read up to `applied`.

        Where none of the messages is left, as in a stream that keeps few, it counts as the same.

        Raises:
            Retryable: the bus does not answer.

        """
        if self.created is None:
            return False
        if state.created != self.created or state.last_sequence < applied:
            return True
        for sequence in reversed(tuple(self._times)):
            # The usual case costs no question.
            is_last = sequence == state.last_sequence
            at = state.last_at if is_last else await self._recorded_at(sequence)
            if at is not None:
                return at != self._times[sequence]
        return False

    async def _recorded_at(self, sequence: int) -> datetime | None:
        return await recorded_at(self._client, stream=self._stream, sequence=sequence)
