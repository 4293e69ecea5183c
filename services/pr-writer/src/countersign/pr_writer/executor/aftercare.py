"""Looks for the pull requests of a promotion, and closes what is open of one that is over."""

from dataclasses import replace

from countersign.dialects.repositories.interface import LookScope, Repository, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.pr_writer.executor import describing
from countersign.pr_writer.executor.interfaces import Reporter
from countersign.pr_writer.executor.sightings import is_of_promotion, place_of, seen
from countersign.pr_writer.jobs.model import LookJob
from countersign.pr_writer.jobs.outcomes import Looked


async def look(job: LookJob, *, forge: Repository, reporter: Reporter) -> Looked:
    """Return the pull requests of every attempt that the forge shows, as they are afterwards.

    What the stream does not know of is found too: a request may have taken effect after it was
    given up.
    """
    place = place_of(job)
    view = await forge.look(place, LookScope(head_branch=job.branch, pulls=job.numbers))
    await reporter.user(view.viewer)
    left_open = [pull for pull in _ours(view, job) if pull.state is PullState.OPEN]
    if job.closes and left_open:
        return await _close(job, left_open, forge=forge, view=view)
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
