"""GraphQL's mutations. Each does its own thing: one that fails does not stop the next.

Source: https://docs.github.com/en/graphql/reference/mutations
"""

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any

from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.branching import Change, Edit
from countersign.local.forge.graph.git_data import Node
from countersign.local.forge.graph.views import View, fail
from countersign.local.forge.state import pull_requests
from countersign.local.forge.state.model import Comment, PullRequest, Repository
from countersign.local.forge.state.permissions import Level, Need, refusal
from countersign.local.forge.state.pull_requests import Merge, Proposal, PullEdit
from countersign.local.forge.state.service import Denied

KINDS = {"stale": "STALE_DATA", "missing": "NOT_FOUND", "forbidden": "FORBIDDEN"}
Input = dict[str, Any]
Mutation = Callable[[View, Input], Node]


def _worded(mutation: Mutation) -> Mutation:
    """Turn what an operation refuses into GitHub's GraphQL errors."""

    @wraps(mutation)
    def run(view: View, given: Input) -> Node:
        try:
            payload = mutation(view, given)
        except Denied as denied:
            fail(KINDS.get(denied.reason, "UNPROCESSABLE"), denied.message)
        return payload | {"clientMutationId": given.get("clientMutationId")}

    return run


def _repository(view: View, node_id: str, resource: str) -> Repository:
    """The repository of an id, if the caller may change this part of it."""
    number = node_id.partition("_")[2].partition("_")[0]
    found = view.service.store.repository_by_id(int(number)) if number.isdigit() else None
    if found is None or refusal(view.caller, found, Need("metadata")):
        fail("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")
    view.may(found, resource, Level.WRITE)
    return found


def _pull(view: View, node_id: str) -> tuple[Repository, PullRequest]:
    store = view.service.store
    pull = next((one for one in store.pulls if f"PR_{one.id}" == node_id), None)
    repository = store.repository(*pull.repository.split("/")) if pull else None
    if not pull or not repository or refusal(view.caller, repository, Need("metadata")):
        fail("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")
    view.may(repository, "pull_requests", Level.WRITE)
    return repository, pull


@_worded
def create_ref(view: View, given: Input) -> Node:
    repository = _repository(view, given["repositoryId"], "contents")
    name, repo = given["name"], view.service.store.git(repository)
    if objects.ref_sha(repo, name):
        fail("UNPROCESSABLE", f'A ref named "{name}" already exists in the repository.')
    branching.create_ref(view.service, repository, name, given["oid"], view.caller.login)
    return {"ref": view.ref(repository, name)}


def _ref(view: View, ref_id: str) -> tuple[Repository, str, str]:
    repository = _repository(view, ref_id, "contents")
    name = ref_id.removeprefix(f"REF_{repository.id}_")
    sha = objects.ref_sha(view.service.store.git(repository), name)
    if sha is None:
        fail("NOT_FOUND", f"Could not resolve to a node with the global id of '{ref_id}'")
    return repository, name, sha


@_worded
def update_ref(view: View, given: Input) -> Node:
    repository, name, old = _ref(view, given["refId"])
    change = Change(ref=name, before=old, after=given["oid"])
    force, by = given.get("force") is True, view.caller.login
    branching.update_ref(view.service, repository, change, force=force, by=by)
    return {"ref": view.ref(repository, name)}


@_worded
def delete_ref(view: View, given: Input) -> Node:
    repository, name, _ = _ref(view, given["refId"])
    branching.delete_ref(view.service, repository, name, view.caller.login)
    return {}


