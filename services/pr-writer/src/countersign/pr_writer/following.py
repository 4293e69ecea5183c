"""What became of an open pull request, where a credential allows asking."""

from collections.abc import Mapping
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.forges.github.client import GitHub
from countersign.pr_writer.model import Job, Outcome
from countersign.pr_writer.remains import place_of

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
    body = answer.json()
    try:
        ended = "merged" if body["merged"] else "closed"
        return Outcome(
            state="open" if body["state"] == "open" else ended,
            by=_user(body.get("merged_by")),
            merge_commit=str(body.get("merge_commit_sha") or "") if body["merged"] else "",
            summary=_SUMMARIES.get(str(body.get("mergeable_state")), ""),
            etag=answer.headers.get("etag", ""),
        )
    except (KeyError, TypeError) as error:
        raise Rejected("bad_answer", "the forge's answer is no pull request") from error


def _user(node: Any) -> ForgeUser | None:
    if not isinstance(node, dict) or not node.get("login"):
        return None
    return ForgeUser(id=str(node.get("id") or node["login"]), login=str(node["login"]))
