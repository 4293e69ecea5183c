"""Requests to Azure DevOps Services, built without I/O.

Source: https://learn.microsoft.com/en-us/rest/api/azure/devops/git/
"""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from countersign.dialects.exchange import Request, get, send
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.pulls import PullText

VERSION: Final = "7.1"
# There is no other of it than a preview.
_PREVIEW: Final = "7.1-preview"
PER_PAGE: Final = 100
# Thirty thousand lines: each has an address of some two hundred characters.
TREE_BYTES_MAX: Final = 16 * 1024 * 1024
# A description that is longer is refused.
DESCRIPTION_CHARACTERS_MAX: Final = 4000
NOT_FOUND: Final = frozenset({404})
_HEADS: Final = "refs/heads/"
_NONE: Final = "0" * 40


def user(owner: str) -> Request:
    """Ask whose token it is, of the organization in which the owner's project is.

    People have an id of their own in each organization.
    """
    return get("ask whose token it is", _account(owner))


def inspect(owner: str, *, passes: frozenset[int]) -> Request:
    return get("inspect token", _account(owner), passes)


def repository(place: Place) -> Request:
    return get("read the repository", _at(place))


def branch(place: Place, name: str) -> Request:
    """Ask for the newest commit of a branch. A list of branches would tell no dates."""
    query = {"searchCriteria.$top": "1", **_version("searchCriteria.itemVersion", branch=name)}
    return get("read a branch", _at(place, "/commits", query), NOT_FOUND)


def commit(place: Place, commit: str) -> Request:
    """Ask for a commit, and who pushed it."""
    return get("read a commit", _at(place, f"/commits/{commit}"))


def entry(place: Place, path: str, *, commit: str = "", branch: str = "") -> Request:
    """Ask what a path is, without what is below; the answer lists it alone."""
    at = _version("versionDescriptor", commit=commit, branch=branch)
    query = {"scopePath": f"/{path}", "recursionLevel": "none", "$format": "json", **at}
    return get("look at a path", _at(place, "/items", query), NOT_FOUND)


def tree(place: Place, object_id: str, *, recursive: bool) -> Request:
    """List a folder by its id; the answer has no pages."""
    query = {"recursive": "true"} if recursive else {}
    return get(
        "list files",
        _at(place, f"/trees/{object_id}", query),
        NOT_FOUND,
        body_bytes_max=TREE_BYTES_MAX,
        cuts=True,
    )


def file(place: Place, path: str, *, branch: str, bytes_max: int) -> Request:
    """Read a file of a branch, as it is."""
    at = _version("versionDescriptor", branch=branch)
    query = {"path": f"/{path}", "$format": "octetStream", **at}
    return _raw(_at(place, "/items", query), bytes_max)


def blob(place: Place, object_id: str, *, bytes_max: int) -> Request:
    """Read a file by its id. What LFS keeps elsewhere is not looked for."""
    return _raw(_at(place, f"/blobs/{object_id}", {"$format": "octetstream"}), bytes_max)


def push(place: Place, new: NewCommit) -> Request:
    """One commit on a new branch, from exactly the parent; all or nothing.

    Of a branch that is not there the old commit is what it begins at, as the vendor's own recorded
    example has it: zeros would begin a history of its own. One that is there has to be at it still.
    """
    changes = [
        {
            "changeType": "edit",
            "item": {"path": f"/{path}"},
            "newContent": {
                "content": base64.b64encode(file.body).decode(),
                "contentType": "base64encoded",
            },
        }
        for path, file in sorted(new.files.items())
    ]
    body = {
        "refUpdates": [{"name": _HEADS + new.branch, "oldObjectId": new.parent}],
        "commits": [{"comment": new.message, "changes": changes}],
    }
    passes = frozenset({400, 403, 404, 409})
    return send("commit", "POST", _at(place, "/pushes"), body, passes=passes)


