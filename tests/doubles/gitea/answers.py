"""What the small forge answers: recorded forms with its own state filled in."""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from doubles.forge.git import FOLDER, LINK, SUBMODULE, Commit
from doubles.forge.state import Pull, Repository, SmallForge, Token
from doubles.gitea import recorded

FILE_TYPES = {LINK: "symlink", SUBMODULE: "submodule"}


def moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


class Answers:
    def __init__(self, forge: SmallForge) -> None:
        self._forge = forge
        self._kind = forge.kind

    def _form(self, file: str, case: str) -> Any:
        return recorded.answer(self._kind, file, case)

    def user(self, login: str) -> Any:
        form = self._form("identity", "user-oauth-bearer")
        return {**form, "id": self._forge.person(login), "login": login, "username": login}

    def repository(self, repository: Repository, *, login: str) -> Any:
        form = self._form("repository", "repository")
        writes = login in repository.writers
        return {
            **form,
            "id": repository.id,
            "owner": self.user(repository.owner),
            "name": repository.name,
            "full_name": f"{repository.owner}/{repository.name}",
            "archived": repository.archived,
            "private": repository.private,
            "empty": not repository.git.branches,
            "permissions": {"admin": False, "push": writes, "pull": True},
        }

    def branch(self, name: str, commit: Commit, *, required: set[str]) -> Any:
        form = self._form("repository", "branch-main")
        form["commit"] |= {"id": commit.oid, "timestamp": moment(commit.at)}
        # The recorded null is not as it is described.
        contexts = sorted(required)
        checks = {"enable_status_check": bool(contexts), "status_check_contexts": contexts}
        return {**form, "name": name, **checks}

    def combined_status(self, repository: Repository, commit: str) -> Any:
        """Null for none, as it was recorded; Forgejo's state is empty then."""
        reported = repository.checks.get(commit, {})
        listed = [
            {"id": n, "context": name, "status": state, "creator": None}
            for n, (name, state) in enumerate(reported.items(), start=1)
        ]
        states = set(reported.values())
        worst = next((s for s in ("failure", "pending", "success") if s in states), "pending")
        return {
            "sha": commit,
            "state": worst,
            "statuses": listed or None,
            "total_count": len(listed),
            "repository": None,
        }

    def pull(self, repository: Repository, pull: Pull) -> Any:
        form = self._form("pulls", "get")
        head = pull.head_repository
        there = pull.head in head.git.branches
        if pull.state == "open" and there:
            pull.commit = head.git.branches[pull.head]
        form["base"] |= {
            "label": pull.base,
            "ref": pull.base,
            "sha": repository.git.branches[pull.base],
            "repo_id": repository.id,
        }
        form["base"]["repo"]["id"] = repository.id
        form["head"] |= {
            "label": pull.head,
            "ref": pull.head if there else f"refs/pull/{pull.number}/head",
            "sha": pull.commit,
            "repo_id": head.id,
        }
        form["head"]["repo"]["id"] = head.id
        ended = moment(pull.ended_at)
        merged = bool(pull.merge_commit)
        return {
            **form,
            "id": 1000 + pull.number,
            "number": pull.number,
            "user": self.user(pull.author),
            "title": pull.title,
            "draft": pull.draft,
            "labels": [
                label
                for label in self.labels(sorted(repository.labels))
                if label["name"] in pull.labels
            ],
            "body": pull.body,
            "state": pull.state,
            "merged": merged,
            "merged_at": ended if merged else None,
            "merge_commit_sha": pull.merge_commit or None,
            "merged_by": self.user(pull.ended_by) if merged else None,
            "closed_at": ended,
            "updated_at": moment(self._forge.clock()).replace("Z", f".{pull.updates:03}Z"),
        }

    def listed(self, repository: Repository, pull: Pull) -> Any:
        """A pull request among others, of which Gitea does not tell who merged it."""
        told = self.pull(repository, pull)
        return {**told, "merged_by": None} if self._kind == "gitea" else told

    def labels(self, names: Iterable[str]) -> list[Any]:
        """With numbers by their order."""
        return [
            {
                "id": number,
                "name": name,
                "exclusive": False,
                "is_archived": False,
                "color": "00aabb",
                "description": "",
                "url": f"http://forge.test/api/v1/repos/o/r/labels/{number}",
            }
            for number, name in enumerate(names, start=1)
        ]

    def token(self, token: Token) -> Any:
        return {
            "id": 1,
            "name": "made-up",
            "scopes": sorted(token.scopes),
            "created_at": moment(self._forge.clock()),
            "last_used_at": moment(self._forge.clock()),
            "user": {"id": self._forge.person(token.login), "login": token.login},
        }

    def tree(self, lines: list[tuple[str, str, str]], repository: Repository) -> Any:
        git = repository.git
        kinds = {FOLDER: "tree", SUBMODULE: "commit"}
        return [
            {
                "path": path,
                "mode": mode,
                "type": kinds.get(mode, "blob"),
                "size": len(git.blobs[oid]) if oid in git.blobs else 0,
                "sha": oid,
                "url": f"http://forge.test/api/v1/repos/o/r/git/blobs/{oid}",
            }
            for path, mode, oid in lines
        ]

    def blob(self, oid: str, body: bytes) -> Any:
        form = self._form("trees", "blob")
        content = base64.b64encode(body).decode()
        return {**form, "sha": oid, "size": len(body), "content": content}

    def file(self, path: str, mode: str, oid: str, repository: Repository) -> Any:
        form = self._form("trees", "contents-file")
        body = repository.git.blobs.get(oid, b"")
        plain = mode not in FILE_TYPES
        return {
            **form,
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": oid,
            "size": len(body),
            "type": FILE_TYPES.get(mode, "file"),
            "encoding": "base64" if plain else None,
            "content": base64.b64encode(body).decode() if plain else None,
        }

    def made(self, commit: Commit, files: list[Any]) -> Any:
        form = self._form("contents", "commit-new-branch")
        parents = [{"url": "http://forge.test", "sha": p} for p in commit.parents]
        form["commit"] |= {"sha": commit.oid, "message": commit.message, "parents": parents}
        return {**form, "files": files}

    def comparison(self, commits: list[Commit]) -> Any:
        form = self._form("trees", "commit")
        listed = [
            {
                **form,
                "sha": c.oid,
                "commit": {**form["commit"], "message": c.message},
                "author": self.user(c.author) if c.author in self._forge.people else None,
                "parents": [{"url": "http://forge.test", "sha": p} for p in c.parents],
            }
            for c in commits
        ]
        empty = self._form("trees", "compare")
        return {**empty, "total_commits": len(listed), "commits": listed}

    def comment(self, text: str, *, login: str) -> Any:
        form = self._form("comments", "comment")
        return {**form, "user": self.user(login), "body": text}
