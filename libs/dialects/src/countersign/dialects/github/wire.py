"""Reads what GitHub answers to GraphQL."""

from collections.abc import Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.github import graphql
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    EntryKind,
    File,
    Folder,
    Place,
    Tip,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.dialects.shapes import Json

# Of an answer with texts; where they are more, they are asked for by other calls.
BLOBS_BYTES_MAX: Final = 8 * 1024 * 1024
# GitHub's own bound is not documented, and said to be exactly this: longer texts come cut.
# Source: https://github.com/sveltia/sveltia-cms/issues/950
TEXT_BYTES_MAX: Final = 512_000
BLOBS_PER_QUERY: Final = 200
BLOB_BYTES_PER_QUERY: Final = 3 * 1024 * 1024
_WRITES: Final = frozenset({"ADMIN", "MAINTAIN", "WRITE"})
EXECUTABLE: Final = "100755"
PLAIN: Final = "100644"
ENTRY_KINDS: Final = {
    "040000": EntryKind.FOLDER,
    PLAIN: EntryKind.FILE,
    EXECUTABLE: EntryKind.FILE,
}


# Source: https://docs.github.com/en/graphql/reference/enums#mergestatestatus
def folder_of(repository: Json) -> str:
    """The object id of the folder that was asked for; empty where there is none."""
    found = shapes.maybe_fields(repository, "folder")
    is_tree = found is not None and shapes.text(found, "__typename") == "Tree"
    return shapes.oid(found, "oid") if is_tree else ""


def repository_of(data: dict[str, Json], errors: list[dict[str, Json]], place: Place) -> Json:
    """Return the repository of an answer.

    Raises:
        Rejected: `not_found`; GitHub says so too where the token may not see it.
        OddError: it is something else.

    """
    repository = shapes.maybe_fields(data, "repository")
    if repository is not None:
        return repository
    graphql.refuse([e for e in errors if e.get("type") != "NOT_FOUND"], where=place.name)
    raise Rejected(
        ForgeRefusal.NOT_FOUND,
        f"repository {place.name!r} is not there, or the token may not see it",
    )


def merge_method_of(data: dict[str, Json], errors: list[dict[str, Json]], place: Place) -> str:
    """Return how merges of this viewer are made there; raises as `repository_of`."""
    return shapes.text(repository_of(data, errors, place), "viewerDefaultMergeMethod")


def view_of(data: Json, repository: Json, *, scope: LookScope, read_at_s: float) -> View:
    """Read a look.

    Raises:
        OddError: a part is not what was asked for.

    """
    files = {
        file: blob
        for n, file in enumerate(scope.files)
        if (blob := blob_of(repository.get(f"f{n}"))) is not None
    }
    previous = (repository.get(f"p{n}") for n in range(len(scope.pulls)))
    return View(
        repository_id=shapes.row_id(repository, "databaseId"),
        viewer=_user(data, "viewer"),
        # None for who has no right at all.
        may_write=_is_right_to_write(repository),
        archived=shapes.flag(repository, "isArchived"),
        base=_tip(repository, "base"),
        head=_tip(repository, "head"),
        pulls=pulls_of(repository, "pullRequests"),
        previous=tuple(pull_of(p) for p in previous if p is not None),
        open_pulls=pulls_of(repository, "open"),
        folders=folders_of(repository, scope),
        files=files,
        read_at_s=read_at_s,
    )


def folders_of(repository: Json, scope: LookScope) -> dict[str, Folder]:
    """Return the folders that came with a look; none where the branch moved meanwhile."""
    folders = {
        folder: found
        for n, folder in enumerate(scope.folders)
        if (found := _folder(repository.get(f"d{n}"), folder)) is not None
    }
    root = folders.get("")
    moved = root is not None and root.object_id != tree_id(repository)
    return {} if moved else folders


def tree_id(repository: Json) -> str:
    """The object id of the base's root folder; empty without a base."""
    ref = shapes.maybe_fields(repository, "base")
    return shapes.oid(shapes.fields(shapes.fields(ref, "target"), "tree"), "oid") if ref else ""


def pull_ids(repository: Json, scope: LookScope) -> dict[int, str]:
    """GitHub's own names of all pull requests of a look."""
    asked = [repository.get(f"p{n}") for n in range(len(scope.pulls))]
    listed = [n for name in ("pullRequests", "open") for n in page_of(repository, name)[0]]
    return {
        shapes.number(node, "number"): shapes.text(node, "id")
        for node in (*asked, *listed)
        if node is not None
    }


def page_of(repository: Json, name: str) -> tuple[list[Json], str]:
    """One page of pull requests, and the cursor behind it; empty after the last."""
    connection = shapes.fields(repository, name)
    page = shapes.fields(connection, "pageInfo")
    after = shapes.text(page, "endCursor") if shapes.flag(page, "hasNextPage") else ""
    return shapes.items(connection, "nodes"), after


def pulls_of(repository: Json, name: str) -> tuple[Pull, ...]:
    return tuple(map(pull_of, page_of(repository, name)[0]))


def pull_of(node: Json) -> Pull:
    """Read a pull request.

    Raises:
        OddError: a part is not what was asked for.

    """
    # Deleted forks and people are null.
    repository = shapes.maybe_fields(node, "headRepository")
    merge = shapes.maybe_fields(node, "mergeCommit")
    ended = next((n for n in ("mergedAt", "closedAt") if node.get(n) is not None), "")
    return Pull(
        number=shapes.number(node, "number"),
        state=_state(node),
        head_branch=shapes.text(node, "headRefName"),
        head_commit=shapes.oid(node, "headRefOid"),
        base_branch=shapes.text(node, "baseRefName"),
        head_repository_id=shapes.row_id(repository, "databaseId") if repository else "",
        author=_user(node, "author"),
        title=shapes.text(node, "title"),
        merge_commit=shapes.oid(merge, "oid") if merge else "",
        ended_by=_user(node, "mergedBy"),
        ended_at_s=shapes.moment_s(node, ended) if ended else None,
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
        committed_at_s=shapes.moment_s(target, "committedDate"),
    )


def parents_of(commit: Json) -> tuple[str, ...]:
    nodes = shapes.items(shapes.fields(commit, "parents"), "nodes")
    return tuple(shapes.oid(p, "oid") for p in nodes)


def _folder(node: Json, folder: str) -> Folder | None:
    """Return the folder; none where there is nothing, or a file."""
    if node is None or shapes.part(node, "entries") is None:
        return None
    prefix = f"{folder}/" if folder else ""
    entries = tuple(
        TreeEntry(
            path=prefix + shapes.text(e, "name"),
            kind=ENTRY_KINDS.get(mode := f"{shapes.number(e, 'mode'):06o}", EntryKind.OTHER),
            object_id=shapes.oid(e, "oid"),
            is_executable=mode == EXECUTABLE,
        )
        for e in shapes.items(node, "entries")
    )
    return Folder(object_id=shapes.oid(node, "oid"), entries=entries)


def blob_of(node: Json) -> File | None:
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
    return File(object_id=oid, size_bytes=size_bytes, body=body if exact else None)


def batches(files: Sequence[TreeEntry]) -> list[list[TreeEntry]]:
    """Cut into as many files as one query may ask for."""
    batches: list[list[TreeEntry]] = []
    size_bytes = 0
    for entry in files:
        size_bytes += entry.size_bytes or 0
        full = not batches or len(batches[-1]) >= BLOBS_PER_QUERY
        if full or size_bytes > BLOB_BYTES_PER_QUERY:
            batches.append([])
            size_bytes = entry.size_bytes or 0
        batches[-1].append(entry)
    return batches
