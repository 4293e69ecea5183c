"""Requests to Gitea and Forgejo, built without I/O.

Source: https://docs.gitea.com/api and https://codeberg.org/api/swagger
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from countersign.dialects.exchange import Request, get, send
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.pulls import PullText

# More is not given: `settings/api` calls it `max_response_items`.
PULLS_PER_PAGE: Final = 50
ENTRIES_PER_PAGE: Final = 1000
# A thousand entries with an address each.
TREE_BYTES_MAX: Final = 8 * 1024 * 1024
# Of a file that comes with a look; larger ones are read by themselves, if at all.
FILE_BYTES_MAX: Final = 1024 * 1024
# What an answer says of a file beside its bytes.
_FRAME_BYTES_MAX: Final = 32 * 1024
NOT_FOUND: Final = frozenset({404})
# A commit or folder that is not there: 400 of trees and blobs, 404 of all else.
NO_OBJECT: Final = frozenset({400, 404})


def user() -> Request:
    return get("ask whose token it is", "/user", passes=frozenset({403}))


def repository(place: Place) -> Request:
    return get("read the repository", _path(place))


def branch(place: Place, name: str) -> Request:
    return get("read a branch", f"{_path(place)}/branches/{quote(name, safe='')}", NOT_FOUND)


def pull_of_branch(place: Place, head_branch: str) -> Request:
    """The oldest pull request of a branch to our base, whatever its state."""
    base, head = quote(place.base_branch, safe=""), quote(head_branch, safe="")
    return get("find the pull request", f"{_path(place)}/pulls/{base}/{head}", NOT_FOUND)


def pulls(place: Place, *, state: str, page: int) -> Request:
    """List pull requests, newest first.

    Each vendor has another word for the base, and ignores that of the other; so do older versions.
    404 is of an empty repository, and of one that takes no pull requests.
    """
    query = f"state={state}&limit={PULLS_PER_PAGE}&page={page}"
    base = quote(place.base_branch, safe="")
    url = f"{_path(place)}/pulls?{query}&base_branch={base}&base={base}"
    return get("list pull requests", url, NOT_FOUND)


def pull(place: Place, number: int) -> Request:
    return get("read the pull request", f"{_path(place)}/pulls/{number}", NOT_FOUND)


def tree(place: Place, *, object_id: str, recursive: bool, page: int) -> Request:
    """List what is at a branch or commit, or in a folder by its own id."""
    query = f"per_page={ENTRIES_PER_PAGE}&page={page}" + ("&recursive=true" if recursive else "")
    return get(
        "list files",
        f"{_path(place)}/git/trees/{quote(object_id, safe='')}?{query}",
        NO_OBJECT,
        body_bytes_max=TREE_BYTES_MAX,
    )


def blob(place: Place, object_id: str, *, bytes_max: int) -> Request:
    return _reading(f"{_path(place)}/git/blobs/{quote(object_id, safe='')}", bytes_max)


def file(place: Place, *, path: str, ref: str, bytes_max: int = FILE_BYTES_MAX) -> Request:
    query = f"ref={quote(ref, safe='')}"
    return _reading(f"{_path(place)}/contents/{quote(path, safe='/')}?{query}", bytes_max)


def _reading(url: str, bytes_max: int) -> Request:
    """Read a file in base64 with what names its bytes; one that is larger comes without them."""
    body_bytes_max = bytes_max * 4 // 3 + _FRAME_BYTES_MAX
    return get("read a file", url, NO_OBJECT, body_bytes_max=body_bytes_max, cuts=True)


def compare(place: Place, commit: str) -> Request:
    span = f"{quote(place.base_branch, safe='')}...{quote(commit, safe='')}"
    return get("compare commits", f"{_path(place)}/compare/{span}", body_bytes_max=TREE_BYTES_MAX)


def commit(place: Place, new: NewCommit) -> Request:
    """One commit on a new branch, from the newest of the base branch; all or nothing.

    The id of what is replaced is the only guard against a lost update: without it the file is
    overwritten.
    """
    files = [
        {
            "operation": "update",
            "path": path,
            "content": base64.b64encode(file.body).decode(),
            "sha": file.replaces,
        }
        for path, file in sorted(new.files.items())
    ]
    request = send(
        "commit",
        "POST",
        f"{_path(place)}/contents",
        {
            "branch": place.base_branch,
            "new_branch": new.branch,
            "message": new.message,
            "files": files,
        },
        passes=frozenset({403, 404, 409, 422, 423}),
    )
    # The answer has the files once more.
    again_bytes = sum(len(file["content"]) for file in files)
    return replace(request, body_bytes_max=request.body_bytes_max + again_bytes)


def open_pull(place: Place, *, head: str, text: PullText) -> Request:
    return send(
        "open the pull request",
        "POST",
        f"{_path(place)}/pulls",
        {
            # Source: https://docs.gitea.com/usage/pull-request#work-in-progress-pull-requests
            "title": f"WIP: {text.title}" if text.draft else text.title,
            "body": text.body,
            "head": head,
            "base": place.base_branch,
        },
        passes=frozenset({409}),
    )


def edit_pull(place: Place, number: int, changes: Mapping[str, Any]) -> Request:
    return send(
        "edit the pull request",
        "PATCH",
        f"{_path(place)}/pulls/{number}",
        dict(changes),
        passes=frozenset({412}),
    )


def labels(place: Place, *, page: int) -> Request:
    """List the repository's own labels; those of its organization take another scope."""
    url = f"{_path(place)}/labels?limit={PULLS_PER_PAGE}&page={page}"
    return get("list labels", url, NOT_FOUND)


def statuses(place: Place, commit: str) -> Request:
    """Ask for the newest state of each check of a commit; what is beyond a page nobody requires."""
    url = f"{_path(place)}/commits/{quote(commit, safe='')}/status?limit={PULLS_PER_PAGE}"
    return get("read the checks", url, NOT_FOUND)


def merge_when_checks_succeed(place: Place, number: int, *, commit: str, style: str) -> Request:
    """Schedule a merge. One that is scheduled already is answered 409.

    Gitea 1.27 writes the style's name small; both read it either way.
    """
    body = {
        "Do": style,
        "do": style,
        "merge_when_checks_succeed": True,
        # For a forge that would merge at once.
        "head_commit_id": commit,
        "force_merge": False,
    }
    url = f"{_path(place)}/pulls/{number}/merge"
    return send("enable auto-merge", "POST", url, body, passes=frozenset({403, 404, 405, 409}))


def comment(place: Place, number: int, text: str) -> Request:
    """It takes the scope `write:issue`, which a delegated token has not."""
    return send(
        "comment",
        "POST",
        f"{_path(place)}/issues/{number}/comments",
        {"body": text},
        passes=frozenset({403}),
    )


def _path(place: Place) -> str:
    return f"/repos/{quote(place.owner, safe='')}/{quote(place.repository, safe='')}"
