"""REST: pull requests and their comments.

Source: https://docs.github.com/en/rest/pulls/pulls
"""

from dataclasses import replace
from typing import NoReturn
from urllib.parse import quote

from countersign.local.forge.answers import (
    Answer,
    Call,
    Refused,
    invalid,
    page_of,
    validation_failed,
)
from countersign.local.forge.rest import pull_views
from countersign.local.forge.rest.pull_wire import label
from countersign.local.forge.state import pull_requests
from countersign.local.forge.state.model import Comment, PullRequest
from countersign.local.forge.state.pull_requests import Merge, Proposal, PullEdit
from countersign.local.forge.state.service import Denied


def _pull(call: Call, parameter: str = "pull_number") -> PullRequest:
    number = call.path[parameter]
    found = call.service.store.pull(call.repository, int(number)) if number.isdigit() else None
    if found is None:
        raise Refused(404, "Not Found")
    return found


def list_pulls(call: Call) -> Answer:
    state, head, base = (call.query.get(name) for name in ("state", "head", "base"))
    if state not in (None, "open", "closed", "all"):
        invalid("Validation Failed")
    found = [
        pull
        for pull in call.service.store.pulls_of(call.repository)
        if _in_state(pull, state or "open")
        and (not base or pull.base_branch == base)
        and (not head or _has_head(call, pull, head))
    ]
    if call.query.get("direction") == "asc":
        found.reverse()
    page, headers = page_of(call, found)
    body = [pull_views.as_listed(call.service, call.repository, pull) for pull in page]
    return Answer(body=body, headers=headers)


def _in_state(pull: PullRequest, state: str) -> bool:
    return state == "all" or pull.is_open == (state == "open")


def _has_head(call: Call, pull: PullRequest, head: str) -> bool:
    """GitHub ignores a `head` that does not have the form `owner:branch`."""
    owner, colon, branch = head.partition(":")
    if not colon:
        return True
    repository = call.service.store.repository_by_id(pull.head_repository_id)
    return (
        pull.head_branch == branch
        and repository is not None
        and repository.owner.lower() == owner.lower()
    )


def _refuse(denied: Denied) -> NoReturn:
    if denied.reason in {"head", "base"}:
        validation_failed("PullRequest", denied.message, field_name=denied.reason)
    validation_failed("PullRequest", denied.message)


def create_pull(call: Call) -> Answer:
    proposal = Proposal(
        title=call.text("title"),
        body=call.optional_text("body") or "",
        head=call.text("head"),
        base=call.text("base"),
        draft=call.body.get("draft") is True,
    )
    try:
        pull = pull_requests.open_pull(
            call.service, call.repository, proposal, by=call.caller.login
        )
    except Denied as denied:
        _refuse(denied)
    body = pull_views.in_full(call.service, call.repository, pull)
    return Answer(status=201, body=body, headers={"location": body["url"]})


def get_pull(call: Call) -> Answer:
    pull = _pull(call)
    if "diff" in call.headers.get("accept", ""):
        text = pull_views.diff(call.service, call.repository, pull)
        return Answer(body=text.encode(), media_type="application/vnd.github.diff; charset=utf-8")
    return Answer(body=pull_views.in_full(call.service, call.repository, pull))


def update_pull(call: Call) -> Answer:
    pull, service, repository = _pull(call), call.service, call.repository
    state, by = call.optional_text("state"), call.caller.login
    if state not in (None, "open", "closed"):
        invalid("Validation Failed")
    try:
        edit = PullEdit(
            title=call.optional_text("title"),
            body=call.optional_text("body"),
            base=call.optional_text("base"),
        )
        pull = pull_requests.edit_pull(service, repository, pull, edit)
        if state == "closed":
            pull = pull_requests.close_pull(service, repository, pull, by=by)
        if state == "open":
            pull = pull_requests.reopen_pull(service, repository, pull, by=by)
    except Denied as denied:
        _refuse(denied)
    return Answer(body=pull_views.in_full(service, repository, pull))


def merge_pull(call: Call) -> Answer:
    merge = Merge(
        method=call.optional_text("merge_method") or "merge",
        expected=call.optional_text("sha"),
        title=call.optional_text("commit_title"),
        message=call.optional_text("commit_message"),
    )
    merged = pull_requests.merge_pull(
        call.service, call.repository, _pull(call), merge, by=call.caller.login
    )
    message = "Pull Request successfully merged"
    return Answer(body={"sha": merged.merge_sha, "merged": True, "message": message})


def pull_files(call: Call) -> Answer:
    pull, wire = _pull(call), call.service.wire
    head = pull_views.head_sha(call.service, call.repository, pull)
    files = pull_views.changed_files(call.service, call.repository, pull)
    page, headers = page_of(call, files)
    url, html = wire.repository_url(call.repository), f"{wire.origin}/{pull.repository}"
    body = [
        {
            "sha": file.sha,
            "filename": file.path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": f"{html}/blob/{head}/{quote(file.path)}",
            "raw_url": f"{html}/blob/{head}/{quote(file.path)}?raw=1",
            "contents_url": f"{url}/contents/{quote(file.path)}?ref={head}",
            "patch": file.patch,
        }
        for file in page
    ]
    return Answer(body=body, headers=headers)


def create_comment(call: Call) -> Answer:
    pull, store = _pull(call, "issue_number"), call.service.store
    comment = Comment(
        id=store.new_id(),
        repository=pull.repository,
        number=pull.number,
        author=call.caller.login,
        body=call.text("body"),
        created_at=store.clock(),
    )
    store.comments.put(str(comment.id), comment)
    body = call.service.wire.comment(comment, call.service.account(comment.author))
    return Answer(status=201, body=body, headers={"location": body["url"]})


def add_labels(call: Call) -> Answer:
    """Source: https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue."""
    pull, store = _pull(call, "issue_number"), call.service.store
    given = call.body.get("labels")
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        invalid("Validation Failed")
    labels = tuple(dict.fromkeys((*pull.labels, *given)))
    store.save_pull(call.repository, replace(pull, labels=labels))
    return Answer(body=[label(call.service.wire, pull.repository, name) for name in labels])


def list_comments(call: Call) -> Answer:
    pull, service = _pull(call, "issue_number"), call.service
    found = [c for c in service.store.comments if c.repository == pull.repository]
    page, headers = page_of(call, [c for c in found if c.number == pull.number])
    body = [service.wire.comment(c, service.account(c.author)) for c in page]
    return Answer(body=body, headers=headers)
