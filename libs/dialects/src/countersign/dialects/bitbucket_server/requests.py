"""Requests to Bitbucket Data Center, built without I/O.

Source: https://developer.atlassian.com/server/bitbucket/rest/
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from countersign.dialects.exchange import Request, get, send
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.multipart import Part, form_of, text_part
from countersign.dialects.repositories.pulls import PullText

# The most that is given of commits and pull requests by default; whoever gives less says so.
PER_PAGE: Final = 100
# Of a folder.
ENTRIES_PER_PAGE: Final = 500
USERS_PER_PAGE: Final = 1000
HEADS: Final = "refs/heads/"
_NOT_THERE: Final = frozenset({404})
_NO_FILE: Final = frozenset({400, 404})
_REFUSED: Final = frozenset({400, 403, 404, 409})


def anything() -> Request:
    """Ask for something that is for people who are signed in; the answer's headers tell who is."""
    return get("ask whose token it is", f"/api/latest/users?{_query(limit=1)}")


def users(name: str, *, writing_to: Place | None = None) -> Request:
    """List people whose name, display name or address has that in it.

    Args:
        name: of whom is looked for.
        writing_to: those alone who may write there.

    """
    asked: dict[str, str | int] = {"filter": name, "limit": USERS_PER_PAGE}
    if writing_to:
        asked |= {
            "permission.1": "REPO_WRITE",
            "permission.1.projectKey": writing_to.owner,
            "permission.1.repositorySlug": writing_to.repository,
        }
    return get("ask for the account", f"/api/latest/users?{_query(**asked)}")


def repository(place: Place) -> Request:
    return get("read the repository", path_of(place))


def branch(place: Place, name: str) -> Request:
    """Read a branch's newest commit; a branch itself is listed without its date."""
    query = _query(until=f"{HEADS}{name}", limit=1)
    return get("read a branch", f"{path_of(place)}/commits?{query}", _NOT_THERE)


def make_branch(place: Place, name: str, *, start: str) -> Request:
    body = {"name": name, "startPoint": start}
    return send("make the branch", "POST", f"{path_of(place)}/branches", body, passes=_REFUSED)


def drop_branch(place: Place, name: str, *, tip: str) -> Request:
    """Delete a branch as long as that is its newest commit."""
    body = {"name": f"{HEADS}{name}", "endPoint": tip}
    url = f"/branch-utils/latest{_place(place)}/branches"
    return send("delete the branch", "DELETE", url, body, passes=_REFUSED)


def folder(place: Place, *, commit: str, path: str, start: int = 0) -> Request:
    """List a folder without what is in those below it. There may be no such folder."""
    query = _query(at=commit, start=start, limit=ENTRIES_PER_PAGE)
    below = f"/{quote(path, safe='/')}" if path else ""
    return get("list files", f"{path_of(place)}/browse{below}?{query}", _NO_FILE)


def file(place: Place, *, commit: str, path: str, bytes_max: int) -> Request:
    return get(
        "read a file",
        f"{path_of(place)}/raw/{quote(path, safe='/')}?{_query(at=commit)}",
        _NO_FILE,
        accept="*/*",
        body_bytes_max=bytes_max,
        cuts=True,
    )


def commit(place: Place, new: NewCommit, path: str, *, branch: str, parent: str) -> Request:
    """Commit one file on a branch, if it is there as it was at the parent.

    Source: .../rest/v1000/api-group-repository/ (Edit file)
    """
    content, content_type = form_of(
        [
            text_part("branch", branch),
            text_part("message", new.message),
            text_part("sourceCommitId", parent),
            Part(
                names='name="content"; filename="content"',
                body=new.files[path].body,
                kind="application/octet-stream",
            ),
        ]
    )
    return Request(
        name="commit",
        method="PUT",
        url=f"{path_of(place)}/browse/{quote(path, safe='/')}",
        content=content,
        content_type=content_type,
        # A form could come from a page of somebody else; this says that it does not.
        headers={"X-Atlassian-Token": "no-check"},
        passes=_REFUSED,
    )


