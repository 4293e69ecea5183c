"""Pull requests as the API shows them, with what is looked up in git."""

from dataclasses import dataclass
from typing import Any

from countersign.local.forge.git import objects
from countersign.local.forge.rest.pull_wire import PullFacts, pull_request
from countersign.local.forge.state.model import PullRequest, Repository
from countersign.local.forge.state.service import Service

COMMITS_MAX = 250


@dataclass(frozen=True, kw_only=True)
class FileChange:
    path: str
    status: str
    additions: int
    deletions: int
    patch: str
    sha: str


def head_sha(service: Service, repository: Repository, pull: PullRequest) -> str:
    """Return the current head; an open pull request follows pushes that went past the forge."""
    if pull.is_open and pull.head_repository_id == repository.id:
        current = objects.branch_sha(service.store.git(repository), pull.head_branch)
        return current or pull.head_sha
    return pull.head_sha


def as_listed(service: Service, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    head_repository = service.store.repository_by_id(pull.head_repository_id)
    head_owner = head_repository.owner if head_repository else "unknown"
    facts = PullFacts(
        repository=service.repository_json(repository),
        head_repository=service.repository_json(head_repository) if head_repository else None,
        author=service.wire.user(service.account(pull.author)),
        head_label=f"{head_owner}:{pull.head_branch}",
        head_sha=head_sha(service, repository, pull),
        base_label=f"{repository.owner}:{pull.base_branch}",
    )
    return pull_request(service.wire, pull, facts)


def in_full(service: Service, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """One pull request with its size and whether it can be merged."""
    files = changed_files(service, repository, pull)
    able = mergeable(service, repository, pull)
    comments = [c for c in service.store.comments if c.number == pull.number]
    merged_by = service.wire.user(service.account(pull.merged_by)) if pull.merged_by else None
    return {
        **as_listed(service, repository, pull),
        "merged": pull.merged_at is not None,
        "mergeable": able if pull.is_open else None,
        "rebaseable": False,
        "mergeable_state": "clean" if able else "dirty",
        "merged_by": merged_by,
        "comments": len([c for c in comments if c.repository == pull.repository]),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": commit_count(service, repository, pull),
        "additions": sum(f.additions for f in files),
        "deletions": sum(f.deletions for f in files),
        "changed_files": len(files),
    }


def base_of(service: Service, repository: Repository, pull: PullRequest) -> str:
    """The commit that the diff is taken against."""
    repo, head = service.store.git(repository), head_sha(service, repository, pull)
    if objects.lookup(repo, head) is None:
        return pull.base_sha
    return objects.merge_base(repo, pull.base_sha, head) or pull.base_sha


def mergeable(service: Service, repository: Repository, pull: PullRequest) -> bool:
    repo, head = service.store.git(repository), head_sha(service, repository, pull)
    base = objects.branch_sha(repo, pull.base_branch)
    if base is None or objects.lookup(repo, head) is None:
        return False
    return objects.merged_tree(repo, base, head) is not None


def commit_count(service: Service, repository: Repository, pull: PullRequest) -> int:
    repo, head = service.store.git(repository), head_sha(service, repository, pull)
    if objects.lookup(repo, head) is None:
        return 0
    base = objects.oid(base_of(service, repository, pull))
    walk = repo.get_walker(include=[objects.oid(head)], exclude=[base], max_entries=COMMITS_MAX)
    return sum(1 for _ in walk)


def diff(service: Service, repository: Repository, pull: PullRequest) -> str:
    repo = service.store.git(repository)
    head = objects.tree_of(repo, head_sha(service, repository, pull))
    base = objects.tree_of(repo, base_of(service, repository, pull))
    if head is None:
        return ""
    return objects.diff(repo, base.id.decode() if base else None, head.id.decode())


def changed_files(service: Service, repository: Repository, pull: PullRequest) -> list[FileChange]:
    """List the changes of the pull request by file, out of one unified diff."""
    files = []
    for section in ("\n" + diff(service, repository, pull)).split("\ndiff --git ")[1:]:
        head, found, hunks = section.partition("\n@@")
        lines = (found + hunks).splitlines()
        names, _, sha = _header(head)
        files.append(
            FileChange(
                path=names,
                status=_status(head),
                additions=sum(line.startswith("+") for line in lines),
                deletions=sum(line.startswith("-") for line in lines),
                patch=(found + hunks).lstrip("\n"),
                sha=sha,
            )
        )
    return files


def _header(head: str) -> tuple[str, str, str]:
    """Path, old and new blob id of a file's part of the diff."""
    first, *rest = head.splitlines()
    path = first.rpartition(" b/")[2] or first
    index = next((line for line in rest if line.startswith("index ")), "index ..0")
    old, _, new = index.removeprefix("index ").split(" ")[0].partition("..")
    return path, old, new


def _status(head: str) -> str:
    if "\nnew file mode" in head:
        return "added"
    return "removed" if "\ndeleted file mode" in head else "modified"


def announce(
    service: Service, repository: Repository, pull: PullRequest, *, action: str, by: str
) -> None:
    """Tell webhooks what happened to a pull request."""
    payload = {
        "action": action,
        "number": pull.number,
        "pull_request": in_full(service, repository, pull),
        "repository": service.repository_json(repository),
        "sender": service.wire.user(service.account(by)),
    }
    service.emit(repository, "pull_request", payload)
