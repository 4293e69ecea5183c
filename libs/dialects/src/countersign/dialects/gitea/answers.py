"""Answers of Gitea and Forgejo, read without I/O."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.gitea import requests
from countersign.dialects.repositories.contents import (
    EntryKind,
    File,
    Folder,
    Tip,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.interface import View
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, Readiness
from countersign.dialects.repositories.questions import read_at_s
from countersign.dialects.shapes import Json, OddError

_EXECUTABLE: Final = "100755"
_KINDS: Final[Mapping[str, EntryKind]] = {
    "040000": EntryKind.FOLDER,
    "100644": EntryKind.FILE,
    _EXECUTABLE: EntryKind.FILE,
}
_SHA1_DIGITS: Final = 40
_TOTAL_DIGITS_MAX: Final = 9


def user_of(node: Json) -> ForgeUser | None:
    """Return a person; none for somebody deleted, whom both vendors give a negative id."""
    found = shapes.part_at(node, "id")
    if not shapes.is_id(found) or not shapes.is_login(shapes.part_at(node, "login")):
        return None
    return ForgeUser(id=str(found), login=node["login"])


def tip_in(answer: Answer) -> Tip | None:
    """Return a branch's newest commit; none where there is no such branch."""
    if answer.status != OK:
        return None
    commit = shapes.fields(answer.json(), "commit")
    return Tip(commit=shapes.oid(commit, "id"), committed_at_s=shapes.moment_s(commit, "timestamp"))


def view_of(
    answer: Answer, *, viewer: ForgeUser | None, base: Tip | None, head: Tip | None
) -> View:
    """Return the view without what was listed besides."""
    repository = answer.json()
    permissions = shapes.fields(repository, "permissions")
    return View(
        repository_id=shapes.row_id(repository, "id"),
        viewer=viewer,
        may_write=shapes.flag(permissions, "push"),
        archived=shapes.flag(repository, "archived"),
        base=base,
        head=head,
        pulls=(),
        previous=(),
        read_at_s=read_at_s(answer, base, head),
    )


def pull_of(node: Json) -> Pull:
    number = shapes.number(node, "number")
    base, head = shapes.fields(node, "base"), shapes.fields(node, "head")
    ref = shapes.text(head, "ref")
    if ref == f"refs/pull/{number}/head":
        # Its branch was deleted; only the label still has the name.
        ref = shapes.text(head, "label")
    repository_id = shapes.integer_at(head, "repo", "id")
    status = status_of(node)
    return Pull(
        number=number,
        state=status.state,
        head_branch=ref,
        head_commit=shapes.oid(head, "sha"),
        base_branch=shapes.text(base, "ref"),
        head_repository_id=str(repository_id) if shapes.is_id(repository_id) else "",
        author=user_of(shapes.part(node, "user")),
        title=shapes.text_at(node, "title"),
        merge_commit=status.merge_commit,
        ended_by=status.ended_by,
        ended_at_s=status.ended_at_s,
    )


def pulls_of(body: Json) -> tuple[Pull, ...]:
    if not isinstance(body, list):
        raise OddError("list")
    return tuple(map(pull_of, body))


def labels_of(nodes: Json) -> dict[str, int]:
    """Return the numbers of labels by their names; of two of one name the first."""
    if not isinstance(nodes, list):
        raise OddError("list")
    found: dict[str, int] = {}
    for node in nodes:
        found.setdefault(shapes.text(node, "name"), shapes.number(node, "id", most=shapes.ID_MAX))
    return found


def total_of(answer: Answer) -> int:
    """Return how many there are on all pages together."""
    found = answer.headers.get("x-total-count", "")
    if not (found.isascii() and found.isdigit() and len(found) <= _TOTAL_DIGITS_MAX):
        raise OddError("'X-Total-Count'")
    return int(found)


def body_of(node: Json) -> str:
    """Return the text of a pull request, which may be long and empty."""
    found = shapes.part(node, "body")
    if not isinstance(found, str):
        raise OddError("'body'")
    return found


def status_of(node: Json) -> PullStatus:
    """Return what became of a pull request. Who closed it unmerged is not told."""
    version = shapes.text_at(node, "updated_at")
    if shapes.flag(node, "merged"):
        return PullStatus(
            state=PullState.MERGED,
            ended_by=user_of(shapes.part(node, "merged_by")),
            ended_at_s=_moment_s(node, "merged_at"),
            merge_commit=shapes.text_at(node, "merge_commit_sha"),
            version=version,
        )
    if shapes.text(node, "state") == "closed":
        return PullStatus(
            state=PullState.CLOSED, ended_at_s=_moment_s(node, "closed_at"), version=version
        )
    readiness = _readiness(node)
    # It becomes mergeable without being updated.
    return PullStatus(
        state=PullState.OPEN, readiness=readiness, version=f"{version} {readiness.value}"
    )