def commits(place: Place, *, commit: str, base: str, start: int = 0) -> Request:
    """List what a commit has and the base has not, newest first."""
    asked: dict[str, str | int] = {"from": commit, "to": base, "start": start, "limit": PER_PAGE}
    return get("compare commits", f"{path_of(place)}/compare/commits?{_query(**asked)}")


def changes(place: Place, *, commit: str, since: str, start: int = 0) -> Request:
    """List the files in which two commits differ."""
    query = _query(since=since, withComments="false", start=start, limit=PER_PAGE)
    return get("compare files", f"{path_of(place)}/commits/{commit}/changes?{query}")


def pulls_from(place: Place, head_branch: str, *, start: int = 0) -> Request:
    """List pull requests from a branch of the repository itself, in whatever state."""
    asked = {"direction": "OUTGOING", "state": "ALL", "at": f"{HEADS}{head_branch}"}
    return _pulls(place, asked, start)


def open_pulls(place: Place, *, start: int = 0) -> Request:
    """List pull requests that are open to our base, those from forks too."""
    asked = {"direction": "INCOMING", "state": "OPEN", "at": f"{HEADS}{place.base_branch}"}
    return _pulls(place, asked, start)


def pull(place: Place, number: int) -> Request:
    return get("read the pull request", _pull(place, number), _NOT_THERE)


def mergeability(place: Place, number: int) -> Request:
    """Ask if it can be merged; one that is over cannot be asked."""
    return get("ask if it can be merged", f"{_pull(place, number)}/merge", _REFUSED)


def activities(place: Place, number: int) -> Request:
    """List what was done to it, newest first."""
    url = f"{_pull(place, number)}/activities?{_query(limit=PER_PAGE)}"
    return get("ask who ended it", url, _NOT_THERE)


def open_pull(place: Place, *, head: str, text: PullText) -> Request:
    here = {"slug": place.repository, "project": {"key": place.owner}}
    body = {
        "title": text.title,
        "description": text.body,
        "fromRef": {"id": f"{HEADS}{head}", "repository": here},
        "toRef": {"id": f"{HEADS}{place.base_branch}", "repository": here},
    }
    url = f"{path_of(place)}/pull-requests"
    return send("open the pull request", "POST", url, body, passes=frozenset({400, 409}))


def decline(place: Place, number: int, *, version: int) -> Request:
    url = f"{_pull(place, number)}/decline?{_query(version=version)}"
    return send("close the pull request", "POST", url, {}, passes=frozenset({409}))


def merge_when_checks_pass(place: Place, number: int, *, version: int) -> Request:
    """Set it to auto-merge as it is now. 403 is of a repository that does not allow that."""
    url = f"{_pull(place, number)}/merge?{_query(version=version)}"
    body = {"autoMerge": True, "version": version}
    return send("enable auto-merge", "POST", url, body, passes=frozenset({403, 404, 409}))


def comment(place: Place, number: int, text: str) -> Request:
    body = {"text": text}
    return send("comment", "POST", f"{_pull(place, number)}/comments", body, passes=frozenset())


def path_of(place: Place) -> str:
    return f"/api/latest{_place(place)}"


def _place(place: Place) -> str:
    return f"/projects/{quote(place.owner, safe='~')}/repos/{quote(place.repository, safe='')}"


def _pull(place: Place, number: int) -> str:
    return f"{path_of(place)}/pull-requests/{number}"


def _pulls(place: Place, asked: Mapping[str, str], start: int) -> Request:
    query = _query(**asked, order="NEWEST", start=start, limit=PER_PAGE)
    return get("list pull requests", f"{path_of(place)}/pull-requests?{query}")


def _query(**asked: str | int) -> str:
    return urlencode(asked, quote_via=quote, safe="")
