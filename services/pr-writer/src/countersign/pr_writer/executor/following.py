"""What became of an open pull request, where a credential allows asking."""

from collections.abc import Mapping
from typing import Any, Final

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.forges.github.client import GitHub
from countersign.pr_writer.executor.remains import place_of
from countersign.pr_writer.jobs.model import Job, Outcome

# Source: https://docs.github.com/en/graphql/reference/enums#mergestatestatus
_SUMMARIES: Final[Mapping[str, str]] = {
    "clean": "ready to merge",
    "blocked": "waiting for reviews or checks",
    "behind": "behind its base branch",
    "dirty": "conflicts with its base branch",
    "unstable": "some checks fail",
    "draft": "a draft",
}
_NOT_MODIFIED: Final = 304


async def follow(job: Job, forge: GitHub) -> Outcome:
    """
    Raises:
        Retryable, Rejected: as the forge answers; `bad_answer`.

    """
    answer = await forge.follow(place_of(job), number=job.pull_number, etag=job.etag)
    if answer.status == _NOT_MODIFIED:
        return Outcome(etag=job.etag)
    call = "follow the pull request"
    with shapes.reading(call):
        return read_pull(answer.json_of(call), etag=answer.headers.get("etag", ""))


def read_pull(body: Any, *, etag: str) -> Outcome:
    """
    Raises:
        OddError: a part is not what GitHub documents.

    """
    merged, state = shapes.flag(body, "merged"), shapes.text(body, "state")
    if state not in {"open", "closed"}:
        raise shapes.OddError("'state'")
    ended = "merged" if merged else "closed"
    return Outcome(
        state="open" if state == "open" else ended,
        by=_user(body),
        merge_commit=shapes.oid(body, "merge_commit_sha") if merged else "",
        summary=_SUMMARIES.get(str(body.get("mergeable_state")), ""),
        etag=etag,
    )


def _user(body: Any) -> ForgeUser | None:
    user = shapes.maybe_fields(body, "merged_by")
    if user is None:
        return None
    return ForgeUser(id=shapes.row_id(user, "id"), login=shapes.login(user, "login"))
