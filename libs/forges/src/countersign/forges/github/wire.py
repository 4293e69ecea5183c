"""GitHub's answers read, and its REST requests built, without I/O."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.forges.exchange import Answer, Request
from countersign.forges.github import graphql
from countersign.forges.interface import (
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

TREE_BYTES_MAX: Final = 16 * 1024 * 1024  # 100,000 entries, where GitHub truncates, are about 20
BLOBS_BYTES_MAX: Final = 8 * 1024 * 1024
_WRITES: Final = frozenset({"ADMIN", "MAINTAIN", "WRITE"})
_SYMLINK: Final = 0o120000
# A parsed answer; what is read of it is checked here and nowhere else.
Json = Any


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

    """
    repository = data.get("repository")
    if isinstance(repository, dict):
        return repository
    graphql.refuse([e for e in errors if e.get("type") != "NOT_FOUND"], where=place.name)
    raise Rejected(
        "not_found",
        f"repository {place.name!r} is not there, or the token may not see it",
    )


def view_of(data: Json, repository: Json, *, wanted: Wanted, read_at_s: float) -> View:
    """
    Raises:
        Rejected: `bad_answer`.

    """
    try:
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
            repository_id=str(int(repository["databaseId"])),
            handle=str(repository["id"]),
            viewer=_user(data.get("viewer")),
            may_write=repository["viewerPermission"] in _WRITES,
            archived=bool(repository["isArchived"]),
            base=_tip(repository["base"]),
            head=_tip(repository["head"]),
            pulls=tuple(map(pull_of, repository["pullRequests"]["nodes"])),
            previous=tuple(pull_of(p) for p in previous if p),
            folders=folders,
            files=files,
            read_at_s=read_at_s,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _odd("repository") from error


def pull_of(node: Json) -> Pull:
    """
    Raises:
        Rejected: `bad_answer`.

    """
    try:
        return Pull(
            handle=str(node["id"]),
            number=int(node["number"]),
            state=PullState(node["state"].lower()),
            head_branch=str(node["headRefName"]),
            head_commit=str(node["headRefOid"]),
            base_branch=str(node["baseRefName"]),
            head_repository_id=str((node["headRepository"] or {}).get("databaseId", "")),
            author=_user(node.get("author")),
            merge_commit=str((node.get("mergeCommit") or {}).get("oid", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _odd("pull request") from error


def _odd(what: str) -> Rejected:
    return Rejected("bad_answer", f"GitHub's answer about a {what} lacks what we asked for")


def _user(node: Json) -> ForgeUser | None:
    if not isinstance(node, dict) or not node.get("login"):
        return None
    return ForgeUser(id=str(node.get("databaseId") or node["login"]), login=str(node["login"]))


def _tip(ref: Json) -> Tip | None:
    if ref is None:
        return None
    target = ref["target"]
    return Tip(
        commit=str(target["oid"]),
        tree=str(target["tree"]["oid"]),
        parents=tuple(str(p["oid"]) for p in target["parents"]["nodes"]),
        committed_at_s=datetime.fromisoformat(target["committedDate"]).timestamp(),
    )


def _folder(node: Json, folder: str) -> Folder | None:
    if not isinstance(node, dict) or not isinstance(node.get("entries"), list):
        return None
    prefix = f"{folder}/" if folder else ""
    entries = tuple(
        Entry(
            path=prefix + str(e["name"]),
            oid=str(e["oid"]),
            is_folder=e["type"] == "tree",
            is_file=e["type"] == "blob" and int(e["mode"]) != _SYMLINK,
        )
        for e in node["entries"]
    )
    return Folder(oid=str(node["oid"]), entries=entries)


def blob_of(node: Json) -> Blob | None:
    """A file with its bytes where GitHub gave them exactly; it may cut or recode its `text`."""
    if not isinstance(node, dict) or "byteSize" not in node:
        return None
    oid, text = str(node["oid"]), node.get("text")
    body = text.encode() if isinstance(text, str) and not node.get("isTruncated") else None
    exact = body is not None and blob_id(body) == oid
    return Blob(oid=oid, size_bytes=int(node["byteSize"]), body=body if exact else None)


def blob_id(body: bytes) -> str:
    """Git's object id of a file's bytes, SHA-1."""
    return hashlib.sha1(b"blob %d\x00" % len(body) + body, usedforsecurity=False).hexdigest()


def tree_of(answer: Answer, *, place: Place) -> tuple[Entry, ...]:
    """
    Raises:
        Rejected: `limit_exceeded`, `bad_answer`.

    """
    body = answer.json()
    try:
        if body["truncated"]:
            raise Rejected(
                "limit_exceeded",
                f"repository {place.name!r} has more files than GitHub lists at once; "
                "set a path in the Pipeline's strategy",
            )
        return tuple(
            Entry(
                path=str(e["path"]),
                oid=str(e["sha"]),
                is_folder=e["type"] == "tree",
                is_file=e["type"] == "blob" and e["mode"] in {"100644", "100755"},
                size_bytes=int(e.get("size", -1)),
            )
            for e in body["tree"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _odd("tree") from error


def comparison_of(answer: Answer) -> Comparison:
    """
    Raises:
        Rejected: `bad_answer`.

    """
    body: Mapping[str, Json] = answer.json()
    try:
        files = body.get("files") or []
        return Comparison(
            fork_point=str(body["merge_base_commit"]["sha"]),
            commits_ahead=int(body["ahead_by"]),
            modified={
                str(f["filename"]): str(f["sha"]) for f in files if f["status"] == "modified"
            },
            otherwise_changed=tuple(str(f["filename"]) for f in files if f["status"] != "modified"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _odd("comparison") from error


def _is_modified(file: Json) -> bool:
    return bool(file["status"] == "modified")
