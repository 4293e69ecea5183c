"""Requests to Bitbucket Cloud, built without I/O.

Source: https://developer.atlassian.com/cloud/bitbucket/rest/
"""

from typing import Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.dialects.exchange import Request, get, send
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.multipart import Part, form_of, is_name, text_part
from countersign.dialects.repositories.pulls import PullText

# The most that is given, of files and commits. Source: .../rest/intro/#pagination
PER_PAGE: Final = 100
# Of pull requests it is less.
PULLS_PER_PAGE: Final = 50
# How many folders a listing goes down; what lies deeper is not found.
DEPTH: Final = 64
NOT_FOUND: Final = frozenset({404})
_MAY_BE_KEPT: Final = frozenset({403, 404})
_ENTRY: Final = "type,path,size,attributes"


def user() -> Request:
    """Ask whose token it is; one of a repository or workspace is nobody's."""
    return get("ask whose token it is", "/user", frozenset({403}))


def repository(place: Place) -> Request:
    return get("read the repository", path_of(place))


def permission(place: Place) -> Request:
    """Ask what the token's owner may do; a token without that scope is not told."""
    query = quote(f'repository.full_name="{_in_quotes(place.name)}"', safe="")
    url = f"/user/workspaces/{quote(place.owner, safe='')}/permissions/repositories?q={query}"
    return get("ask for the role", url, _MAY_BE_KEPT)


def branch(place: Place, name: str) -> Request:
    url = f"{path_of(place)}/refs/branches/{quote(name, safe='/')}"
    return get("read a branch", url, NOT_FOUND)


def tree(place: Place, *, commit: str, path: str, after: str = "") -> Request:
    """List everything below a folder, a hundred at a time. There may be no such folder."""
    folder = f"{quote(path, safe='/')}/" if path else ""
    fields = ",".join(f"values.{name}" for name in _ENTRY.split(","))
    query = f"max_depth={DEPTH}&pagelen={PER_PAGE}&fields={fields},next{_page(after)}"
    url = f"{path_of(place)}/src/{commit}/{folder}?{query}"
    return get("list files", url, NOT_FOUND)


def entry(place: Place, *, commit: str, path: str) -> Request:
    """Ask what a path is: its size and its mode."""
    url = f"{_file(place, commit, path)}?format=meta&fields={_ENTRY}"
    return get("look at a file", url, NOT_FOUND)


def file(place: Place, *, commit: str, path: str, bytes_max: int) -> Request:
    return get(
        "read a file",
        _file(place, commit, path),
        NOT_FOUND,
        accept="*/*",
        body_bytes_max=bytes_max,
        cuts=True,
    )


def commit(place: Place, new: NewCommit) -> Request:
    """One commit on a new branch, from exactly the parent; all or nothing.

    A branch that is there already has to be at the parent still. An executable file stays one only
    because it is said again.
    Source: .../rest/api-group-source/#api-repositories-workspace-repo-slug-src-post

    Raises:
        Rejected: `refused`; a path cannot be written into a form.

    """
    parts = [
        text_part("message", new.message),
        text_part("branch", new.branch),
        text_part("parents", new.parent),
    ]
    for path, replacement in sorted(new.files.items()):
        if not is_name(path):
            raise Rejected(
                ForgeRefusal.REFUSED,
                f"{place.name}: {path!r} has a character in its name that Bitbucket's API cannot "
                "take; rename it",
            )
        attributes = '; x-attributes="executable"' if replacement.is_executable else ""
        # With the slash a file named `message` is no message.
        names = f'name="/{path}"; filename="{path.rpartition("/")[2]}"{attributes}'
        parts.append(Part(names=names, body=replacement.body, kind="application/octet-stream"))
    content, content_type = form_of(parts)
    return Request(
        name="commit",
        method="POST",
        url=f"{path_of(place)}/src",
        content=content,
        content_type=content_type,
        passes=frozenset({400, 403, 404, 409}),
    )


def named(place: Place, commit: str) -> Request:
    """Ask for a commit by the beginning of its name."""
    return get("read a commit", f"{path_of(place)}/commit/{quote(commit, safe='')}", NOT_FOUND)


def commits(place: Place, *, commit: str, base: str, after: str = "") -> Request:
    """List what a commit has and the base has not, newest first."""
    query = f"exclude={base}&pagelen={PER_PAGE}{_page(after)}"
    return get("compare commits", f"{path_of(place)}/commits/{commit}?{query}")


def differences(place: Place, *, commit: str, base: str, after: str = "") -> Request:
    """List the files that a commit changes since it left the base."""
    query = f"topic=true&pagelen={PER_PAGE}{_page(after)}"
    return get("compare files", f"{path_of(place)}/diffstat/{commit}..{base}?{query}")


def pulls(place: Place, *, head_branch: str = "", after: str = "") -> Request:
    """List pull requests to our base, newest first, those from forks too.

    Those of one branch in whatever state, else those that are open.
    """
    states = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED") if head_branch else ("OPEN",)
    asked = f'destination.branch.name="{_in_quotes(place.base_branch)}"'
    asked += f' AND source.branch.name="{_in_quotes(head_branch)}"' if head_branch else ""
    query = "&".join(f"state={state}" for state in states)
    query += f"&q={quote(asked, safe='')}&sort=-created_on&pagelen={PULLS_PER_PAGE}{_page(after)}"
    return get("list pull requests", f"{path_of(place)}/pullrequests?{query}")


def pull(place: Place, number: int) -> Request:
    return get("read the pull request", _pull(place, number), NOT_FOUND)


def open_pull(place: Place, *, head: str, text: PullText) -> Request:
    body = {
        "title": text.title,
        "description": text.body,
        "source": {"branch": {"name": head}},
        "destination": {"branch": {"name": place.base_branch}},
        "close_source_branch": False,
        "draft": text.draft,
    }
    url = f"{path_of(place)}/pullrequests"
    return send("open the pull request", "POST", url, body, passes=frozenset({400}))


def decline(place: Place, number: int) -> Request:
    url = f"{_pull(place, number)}/decline"
    passes = frozenset({400, 409, 555})
    return Request(name="close the pull request", method="POST", url=url, passes=passes)


def comment(place: Place, number: int, text: str) -> Request:
    url = f"{_pull(place, number)}/comments"
    return send("comment", "POST", url, {"content": {"raw": text}}, passes=frozenset())


def path_of(place: Place) -> str:
    return f"/repositories/{quote(place.owner, safe='')}/{quote(place.repository, safe='')}"


def _pull(place: Place, number: int) -> str:
    return f"{path_of(place)}/pullrequests/{number}"


def _file(place: Place, commit: str, path: str) -> str:
    return f"{path_of(place)}/src/{commit}/{quote(path, safe='/')}"


def _page(after: str) -> str:
    return f"&page={quote(after, safe='')}" if after else ""


def _in_quotes(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