def remove_branch(place: Place, name: str, *, at: str) -> Request:
    """Remove a branch that is there still; an answer of success may hold a refusal."""
    updates = [{"name": _HEADS + name, "oldObjectId": at, "newObjectId": _NONE}]
    return Request(name="remove the branch", method="POST", url=_at(place, "/refs"), json=updates)


def differences(place: Place, *, commit: str, skip: int = 0) -> Request:
    """Compare a commit with where it left the base."""
    query = {
        "diffCommonCommit": "true",
        "baseVersion": place.base_branch,
        "baseVersionType": "branch",
        "targetVersion": commit,
        "targetVersionType": "commit",
        "$top": str(PER_PAGE),
        "$skip": str(skip),
    }
    return get("compare commits", _at(place, "/diffs/commits", query), NOT_FOUND)


def pulls(place: Place, *, head_branch: str = "", skip: int = 0) -> Request:
    """List pull requests to our base, newest first, those from forks too.

    Those of one branch in whatever state, else those that are open.
    """
    query = {
        "searchCriteria.targetRefName": _HEADS + place.base_branch,
        "searchCriteria.status": "all" if head_branch else "active",
        "$top": str(PER_PAGE),
        "$skip": str(skip),
    }
    if head_branch:
        query["searchCriteria.sourceRefName"] = _HEADS + head_branch
    return get("list pull requests", _at(place, "/pullrequests", query))


def pull(place: Place, number: int) -> Request:
    return get("read the pull request", _pull(place, number), NOT_FOUND)


def open_pull(place: Place, *, head: str, text: PullText) -> Request:
    body = {
        "title": text.title,
        "description": _short(text.body),
        "sourceRefName": _HEADS + head,
        "targetRefName": _HEADS + place.base_branch,
    }
    url = _at(place, "/pullrequests")
    return send("open the pull request", "POST", url, body, passes=frozenset({400, 404, 409}))


def abandon(place: Place, number: int) -> Request:
    body = {"status": "abandoned"}
    passes = frozenset({400, 404, 409})
    return send("close the pull request", "PATCH", _pull(place, number), body, passes=passes)


def comment(place: Place, number: int, text: str) -> Request:
    """Comment; a thread that is open could keep others from completing the pull request."""
    url = _at(place, f"/pullRequests/{number}/threads")
    said = {"parentCommentId": 0, "content": text, "commentType": "text"}
    return send("comment", "POST", url, {"comments": [said], "status": "closed"})


def _account(owner: str) -> str:
    """Return the address of who asks, in what the owner's project is in, as path or as host."""
    organization, _, _ = owner.rpartition("/")
    above = f"/{quote(organization, safe='/')}" if organization else ""
    return f"{above}/_apis/connectionData?api-version={_PREVIEW}"


def _at(place: Place, below: str = "", query: Mapping[str, str] | None = None) -> str:
    name = quote(place.repository, safe="")
    asked = urlencode({**(query or {}), "api-version": VERSION}, safe="$", quote_via=quote)
    return f"/{quote(place.owner, safe='/')}/_apis/git/repositories/{name}{below}?{asked}"


def _pull(place: Place, number: int) -> str:
    return _at(place, f"/pullrequests/{number}")


def _version(prefix: str, *, commit: str = "", branch: str = "") -> dict[str, str]:
    kind = "commit" if commit else "branch"
    return {f"{prefix}.version": commit or branch, f"{prefix}.versionType": kind}


def _short(body: str) -> str:
    """Keep the beginning and the last paragraph, which programs read."""
    if len(body) <= DESCRIPTION_CHARACTERS_MAX:
        return body
    head, _, foot = body.rpartition("\n\n")
    cut = f"\n\u2026\n\n{foot}"
    return head[: max(0, DESCRIPTION_CHARACTERS_MAX - len(cut))] + cut


def _raw(url: str, bytes_max: int) -> Request:
    return get(
        "read a file",
        url,
        NOT_FOUND,
        accept="application/octet-stream",
        body_bytes_max=bytes_max,
        cuts=True,
    )
