"""Answers of Azure DevOps Services, read without I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.repositories.contents import (
    Comparison,
    EntryKind,
    File,
    Folder,
    Tip,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, Readiness
from countersign.dialects.shapes import Json, OddError

_EXECUTABLE: Final = "100755"
_KINDS: Final[Mapping[str, EntryKind]] = {
    "40000": EntryKind.FOLDER,
    "040000": EntryKind.FOLDER,
    "100644": EntryKind.FILE,
    _EXECUTABLE: EntryKind.FILE,
}
_STATES: Final[Mapping[str, PullState]] = {
    "active": PullState.OPEN,
    "completed": PullState.MERGED,
    "abandoned": PullState.CLOSED,
}
# That it would merge without a conflict says nothing of policies: it is no readiness.
_READINESS: Final[Mapping[str, Readiness]] = {
    "conflicts": Readiness.CONFLICTING,
    "rejectedByPolicy": Readiness.BLOCKED,
}
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Of whoever asks without a token, where an organization has public projects.
_ANONYMOUS: Final = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
_NOT_IN_A_LOGIN: Final = re.compile(r"[^A-Za-z0-9_.@+-]+")
_LOGIN_CHARACTERS_MAX: Final = 100
_HEADS: Final = "refs/heads/"
# The former path of what was renamed.
_BEFORE: Final = ("sourceServerItem", "originalPath")
_SHA1_DIGITS: Final = 40


def guid(node: Json, name: str) -> str:
    found = shapes.text(node, name)
    if not _GUID.fullmatch(found):
        raise OddError(repr(name))
    return found


def maybe_guid(node: Json, *path: str) -> str:
    found = shapes.text_at(node, *path)
    return found if _GUID.fullmatch(found) else ""


def user_of(node: Json) -> ForgeUser | None:
    """Return an account; none for somebody who is not told. What it is called names nobody."""
    return _user(node, shapes.text_at(node, "uniqueName") or shapes.text_at(node, "displayName"))


def viewer_in(answer: Answer) -> ForgeUser | None:
    """Return the account of whoever asks; none for nobody, who has a name and an id there, too."""
    return account_of(shapes.fields_at(answer.json(), "authenticatedUser"))


def account_of(node: Json) -> ForgeUser | None:
    if shapes.text_at(node, "id") == _ANONYMOUS:
        return None
    called = shapes.text_at(node, "properties", "Account", "$value")
    return _user(node, called or shapes.text_at(node, "providerDisplayName"))


def _user(node: Json, called: str) -> ForgeUser | None:
    found = maybe_guid(node, "id")
    login = _NOT_IN_A_LOGIN.sub("-", called)[:_LOGIN_CHARACTERS_MAX].strip("-")
    return ForgeUser(id=found, login=login) if found and login else None


def values_in(answer: Answer) -> list[Json]:
    return shapes.items(answer.json(), "value")


def tip_in(answer: Answer) -> Tip | None:
    """Return a branch's newest commit; none where there is no such branch."""
    listed = values_in(answer) if answer.status == OK else []
    if not listed:
        return None
    return Tip(
        commit=shapes.oid(listed[0], "commitId"),
        committed_at_s=shapes.moment_s(shapes.fields(listed[0], "committer"), "date"),
    )


def object_in(answer: Answer, *, kind: str) -> str:
    """Return the id of what is at a path, empty where that is something else or nothing."""
    item = _item_in(answer)
    is_it = shapes.text_at(item, "gitObjectType") == kind
    return shapes.oid(item, "objectId") if is_it else ""


def is_at(answer: Answer, commit: str) -> bool:
    """Check that a path was looked at in that commit."""
    return shapes.text_at(_item_in(answer), "commitId") == commit


def _item_in(answer: Answer) -> Json:
    listed = values_in(answer) if answer.status == OK else []
    return listed[0] if listed else None


def entries_in(answer: Answer, *, above: str) -> tuple[TreeEntry, ...]:
    """Return the lines of a tree, with whole paths."""
    prefix = f"{above}/" if above else ""
    return tuple(_entry_of(n, prefix) for n in shapes.items(answer.json(), "treeEntries"))


def _entry_of(node: Json, prefix: str) -> TreeEntry:
    mode = shapes.text(node, "mode")
    kind = _KINDS.get(mode, EntryKind.OTHER)
    is_file = kind is EntryKind.FILE
    return TreeEntry(
        path=prefix + shapes.text(node, "relativePath"),
        kind=kind,
        object_id=shapes.oid(node, "objectId"),
        size_bytes=shapes.number(node, "size", least=0, most=shapes.ID_MAX) if is_file else None,
        is_executable=mode == _EXECUTABLE,
    )


def folder_in(answer: Answer, *, path: str, object_id: str) -> Folder | None:
    if answer.status != OK or answer.is_cut:
        return None
    return Folder(object_id=object_id, entries=entries_in(answer, above=path))


