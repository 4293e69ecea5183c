"""GitHub's JSON for a pull request. Pure: record in, dictionary out.

Source: https://docs.github.com/en/rest/pulls/pulls
"""

from dataclasses import dataclass
from urllib.parse import quote

from countersign.local.forge.state.model import PullRequest
from countersign.local.forge.state.store import sha256
from countersign.local.forge.wire import Json, Wire, maybe_stamp, stamp


@dataclass(frozen=True, kw_only=True)
class PullFacts:
    """Facts of one pull request that are looked up, not kept."""

    repository: Json
    head_repository: Json | None
    author: Json
    head_label: str
    head_sha: str
    base_label: str


def pull_request(wire: Wire, pull: PullRequest, facts: PullFacts) -> Json:
    """A pull request as lists show it."""
    repo = f"{wire.api}/repos/{pull.repository}"
    url, issue = f"{repo}/pulls/{pull.number}", f"{repo}/issues/{pull.number}"
    html = f"{wire.origin}/{pull.repository}/pull/{pull.number}"
    links = {
        "self": url,
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{repo}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{repo}/statuses/{facts.head_sha}",
    }
    nothing = ("assignee", "milestone", "auto_merge", "active_lock_reason")
    return {
        **dict.fromkeys(nothing),
        **{name: [] for name in ("assignees", "requested_reviewers", "requested_teams")},
        "labels": [label(wire, pull.repository, name) for name in pull.labels],
        "id": pull.id,
        "node_id": f"PR_{pull.id}",
        "url": url,
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue,
        "comments_url": links["comments"],
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"],
        "number": pull.number,
        "state": "open" if pull.is_open else "closed",
        "locked": False,
        "title": pull.title,
        "user": facts.author,
        "body": pull.body or None,
        "draft": pull.draft,
        "author_association": "COLLABORATOR",
        "merge_commit_sha": pull.merge_sha,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": maybe_stamp(pull.closed_at),
        "merged_at": maybe_stamp(pull.merged_at),
        "head": _side(facts.head_label, pull.head_branch, facts.head_sha, facts.head_repository),
        "base": _side(facts.base_label, pull.base_branch, pull.base_sha, facts.repository),
        "_links": {name: {"href": href} for name, href in links.items()},
    }


def label(wire: Wire, repository: str, name: str) -> Json:
    """A label, which has no life of its own here.

    Source: https://docs.github.com/en/rest/issues/labels
    """
    number = int(sha256(f"{repository} {name}")[:8], 16)
    return {
        "id": number,
        "node_id": f"LA_{number}",
        "url": f"{wire.api}/repos/{repository}/labels/{quote(name, safe='')}",
        "name": name,
        "color": "ededed",
        "default": False,
        "description": None,
    }


def _side(label: str, ref: str, sha: str, repository: Json | None) -> Json:
    owner = repository["owner"] if repository else None
    return {"label": label, "ref": ref, "sha": sha, "user": owner, "repo": repository}
