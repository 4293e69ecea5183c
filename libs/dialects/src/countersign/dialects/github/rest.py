"""Builds requests to GitHub's REST API for what GraphQL lacks, and reads their answers."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import BODY_BYTES_MAX, Answer, Request
from countersign.dialects.github.wire import ENTRY_KINDS, EXECUTABLE, PLAIN
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    Comparison,
    EntryKind,
    NewCommit,
    Place,
    TreeEntry,
    summaries_of,
)
from countersign.dialects.repositories.pulls import PullState, PullStatus, Readiness
from countersign.dialects.shapes import Json

LABELLING_S: Final = 3.0
UNPROCESSABLE: Final = 422
# The author of a commit whose address is nobody's at GitHub.
NOBODY: Final = ForgeUser(id="nobody", login="nobody")
TREE_BYTES_MAX: Final = 16 * 1024 * 1024  # 100,000 entries, where GitHub truncates, are about 20
# Source: https://docs.github.com/en/graphql/reference/enums#mergestatestatus
_READINESS: Final[Mapping[str, Readiness]] = {
    "clean": Readiness.READY,
    "has_hooks": Readiness.READY,
    "blocked": Readiness.BLOCKED,
    "behind": Readiness.BEHIND,
    "dirty": Readiness.CONFLICTING,
    "unstable": Readiness.UNSTABLE,
    "draft": Readiness.DRAFT,
}


def rest_path(place: Place) -> str:
    return f"/repos/{quote(place.owner, safe='')}/{quote(place.repository, safe='')}"


def tree_request(place: Place, *, oid: str) -> Request:
    """Source: https://docs.github.com/en/rest/git/trees#get-a-tree."""
    return Request(
        name="list the tree",
        method="GET",
        url=f"{rest_path(place)}/git/trees/{quote(oid, safe='')}?recursive=1",
        accept="application/vnd.github+json",
        body_bytes_max=TREE_BYTES_MAX,
    )


def raw_blob_request(place: Place, *, oid: str, size_bytes: int) -> Request:
    """Source: https://docs.github.com/en/rest/git/blobs#get-a-blob."""
    return Request(
        name="read a file",
        method="GET",
        url=f"{rest_path(place)}/git/blobs/{quote(oid, safe='')}",
        accept="application/vnd.github.raw+json",
        # What nothing compresses is a little longer compressed.
        body_bytes_max=size_bytes + BODY_BYTES_MAX,
    )


def compare_request(place: Place, *, base: str, head: str) -> Request:
    """Source: https://docs.github.com/en/rest/commits/commits#compare-two-commits."""
    return Request(
        name="compare commits",
        method="GET",
        url=f"{rest_path(place)}/compare/{quote(base, safe='')}...{quote(head, safe='')}",
        accept="application/vnd.github+json",
    )


def pull_request(place: Place, *, number: int, etag: str) -> Request:
    """Source: https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request."""
    return Request(
        name="follow the pull request",
        method="GET",
        url=f"{rest_path(place)}/pulls/{number}",
        accept="application/vnd.github+json",
        headers={"If-None-Match": etag} if etag else {},
    )


def labelling(place: Place, number: int, *, labels: Sequence[str]) -> Request:
    """Add labels, of which GitHub makes those that are not there.

    Source: https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue
    """
    return Request(
        name="label the pull request",
        method="POST",
        url=f"{rest_path(place)}/issues/{number}/labels",
        json={"labels": list(labels)},
        # The pull request is open, and whoever waits to hear of it does not wait for long.
        timeout_s=LABELLING_S,
        accept="application/vnd.github+json",
    )


def tree_creation(place: Place, new: NewCommit, *, base_tree: str) -> Request:
    """Make a tree with the new files at their old modes.

    Source: https://docs.github.com/en/rest/git/trees#create-a-tree
    """
    entries = [
        {
            "path": path,
            "mode": EXECUTABLE if file.is_executable else PLAIN,
            "type": "blob",
            "content": file.body.decode(),
        }
        for path, file in sorted(new.files.items())
    ]
    return _writing(place, "trees", name="commit", body={"base_tree": base_tree, "tree": entries})


def commit_creation(place: Place, new: NewCommit, *, tree: str) -> Request:
    """Source: https://docs.github.com/en/rest/git/commits#create-a-commit."""
    body = {"message": new.message, "tree": tree, "parents": [new.parent]}
    return _writing(place, "commits", name="commit", body=body)