def file_in(answer: Answer, *, size_bytes: int, bytes_max: int, object_id: str = "") -> File | None:
    """Return a file; its bytes have to have the name by which they were asked for.

    None for what is not there.
    """
    if answer.is_cut:
        return File(object_id=object_id, size_bytes=max(size_bytes, bytes_max + 1))
    if answer.status != OK:
        return None
    body, found = answer.body, blob_id(answer.body)
    if len(object_id) == _SHA1_DIGITS and object_id != found:
        raise OddError("'objectId'")
    return File(object_id=object_id or found, size_bytes=len(body), body=body)


def commit_in(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """Return the id of a commit that was just pushed, and its parents'."""
    (update, *others), (made, *more) = (
        shapes.items(answer.json(), name) or [None] for name in ("refUpdates", "commits")
    )
    found = shapes.oid(made, "commitId")
    if others or more or shapes.oid(update, "newObjectId") != found:
        raise OddError("'refUpdates'")
    parents = shapes.items(made, "parents")
    return found, tuple(shapes.oid({"parents": p}, "parents") for p in parents)


def pusher_in(answer: Answer) -> ForgeUser | None:
    """Return whose account pushed a commit: its author is a name and an address alone."""
    return user_of(shapes.part_at(answer.json(), "push", "pushedBy"))


def pull_of(node: Json) -> Pull:
    status = status_of(node)
    fork = shapes.part(node, "forkSource")
    ours = guid(shapes.fields(node, "repository"), "id")
    return Pull(
        number=shapes.number(node, "pullRequestId"),
        state=status.state,
        head_branch=shapes.text(node, "sourceRefName").removeprefix(_HEADS),
        # Missing while it was never looked at what a merge would be.
        head_commit=shapes.text_at(node, "lastMergeSourceCommit", "commitId"),
        base_branch=shapes.text(node, "targetRefName").removeprefix(_HEADS),
        head_repository_id=ours if fork is None else maybe_guid(fork, "repository", "id"),
        author=user_of(shapes.part(node, "createdBy")),
        title=shapes.text_at(node, "title"),
        merge_commit=status.merge_commit,
        ended_by=status.ended_by,
        ended_at_s=status.ended_at_s,
    )


def pulls_in(pages: Sequence[Answer]) -> tuple[Pull, ...]:
    """Return those of several pages, each once: a page may move between two questions."""
    found = {pull.number: pull for a in pages for pull in map(pull_of, values_in(a))}
    return tuple(found[number] for number in sorted(found, reverse=True))


def status_of(node: Json) -> PullStatus:
    told = shapes.text(node, "status")
    state = _STATES.get(told)
    if state is None:
        raise OddError("'status'")
    merging = shapes.text_at(node, "mergeStatus")
    head = shapes.text_at(node, "lastMergeSourceCommit", "commitId")
    if state is PullState.OPEN:
        is_draft = shapes.part(node, "isDraft") is True
        readiness = _READINESS.get(merging, Readiness.UNKNOWN)
        return PullStatus(
            state=state,
            readiness=Readiness.DRAFT if is_draft else readiness,
            version=f"{told} {is_draft} {merging[:32]} {head[:64]}",
        )
    return PullStatus(
        state=state,
        ended_by=user_of(shapes.part(node, "closedBy")),
        ended_at_s=shapes.moment_s(node, "closedDate"),
        # Of one that is not completed it is a trial.
        merge_commit=shapes.text_at(node, "lastMergeCommit", "commitId")
        if state is PullState.MERGED
        else "",
        version=f"{told} {shapes.text(node, 'closedDate')[:64]}",
    )


def changes_in(pages: Sequence[Answer]) -> list[Json]:
    """Return what was changed, without the folders that it is in."""
    found = [n for page in pages for n in shapes.items(page.json(), "changes")]
    return [n for n in found if shapes.part_at(n, "item", "isFolder") is not True]


def comparison_in(pages: Sequence[Answer], *, author: ForgeUser | None) -> Comparison:
    """Return what a commit adds to the base, as far as the forge tells: not the modes of files."""
    body = pages[0].json()
    changes = changes_in(pages)
    edited = {_path(n) for n in changes if shapes.text(n, "changeType") == "edit"}
    changed = {_path(n) for n in changes}
    before = {shapes.text_at(n, name) for n in changes for name in _BEFORE}
    return Comparison(
        fork_point=shapes.oid(body, "commonCommit"),
        commits_ahead=shapes.number(body, "aheadCount", least=0),
        author=author,
        modified=tuple(sorted(edited)),
        otherwise_changed=tuple(sorted((changed | {p.lstrip("/") for p in before if p}) - edited)),
    )


def without_other_modes(
    compared: Comparison, before: Mapping[str, TreeEntry], after: Mapping[str, TreeEntry]
) -> Comparison:
    """Tell files whose mode was changed too from those whose bytes alone were."""

    def of(entries: Mapping[str, TreeEntry], path: str) -> tuple[bool, bool]:
        entry = entries.get(path)
        return (entry.is_file, entry.is_executable) if entry else (False, False)

    same = {
        path
        for path in compared.modified
        if of(before, path) == of(after, path) and of(after, path)[0]
    }
    other = {*compared.otherwise_changed, *compared.modified} - same
    return replace(compared, modified=tuple(sorted(same)), otherwise_changed=tuple(sorted(other)))


def _path(node: Json) -> str:
    return shapes.text(shapes.fields(node, "item"), "path").removeprefix("/")
