"""Answers of Bitbucket Cloud, read without I/O. It names no file by the bytes that it has."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

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
from countersign.dialects.repositories.pulls import Pull, PullState, PullStatus
from countersign.dialects.shapes import Json, OddError

_EXECUTABLE: Final = "executable"
# Of a file these say what it is like, the others that it is none that could be edited.
_PLAIN: Final = frozenset({"binary", _EXECUTABLE})
_STATES: Final[Mapping[str, PullState]] = {
    "OPEN": PullState.OPEN,
    "MERGED": PullState.MERGED,
    "DECLINED": PullState.CLOSED,
    "SUPERSEDED": PullState.CLOSED,
}
_WRITING: Final = frozenset({"write", "admin"})
_PAGE: Final = re.compile(r"[A-Za-z0-9_=+/.~-]{1,2048}")
_UUID: Final = re.compile(r"\{[0-9a-fA-F-]{36}\}")
# A short id names a commit well enough for a person only.
_OID_DIGITS: Final = 40
_NOT_IN_A_LOGIN: Final = re.compile(r"[^A-Za-z0-9_.\[\]-]+")


def uuid(node: Json, name: str) -> str:
    found = shapes.text(node, name)
    if not _UUID.fullmatch(found):
        raise OddError(repr(name))
    return found


def user_of(node: Json) -> ForgeUser | None:
    """Return a person; none for somebody who is not told.

    A nickname is what people chose to be called, with spaces too; it names nobody to the API.
    """
    found = shapes.text_at(node, "uuid")
    named = shapes.text_at(node, "nickname") or shapes.text_at(node, "display_name")
    login = _NOT_IN_A_LOGIN.sub("-", named)[:100].strip("-")
    if not _UUID.fullmatch(found) or not shapes.is_login(login):
        return None
    return ForgeUser(id=found, login=login)


def tip_in(answer: Answer) -> Tip | None:
    """Return a branch's newest commit; none where there is no such branch."""
    if answer.status != OK:
        return None
    target = shapes.fields(answer.json(), "target")
    return Tip(commit=shapes.oid(target, "hash"), committed_at_s=shapes.moment_s(target, "date"))


def may_write(answer: Answer) -> bool | None:
    """Return whether a person may write; none where the forge does not tell."""
    if answer.status != OK:
        return None
    told = [shapes.text(node, "permission") for node in values_in(answer)]
    return bool(_WRITING & set(told)) if told else None


def values_in(answer: Answer) -> list[Json]:
    return shapes.items(answer.json(), "values")


def next_page(answer: Answer) -> str:
    """Return the name of the page that follows, empty after the last.

    Its address is not followed: only the page is taken from it.
    """
    address = shapes.part(answer.json(), "next")
    if address is None:
        return ""
    try:
        found = parse_qs(urlsplit(str(address)).query).get("page", [""])[0]
    except ValueError:
        found = ""
    if not _PAGE.fullmatch(found):
        raise OddError("'next'")
    return found


def entry_of(node: Json) -> TreeEntry:
    """Return a line of a listing. A link, a submodule and what LFS keeps elsewhere are no files."""
    kind = shapes.text(node, "type")
    if kind == "commit_directory":
        return TreeEntry(path=shapes.text(node, "path"), kind=EntryKind.FOLDER)
    if kind != "commit_file":
        raise OddError("'type'")
    attributes = _attributes(node)
    size = shapes.part(node, "size")
    return TreeEntry(
        path=shapes.text(node, "path"),
        kind=EntryKind.FILE if attributes <= _PLAIN else EntryKind.OTHER,
        size_bytes=None
        if size is None
        else shapes.number(node, "size", least=0, most=shapes.ID_MAX),
        is_executable=_EXECUTABLE in attributes,
    )


def _attributes(node: Json) -> frozenset[str]:
    """One, or a list of them: the description has the first, answers have the second."""
    found = shapes.part(node, "attributes")
    listed = [] if found is None else found if isinstance(found, list) else [found]
    if not all(isinstance(one, str) for one in listed):
        raise OddError("'attributes'")
    return frozenset(listed)


def entries_in(pages: Iterable[Answer]) -> tuple[TreeEntry, ...]:
    return tuple(entry_of(node) for page in pages for node in values_in(page))