def _branch(view: View, given: Input) -> tuple[Repository, str]:
    """A branch by its ref's id, or by repository and name."""
    if given.get("id"):
        repository, name, _ = _ref(view, given["id"])
        return repository, name.removeprefix(branching.HEADS)
    owner, _, name = (given.get("repositoryNameWithOwner") or "").partition("/")
    found = view.service.store.repository(owner, name)
    if found is None or refusal(view.caller, found, Need("metadata")):
        fail("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    view.may(found, "contents", Level.WRITE)
    return found, (given.get("branchName") or "").removeprefix(branching.HEADS)


def _files(changes: Input) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {}
    for deletion in changes.get("deletions") or ():
        files[deletion["path"]] = None
    for addition in changes.get("additions") or ():
        try:
            files[addition["path"]] = base64.b64decode(addition["contents"], validate=True)
        except (binascii.Error, ValueError):
            fail("UNPROCESSABLE", f"The contents of {addition['path']} are not valid base64.")
    return files


@_worded
def create_commit_on_branch(view: View, given: Input) -> Node:
    repository, branch = _branch(view, given["branch"])
    headline, body = given["message"]["headline"], given["message"].get("body")
    edit = Edit(
        branch=branch,
        expected=given["expectedHeadOid"],
        message=f"{headline}\n\n{body}" if body else headline,
        files=_files(given.get("fileChanges") or {}),
    )
    workflows = refusal(view.caller, repository, Need("workflows", Level.WRITE)) is None
    sha = branching.commit_on_branch(
        view.service, repository, edit, by=view.caller.login, workflows=workflows
    )
    ref = view.ref(repository, branching.HEADS + branch)
    return {"commit": view.git_object(repository, sha), "ref": ref}


@_worded
def create_pull_request(view: View, given: Input) -> Node:
    repository = _repository(view, given["repositoryId"], "pull_requests")
    head_id = given.get("headRepositoryId")
    if head_id and head_id != f"R_{repository.id}":
        fail("UNPROCESSABLE", "Head repository can't be another one here.")
    proposal = Proposal(
        title=given["title"],
        body=given.get("body") or "",
        head=given["headRefName"],
        base=given["baseRefName"],
        draft=given.get("draft") is True,
    )
    pull = pull_requests.open_pull(view.service, repository, proposal, by=view.caller.login)
    return {"pullRequest": view.pull(repository, pull)}


@_worded
def update_pull_request(view: View, given: Input) -> Node:
    repository, pull = _pull(view, given["pullRequestId"])
    by, state = view.caller.login, given.get("state")
    edit = PullEdit(title=given.get("title"), body=given.get("body"), base=given.get("baseRefName"))
    pull = pull_requests.edit_pull(view.service, repository, pull, edit)
    if state == "CLOSED":
        pull = pull_requests.close_pull(view.service, repository, pull, by=by)
    if state == "OPEN":
        pull = pull_requests.reopen_pull(view.service, repository, pull, by=by)
    return {"pullRequest": view.pull(repository, pull)}


@_worded
def close_pull_request(view: View, given: Input) -> Node:
    repository, pull = _pull(view, given["pullRequestId"])
    closed = pull_requests.close_pull(view.service, repository, pull, by=view.caller.login)
    return {"pullRequest": view.pull(repository, closed)}


@_worded
def merge_pull_request(view: View, given: Input) -> Node:
    repository, pull = _pull(view, given["pullRequestId"])
    view.may(repository, "contents", Level.WRITE)
    merge = Merge(
        method=(given.get("mergeMethod") or "MERGE").lower(),
        expected=given.get("expectedHeadOid"),
        title=given.get("commitHeadline"),
        message=given.get("commitBody"),
    )
    merged = pull_requests.merge_pull(view.service, repository, pull, merge, by=view.caller.login)
    return {"pullRequest": view.pull(repository, merged)}


@_worded
def enable_auto_merge(view: View, given: Input) -> Node:
    repository, pull = _pull(view, given["pullRequestId"])
    view.may(repository, "contents", Level.WRITE)
    enabled = pull_requests.enable_auto_merge(
        view.service, repository, pull, by=view.caller.login, expected=given.get("expectedHeadOid")
    )
    return {"pullRequest": view.pull(repository, enabled)}


@_worded
def add_comment(view: View, given: Input) -> Node:
    repository, pull = _pull(view, given["subjectId"])
    store = view.service.store
    comment = Comment(
        id=store.new_id(),
        repository=pull.repository,
        number=pull.number,
        author=view.caller.login,
        body=given["body"],
        created_at=store.clock(),
    )
    store.comments.put(str(comment.id), comment)
    return {"subject": view.pull(repository, pull)}


MUTATIONS: dict[str, Mutation] = {
    "addComment": add_comment,
    "closePullRequest": close_pull_request,
    "createCommitOnBranch": create_commit_on_branch,
    "createPullRequest": create_pull_request,
    "createRef": create_ref,
    "deleteRef": delete_ref,
    "enablePullRequestAutoMerge": enable_auto_merge,
    "mergePullRequest": merge_pull_request,
    "updatePullRequest": update_pull_request,
    "updateRef": update_ref,
}
