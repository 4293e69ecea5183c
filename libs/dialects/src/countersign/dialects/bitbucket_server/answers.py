"""Answers of Bitbucket Data Center, read without I/O.

It tells the mode of a file only where that was changed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.repositories.contents import (
    EntryKind,
    File,
    Tip,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus, Readiness
from countersign.dialects.shapes import Json, OddError

_HEADS: Final = "refs/heads/"
_NAME_CHARACTERS_MAX: Final = 255
_NOT_IN_A_LOGIN: Final = re.compile(r"[^A-Za-z0-9_.\[\]-]+")
_KINDS: Final[Mapping[str, EntryKind]] = {
    # A symbolic link is one too, whose bytes are the path that it leads to.
    "FILE": EntryKind.FILE,
    "DIRECTORY": EntryKind.FOLDER,
    "SUBMODULE": EntryKind.OTHER,
}
_STATES: Final[Mapping[str, PullState]] = {
    "OPEN": PullState.OPEN,
    "MERGED": PullState.MERGED,
    "DECLINED": PullState.CLOSED,
}
_ENDINGS: Final = frozenset({"MERGED", "DECLINED"})
_MILLISECONDS_MAX: Final = 253_402_300_799_999  # the year 9999


@dataclass(frozen=True, kw_only=True)
class Change:
    """A file in which two commits differ.

    Args:
        paths: where it is, and was.
        modifies: whether its bytes alone differ.
        object_id: of its bytes now, where that is told.

    """

    paths: tuple[str, ...]
    modifies: bool
    object_id: str


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The way a pull request ended, as its activities have it."""

    by: ForgeUser | None = None
    merge_commit: str = ""


def name_in(answer: Answer) -> str:
    """Return the user whose token was sent, as every answer tells; empty for nobody's.

    Source: https://confluence.atlassian.com/bitbucketserverkb (X-AUSERNAME)
    """
    return unquote(answer.headers.get("x-ausername", ""))[:_NAME_CHARACTERS_MAX]


def named(answer: Answer, name: str) -> Json:
    """Return who of those listed has that very name; null for nobody. Names have no case."""
    listed = values_in(answer)
    wanted = name.casefold()
    return next((n for n in listed if shapes.text_at(n, "name").casefold() == wanted), None)


def user_of(node: Json) -> ForgeUser | None:
    """Return a person; none for somebody who is not told. A name may be an address."""
    found = shapes.part_at(node, "id")
    login = _NOT_IN_A_LOGIN.sub("-", shapes.text_at(node, "name"))[:100].strip("-")
    if not shapes.is_id(found) or not shapes.is_login(login):
        return None
    return ForgeUser(id=str(found), login=login)


def values_in(answer: Answer) -> list[Json]:
    return shapes.items(answer.json(), "values")


def next_start(page: Json) -> int | None:
    """Return where the next page starts; none after the last.

    Source: https://developer.atlassian.com/server/bitbucket/rest/v1000/intro/#paged-apis
    """
    return None if shapes.flag(page, "isLastPage") else shapes.number(page, "nextPageStart")


def tip_in(answer: Answer) -> Tip | None:
    """Return a branch's newest commit; none where there is no such branch."""
    found = values_in(answer) if answer.status == OK else []
    if not found:
        return None
    commit = found[0]
    return Tip(
        commit=shapes.oid(commit, "id"), committed_at_s=_moment_s(commit, "committerTimestamp")
    )


def _moment_s(node: Json, name: str) -> float:
    return shapes.number(node, name, least=0, most=_MILLISECONDS_MAX) / 1000


def folder_in(answer: Answer, *, path: str) -> tuple[list[TreeEntry], int | None] | None:
    """Return a page of a folder, and where the next one starts; none for what is no folder."""
    if answer.status != OK:
        return None
    children = shapes.maybe_fields(answer.json(), "children")
    if children is None:
        return None
    below = f"{path}/" if path else ""
    entries = [_entry_of(node, below=below) for node in shapes.items(children, "values")]
    return entries, next_start(children)


def _entry_of(node: Json, *, below: str) -> TreeEntry:
    kind = _KINDS.get(shapes.text(node, "type"))
    if kind is None:
        raise OddError("'type'")
    size = shapes.part(node, "size")
    return TreeEntry(
        path=below + _path(node, "path"),
        kind=kind,
        object_id=shapes.text_at(node, "node" if kind is EntryKind.FOLDER else "contentId"),
        size_bytes=None
        if size is None or kind is not EntryKind.FILE
        else shapes.number(node, "size", least=0, most=shapes.ID_MAX),
    )


def _path(node: Json, name: str) -> str:
    """Return a path of its parts, as it is told from the folder that was asked for."""
    parts = shapes.items(shapes.fields(node, name), "components")
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise OddError(repr(name))
    return shapes.text({name: "/".join(parts)}, name)


