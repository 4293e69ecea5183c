"""Answers of GitLab, read without I/O."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.repositories.contents import (
    Comparison,
    EntryKind,
    File,
    Tip,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, Readiness
from countersign.dialects.shapes import Json, OddError

_EXECUTABLE: Final = "100755"
_KINDS: Final[Mapping[str, EntryKind]] = {
    "040000": EntryKind.FOLDER,
    "100644": EntryKind.FILE,
    _EXECUTABLE: EntryKind.FILE,
}
# Developers may push. Source: https://docs.gitlab.com/user/permissions/
DEVELOPER: Final = 30
_SHA1_DIGITS: Final = 40
_PAGE_DIGITS_MAX: Final = 6
_STATES: Final[Mapping[str, PullState]] = {
    "opened": PullState.OPEN,
    # While it is being merged.
    "locked": PullState.OPEN,
    "closed": PullState.CLOSED,
    "merged": PullState.MERGED,
}
# Source: https://docs.gitlab.com/api/merge_requests/#merge-status
_READINESS: Final[Mapping[str, Readiness]] = {
    "mergeable": Readiness.READY,
    "conflict": Readiness.CONFLICTING,
    "need_rebase": Readiness.BEHIND,
    "draft_status": Readiness.DRAFT,
    "ci_still_running": Readiness.UNSTABLE,
    "ci_must_pass": Readiness.BLOCKED,
    "approvals_syncing": Readiness.BLOCKED,
    "blocked_status": Readiness.BLOCKED,
    "discussions_not_resolved": Readiness.BLOCKED,
    "external_status_checks": Readiness.BLOCKED,
    "jira_association_missing": Readiness.BLOCKED,
    "locked_lfs_files": Readiness.BLOCKED,
    "locked_paths": Readiness.BLOCKED,
    "merge_request_blocked": Readiness.BLOCKED,
    "merge_time": Readiness.BLOCKED,
    "not_approved": Readiness.BLOCKED,
    "policies_denied": Readiness.BLOCKED,
    "requested_changes": Readiness.BLOCKED,
    "security_policy_violations": Readiness.BLOCKED,
    "status_checks_must_pass": Readiness.BLOCKED,
    "title_regex": Readiness.BLOCKED,
}


def user_of(node: Json) -> ForgeUser | None:
    """Return a person; none for somebody who is not told."""
    found, name = shapes.part_at(node, "id"), shapes.part_at(node, "username")
    if not shapes.is_id(found) or not shapes.is_login(name):
        return None
    return ForgeUser(id=str(found), login=name)


def emails_of(node: Json) -> frozenset[str]:
    """Return the addresses under which the forge commits for a person."""
    names = ("email", "commit_email", "public_email")
    return frozenset(filter(None, (shapes.text_at(node, name) for name in names)))


def tip_in(answer: Answer) -> Tip | None:
    """Return a branch's newest commit; none where there is no such branch."""
    if answer.status != OK:
        return None
    commit = shapes.fields(answer.json(), "commit")
    return Tip(
        commit=shapes.oid(commit, "id"), committed_at_s=shapes.moment_s(commit, "committed_date")
    )


def role_in(project: Json) -> int:
    """Return the highest role that the project tells of: what further groups bring is not in it."""
    permissions = shapes.fields_at(project, "permissions")
    told = (
        shapes.integer_at(permissions, name, "access_level")
        for name in ("project_access", "group_access")
    )
    return max((level for level in told if level is not None), default=0)


def listed(answer: Answer) -> list[Json]:
    body = answer.json()
    if not isinstance(body, list):
        raise OddError("list")
    return body


def next_page(answer: Answer) -> int | None:
    """Return the number of the page that follows; none after the last.

    Source: https://docs.gitlab.com/api/rest/#pagination
    """
    return _page_in(answer, "x-next-page")


def last_page(answer: Answer) -> int | None:
    """Return how many pages there are; none where the forge does not count them."""
    return _page_in(answer, "x-total-pages")


def _page_in(answer: Answer, name: str) -> int | None:
    text = answer.headers.get(name, "")
    sound = text.isascii() and text.isdigit() and len(text) <= _PAGE_DIGITS_MAX
    return int(text) if sound else None


def entry_of(node: Json) -> TreeEntry:
    """Return a line of a listing; GitLab tells no sizes."""
    mode = shapes.text(node, "mode")
    return TreeEntry(
        path=shapes.text(node, "path"),
        kind=_KINDS.get(mode, EntryKind.OTHER),
        object_id=shapes.oid(node, "id"),
        is_executable=mode == _EXECUTABLE,
    )


def entries_in(answer: Answer) -> tuple[TreeEntry, ...]:
    return tuple(map(entry_of, listed(answer)))


def file_in(answer: Answer, *, bytes_max: int) -> File | None:
    """Return a file; its bytes have to have its name, as far as that is SHA-1.

    None for what is not there. One that is too large has its size in a header.
    """
    if answer.is_cut:
        told = answer.headers.get("x-gitlab-size", "")
        size_bytes = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0  # noqa: PLR2004
        return File(object_id=_oid_in(answer.headers), size_bytes=max(size_bytes, bytes_max + 1))
    if answer.status != OK:
        return None
    node = answer.json()
    object_id = shapes.oid(node, "blob_id")
    size_bytes = shapes.number(node, "size", least=0, most=shapes.ID_MAX)
    if size_bytes > bytes_max:
        return File(object_id=object_id, size_bytes=size_bytes)
    content = shapes.part(node, "content")
    if not isinstance(content, str) or shapes.part(node, "encoding") != "base64":
        raise OddError("'content'")
    try:
        body = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise OddError("'content'") from None
    if len(object_id) == _SHA1_DIGITS and blob_id(body) != object_id:
        raise OddError("'blob_id'")
    return File(object_id=object_id, size_bytes=len(body), body=body)


