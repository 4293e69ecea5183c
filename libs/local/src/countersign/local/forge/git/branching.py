"""Moves branches: creating, updating, deleting, committing; protection; what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from countersign.local.forge.git import objects
from countersign.local.forge.rest import pull_views
from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.service import Denied, Service

HEADS = "refs/heads/"
NOBODY = "0" * 40
WORKFLOWS = ".github/workflows/"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One ref that moved, appeared (`before` is None) or went away (`after` is None)."""

    ref: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The changes of a commit to a branch; contents None deletes a file."""

    branch: str
    expected: str
    message: str
    files: Mapping[str, bytes | None]


def is_protected(repository: Repository, ref: str) -> bool:
    return ref.removeprefix(HEADS) in repository.protected and ref.startswith(HEADS)


def create_ref(service: Service, repository: Repository, name: str, sha: str, by: str) -> None:
    repo = service.store.git(repository)
    if not objects.valid_ref(name):
        raise Denied("invalid", f"{name} is not a valid ref name.")
    if objects.lookup(repo, sha) is None:
        raise Denied("invalid", "Object does not exist")
    if objects.ref_sha(repo, name):
        raise Denied("exists", "Reference already exists")
    if not objects.set_ref(repo, name, old=None, new=sha):
        raise Denied("invalid", "Reference update failed")
    after_change(service, repository, Change(ref=name, before=None, after=sha), by)


def update_ref(
    service: Service, repository: Repository, change: Change, *, force: bool, by: str
) -> None:
    repo = service.store.git(repository)
    old, new = change.before, change.after
    if old is None or new is None:
        raise Denied("missing", "Reference does not exist")
    if objects.commit_of(repo, new) is None:
        raise Denied("invalid", "Object does not exist")
    if is_protected(repository, change.ref):
        raise Denied("protected", "Cannot update this protected ref.")
    if not force and not objects.is_ancestor(repo, old, new):
        raise Denied("invalid", "Update is not a fast forward")
    if not objects.set_ref(repo, change.ref, old=old, new=new):
        raise Denied("conflict", "Reference update failed")
    after_change(service, repository, change, by)


def delete_ref(service: Service, repository: Repository, name: str, by: str) -> None:
    repo = service.store.git(repository)
    old = objects.ref_sha(repo, name)
    if old is None:
        raise Denied("missing", "Reference does not exist")
    if is_protected(repository, name) or name == HEADS + repository.default_branch:
        raise Denied("protected", "Cannot delete this protected ref.")
    objects.delete_ref(repo, name, old=old)
    after_change(service, repository, Change(ref=name, before=old, after=None), by)


def commit_on_branch(
    service: Service, repository: Repository, edit: Edit, *, by: str, workflows: bool = True
) -> str:
    """Append one commit, authored by the caller, if the branch still is where they saw it."""
    repo, ref = service.store.git(repository), HEADS + edit.branch
    head = objects.branch_sha(repo, edit.branch)
    if head is None:
        raise Denied("missing", f'The branch "{edit.branch}" does not exist.')
    if head != edit.expected:
        raise Denied(
            "stale",
            f'Expected branch to point to "{edit.expected}" but it did not. Pull and try again.',
        )
    if is_protected(repository, ref):
        raise Denied("protected", "Changes must be made through a pull request.")
    running = [path for path in edit.files if path.startswith(WORKFLOWS)]
    if running and not workflows:
        raise Denied(
            "forbidden",
            "refusing to allow a GitHub App to create or update workflow"
            f" `{running[0]}` without `workflows` permission",
        )
    sha = _write(service, repository, edit, head, by)
    if not objects.set_ref(repo, ref, old=head, new=sha):
        raise Denied("stale", "The branch moved meanwhile. Pull and try again.")
    after_change(service, repository, Change(ref=ref, before=head, after=sha), by)
    return sha


def _write(service: Service, repository: Repository, edit: Edit, head: str, by: str) -> str:
    repo = service.store.git(repository)
    base = objects.tree_of(repo, head)
    for path, content in edit.files.items():
        check_path(path)
        if content is None and base and objects.entry_at(repo, base, path) is None:
            raise Denied(
                "invalid", f'A path was requested for deletion which does not exist: "{path}"'
            )
    changes: dict[str, tuple[int, str] | None] = {}
    for path, content in edit.files.items():
        # A file that was executable is no more: the mutation has no place for a mode.
        written = content is not None and (objects.MODE_FILE, objects.write_blob(repo, content))
        changes[path] = written or None
    return objects.write_commit(
        repo,
        objects.NewCommit(
            tree=objects.write_tree(repo, base, changes),
            parents=[head],
            author=service.identity(by),
            committer=service.committer(),
            message=edit.message,
        ),
    )


def check_path(path: str) -> None:
    parts = path.split("/")
    if any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts):
        raise Denied("invalid", f'The path "{path}" is not valid.')


def after_change(service: Service, repository: Repository, change: Change, by: str) -> None:
    """Tell webhooks of a push, and let open pull requests follow their branches."""
    if not change.ref.startswith(HEADS):
        return
    service.emit(repository, "push", push_payload(service, repository, change, by))
    branch = change.ref.removeprefix(HEADS)
    for pull in service.store.pulls_of(repository):
        mine = pull.head_branch == branch and pull.head_repository_id == repository.id
        if not pull.is_open or not mine or pull.head_sha == change.after:
            continue
        at = service.store.clock()
        if change.after is None:
            pull = replace(pull, closed_at=at, updated_at=at)  # noqa: PLW2901 - the new version
        else:
            pull = replace(pull, head_sha=change.after, updated_at=at)  # noqa: PLW2901
        service.store.save_pull(repository, pull)
        action = "closed" if change.after is None else "synchronize"
        pull_views.announce(service, repository, pull, action=action, by=by)


def push_payload(
    service: Service, repository: Repository, change: Change, by: str
) -> dict[str, Any]:
    account, url = service.account(by), service.wire.repository_url(repository)
    before, after = change.before or NOBODY, change.after or NOBODY
    return {
        "ref": change.ref,
        "before": before,
        "after": after,
        "created": change.before is None,
        "deleted": change.after is None,
        "forced": False,
        "base_ref": None,
        "compare": f"{url}/compare/{before[:12]}...{after[:12]}",
        "commits": [],
        "head_commit": None,
        "repository": service.repository_json(repository),
        "pusher": {"name": account.login, "email": service.identity(by).email},
        "sender": service.wire.user(account),
    }