def file_in(answer: Answer, *, size_bytes: int, bytes_max: int) -> File | None:
    """Return a file's bytes, named as git would; none for what is not there."""
    if answer.is_cut:
        return File(object_id="", size_bytes=max(size_bytes, bytes_max + 1))
    if answer.status != OK:
        return None
    body = answer.body
    return File(object_id=blob_id(body), size_bytes=len(body), body=body)


def commit_in(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """Return the id of a commit that was just made, and its parents'."""
    body = answer.json()
    return shapes.oid(body, "id"), parents_of(body)


def parents_of(commit: Json) -> tuple[str, ...]:
    return tuple(shapes.oid(parent, "id") for parent in shapes.items(commit, "parents"))


def changes_in(pages: Iterable[Answer]) -> list[Change]:
    return [_change_of(node) for page in pages for node in values_in(page)]


def _change_of(node: Json) -> Change:
    paths = [_path(node, "path")]
    if shapes.part(node, "srcPath") is not None:
        paths.append(_path(node, "srcPath"))
    same_mode = shapes.part(node, "executable") == shapes.part(node, "srcExecutable")
    modifies = shapes.text(node, "type") == "MODIFY" and shapes.text(node, "nodeType") == "FILE"
    return Change(
        paths=tuple(paths),
        modifies=modifies and same_mode,
        object_id=shapes.text_at(node, "contentId"),
    )


def pull_of(node: Json, ending: Ending | None = None) -> Pull:
    status = status_of(node, ending)
    source, target = shapes.fields(node, "fromRef"), shapes.fields(node, "toRef")
    repository_id = shapes.integer_at(source, "repository", "id")
    authors = shapes.part_at(node, "author", "user")
    return Pull(
        number=shapes.number(node, "id"),
        state=status.state,
        head_branch=_branch(source),
        head_commit=shapes.oid(source, "latestCommit"),
        base_branch=_branch(target),
        head_repository_id=str(repository_id) if shapes.is_id(repository_id) else "",
        author=user_of(authors),
        title=shapes.text_at(node, "title"),
        merge_commit=status.merge_commit,
        ended_by=status.ended_by,
        ended_at_s=status.ended_at_s,
    )


def _branch(ref: Json) -> str:
    return shapes.text(ref, "id").removeprefix(_HEADS)


def is_to(node: Json, *, repository_id: str, base_branch: str) -> bool:
    """Check that a pull request goes to our base: one from our branch may go to where we forked."""
    target = shapes.fields(node, "toRef")
    found = shapes.integer_at(target, "repository", "id")
    return str(found) == repository_id and _branch(target) == base_branch


def once(nodes: Iterable[Json]) -> list[Json]:
    """Return each pull request once, newest first: a page may move between two questions."""
    found = {shapes.number(node, "id"): node for node in nodes}
    return [found[number] for number in sorted(found, reverse=True)]


def state_of(node: Json) -> PullState:
    state = _STATES.get(shapes.text(node, "state"))
    if state is None:
        raise OddError("'state'")
    return state


def version_of(node: Json) -> int:
    """Return the version, with which a pull request is changed only as long as it has that."""
    return shapes.number(node, "version", least=0)


def status_of(
    node: Json, ending: Ending | None = None, *, readiness: Readiness = Readiness.UNKNOWN
) -> PullStatus:
    state = state_of(node)
    version = f"{state.value} {version_of(node)}"
    if state is PullState.OPEN:
        # It becomes mergeable without another version.
        return PullStatus(state=state, readiness=readiness, version=f"{version} {readiness.value}")
    told = ending or Ending()
    closed = shapes.part(node, "closedDate")
    return PullStatus(
        state=state,
        ended_by=told.by,
        ended_at_s=None if closed is None else _moment_s(node, "closedDate"),
        merge_commit=(
            told.merge_commit or shapes.text_at(node, "properties", "mergeCommit", "id")
            if state is PullState.MERGED
            else ""
        ),
        version=version,
    )


def ending_in(answer: Answer) -> Ending:
    """Return who ended a pull request, and with which commit, as far as that is told."""
    listed = values_in(answer) if answer.status == OK else []
    for node in listed:
        if shapes.text_at(node, "action") in _ENDINGS:
            return Ending(
                by=user_of(shapes.part_at(node, "user")),
                merge_commit=shapes.text_at(node, "commit", "id"),
            )
    return Ending()


def readiness_in(pull: Json, answer: Answer) -> Readiness:
    if shapes.part_at(pull, "draft") is True:
        return Readiness.DRAFT
    told = answer.json() if answer.status == OK else None
    if shapes.part_at(told, "conflicted") is True:
        return Readiness.CONFLICTING
    if shapes.part_at(told, "canMerge") is True:
        return Readiness.READY
    return Readiness.BLOCKED if shapes.part_at(told, "vetoes") else Readiness.UNKNOWN


def fork_point_of(commits: Sequence[Json], *, commit: str) -> str:
    """Return where the first parents of the commits leave what was listed."""
    nodes = {shapes.oid(node, "id"): node for node in commits}
    found = commit
    for _ in range(len(nodes)):
        if found not in nodes:
            break
        found = next(iter(parents_of(nodes[found])), "")
    return found