def branch_creation(place: Place, *, branch: str, commit: str) -> Request:
    """Make a branch, if there is none of that name.

    Source: https://docs.github.com/en/rest/git/refs#create-a-reference
    """
    body = {"ref": f"refs/heads/{branch}", "sha": commit}
    return _writing(place, "refs", name="commit", body=body, passes=frozenset({UNPROCESSABLE}))


def _writing(
    place: Place, what: str, *, name: str, body: Json, passes: frozenset[int] = frozenset()
) -> Request:
    return Request(
        name=name,
        method="POST",
        url=f"{rest_path(place)}/git/{what}",
        json=body,
        accept="application/vnd.github+json",
        passes=passes,
    )


def is_branch_taken(answer: Answer) -> bool:
    """Return whether a branch could not be made because there is one of that name."""
    body = answer.json_of("commit")
    return answer.status == UNPROCESSABLE and "already exists" in str(body.get("message"))


def tree_of(body: Json, *, place: Place, below: str) -> tuple[TreeEntry, ...]:
    """The entries with their whole paths.

    Raises:
        Rejected: `limit_exceeded`.
        OddError: a part is not what GitHub documents.

    """
    if shapes.flag(body, "truncated"):
        raise Rejected(
            ForgeRefusal.LIMIT_EXCEEDED,
            f"repository {place.name!r} has more files than GitHub lists at once; "
            "set a path in the Pipeline's strategy",
        )
    prefix = f"{below}/" if below else ""
    return tuple(_line(node, prefix) for node in shapes.items(body, "tree"))


def _line(node: Json, prefix: str) -> TreeEntry:
    sized = shapes.part(node, "size") is not None
    mode = shapes.text(node, "mode")
    return TreeEntry(
        path=prefix + shapes.text(node, "path"),
        kind=ENTRY_KINDS.get(mode, EntryKind.OTHER),
        object_id=shapes.oid(node, "sha"),
        size_bytes=shapes.number(node, "size", least=0, most=shapes.ID_MAX) if sized else None,
        is_executable=mode == EXECUTABLE,
    )


def comparison_of(body: Json) -> Comparison:
    """Read a comparison.

    Raises:
        OddError: a part is not what GitHub documents.

    """
    files = shapes.items(body, "files") if shapes.part(body, "files") is not None else []
    status = {shapes.text(f, "filename"): shapes.text(f, "status") for f in files}
    commits = shapes.items(body, "commits")
    return Comparison(
        fork_point=shapes.oid(shapes.fields(body, "merge_base_commit"), "sha"),
        commits_ahead=shapes.number(body, "ahead_by", least=0),
        author=(_rest_user(commits[-1], "author") or NOBODY) if commits else None,
        modified=tuple(name for name, what in status.items() if what == "modified"),
        otherwise_changed=tuple(name for name, what in status.items() if what != "modified"),
    )


def summaries_in(body: Json) -> tuple[str, ...]:
    """Read what a comparison says of commits, of which the newest come last."""
    commits = (shapes.fields(node, "commit") for node in reversed(shapes.items(body, "commits")))
    return summaries_of(shapes.text(commit, "message") for commit in commits)


def status_of(body: Json, *, version: str) -> PullStatus:
    """Read what became of a pull request.

    Raises:
        OddError: a part is not what GitHub documents.

    """
    merged, state = shapes.flag(body, "merged"), shapes.text(body, "state")
    if state not in {"open", "closed"}:
        raise shapes.OddError("'state'")
    ended = next((n for n in ("merged_at", "closed_at") if body.get(n) is not None), "")
    return PullStatus(
        state=PullState.MERGED if merged else PullState(state),
        readiness=_READINESS.get(str(body.get("mergeable_state")), Readiness.UNKNOWN),
        ended_by=_rest_user(body, "merged_by") or _rest_user(body, "closed_by"),
        ended_at_s=shapes.moment_s(body, ended) if ended else None,
        merge_commit=shapes.oid(body, "merge_commit_sha") if merged else "",
        version=version,
    )


def _rest_user(node: Json, name: str) -> ForgeUser | None:
    user = shapes.maybe_fields(node, name)
    # A commit whose author is nobody at GitHub has an empty object.
    if not user:
        return None
    return ForgeUser(id=shapes.row_id(user, "id"), login=shapes.login(user, "login"))