def file_in(answer: Answer, *, size_bytes: int, bytes_max: int) -> File | None:
    """Return a file's bytes, named as git would; none for what is not there."""
    if answer.is_cut:
        return File(object_id="", size_bytes=max(size_bytes, bytes_max + 1))
    if answer.status != OK:
        return None
    body = answer.body
    return File(object_id=blob_id(body), size_bytes=len(body), body=body)


def commit_at(answer: Answer) -> str:
    """Return the id of a commit that was just made: the end of its address."""
    path = urlsplit(answer.headers.get("location", "")).path
    return shapes.oid({"location": path.rpartition("/")[2]}, "location")


def pull_of(node: Json) -> Pull:
    status = status_of(node)
    source, destination = shapes.fields(node, "source"), shapes.fields(node, "destination")
    return Pull(
        number=shapes.number(node, "id"),
        state=status.state,
        head_branch=shapes.text(shapes.fields(source, "branch"), "name"),
        # Null once the commit is gone, and short else: twelve digits.
        head_commit=shapes.text_at(source, "commit", "hash"),
        base_branch=shapes.text(shapes.fields(destination, "branch"), "name"),
        head_repository_id=shapes.text_at(source, "repository", "uuid"),
        author=user_of(shapes.part(node, "author")),
        title=shapes.text_at(node, "title"),
        merge_commit=status.merge_commit,
        ended_by=status.ended_by,
        ended_at_s=status.ended_at_s,
    )


def pulls_in(pages: Sequence[Answer]) -> tuple[Pull, ...]:
    """Return those of several pages, each once: a page may move between two questions."""
    found = {pull.number: pull for a in pages for pull in map(pull_of, values_in(a))}
    return tuple(found[number] for number in sorted(found, reverse=True))


def is_open_here(answer: Answer) -> bool:
    """Say if one of them is open whose branch is in the repository itself, not in a fork."""
    return any(
        pull.state is PullState.OPEN
        and pull.head_repository_id == shapes.text_at(node, "destination", "repository", "uuid")
        for node in values_in(answer)
        for pull in [pull_of(node)]
    )


def status_of(node: Json) -> PullStatus:
    told = shapes.text(node, "state")
    state = _STATES.get(told)
    if state is None:
        raise OddError("'state'")
    version = f"{told} {shapes.text_at(node, 'updated_on')}"
    if state is PullState.OPEN:
        return PullStatus(state=state, version=version)
    return PullStatus(
        state=state,
        ended_by=user_of(shapes.part(node, "closed_by")),
        # There is no time of its own.
        ended_at_s=shapes.moment_s(node, "updated_on"),
        merge_commit=shapes.text_at(node, "merge_commit", "hash")
        if state is PullState.MERGED
        else "",
        version=version,
    )


def is_whole(commit: str) -> bool:
    """Check that a commit is named by all its digits."""
    return len(commit) >= _OID_DIGITS


def comparison_in(
    commits: Sequence[Answer], differences: Sequence[Answer], *, commit: str
) -> Comparison:
    """Return what a commit adds to the base, as far as the forge tells: not the modes of files.

    The fork point is where the first parents of the commits leave what was listed.
    """
    nodes = {shapes.oid(n, "hash"): n for page in commits for n in values_in(page)}
    fork_point = commit
    for _ in range(len(nodes)):
        if fork_point not in nodes:
            break
        parents = shapes.items(nodes[fork_point], "parents")
        fork_point = shapes.oid(parents[0], "hash") if parents else ""
    changes = [n for page in differences for n in values_in(page)]
    modified = {_paths(n)[0] for n in changes if shapes.text(n, "status") == "modified"}
    changed = {path for n in changes for path in _paths(n)}
    author = shapes.part_at(nodes.get(commit), "author", "user")
    return Comparison(
        fork_point=fork_point,
        commits_ahead=len(nodes),
        author=user_of(author),
        modified=tuple(sorted(modified)),
        otherwise_changed=tuple(sorted(changed - modified)),
    )


def _paths(node: Json) -> list[str]:
    sides = [shapes.maybe_fields(node, name) for name in ("old", "new")]
    found = [shapes.text(side, "path") for side in sides if side is not None]
    if not found:
        raise OddError("'new'")
    return found
