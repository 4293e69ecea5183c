"""Pull requests that are there: marked when they are new, looked for, closed when they are over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import AutoMergeAnswer, LabelsAnswer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import LookScope, Repository, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.pr_writer.executor import describing
from countersign.pr_writer.executor.interfaces import Reporter
from countersign.pr_writer.executor.sightings import is_of_promotion, place_of, seen
from countersign.pr_writer.jobs.model import LookJob, OpenJob
from countersign.pr_writer.jobs.outcomes import Looked, Marks

# Until the first check of a new pull request has begun; whoever waits to hear of it waits as long.
CHECK_PAUSES_S: Final = (0.5, 1.0, 1.5, 2.0, 3.0)
# With the questions between them; the executor lives no longer than three times that.
MERGING_S: Final = 20.0
# All questions of it together; nothing depends on labels.
LABELLING_S: Final = 6.0
_LABELS_REFUSED: Final[Mapping[str, LabelsAnswer]] = {
    ForgeRefusal.FORBIDDEN: LabelsAnswer.FORBIDDEN,
    ForgeRefusal.NOT_FOUND: LabelsAnswer.MISSING,
}
Sleep = Callable[[float], Awaitable[None]]


async def mark(job: OpenJob, pull: Pull, *, forge: Repository, sleep: Sleep) -> Marks:
    """Label what was opened, have the forge merge it by itself, and return its answers.

    It is open, whatever becomes of that: what the forge refuses is left to people. An earlier try
    may have died before it did this, so it is done again for a pull request that is found.
    """
    labels = await _label(job, pull, forge=forge)
    return Marks(labels=labels, auto_merge=await _merge(job, pull, forge=forge, sleep=sleep))


async def _label(job: OpenJob | LookJob, pull: Pull, *, forge: Repository) -> LabelsAnswer:
    labels = job.access.forge.pull_requests.labels
    if not labels:
        return LabelsAnswer.UNSPECIFIED
    try:
        async with asyncio.timeout(LABELLING_S):
            await forge.label(place_of(job), pull.number, labels=labels)
    except Rejected as error:
        return _LABELS_REFUSED.get(error.reason, LabelsAnswer.REFUSED)
    except (Retryable, TimeoutError):
        return LabelsAnswer.REFUSED
    return LabelsAnswer.GIVEN


async def _merge(job: OpenJob, pull: Pull, *, forge: Repository, sleep: Sleep) -> AutoMergeAnswer:
    if not job.merges_itself:
        return AutoMergeAnswer.UNSPECIFIED
    try:
        async with asyncio.timeout(MERGING_S):
            await merge_when_ready(place_of(job), pull, forge=forge, sleep=sleep)
    except (Rejected, Retryable, TimeoutError):
        return AutoMergeAnswer.REFUSED
    return AutoMergeAnswer.ACCEPTED


async def merge_when_ready(place: Place, pull: Pull, *, forge: Repository, sleep: Sleep) -> None:
    """Ask for it while the token lives, and until a check has begun.

    Raises:
        Retryable: none has begun in time.
        Rejected: nothing is waited for, or the forge does not do it here.

    """
    for pause_s in CHECK_PAUSES_S:
        try:
            return await forge.merge_when_ready(place, pull.number, commit=pull.head_commit)
        except Retryable as error:
            if error.reason != ForgeRefusal.NOT_READY:
                raise
        await sleep(pause_s)
    return await forge.merge_when_ready(place, pull.number, commit=pull.head_commit)


async def look(job: LookJob, *, forge: Repository, reporter: Reporter) -> Looked:
    """Return the pull requests of every attempt that the forge shows, as they are afterwards.

    What the stream does not know of is found too: a request may have taken effect after it was
    given up. Such a one was not labelled yet.
    """
    place = place_of(job)
    view = await forge.look(place, LookScope(head_branch=job.branch, pulls=job.numbers))
    await reporter.user(view.viewer)
    left_open = [pull for pull in _ours(view, job) if pull.state is PullState.OPEN]
    if job.closes and left_open:
        return await _close(job, left_open, forge=forge, view=view)
    for pull in left_open:
        if pull.number not in job.numbers:
            await _label(job, pull, forge=forge)
    for pull in left_open if job.warning else ():
        await forge.comment(place, pull.number, comment=describing.blocked(job.warning))
    return Looked(pulls=tuple(seen(pull, view, job) for pull in _ours(view, job)))


async def _close(job: LookJob, left_open: list[Pull], *, forge: Repository, view: View) -> Looked:
    """Close them, and ask again: somebody may have merged one a moment before."""
    place, comment = place_of(job), describing.over(job.reason)
    for pull in left_open:
        await forge.close_pull(place, pull.number, comment=comment)
    ours = {pull.number for pull in left_open}
    numbers = tuple(sorted({*job.numbers, *ours}))
    after = await forge.look(place, LookScope(head_branch=job.branch, pulls=numbers))
    pulls = (
        replace(pull, ended_by=pull.ended_by or view.viewer)
        if pull.state is PullState.CLOSED and pull.number in ours
        else pull
        for pull in _ours(after, job)
    )
    return Looked(pulls=tuple(seen(pull, after, job) for pull in pulls))


def _ours(view: View, job: LookJob) -> list[Pull]:
    known = {p.number: p for p in (*view.open_pulls, *view.pulls, *view.previous)}
    ours = (p for p in known.values() if is_of_promotion(p, view, job))
    return sorted(ours, key=lambda p: p.number)