def _readiness(node: Json) -> Readiness:
    """Not mergeable is said of a conflict, and of what was not looked at yet."""
    if shapes.part(node, "draft") is True:
        return Readiness.DRAFT
    return Readiness.READY if shapes.part(node, "mergeable") is True else Readiness.UNKNOWN


def _moment_s(node: Json, name: str) -> float | None:
    return None if shapes.part(node, name) is None else shapes.moment_s(node, name)


def page_of(body: Json) -> tuple[list[Json], bool]:
    """Return a page of a tree, and whether more follow. A page beyond the end is null."""
    entries = shapes.items(body, "tree") if shapes.part(body, "tree") is not None else []
    return entries, shapes.flag(body, "truncated")


def entry_of(node: Json, *, below: str) -> TreeEntry:
    mode = shapes.text(node, "mode")
    kind = _KINDS.get(mode, EntryKind.OTHER)
    sized = kind is EntryKind.FILE
    return TreeEntry(
        path=below + shapes.text(node, "path"),
        kind=kind,
        object_id=shapes.oid(node, "sha"),
        size_bytes=shapes.number(node, "size", least=0, most=shapes.ID_MAX) if sized else None,
        is_executable=mode == _EXECUTABLE,
    )


def folders_in(answer: Answer, *, base: Tip | None) -> dict[str, Folder]:
    """Return all folders of a whole tree by their paths.

    Both vendors give the id of the commit that was listed instead of the tree's own, which tells
    whether it is the base's. Nothing where it is not, or where there is more than a page.
    """
    if answer.status != OK or base is None:
        return {}
    body = answer.json()
    nodes, more = page_of(body)
    if more or shapes.oid(body, "sha") != base.commit:
        return {}
    below: dict[str, list[TreeEntry]] = {"": []}
    ids = {"": base.commit}
    for entry in (entry_of(node, below="") for node in nodes):
        below.setdefault(entry.path.rpartition("/")[0], []).append(entry)
        if entry.is_folder:
            ids[entry.path] = entry.object_id
    return {
        path: Folder(object_id=object_id, entries=tuple(below.get(path, ())))
        for path, object_id in ids.items()
    }


def files_in(found: Mapping[str, Answer]) -> dict[str, File]:
    """Return the files that came with their bytes."""
    bodies = {path: answer.json() for path, answer in found.items() if answer.status == OK}
    return {
        path: file_of(body, bytes_max=requests.FILE_BYTES_MAX)
        for path, body in bodies.items()
        if is_file(body) and shapes.part(body, "content") is not None
    }


def is_file(node: Json) -> bool:
    """Check that contents are a file's; a blob by its id says nothing, and was listed as one.

    A folder is a list; a symbolic link and a submodule say what they are.
    """
    return isinstance(node, dict) and node.get("type", "file") == "file"


def file_of(node: Json, *, bytes_max: int) -> File:
    """Return a blob; its bytes have to have its name, as far as that is SHA-1.

    It comes without them where the administrator has the API give no more than they may be:
    `DEFAULT_MAX_BLOB_SIZE`, which is 10 MiB.
    Source: https://docs.gitea.com/administration/config-cheat-sheet#api-api
    """
    object_id = shapes.oid(node, "sha")
    size_bytes = shapes.number(node, "size", least=0, most=shapes.ID_MAX)
    content = shapes.part(node, "content")
    if size_bytes > bytes_max or (size_bytes and not content):
        return File(object_id=object_id, size_bytes=size_bytes)
    if not isinstance(content, str) or shapes.part(node, "encoding") != "base64":
        raise OddError("'content'")
    try:
        body = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise OddError("'content'") from None
    if len(object_id) == _SHA1_DIGITS and blob_id(body) != object_id:
        raise OddError("'sha'")
    return File(object_id=object_id, size_bytes=len(body), body=body)


def commit_of(body: Json) -> str:
    """Return the id of a commit that was just made."""
    return shapes.oid(shapes.fields(body, "commit"), "sha")


def commits_of(body: Json) -> list[Json]:
    """Return what a branch lacks, newest first."""
    return shapes.items(body, "commits") if shapes.part(body, "commits") is not None else []


def written_of(body: Json) -> dict[str, str]:
    """Return path and blob id of the files of a commit that was just made."""
    return {shapes.text(f, "path"): shapes.oid(f, "sha") for f in shapes.items(body, "files")}


def parents_of(commit: Json) -> tuple[str, ...]:
    return tuple(shapes.oid(parent, "sha") for parent in shapes.items(commit, "parents"))
