"""Asks what became of an open pull request, where a credential allows it."""

from collections.abc import Mapping
from typing import Final

from countersign.dialects.repositories.interface import Repository
from countersign.dialects.repositories.pulls import Readiness
from countersign.pr_writer.executor.remains import place_of
from countersign.pr_writer.jobs.model import Job, Outcome

SUMMARIES: Final[Mapping[Readiness, str]] = {
    Readiness.UNKNOWN: "",
    Readiness.READY: "ready to merge",
    Readiness.BLOCKED: "waiting for reviews or checks",
    Readiness.BEHIND: "behind its base branch",
    Readiness.CONFLICTING: "conflicts with its base branch",
    Readiness.UNSTABLE: "some checks fail",
    Readiness.DRAFT: "a draft",
}


async def follow(job: Job, forge: Repository) -> Outcome:
    """Ask the forge; an outcome without a state says that nothing changed.

    Raises:
        Retryable, Rejected: as the forge answers.

    """
    status = await forge.follow(place_of(job), job.pull_number, since=job.etag)
    if status is None:
        return Outcome(etag=job.etag)
    return Outcome(
        state=status.state,
        by=status.ended_by,
        merge_commit=status.merge_commit,
        summary=SUMMARIES[status.readiness],
        etag=status.version,
    )
