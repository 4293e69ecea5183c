"""REST: what lies between two commits.

Source: https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from dulwich.diff_tree import tree_changes
from dulwich.repo import Repo

from countersign.local.forge.answers import Answer, Call, Refused
from countersign.local.forge.git import objects
from countersign.local.forge.rest.repositories import full_commit
from countersign.local.forge.wire import Json

COMMITS_MAX = 250
FILES_MAX = 300
STATUSES = {"add": "added", "delete": "removed", "modify": "modified"}


def compare(call: Call) -> Answer:
    repo = call.service.store.git(call.repository)
    base_name, dots, head_name = call.path["basehead"].partition("...")
    base = objects.commit_of(repo, base_name)
    head = objects.commit_of(repo, head_name) if dots else None
    if base is None or head is None:
        raise Refused(404, "Not Found")
    before, after = base.id.decode(), head.id.decode()
    fork = objects.merge_base(repo, before, after)
    if fork is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead, behind = _commits(repo, after, fork), _commits(repo, before, fork)
    origin, name = call.service.wire.origin, call.repository.full_name
    path = f"compare/{before}...{after}"
    page = f"{origin}/{name}/{path}"
    status = "diverged" if ahead and behind else "ahead" if ahead else "behind"
    return Answer(
        body={
            "url": f"{call.service.wire.repository_url(call.repository)}/{path}",
            "html_url": page,
            "permalink_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": full_commit(call, before),
            "merge_base_commit": full_commit(call, fork),
            "status": status if ahead or behind else "identical",
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [full_commit(call, sha) for sha in reversed(ahead)],
            "files": _files(call, repo, old=fork, new=after),
        }
    )


def _commits(repo: Repo, tip: str, fork: str) -> list[str]:
    """Newest first."""
    walk = repo.get_walker(
        include=[objects.oid(tip)],
        exclude=[objects.oid(fork)],
        max_entries=COMMITS_MAX,
    )
    return [entry.commit.id.decode() for entry in walk]


def _files(call: Call, repo: Repo, *, old: str, new: str) -> list[Json]:
    before, after = (objects.tree_of(repo, sha) for sha in (old, new))
    changes = tree_changes(
        repo.object_store, before.id if before else None, after.id if after else None
    )
    url = call.service.wire.repository_url(call.repository)
    html = f"{call.service.wire.origin}/{call.repository.full_name}"
    found: list[Json] = []
    for change in changes:
        entry = change.new if change.new and change.new.path else change.old
        if entry is None or entry.path is None or entry.sha is None or len(found) >= FILES_MAX:
            continue
        path = entry.path.decode()
        found.append(
            {
                "sha": entry.sha.decode(),
                "filename": path,
                "status": STATUSES.get(change.type, "changed"),
                "additions": 0,
                "deletions": 0,
                "changes": 0,
                "blob_url": f"{html}/blob/{new}/{path}",
                "raw_url": f"{html}/blob/{new}/{path}?raw=1",
                "contents_url": f"{url}/contents/{path}?ref={new}",
            }
        )
    return found
