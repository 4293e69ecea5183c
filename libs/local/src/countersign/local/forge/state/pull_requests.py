"""Opens, changes, closes and merges pull requests."""

from dataclasses import dataclass, replace

from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.branching import HEADS, Change
from countersign.local.forge.rest import pull_views
from countersign.local.forge.state.model import PullRequest, Repository
from countersign.local.forge.state.service import Denied, Service

MERGE_METHODS = ("merge", "squash")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    title: str
    body: str
    head: str
    base: str
    draft: bool = False


@dataclass(frozen=True, kw_only=True)
class PullEdit:
    title: str | None = None
    body: str | None = None
    base: str | None = None


@dataclass(frozen=True, kw_only=True)
class Merge:
    method: str = "merge"
    expected: str | None = None
    title: str | None = None
    message: str | None = None


def open_pull(
    service: Service, repository: Repository, proposal: Proposal, *, by: str
) -> PullRequest:
    repo, store = service.store.git(repository), service.store
    owner, _, branch = proposal.head.rpartition(":")
    head, base = (objects.branch_sha(repo, name) for name in (branch, proposal.base))
    if head is None or (owner and owner.lower() != repository.owner.lower()):
        raise Denied("head", "Head ref must be a branch of this repository")
    if base is None:
        raise Denied("base", "Base ref must be a branch of this repository")
    if objects.is_ancestor(repo, head, base):
        raise Denied("invalid", f"No commits between {proposal.base} and {branch}")
    _refuse_duplicate(service, repository, branch, proposal.base)
    at = store.clock()
    pull = PullRequest(
        id=store.new_id(),
        repository=repository.full_name,
        number=max((p.number for p in store.pulls_of(repository)), default=0) + 1,
        title=proposal.title,
        body=proposal.body,
        author=by,
        draft=proposal.draft,
        head_repository_id=repository.id,
        head_branch=branch,
        head_sha=head,
        base_branch=proposal.base,
        base_sha=base,
        created_at=at,
        updated_at=at,
    )
    store.save_pull(repository, pull)
    pull_views.announce(service, repository, pull, action="opened", by=by)
    return pull


def _refuse_duplicate(service: Service, repository: Repository, branch: str, base: str) -> None:
    if service.switches.allow_duplicates:
        return
    for pull in service.store.pulls_of(repository):
        same = pull.head_branch == branch and pull.base_branch == base
        if pull.is_open and same and pull.head_repository_id == repository.id:
            raise Denied(
                "exists", f"A pull request already exists for {repository.owner}:{branch}."
            )


def edit_pull(
    service: Service, repository: Repository, pull: PullRequest, edit: PullEdit
) -> PullRequest:
    """Change what is given; None leaves as it is."""
    if edit.base is not None:
        sha = objects.branch_sha(service.store.git(repository), edit.base)
        if sha is None:
            raise Denied("base", "Base ref must be a branch of this repository")
        pull = replace(pull, base_branch=edit.base, base_sha=sha)
    pull = replace(
        pull,
        title=pull.title if edit.title is None else edit.title,
        body=pull.body if edit.body is None else edit.body,
        updated_at=service.store.clock(),
    )
    return service.store.save_pull(repository, pull)


def close_pull(
    service: Service, repository: Repository, pull: PullRequest, *, by: str
) -> PullRequest:
    if not pull.is_open:
        return pull
    head, at = pull_views.head_sha(service, repository, pull), service.store.clock()
    closed = replace(pull, head_sha=head, closed_at=at, updated_at=at)
    service.store.save_pull(repository, closed)
    pull_views.announce(service, repository, closed, action="closed", by=by)
    return closed


def reopen_pull(
    service: Service, repository: Repository, pull: PullRequest, *, by: str
) -> PullRequest:
    if pull.is_open:
        return pull
    branch = objects.branch_sha(service.store.git(repository), pull.head_branch)
    if pull.merged_at or branch is None:
        raise Denied("invalid", "state cannot be changed. The pull request cannot be reopened.")
    _refuse_duplicate(service, repository, pull.head_branch, pull.base_branch)
    opened = replace(pull, closed_at=None, updated_at=service.store.clock())
    service.store.save_pull(repository, opened)
    pull_views.announce(service, repository, opened, action="reopened", by=by)
    return opened


def enable_auto_merge(
    service: Service, repository: Repository, pull: PullRequest, *, by: str, expected: str | None
) -> PullRequest:
    """Have it merged once its required checks pass; GitHub takes that only while it waits."""
    if expected and expected != pull_views.head_sha(service, repository, pull):
        raise Denied("conflict", "Head branch was modified.")
    if not repository.required_checks:
        raise Denied("unmergeable", "Pull request Auto merge is not allowed for this repository")
    if not pull.is_open or pull.draft or _passes(service, repository, pull):
        raise Denied("unmergeable", "Pull request is in clean status")
    return service.store.save_pull(repository, replace(pull, auto_merge_by=by))


def merge_what_passes(service: Service, repository: Repository) -> None:
    """Merge what somebody wanted merged once its checks pass, and whose checks have."""
    for pull in service.store.pulls_of(repository):
        if pull.is_open and pull.auto_merge_by and _passes(service, repository, pull):
            merge_pull(service, repository, pull, Merge(), by=pull.auto_merge_by)


def _passes(service: Service, repository: Repository, pull: PullRequest) -> bool:
    head = pull_views.head_sha(service, repository, pull)
    # The newest of each context comes last.
    newest = {s.context: s.state for s in service.store.statuses if s.sha == head}
    return all(newest.get(name) == "success" for name in repository.required_checks)


def merge_pull(
    service: Service, repository: Repository, pull: PullRequest, merge: Merge, *, by: str
) -> PullRequest:
    """Merge into the base branch; protection asks for pull requests, so it does not apply."""
    repo, head = service.store.git(repository), pull_views.head_sha(service, repository, pull)
    base = objects.branch_sha(repo, pull.base_branch)
    if merge.expected and merge.expected != head:
        raise Denied("conflict", "Head branch was modified. Review and try the merge again.")
    if not pull.is_open or base is None or pull.draft:
        raise Denied("unmergeable", "Pull Request is not mergeable")
    if merge.method not in MERGE_METHODS:
        raise Denied("unmergeable", "Rebase merges are not allowed on this repository.")
    tree = objects.merged_tree(repo, base, head)
    if tree is None:
        raise Denied("unmergeable", "Merge conflict")
    sha = objects.write_commit(
        repo,
        objects.NewCommit(
            tree=tree,
            parents=[base, head] if merge.method == "merge" else [base],
            author=service.identity(by),
            committer=service.committer(),
            message=_message(repository, pull, merge),
        ),
    )
    ref = HEADS + pull.base_branch
    if not objects.set_ref(repo, ref, old=base, new=sha):
        raise Denied("conflict", "Base branch was modified. Review and try the merge again.")
    at = service.store.clock()
    merged = replace(
        pull,
        head_sha=head,
        closed_at=at,
        updated_at=at,
        merged_at=at,
        merged_by=by,
        merge_sha=sha,
    )
    service.store.save_pull(repository, merged)
    branching.after_change(service, repository, Change(ref=ref, before=base, after=sha), by)
    pull_views.announce(service, repository, merged, action="closed", by=by)
    return merged


def _message(repository: Repository, pull: PullRequest, merge: Merge) -> str:
    head = f"{repository.owner}/{pull.head_branch}"
    if merge.method == "squash":
        title, body = f"{pull.title} (#{pull.number})", pull.body
    else:
        title, body = f"Merge pull request #{pull.number} from {head}", pull.title
    return f"{merge.title or title}\n\n{merge.message or body}"
