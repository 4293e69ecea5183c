"""GitHub's answers read, and its REST requests built, without I/O."""

import hashlib
from typing import Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.exchange import Request
from countersign.dialects.github import graphql
from countersign.dialects.interface import (
    Blob,
    Comparison,
    Entry,
    Folder,
    Place,
    Pull,
    PullState,
    Tip,
    View,
    Wanted,
)
from countersign.dialects.shapes import Json

TREE_BYTES_MAX: Final = 16 * 1024 * 1024  # 100,000 entries, where GitHub truncates, are about 20
BLOBS_BYTES_MAX: Final = 8 * 1024 * 1024
_WRITES: Final = frozenset({"ADMIN", "MAINTAIN", "WRITE"})
_SYMLINK: Final = 0o120000


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


def raw_blob_request(place: Place, *, oid: str) -> Request:
    """Source: https://docs.github.com/en/rest/git/blobs#get-a-blob."""
    return Request(
        name="read a file",
        method="GET",
        url=f"{rest_path(place)}/git/blobs/{quote(oid, safe='')}",
        accept="application/vnd.github.raw+json",
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


def repository_of(data: dict[str, Json], errors: list[dict[str, Json]], place: Place) -> Json:
    """
    Raises:
        Rejected: `not_found`; GitHub says so too where the token may not see it.
        OddError: it is something else.

    """
    repository = shapes.maybe_fields(data, "repository")
    if repository is not None:
        return repository
    graphql.refuse([e for e in errors if e.get("type") != "NOT_FOUND"], where=place.name)
    raise Rejected(
        "not_found",
        f"repository {place.name!r} is not there, or the token may not see it",
    )


def view_of(data: Json, repository: Json, *, wanted: Wanted, read_at_s: float) -> View:
    """
    Raises:
        OddError: a part is not what was asked for.

    """
    folders = {
        folder: found
        for n, folder in enumerate(wanted.folders)
        if (found := _folder(repository.get(f"d{n}"), folder)) is not None
    }
    files = {
        file: blob
        for n, file in enumerate(wanted.files)
        if (blob := blob_of(repository.get(f"f{n}"))) is not None
    }
    previous = (repository.get(f"p{n}") for n in range(len(wanted.pulls)))
    return View(
        repository_id=shapes.row_id(repository, "databaseId"),
        handle=shapes.text(repository, "id"),
        viewer=_user(data, "viewer"),
        # None for who has no right at all.
        may_write=_is_right_to_write(repository),
        archived=shapes.flag(repository, "isArchived"),
        base=_tip(repository, "base"),
        head=_tip(repository, "head"),
        pulls=pulls_of(repository, "pullRequests"),
        previous=tuple(pull_of(p) for p in previous if p is not None),
        folders=folders,
        files=files,
        read_at_s=read_at_s,
        open_pulls=pulls_of(repository, "open"),
    )


def page_of(repository: Json, name: str) -> tuple[list[Json], str]:
    """One page of pull requests, and the cursor behind it; empty after the last."""
    connection = shapes.fields(repository, name)
    page = shapes.fields(connection, "pageInfo")
    after = shapes.text(page, "endCursor") if shapes.flag(page, "hasNextPage") else ""
    return shapes.items(connection, "nodes"), after


def pulls_of(repository: Json, name: str) -> tuple[Pull, ...]:
    return tuple(map(pull_of, page_of(repository, name)[0]))


def pull_of(node: Json) -> Pull:
    """
    Raises:
        OddError: a part is not what was asked for.

    """
    # Deleted forks and people are null.
    repository = shapes.maybe_fields(node, "headRepository")
    merge = shapes.maybe_fields(node, "mergeCommit")
    return Pull(
        handle=shapes.text(node, "id"),
        number=shapes.number(node, "number"),
        state=_state(node),
        head_branch=shapes.text(node, "headRefName"),
        head_commit=shapes.oid(node, "headRefOid"),
        base_branch=shapes.text(node, "baseRefName"),
        head_repository_id=shapes.row_id(repository, "databaseId") if repository else "",
        author=_user(node, "author"),
        merge_commit=shapes.oid(merge, "oid") if merge else "",
        title=shapes.text(node, "title"),
    )


def _state(node: Json) -> PullState:
    try:
        return PullState(shapes.text(node, "state").lower())
    except ValueError:
        raise shapes.OddError("'state'") from None


def _is_right_to_write(repository: Json) -> bool:
    right = shapes.part(repository, "viewerPermission")
    return right is not None and shapes.text(repository, "viewerPermission") in _WRITES


def _user(node: Json, name: str) -> ForgeUser | None:
    found = shapes.maybe_fields(node, name)
    if found is None:
        return None
    login = shapes.login(found, "login")
    # Organizations and mannequins have an id that we do not ask for.
    known = found.get("databaseId") is not None
    return ForgeUser(id=shapes.row_id(found, "databaseId") if known else login, login=login)


def _tip(repository: Json, name: str) -> Tip | None:
    ref = shapes.maybe_fields(repository, name)
    if ref is None:
        return None
    target = shapes.fields(ref, "target")
    return Tip(
        commit=shapes.oid(target, "oid"),
        tree=shapes.oid(shapes.fields(target, "tree"), "oid"),
        parents=parents_of(target),
        committed_at_s=shapes.moment_s(target, "committedDate"),
    )


def parents_of(commit: Json) -> tuple[str, ...]:
    nodes = shapes.items(shapes.fields(commit, "parents"), "nodes")
    return tuple(shapes.oid(p, "oid") for p in nodes)


def _folder(node: Json, folder: str) -> Folder | None:
    """None where there is nothing, or a file."""
    if node is None or shapes.part(node, "entries") is None:
        return None
    prefix = f"{folder}/" if folder else ""
    entries = tuple(
        Entry(
            path=prefix + shapes.text(e, "name"),
            oid=shapes.oid(e, "oid"),
            is_folder=e.get("type") == "tree",
            is_file=e.get("type") == "blob" and shapes.number(e, "mode") != _SYMLINK,
        )
        for e in shapes.items(node, "entries")
    )
    return Folder(oid=shapes.oid(node, "oid"), entries=entries)


def blob_of(node: Json) -> Blob | None:
    """A file with its bytes where GitHub gave them exactly; it may cut or recode its `text`.

    Raises:
        OddError: a part is not what was asked for.

    """
    if node is None or shapes.part(node, "byteSize") is None:
        return None
    oid, text = shapes.oid(node, "oid"), node.get("text")
    whole = isinstance(text, str) and not node.get("isTruncated") and shapes.is_unicode(text)
    body = text.encode() if whole else None
    exact = body is not None and blob_id(body) == oid
    size_bytes = shapes.number(node, "byteSize", least=0, most=shapes.ID_MAX)
    return Blob(oid=oid, size_bytes=size_bytes, body=body if exact else None)


def blob_id(body: bytes) -> str:
    """Git's object id of a file's bytes, SHA-1."""
    return hashlib.sha1(b"blob %d\x00" % len(body) + body, usedforsecurity=False).hexdigest()


def tree_of(body: Json, *, place: Place) -> tuple[Entry, ...]:
    """
    Raises:
        Rejected: `limit_exceeded`.
        OddError: a part is not what GitHub documents.

    """
    if shapes.flag(body, "truncated"):
        raise Rejected(
            "limit_exceeded",
            f"repository {place.name!r} has more files than GitHub lists at once; "
            "set a path in the Pipeline's strategy",
        )
    return tuple(map(_line, shapes.items(body, "tree")))


def _line(node: Json) -> Entry:
    kind = shapes.part(node, "type")
    sized = node.get("size") is not None
    return Entry(
        path=shapes.text(node, "path"),
        oid=shapes.oid(node, "sha"),
        is_folder=kind == "tree",
        is_file=kind == "blob" and node.get("mode") in ("100644", "100755"),
        size_bytes=shapes.number(node, "size", least=0, most=shapes.ID_MAX) if sized else -1,
    )


def comparison_of(body: Json) -> Comparison:
    """
    Raises:
        OddError: a part is not what GitHub documents.

    """
    files = shapes.items(body, "files") if shapes.part(body, "files") is not None else []
    status = {shapes.text(f, "filename"): shapes.text(f, "status") for f in files}
    return Comparison(
        fork_point=shapes.oid(shapes.fields(body, "merge_base_commit"), "sha"),
        commits_ahead=shapes.number(body, "ahead_by", least=0),
        modified={f["filename"]: shapes.oid(f, "sha") for f in files if f["status"] == "modified"},
        otherwise_changed=tuple(name for name, what in status.items() if what != "modified"),
    )
