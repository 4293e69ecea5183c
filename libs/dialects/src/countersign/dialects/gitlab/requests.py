"""Requests to GitLab, built without I/O.

Source: https://docs.gitlab.com/api/rest/
"""

import base64
from typing import Final
from urllib.parse import quote

from countersign.dialects.exchange import Request, get, send
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.pulls import PullText

# The most that is given. Source: https://docs.gitlab.com/api/rest/#pagination
PER_PAGE: Final = 100
# Differences come with their text.
COMPARISON_BYTES_MAX: Final = 8 * 1024 * 1024
NOT_FOUND: Final = frozenset({404})
_FORBIDDEN: Final = frozenset({403})


def user() -> Request:
    """A token of the scope `api` may ask; one for the repository alone may not."""
    return get("ask whose token it is", "/user", _FORBIDDEN)


def project(place: Place) -> Request:
    return get("read the repository", path_of(place))


def project_of(number: str) -> Request:
    """Read a project by its id, which survives a renaming."""
    return get("read the repository", f"/projects/{number}")


def member(place: Place, user_id: str) -> Request:
    """Ask for somebody's role, also such as a group brings.

    Source: https://docs.gitlab.com/api/project_members/#get-a-member-of-a-project-including-inherited-and-invited-members
    """
    return get("ask for the role", f"{path_of(place)}/members/all/{user_id}", NOT_FOUND)


def branch(place: Place, name: str) -> Request:
    url = f"{path_of(place)}/repository/branches/{quote(name, safe='')}"
    return get("read a branch", url, NOT_FOUND)


def tree(place: Place, *, commit: str, path: str, recursive: bool, page: int = 1) -> Request:
    """List what is below a folder, a hundred at a time. There may be no such folder or commit.

    Source: https://docs.gitlab.com/api/repositories/#list-all-repository-trees-in-a-project
    """
    query = f"ref={commit}&per_page={PER_PAGE}&page={page}"
    query += f"&path={quote(path, safe='')}" if path else ""
    query += "&recursive=true" if recursive else ""
    return get("list files", f"{path_of(place)}/repository/tree?{query}", NOT_FOUND)


def file(place: Place, *, path: str, ref: str, bytes_max: int) -> Request:
    """Read a file with what names its bytes; one that is larger comes without them.

    Source: https://docs.gitlab.com/api/repository_files/#retrieve-a-file-from-a-repository
    """
    return get(
        "read a file",
        f"{path_of(place)}/repository/files/{quote(path, safe='')}?ref={quote(ref, safe='')}",
        NOT_FOUND,
        # Base64, and a frame of names that are at most a few kilobytes each.
        body_bytes_max=bytes_max * 4 // 3 + 32 * 1024,
        cuts=True,
    )


def commit(place: Place, new: NewCommit) -> Request:
    """One commit on a new branch, from exactly the parent; all or nothing.

    A file that is updated keeps its mode. The branch must not be there: without `force` a start
    is refused then.
    Source: https://docs.gitlab.com/api/commits/#create-a-commit-with-multiple-files-and-actions
    """
    actions = [
        {
            "action": "update",
            "file_path": path,
            "content": base64.b64encode(file.body).decode(),
            "encoding": "base64",
        }
        for path, file in sorted(new.files.items())
    ]
    body = {
        "branch": new.branch,
        "start_sha": new.parent,
        "commit_message": new.message,
        "actions": actions,
        "stats": False,
    }
    url = f"{path_of(place)}/repository/commits"
    return send("commit", "POST", url, body, passes=frozenset({400, 403, 404}))


def compare(place: Place, commit: str) -> Request:
    """Source: https://docs.gitlab.com/api/repositories/#compare-branches-tags-or-commits."""
    span = f"from={quote(place.base_branch, safe='')}&to={quote(commit, safe='')}"
    return get(
        "compare commits",
        f"{path_of(place)}/repository/compare?{span}",
        body_bytes_max=COMPARISON_BYTES_MAX,
    )


def pulls(place: Place, *, state: str, head_branch: str = "", page: int = 1) -> Request:
    """List merge requests to our base, newest first, those from forks too."""
    query = f"state={state}&target_branch={quote(place.base_branch, safe='')}"
    query += f"&source_branch={quote(head_branch, safe='')}" if head_branch else ""
    query += f"&order_by=created_at&sort=desc&per_page={PER_PAGE}&page={page}"
    return get("list merge requests", f"{path_of(place)}/merge_requests?{query}")


def pull(place: Place, number: int) -> Request:
    url = f"{path_of(place)}/merge_requests/{number}"
    return get("read the merge request", url, NOT_FOUND)


def open_pull(place: Place, *, head: str, text: PullText) -> Request:
    body: dict[str, str | list[str]] = {
        "source_branch": head,
        "target_branch": place.base_branch,
        # Source: https://docs.gitlab.com/user/project/merge_requests/drafts/
        "title": f"Draft: {text.title}" if text.draft else text.title,
        "description": text.body,
    }
    if text.labels:
        body["labels"] = list(text.labels)
    url = f"{path_of(place)}/merge_requests"
    return send("open the merge request", "POST", url, body, passes=frozenset({409, 422}))


def close_pull(place: Place, number: int) -> Request:
    """A merged one stays as it is, and is answered so."""
    url = f"{path_of(place)}/merge_requests/{number}"
    body = {"state_event": "close"}
    return send("close the merge request", "PUT", url, body, passes=frozenset())


def merge_when_checks_pass(place: Place, number: int, *, commit: str) -> Request:
    """Set it to auto-merge, if its newest commit is that one.

    Before 17.11 the field had the longer name; one without any of the two is merged at once.
    Source: https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request
    """
    url = f"{path_of(place)}/merge_requests/{number}/merge"
    body = {"sha": commit, "auto_merge": True, "merge_when_pipeline_succeeds": True}
    # 401 is of who may not merge, whose token is good.
    refused = frozenset({401, 403, 404, 405, 406, 409, 422})
    return send("enable auto-merge", "PUT", url, body, passes=refused)


def comment(place: Place, number: int, text: str) -> Request:
    url = f"{path_of(place)}/merge_requests/{number}/notes"
    return send("comment", "POST", url, {"body": text}, passes=frozenset())


def path_of(place: Place) -> str:
    return f"/projects/{quote(place.name, safe='')}"