def _oid_in(headers: Mapping[str, str]) -> str:
    try:
        return shapes.oid(dict(headers), "x-gitlab-blob-id")
    except OddError:
        return ""


def is_at(answer: Answer, commit: str) -> bool:
    """Check that a file was read at that commit."""
    return answer.status == OK and shapes.text_at(answer.json(), "commit_id") == commit


def pull_of(node: Json) -> Pull:
    status = status_of(node)
    source = shapes.integer_at(node, "source_project_id")
    return Pull(
        number=shapes.number(node, "iid"),
        state=status.state,
        head_branch=shapes.text(node, "source_branch"),
        # Null for a merge request without a commit.
        head_commit=shapes.text_at(node, "sha"),
        base_branch=shapes.text(node, "target_branch"),
        head_repository_id=str(source) if shapes.is_id(source) else "",
        author=user_of(shapes.part(node, "author")),
        title=shapes.text_at(node, "title"),
        merge_commit=status.merge_commit,
        ended_by=status.ended_by,
        ended_at_s=status.ended_at_s,
    )


def pulls_in(answers: Sequence[Answer]) -> tuple[Pull, ...]:
    """Return those of several pages, each once: a page may move between two questions."""
    found = {pull.number: pull for a in answers for pull in map(pull_of, listed(a))}
    return tuple(found[number] for number in sorted(found, reverse=True))


def status_of(node: Json) -> PullStatus:
    state = _STATES.get(shapes.text(node, "state"))
    if state is None:
        raise OddError("'state'")
    version = shapes.text_at(node, "updated_at")
    if state is PullState.MERGED:
        # Older versions have `merged_by` alone.
        by = user_of(shapes.part(node, "merge_user")) or user_of(shapes.part(node, "merged_by"))
        return PullStatus(
            state=state,
            ended_by=by,
            ended_at_s=_moment_s(node, "merged_at"),
            merge_commit=_merge_commit(node),
            version=version,
        )
    if state is PullState.CLOSED:
        return PullStatus(
            state=state,
            ended_by=user_of(shapes.part(node, "closed_by")),
            ended_at_s=_moment_s(node, "closed_at"),
            version=version,
        )
    told = shapes.text_at(node, "detailed_merge_status")
    return PullStatus(
        state=state,
        readiness=_READINESS.get(told, Readiness.UNKNOWN),
        # It becomes mergeable without being updated.
        version=f"{version} {told[:64]}",
    )


def _merge_commit(node: Json) -> str:
    """A merge that was fast-forwarded has no commit of its own, a squashed one another name."""
    names = ("merge_commit_sha", "squash_commit_sha", "sha")
    return next(filter(None, (shapes.text_at(node, name) for name in names)), "")


def _moment_s(node: Json, name: str) -> float | None:
    return None if shapes.part(node, name) is None else shapes.moment_s(node, name)


def commit_in(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """Return the id of a commit that was just made, and its parents'."""
    body = answer.json()
    return shapes.oid(body, "id"), parents_of(body)


def parents_of(commit: Json) -> tuple[str, ...]:
    found = shapes.items(commit, "parent_ids")
    return tuple(shapes.oid({"parent_ids": parent}, "parent_ids") for parent in found)


def comparison_in(answer: Answer, *, commit: str, viewer: Json) -> Comparison:
    """Return what a commit adds to the base.

    A commit has a name and an address but no account: it is the viewer's, or nobody's that is
    known. The fork point is where the first parents of the commits leave what was listed.
    """
    body = answer.json()
    if shapes.part(body, "compare_timeout") is True:
        raise OddError("'diffs', which took too long")
    commits = {shapes.oid(node, "id"): node for node in shapes.items(body, "commits")}
    fork_point = commit
    for _ in range(len(commits)):
        if fork_point not in commits:
            break
        fork_point = next(iter(parents_of(commits[fork_point])), "")
    diffs = shapes.items(body, "diffs")
    modified = {shapes.text(d, "new_path") for d in diffs if _changes_bytes_alone(d)}
    changed = {shapes.text(d, name) for d in diffs for name in ("old_path", "new_path")}
    address = shapes.text_at(commits.get(commit), "author_email")
    return Comparison(
        fork_point=fork_point,
        commits_ahead=len(commits),
        author=user_of(viewer) if address and address in emails_of(viewer) else None,
        modified=tuple(sorted(modified)),
        otherwise_changed=tuple(sorted(changed - modified)),
    )


def _changes_bytes_alone(diff: Json) -> bool:
    flags = ("new_file", "renamed_file", "deleted_file")
    if any(shapes.flag(diff, name) for name in flags):
        return False
    mode = shapes.text(diff, "a_mode")
    return mode == shapes.text(diff, "b_mode") and _KINDS.get(mode) is EntryKind.FILE
