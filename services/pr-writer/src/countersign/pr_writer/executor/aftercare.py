"""Looks for the pull requests of a promotion, and closes what is open of one that is over."""

from dataclasses import replace

from countersign.dialects.repositories.interface import LookScope, Repository
from countersign.dialects.repositories.pulls import PullState
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
    known = {p.number: p for p in (*view.open_pulls, *view.pulls, *view.previous)}
    ours = (p for p in known.values() if is_of_promotion(p, view, job))
    pulls = []
    for pull in sorted(ours, key=lambda p: p.number):
        if pull.state is PullState.OPEN and job.closes:
            comment = describing.over(job.reason)
            await forge.close_pull(place, pull.number, comment=comment)
            closed = replace(pull, state=PullState.CLOSED, ended_by=view.viewer)
            pulls.append(seen(closed, view, job))
        else:
            if pull.state is PullState.OPEN and job.warning:
                await forge.comment(place, pull.number, comment=describing.blocked(job.warning))
            pulls.append(seen(pull, view, job))
    return Looked(pulls=tuple(pulls))
