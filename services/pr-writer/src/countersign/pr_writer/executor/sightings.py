"""Pull requests of a promotion, as the forge has them. Pure."""

from datetime import UTC, datetime
from typing import Final

from countersign.contracts.messages import ForgeUser, PullRequestRef
from countersign.dialects.pages import pull_request_page
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import View
from countersign.dialects.repositories.pulls import Pull
from countersign.pr_writer.jobs.model import Job
from countersign.pr_writer.jobs.outcomes import Fate, SeenPull

DIGITS_MAX: Final = 9  # more attempts than anybody makes


def place_of(job: Job) -> Place:
    to = job.request.destination
    return Place(owner=to.owner, repository=to.repository, base_branch=to.base_branch)


def is_in_lane(pull: Pull, view: View, job: Job) -> bool:
    """Return whether it is of the job's pipeline and environment, by its branch here.

    A fork may have a branch of any name.
    """
    folder = pull.head_branch.rpartition("/")[0]
    is_here = pull.head_repository_id == view.repository_id
    return is_here and folder == job.branch.rpartition("/")[0]


def is_of_promotion(pull: Pull, view: View, job: Job) -> bool:
    """Return whether it is of some attempt of the job's promotion: only the id identifies."""
    name = pull.head_branch.rpartition("/")[2]
    ours = job.request.promotion.promotion_id
    return is_in_lane(pull, view, job) and name.partition("-")[0] == ours


def attempt_of(pull: Pull) -> int:
    """Return the number at the end of its branch's name; there is none for the first."""
    number = pull.head_branch.rpartition("/")[2].partition("-")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < DIGITS_MAX else 1


def seen(pull: Pull, view: View, job: Job, *, author: ForgeUser | None = None) -> SeenPull:
    """Say of a pull request what the contract wants to know."""
    to = job.request.destination
    ref = PullRequestRef(
        # Pages are at what the administrator says is there, whatever a Pipeline calls it.
        kind=job.access.forge.forge_kind,
        origin=to.origin,
        repository_id=view.repository_id,
        owner=to.owner,
        repository=to.repository,
        number=pull.number,
        head_branch=pull.head_branch,
        head_commit=pull.head_commit,
        head_repository_id=pull.head_repository_id,
        base_branch=to.base_branch,
    )
    return SeenPull(
        attempt=attempt_of(pull),
        pull_request=ref.model_copy(update={"url": pull_request_page(ref)}),
        fate=Fate(pull.state.value),
        author=pull.author or author,
        ended_by=pull.ended_by,
        ended_at=moment_of(pull.ended_at_s),
        merge_commit=pull.merge_commit,
    )


def moment_of(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)
