"""Answers of the small forge as Bitbucket Data Center: documented forms with its own state."""

from datetime import datetime
from typing import Any

from doubles.forge.git import EXECUTABLE, FOLDER, SUBMODULE, Commit
from doubles.forge.state import Pull, Repository, SmallForge

HEADS = "refs/heads/"


def moment_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


class Answers:
    def __init__(self, forge: SmallForge) -> None:
        self._forge = forge

    def user(self, login: str) -> Any:
        return {
            "id": self._forge.person(login),
            "name": login,
            "slug": login,
            "displayName": login.title(),
            "emailAddress": f"{login}@example.com",
            "active": True,
            "type": "NORMAL",
        }

    def repository(self, repository: Repository) -> Any:
        return {
            "id": repository.id,
            "slug": repository.name,
            "name": repository.name,
            "scmId": "git",
            "state": "AVAILABLE",
            "archived": repository.archived,
            "public": not repository.private,
            "project": {"id": 1, "key": repository.owner, "type": "NORMAL"},
        }

    def commit(self, commit: Commit) -> Any:
        return {
            "id": commit.oid,
            "displayId": commit.oid[:11],
            # Who has an account is told with it.
            "author": self.user(commit.author),
            "authorTimestamp": moment_ms(commit.at),
            "committer": self.user(commit.author),
            "committerTimestamp": moment_ms(commit.at),
            "message": commit.message,
            "parents": [{"id": p, "displayId": p[:11]} for p in commit.parents],
        }

    def branch(self, name: str, oid: str) -> Any:
        return {
            "id": f"{HEADS}{name}",
            "displayId": name,
            "type": "BRANCH",
            "latestCommit": oid,
            "latestChangeset": oid,
            "default": name == "main",
        }

    def child(self, commit: Commit, path: str, mode: str, oid: str) -> Any:
        """A line of a folder; a link is a file as any other there, and no mode is told."""
        told = {"path": _path(path.rpartition("/")[2])}
        if mode == FOLDER:
            return {**told, "node": oid, "type": "DIRECTORY"}
        if mode == SUBMODULE:
            return {**told, "contentId": oid, "type": "SUBMODULE"}
        size = len(commit.files[path][1])
        return {**told, "contentId": oid, "type": "FILE", "size": size}

    def change(self, path: str, before: Commit, after: Commit) -> Any:
        old, new = before.entries.get(path), after.entries.get(path)
        kind = "MODIFY" if old and new else "ADD" if new else "DELETE"
        some = new or old
        assert some is not None
        told: dict[str, Any] = {
            "path": _path(path),
            "contentId": new[1] if new else "0" * 40,
            "fromContentId": old[1] if old else "0" * 40,
            "type": kind,
            "nodeType": "SUBMODULE" if some[0] == SUBMODULE else "FILE",
            "percentUnchanged": -1,
        }
        if new:
            told["executable"] = new[0] == EXECUTABLE
        if old:
            told["srcExecutable"] = old[0] == EXECUTABLE
        return told

    def pull(self, repository: Repository, pull: Pull) -> Any:
        head = pull.head_repository
        if pull.state == "open" and pull.head in head.git.branches:
            pull.commit = head.git.branches[pull.head]
        ended = "MERGED" if pull.merge_commit else "DECLINED"
        is_open = pull.state == "open"
        return {
            "id": pull.number,
            "version": pull.updates,
            "title": pull.title,
            "description": pull.body,
            "state": "OPEN" if is_open else ended,
            "open": is_open,
            "closed": not is_open,
            "draft": False,
            "locked": False,
            "createdDate": moment_ms(self._forge.clock()),
            **({"closedDate": moment_ms(pull.ended_at)} if pull.ended_at else {}),
            "fromRef": self._end(head, pull.head, pull.commit),
            "toRef": self._end(repository, pull.base, repository.git.branches.get(pull.base, "")),
            "author": {
                "user": self.user(pull.author),
                "role": "AUTHOR",
                "approved": False,
                "status": "UNAPPROVED",
            },
            "reviewers": [],
            "participants": [],
        }

    def _end(self, repository: Repository, branch: str, commit: str) -> Any:
        return {
            "id": f"{HEADS}{branch}",
            "displayId": branch,
            "type": "BRANCH",
            "latestCommit": commit,
            "repository": self.repository(repository),
        }

    def activities(self, repository: Repository, pull: Pull) -> list[Any]:
        """Newest first: what was said after the end, the end, and the beginning."""
        at = moment_ms(self._forge.clock())
        said = [
            {"user": self.user(by), "action": "COMMENTED", "comment": {"id": 1, "text": text}}
            for number, by, text in repository.comments
            if number == pull.number
        ]
        ended: list[Any] = []
        if pull.ended_by:
            ended = [{"user": self.user(pull.ended_by), "action": "DECLINED"}]
        if pull.merge_commit:
            merged = {"id": pull.merge_commit, "displayId": pull.merge_commit[:11]}
            ended = [{"user": self.user(pull.ended_by), "action": "MERGED", "commit": merged}]
        opened = [{"user": self.user(pull.author), "action": "OPENED"}]
        told = [*reversed(said), *ended, *opened]
        return [{"id": n, "createdDate": at, **one} for n, one in enumerate(told, start=1)]

    def comment(self, text: str, *, login: str) -> Any:
        return {"id": 1, "version": 0, "text": text, "author": self.user(login)}


def _path(text: str) -> Any:
    parts = text.split("/")
    return {"components": parts, "parent": "/".join(parts[:-1]), "name": parts[-1]}


def error(name: str, message: str) -> Any:
    """One of its exceptions, which it tells by their Java names."""
    of_java = f"com.atlassian.bitbucket.{name}"
    return {"errors": [{"context": None, "message": message, "exceptionName": of_java}]}
