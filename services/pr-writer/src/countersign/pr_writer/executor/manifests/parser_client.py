"""The executor's side of the parser: it asks, and believes nothing without looking."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from pydantic import TypeAdapter, ValidationError

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.channel import Channel, Closed
from countersign.pr_writer.jobs.findings import Found
from countersign.pr_writer.jobs.markers import Marked
from countersign.pr_writer.jobs.refusals import JobRefusal

ANSWER_S: Final = 10.0
_FOUND = TypeAdapter(tuple[Found, ...])


class Parser:
    """Asks a process without rights where markers are."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def find(self, files: Mapping[str, bytes]) -> dict[str, Found]:
        """Return what each file holds, by path.

        Raises:
            Rejected: `limit_exceeded`; it died of its limits.

        """
        head = json.dumps({"op": "find", "sizes": [len(b) for b in files.values()]})
        answer = await self._ask(head.encode(), b"".join(files.values()))
        try:
            found = _FOUND.validate_json(answer)
        except ValidationError:
            raise Rejected(JobRefusal.INTERNAL, "the parser's answer is malformed") from None
        if len(found) != len(files):
            raise Rejected(JobRefusal.INTERNAL, "the parser's answer is about other files")
        return dict(zip(files, found, strict=True))

    async def verify(
        self,
        before: bytes,
        after: bytes,
        *,
        places: Sequence[Marked],
        key: str,
        values: Mapping[str, str],
    ) -> None:
        """Have it checked that nothing but the marked values differs.

        Raises:
            Rejected: `not_promotable`; more than the marked values would change.

        """
        head = {
            "op": "verify",
            "before": len(before),
            "places": [asdict(p) for p in places],
            "key": key,
            "values": dict(values),
        }
        answer = json.loads(await self._ask(json.dumps(head).encode(), before + after))
        if answer:
            raise Rejected(JobRefusal.NOT_PROMOTABLE, str(answer.get("message"))[:200])

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        try:
            await self._channel.send(head, timeout_s=ANSWER_S)
            await self._channel.send(body, timeout_s=ANSWER_S)
            return await self._channel.receive(timeout_s=ANSWER_S)
        except (Closed, TimeoutError) as error:
            raise Rejected(
                JobRefusal.LIMIT_EXCEEDED, "a file took more time or memory to parse than it may"
            ) from error
