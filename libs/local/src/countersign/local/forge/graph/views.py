"""GraphQL's view of what the forge knows: dictionaries whose costly fields are functions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from graphql import GraphQLError

from countersign.local.forge.git import objects
from countersign.local.forge.graph.git_data import GitNodes, Node, page_info
from countersign.local.forge.rest import pull_views
from countersign.local.forge.state.model import PullRequest, Repository, Role
from countersign.local.forge.state.permissions import Caller, Level, Need, refusal, role
from countersign.local.forge.state.service import Service
from countersign.local.forge.wire import maybe_stamp, stamp

NODES_MAX = 100
VIEWER_PERMISSIONS = {Role.ADMIN: "ADMIN", Role.WRITE: "WRITE", Role.READ: "READ"}


def fail(kind: str, message: str) -> NoReturn:
    """An error with GitHub's `type` word."""
    raise GraphQLError(message, extensions={"type": kind})


@dataclass(frozen=True)
class View:
    """The forge as one caller sees it."""

    service: Service
    caller: Caller

    def may(self, repository: Repository, resource: str, level: Level = Level.READ) -> None:
        refused = refusal(self.caller, repository, Need(resource, level))
        if refused is None:
            return
        if refusal(self.caller, repository, Need("metadata")):
            name = repository.full_name
            fail("NOT_FOUND", f"Could not resolve to a Repository with the name '{name}'.")
        message = refused.message
        fail("FORBIDDEN", "Resource not accessible" if message == "Not Found" else message)

    def account(self, login: str) -> Node:
        account, person = self.service.account(login), self.service.store.person(login)
        return {
            "__typename": account.type,
            "id": f"U_{account.id}",
            "databaseId": account.id,
            "login": account.login,
            "name": person.name if person else None,
            "email": "",
            "url": f"{self.service.wire.origin}/{account.login}",
        }

    def repository(self, repository: Repository) -> Node:
        word = VIEWER_PERMISSIONS.get(role(repository, self.caller.login))
        return {
            "__typename": "Repository",
            "id": f"R_{repository.id}",
            "databaseId": repository.id,
            "name": repository.name,
            "nameWithOwner": repository.full_name,
            "isPrivate": repository.private,
            "isArchived": False,
            "isDisabled": False,
            "isFork": False,
            "isEmpty": lambda _: not objects.branches(self.service.store.git(repository)),
            "createdAt": stamp(repository.created_at),
            "url": f"{self.service.wire.origin}/{repository.full_name}",
            "owner": lambda _: self.account(repository.owner),
            "viewerDefaultMergeMethod": "MERGE",
            "viewerPermission": word,
            "defaultBranchRef": lambda _: self.ref(
                repository, f"refs/heads/{repository.default_branch}"
            ),
            "ref": partial(self._ref, repository),
            "object": partial(self._object, repository),
            "pullRequest": partial(self._pull, repository),
            "pullRequests": partial(self._pulls, repository),
        }

    def _ref(self, repository: Repository, _: object, *, qualifiedName: str) -> Node | None:  # noqa: N803 - GitHub's name
        for prefix in ("", "refs/", "refs/heads/", "refs/tags/"):
            if (prefix + qualifiedName).startswith("refs/"):
                found = self.ref(repository, prefix + qualifiedName)
                if found:
                    return found
        return None

    def ref(self, repository: Repository, name: str) -> Node | None:
        self.may(repository, "contents")
        sha = objects.ref_sha(self.service.store.git(repository), name)
        if sha is None:
            return None
        prefix = "/".join(name.split("/")[:2]) + "/"
        short = name.removeprefix(prefix)
        protected = short in repository.protected and prefix == "refs/heads/"
        return {
            "__typename": "Ref",
            "id": f"REF_{repository.id}_{name}",
            "name": short,
            "prefix": prefix,
            "repository": lambda _: self.repository(repository),
            "target": lambda _: self.git_object(repository, sha),
            "branchProtectionRule": {"id": f"BPR_{name}", "pattern": short} if protected else None,
        }

    def _object(
        self,
        repository: Repository,
        _: object,
        *,
        expression: str | None = None,
        oid: str | None = None,
    ) -> Node | None:
        self.may(repository, "contents")
        if oid is not None:
            return self.git_object(repository, oid)
        repo = self.service.store.git(repository)
        revision, colon, path = (expression or "HEAD").partition(":")
        if not colon:
            commit = objects.commit_of(repo, revision)
            return self.git_object(repository, commit.id.decode() if commit else revision)
        tree = objects.tree_of(repo, revision)
        found = objects.entry_at(repo, tree, path) if tree else None
        return self.git_object(repository, found[1]) if found else None

    def git_object(self, repository: Repository, sha: str) -> Node | None:
        return GitNodes(self.service, repository, self.repository, self.account).node(sha)

    def _pull(self, repository: Repository, _: object, *, number: int) -> Node:
        self.may(repository, "pull_requests")
        found = self.service.store.pull(repository, number)
        if found is None:
            text = f"Could not resolve to a PullRequest with the number of {number}."
            fail("NOT_FOUND", text)
        return self.pull(repository, found)

    def _pulls(self, repository: Repository, _: object, **wanted: Any) -> Node:
        self.may(repository, "pull_requests")
        states, base, head = (wanted.get(n) for n in ("states", "baseRefName", "headRefName"))
        found = [
            pull
            for pull in reversed(self.service.store.pulls_of(repository))
            if (not states or pull.state_word in states)
            and (base is None or pull.base_branch == base)
            and (head is None or pull.head_branch == head)
        ]
        if (wanted.get("orderBy") or {}).get("direction") == "DESC":
            found.reverse()
        return self._connection(repository, found, wanted)

    def _connection(
        self, repository: Repository, found: list[PullRequest], wanted: dict[str, Any]
    ) -> Node:
        first = wanted.get("first") or wanted.get("last")
        if first is None:
            fail(
                "MISSING_PAGINATION_BOUNDARIES",
                "You must provide a `first` or `last` value to properly paginate the"
                " `pullRequests` connection.",
            )
        if not 0 < first <= NODES_MAX:
            fail(
                "EXCESSIVE_PAGINATION",
                f"Requesting {first} records on the `pullRequests` connection exceeds the"
                f" `first` limit of {NODES_MAX} records.",
            )
        total, numbers = len(found), [str(pull.number) for pull in found]
        start = numbers.index(wanted["after"]) + 1 if wanted.get("after") in numbers else 0
        page = found[start : start + first] if wanted.get("first") else found[-first:]
        return {
            "nodes": [self.pull(repository, pull) for pull in page],
            "totalCount": total,
            "pageInfo": page_info(
                [str(pull.number) for pull in page], more=start + len(page) < total
            ),
        }

    def pull(self, repository: Repository, pull: PullRequest) -> Node:
        service, url = self.service, f"{self.service.wire.origin}/{repository.full_name}"
        head_repository = service.store.repository_by_id(pull.head_repository_id)
        files: Callable[[], list[pull_views.FileChange]] = partial(
            pull_views.changed_files, service, repository, pull
        )
        able = {True: "MERGEABLE", False: "CONFLICTING"}
        return {
            "__typename": "PullRequest",
            "id": f"PR_{pull.id}",
            "databaseId": pull.id,
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "url": f"{url}/pull/{pull.number}",
            "permalink": f"{url}/pull/{pull.number}",
            "state": pull.state_word,
            "closed": not pull.is_open,
            "merged": pull.merged_at is not None,
            "isDraft": pull.draft,
            "isCrossRepository": pull.head_repository_id != repository.id,
            "createdAt": stamp(pull.created_at),
            "updatedAt": stamp(pull.updated_at),
            "closedAt": maybe_stamp(pull.closed_at),
            "mergedAt": maybe_stamp(pull.merged_at),
            "author": self.account(pull.author),
            "mergedBy": self.account(pull.merged_by) if pull.merged_by else None,
            "mergeCommit": lambda _: (
                self.git_object(repository, pull.merge_sha) if pull.merge_sha else None
            ),
            "mergeable": lambda _: able[pull_views.mergeable(service, repository, pull)],
            "headRefName": pull.head_branch,
            "headRefOid": lambda _: pull_views.head_sha(service, repository, pull),
            "headRef": lambda _: self.ref(repository, f"refs/heads/{pull.head_branch}"),
            "headRepository": self.repository(head_repository) if head_repository else None,
            "headRepositoryOwner": self.account(head_repository.owner) if head_repository else None,
            "baseRefName": pull.base_branch,
            "baseRefOid": pull.base_sha,
            "baseRef": lambda _: self.ref(repository, f"refs/heads/{pull.base_branch}"),
            "baseRepository": lambda _: self.repository(repository),
            "repository": lambda _: self.repository(repository),
            "changedFiles": lambda _: len(files()),
            "additions": lambda _: sum(f.additions for f in files()),
            "deletions": lambda _: sum(f.deletions for f in files()),
        }
