"""Asks what became of an open pull request, where a credential allows it."""

from collections.abc import Mapping
from typing import Final

from countersign.dialects.repositories.interface import Repository
from countersign.dialects.repositories.pulls import Readiness
from countersign.pr_writer.executor.sightings import moment_of, place_of
from countersign.pr_writer.jobs.model import FollowJob
from countersign.pr_writer.jobs.outcomes import Fate, Followed

SUMMARIES: Final[Mapping[Readiness, str]] = {
    Readiness.UNKNOWN: "",
    Readiness.READY: "ready to merge",
    Readiness.BLOCKED: "waiting for reviews or checks",
    Readiness.BEHIND: "behind its base branch",
    Readiness.CONFLICTING: "conflicts with its base branch",
    Readiness.UNSTABLE: "some checks fail",
    Readiness.DRAFT: "a draft",
}


async def follow(job: FollowJob, forge: Repository) -> Followed:
    """Ask the forge; without a fate nothing changed since the version that was seen last.

    Raises:
        Retryable, Rejected: as the forge answers.

    """
    status = await forge.follow(place_of(job), job.number, since=job.since)
    if status is None:
        return Followed(version=job.since)
    return Followed(
        fate=Fate(status.state.value),
        ended_by=status.ended_by,
        ended_at=moment_of(status.ended_at_s),
        merge_commit=status.merge_commit,
        summary=SUMMARIES[status.readiness],
        version=status.version,
    )
