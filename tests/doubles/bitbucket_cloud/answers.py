"""What the small forge answers as Bitbucket Cloud: the documented forms with its own state."""

from datetime import datetime
from typing import Any
from uuid import UUID

from doubles.forge.git import EXECUTABLE, FOLDER, LINK, SUBMODULE, Commit
from doubles.forge.state import Pull, Repository, SmallForge

ATTRIBUTES = {EXECUTABLE: ["executable"], LINK: ["link"], SUBMODULE: ["subrepository"]}
# As long as pull requests tell the names of commits.
SHORT = 12


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def uuid_of(kind: int, number: int) -> str:
    return f"{{{UUID(int=kind << 64 | number)}}}"


class Answers:
    def __init__(self, forge: SmallForge) -> None:
        self._forge = forge

    def user(self, login: str) -> Any:
        return {
            "type": "user",
            "uuid": uuid_of(1, self._forge.person(login)),
            "account_id": f"712020:{login}",
            "nickname": login,
            "display_name": login.title(),
            "account_status": "active",
        }

    def repository(self, repository: Repository) -> Any:
        return {
            "type": "repository",
            "uuid": uuid_of(2, repository.id),
            "full_name": f"{repository.owner}/{repository.name}",
            "name": repository.name,
            "scm": "git",
            "is_private": True,
            "mainbranch": {"type": "branch", "name": "main"},
        }

    def permission(self, repository: Repository, *, login: str) -> Any:
        return {
            "type": "repository_permission",
            "permission": "write" if login in repository.writers else "read",
            "user": self.user(login),
            "repository": self.repository(repository),
        }

    def commit(self, commit: Commit) -> Any:
        return {
            "type": "commit",
            "hash": commit.oid,
            "date": moment(commit.at),
            "message": commit.message,
            "author": {
                "type": "author",
                "raw": f"{commit.author} <{commit.author}@example.com>",
                "user": self.user(commit.author),
            },
            "parents": [{"type": "commit", "hash": parent} for parent in commit.parents],
        }

    def branch(self, name: str, commit: Commit) -> Any:
        return {"type": "branch", "name": name, "target": self.commit(commit)}

    def entry(self, commit: Commit, path: str, mode: str) -> Any:
        if mode == FOLDER:
            return {"type": "commit_directory", "path": path}
        return {
            "type": "commit_file",
            "path": path,
            "size": len(commit.files[path][1]),
            "attributes": ATTRIBUTES.get(mode, []),
        }

    def pull(self, repository: Repository, pull: Pull) -> Any:
        head = pull.head_repository
        if pull.state == "open" and pull.head in head.git.branches:
            pull.commit = head.git.branches[pull.head]
        ended = "MERGED" if pull.merge_commit else "DECLINED"
        now = moment(self._forge.clock()).replace(".000000", f".{pull.updates:06}")
        return {
            "type": "pullrequest",
            "id": pull.number,
            "title": pull.title,
            "draft": pull.draft,
            "summary": {"raw": pull.body, "markup": "markdown", "html": ""},
            "state": "OPEN" if pull.state == "open" else ended,
            "author": self.user(pull.author),
            "source": self._end(head, pull.head, pull.commit),
            "destination": self._end(
                repository, pull.base, repository.git.branches.get(pull.base, "")
            ),
            "merge_commit": {"hash": pull.merge_commit[:SHORT]} if pull.merge_commit else None,
            "closed_by": self.user(pull.ended_by) if pull.ended_by else None,
            "close_source_branch": False,
            "created_on": moment(self._forge.clock()),
            "updated_on": now,
        }

    def _end(self, repository: Repository, branch: str, commit: str) -> Any:
        return {
            "repository": self.repository(repository),
            "branch": {"name": branch},
            "commit": {"hash": commit[:SHORT]},
        }

    def difference(self, path: str, before: Commit, after: Commit) -> Any:
        old, new = path in before.files, path in after.files
        status = "modified" if old and new else "added" if new else "removed"
        side = {"type": "commit_file", "path": path, "escaped_path": path}
        return {
            "type": "diffstat",
            "status": status,
            "lines_added": 1,
            "lines_removed": 1,
            **({"old": side} if old else {}),
            **({"new": side} if new else {}),
        }

    def comment(self, text: str, *, login: str) -> Any:
        return {
            "type": "pullrequest_comment",
            "id": 1,
            "content": {"raw": text, "markup": "markdown", "html": ""},
            "user": self.user(login),
        }


def error(message: str, detail: str = "") -> Any:
    told = {"message": message, **({"detail": detail} if detail else {})}
    return {"type": "error", "error": told}
