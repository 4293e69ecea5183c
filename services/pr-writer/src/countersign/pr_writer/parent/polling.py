"""Asks now and then what became of open pull requests, where a credential may be used for that."""

import asyncio
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.promotion import State
from countersign.pr_writer.jobs.model import Outcome, afterwards, may_use_stored
from countersign.pr_writer.parent.announcing import Narrator
from countersign.pr_writer.parent.projection import Entry
from countersign.pr_writer.parent.world import World
from countersign.telemetry import attributes as names
from countersign.telemetry.logs import get_logger
from countersign.telemetry.tracing import span

log = get_logger()

FOLLOWED_MAX: Final = 200


class Following:
    """Polls each open pull request of a stored or app credential, one after the other."""

    def __init__(self, world: World) -> None:
        self._board = world.board
        self._executors = world.executors
        self._redeemer = world.redeemer
        self._telling = world.telling
        self._forges = world.forges
        self._places = world.places
        self._last: dict[str, Outcome] = {}

    async def run(self, *, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Once, at all of them."""
        followed = [e for e in self._board.entries() if _is_followed(e)][-FOLLOWED_MAX:]
        ids = {e.promotion.promotion_id for e in followed}
        self._last = {k: v for k, v in self._last.items() if k in ids}
        for entry in followed:
            try:
                await self._look_at(entry)
            except (Retryable, Rejected) as error:
                log.warning(
                    "pull_request.not_followed",
                    promotion_id=entry.promotion.promotion_id,
                    reason=error.reason,
                )

    async def _look_at(self, entry: Entry) -> None:
        if entry.pull is None:
            return
        last = self._last.get(entry.promotion.promotion_id, Outcome())
        job = afterwards(
            entry.promotion,
            kind="follow",
            pull=entry.pull,
            mode=entry.pull_mode,
            forge=self._forges.find(entry.promotion.request.destination.origin),
        ).model_copy(update={"etag": last.etag, **self._places})
        with span(
            names.SPAN_FOLLOW_PULL_REQUEST,
            parent=entry.trace,
            attributes={names.PROMOTION_ID: entry.promotion.promotion_id},
        ):
            narrator = Narrator(self._telling, job)
            outcome = await self._executors.run(
                job, on_progress=narrator.on_progress, redeemer=self._redeemer
            )
            if outcome.failed:
                raise Rejected(outcome.failure.name.lower(), outcome.message)
            await self._tell(entry, outcome, last=last)

    async def _tell(self, entry: Entry, outcome: Outcome, *, last: Outcome) -> None:
        if outcome.state == "merged":
            await self._telling.merged(entry, outcome)
        elif outcome.state == "closed":
            await self._telling.closed(entry, by=outcome.by)
        elif outcome.state and outcome.summary != last.summary:
            await self._telling.updated(entry, outcome)
        if outcome.state:
            self._last[entry.promotion.promotion_id] = outcome


def _is_followed(entry: Entry) -> bool:
    is_open = entry.pull is not None and not entry.pull_over
    return is_open and may_use_stored(entry.pull_mode) and entry.promotion.state is State.OPEN
