"""Answers of the small forge as Azure DevOps: the documented forms with its own state."""

from datetime import datetime
from typing import Any
from uuid import UUID

from doubles.forge.git import FOLDER, SUBMODULE, Commit, Git, object_id
from doubles.forge.state import Pull, Repository, SmallForge

ORGANIZATION = "https://dev.azure.com/contoso"
TYPES = {FOLDER: "tree", SUBMODULE: "commit"}


def guid_of(kind: int, number: int) -> str:
    return str(UUID(int=kind << 64 | number))


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def tree_of(git: Git, commit: Commit, path: str) -> str:
    """The id of a folder, of the root too."""
    if path:
        mode, oid = commit.entries.get(path, ("", ""))
        return oid if mode == FOLDER else ""
    lines = sorted(
        (f"{name}/" if mode == FOLDER else name, name, mode, oid)
        for name, (mode, oid) in commit.entries.items()
        if "/" not in name
    )
    body = b"".join(
        f"{mode.lstrip('0')} {name}".encode() + b"\x00" + bytes.fromhex(oid)
        for _, name, mode, oid in lines
    )
    del git
    return object_id("tree", body)


class Answers:
    def __init__(self, forge: SmallForge) -> None:
        self._forge = forge

    def identity(self, login: str) -> Any:
        return {
            "id": guid_of(1, self._forge.person(login)),
            "displayName": login.title(),
            "uniqueName": login,
            "descriptor": f"aad.{login}",
        }

    def connection(self, login: str, *, descriptor: str) -> Any:
        account = {
            "id": guid_of(1, self._forge.person(login)),
            "descriptor": f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{login}",
            "subjectDescriptor": descriptor,
            "providerDisplayName": login.title(),
            "isActive": True,
            "properties": {"Account": {"$type": "System.String", "$value": login}},
        }
        return {
            "authenticatedUser": account,
            "authorizedUser": account,
            "instanceId": guid_of(9, 1),
            "deploymentType": "hosted",
        }

    def repository(self, repository: Repository) -> Any:
        return {
            "id": guid_of(2, repository.id),
            "name": repository.name,
            "isDisabled": repository.archived,
            "project": {
                "id": guid_of(3, self._forge.person(repository.owner)),
                "name": repository.owner,
                "state": "wellFormed",
            },
            "defaultBranch": "refs/heads/main",
            "remoteUrl": f"{ORGANIZATION}/{repository.owner}/_git/{repository.name}",
        }

    def commit(self, commit: Commit, *, whole: bool = False) -> Any:
        who = {
            "name": commit.author,
            "email": f"{commit.author}@example.com",
            "date": commit.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        told = {
            "commitId": commit.oid,
            "author": who,
            "committer": who,
            "comment": commit.message,
            "url": f"{ORGANIZATION}/_apis/git/commits/{commit.oid}",
        }
        if whole:
            told["parents"] = list(commit.parents)
            told["push"] = {"pushId": 1, "pushedBy": self.identity(commit.author)}
        return told

    def item(self, git: Git, commit: Commit, path: str) -> Any:
        """Return the entry at a path; none where there is nothing."""
        mode, oid = commit.entries.get(path, ("", "")) if path else (FOLDER, "")
        if not mode:
            return None
        is_folder = mode == FOLDER
        return {
            "objectId": tree_of(git, commit, path) if is_folder else oid,
            "gitObjectType": TYPES.get(mode, "blob"),
            "commitId": commit.oid,
            "path": f"/{path}",
            **({"isFolder": True} if is_folder else {}),
        }

    def tree(self, git: Git, oid: str, found: tuple[Commit, str], *, recursive: bool) -> Any:
        commit, folder = found
        prefix = f"{folder}/" if folder else ""
        lines = [
            {
                "objectId": entry,
                "relativePath": path.removeprefix(prefix),
                # A folder without its leading zero, as recorded.
                "mode": mode.lstrip("0"),
                "gitObjectType": TYPES.get(mode, "blob"),
                "size": len(git.blobs.get(entry, b"")),
            }
            for path, mode, entry in commit.listed(folder, recursive=recursive)
        ]
        return {"objectId": oid, "treeEntries": lines, "size": 1}

    def pull(self, repository: Repository, pull: Pull) -> Any:
        head = pull.head_repository
        if pull.state == "open" and pull.head in head.git.branches:
            pull.commit = head.git.branches[pull.head]
        ended = "completed" if pull.merge_commit else "abandoned"
        told = {
            "repository": self.repository(repository),
            "pullRequestId": pull.number,
            "codeReviewId": pull.number,
            "status": "active" if pull.state == "open" else ended,
            "createdBy": self.identity(pull.author),
            "creationDate": moment(self._forge.clock()),
            "title": pull.title,
            "description": pull.body,
            "sourceRefName": f"refs/heads/{pull.head}",
            "targetRefName": f"refs/heads/{pull.base}",
            "mergeStatus": "succeeded",
            "isDraft": False,
            "lastMergeSourceCommit": {"commitId": pull.commit},
            # Of one that is open it is what a merge would be.
            "lastMergeCommit": {"commitId": pull.merge_commit or object_id("commit", b"trial")},
            "reviewers": [],
        }
        if head is not repository:
            told["forkSource"] = {
                "name": f"refs/heads/{pull.head}",
                "repository": self.repository(head),
            }
        if pull.state != "open":
            assert pull.ended_at is not None
            told["closedBy"] = self.identity(pull.ended_by)
            told["closedDate"] = moment(pull.ended_at)
        return told

    def change(self, path: str, before: Commit, after: Commit) -> Any:
        old, new = before.entries.get(path), after.entries.get(path)
        mode, oid = new or old or ("", "")
        return {
            "item": {
                "path": f"/{path}",
                "objectId": oid,
                **({"originalObjectId": old[1]} if old else {}),
                "gitObjectType": TYPES.get(mode, "blob"),
                "commitId": after.oid,
                **({"isFolder": True} if mode == FOLDER else {}),
            },
            "changeType": "edit" if old and new else "add" if new else "delete",
        }


def error(message: str) -> Any:
    kind = message.partition(":")[0]
    return {
        "$id": "1",
        "innerException": None,
        "message": message,
        "typeName": f"Microsoft.TeamFoundation.{kind}Exception, Microsoft.TeamFoundation",
        "typeKey": f"{kind}Exception",
        "errorCode": 0,
        "eventId": 3000,
    }
