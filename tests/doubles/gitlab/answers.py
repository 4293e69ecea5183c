"""What the small forge answers as GitLab: the documented forms with its own state filled in."""

import base64
import hashlib
from datetime import datetime
from typing import Any

from doubles.forge.git import FOLDER, SUBMODULE, Commit
from doubles.forge.state import Pull, Repository, SmallForge

ROLES = {"write": 30, "read": 20}
TYPES = {FOLDER: "tree", SUBMODULE: "commit"}


def moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z") if at else None


class Answers:
    def __init__(self, forge: SmallForge) -> None:
        self._forge = forge

    def user(self, login: str) -> Any:
        return {
            "id": self._forge.person(login),
            "username": login,
            "name": login.title(),
            "state": "active",
            "locked": False,
            "avatar_url": None,
            "web_url": f"http://forge.test/{login}",
        }

    def own_user(self, login: str) -> Any:
        mail = f"{login}@example.com"
        return {**self.user(login), "email": mail, "commit_email": mail, "bot": "_bot" in login}

    def project(self, repository: Repository, *, login: str) -> Any:
        role = ROLES["write" if login in repository.writers else "read"]
        access = {"access_level": role, "notification_level": 3}
        return {
            "id": repository.id,
            "name": repository.name,
            "path": repository.name,
            "path_with_namespace": f"{repository.owner}/{repository.name}",
            "default_branch": "main",
            "archived": repository.archived,
            "empty_repo": not repository.git.branches,
            "visibility": "private",
            "merge_method": "merge",
            "permissions": {"project_access": access, "group_access": None},
        }

    def member(self, login: str, *, role: int) -> Any:
        return {**self.user(login), "access_level": role, "expires_at": None}

    def commit(self, commit: Commit) -> Any:
        return {
            "id": commit.oid,
            "short_id": commit.oid[:8],
            "title": commit.message.partition("\n")[0],
            "message": commit.message,
            "author_name": commit.author,
            "author_email": f"{commit.author}@example.com",
            "authored_date": moment(commit.at),
            "committer_name": commit.author,
            "committer_email": f"{commit.author}@example.com",
            "committed_date": moment(commit.at),
            "created_at": moment(commit.at),
            "parent_ids": list(commit.parents),
            "trailers": {},
            "web_url": f"http://forge.test/-/commit/{commit.oid}",
        }

    def branch(self, name: str, commit: Commit) -> Any:
        return {
            "name": name,
            "merged": False,
            "protected": name == "main",
            "developers_can_push": False,
            "developers_can_merge": False,
            "can_push": True,
            "default": name == "main",
            "web_url": f"http://forge.test/-/tree/{name}",
            "commit": self.commit(commit),
        }

    def entry(self, path: str, mode: str, oid: str) -> Any:
        name = path.rpartition("/")[2]
        kind = TYPES.get(mode, "blob")
        return {"id": oid, "name": name, "type": kind, "path": path, "mode": mode}

    def file(self, path: str, commit: Commit, *, oid: str, body: bytes, ref: str) -> Any:
        return {
            "file_name": path.rpartition("/")[2],
            "file_path": path,
            "size": len(body),
            "encoding": "base64",
            "content_sha256": hashlib.sha256(body).hexdigest(),
            "ref": ref,
            "blob_id": oid,
            "commit_id": commit.oid,
            "last_commit_id": commit.oid,
            "execute_filemode": commit.files[path][0] == "100755",
            "content": base64.b64encode(body).decode(),
        }

    def pull(self, repository: Repository, pull: Pull) -> Any:
        head = pull.head_repository
        if pull.state == "open" and pull.head in head.git.branches:
            pull.commit = head.git.branches[pull.head]
        merged, ended = bool(pull.merge_commit), moment(pull.ended_at)
        closed = pull.state == "closed" and not merged
        by = self.user(pull.ended_by) if pull.ended_by else None
        state = "merged" if merged else {"open": "opened"}.get(pull.state, pull.state)
        return {
            "id": 1000 + pull.number,
            "iid": pull.number,
            "project_id": repository.id,
            "title": pull.title,
            "description": pull.body,
            "state": state,
            "created_at": moment(self._forge.clock()),
            "updated_at": moment(self._forge.clock()).replace(".000Z", f".{pull.updates:03}Z"),
            "merged_by": by if merged else None,
            "merge_user": by if merged else None,
            "merged_at": ended if merged else None,
            "closed_by": by if closed else None,
            "closed_at": ended if closed else None,
            "target_branch": pull.base,
            "source_branch": pull.head,
            "author": self.user(pull.author),
            "source_project_id": head.id,
            "target_project_id": repository.id,
            "labels": list(pull.labels),
            "draft": pull.draft,
            "work_in_progress": pull.draft,
            "merge_when_pipeline_succeeds": pull.auto_merge_by != "",
            "merge_status": "can_be_merged",
            "detailed_merge_status": "mergeable" if pull.state == "open" else "not_open",
            "sha": pull.commit,
            "merge_commit_sha": pull.merge_commit or None,
            "squash_commit_sha": None,
            "head_pipeline": self._pipeline(repository, pull),
            "web_url": f"http://forge.test/-/merge_requests/{pull.number}",
        }

    def _pipeline(self, repository: Repository, pull: Pull) -> Any:
        """It goes on as long as one of its checks does."""
        states = set(repository.checks.get(pull.commit, {}).values())
        if not states:
            return None
        failed = "failed" if "failure" in states else "success"
        return {
            "id": 100 + pull.number,
            "iid": pull.number,
            "project_id": repository.id,
            "sha": pull.commit,
            "ref": pull.head,
            "status": "running" if "pending" in states else failed,
            "source": "push",
        }

    def comparison(self, commits: list[Commit], diffs: list[Any]) -> Any:
        oldest_first = [self.commit(c) for c in reversed(commits)]
        return {
            "commit": oldest_first[-1] if oldest_first else None,
            "commits": oldest_first,
            "diffs": diffs,
            "compare_timeout": False,
            "compare_same_ref": False,
        }

    def diffs(self, before: Commit, after: Commit) -> list[Any]:
        paths = sorted(before.files.keys() | after.files.keys())
        return [
            {
                "old_path": path,
                "new_path": path,
                "a_mode": before.files.get(path, ("0",))[0],
                "b_mode": after.files.get(path, ("0",))[0],
                "new_file": path not in before.files,
                "renamed_file": False,
                "deleted_file": path not in after.files,
                "diff": "@@ -1 +1 @@\n-a\n+b\n",
            }
            for path in paths
            if before.files.get(path) != after.files.get(path)
        ]

    def note(self, text: str, *, login: str) -> Any:
        now = moment(self._forge.clock())
        return {
            "id": 1,
            "body": text,
            "author": self.user(login),
            "created_at": now,
            "updated_at": now,
            "system": False,
            "noteable_type": "MergeRequest",
            "resolvable": False,
            "internal": False,
        }
