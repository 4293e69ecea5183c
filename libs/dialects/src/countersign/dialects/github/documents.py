"""The GraphQL documents that we send to GitHub; what varies goes into variables.

Source: https://docs.github.com/en/graphql/reference
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullText

PULLS_PER_PAGE: Final = 50
_PULL: Final = """number id state title headRefName headRefOid baseRefName
  headRepository { databaseId }
  author { ...Who }
  mergedAt closedAt mergeCommit { oid } mergedBy { ...Who }"""
_WHO: Final = """
fragment Who on Actor { login ... on User { databaseId } ... on Bot { databaseId } }"""
_TIP: Final = "target { oid ... on Commit { committedDate tree { oid } } }"
_PULLS: Final = f"""pullRequests(headRefName: $headName, first: {PULLS_PER_PAGE}, after: $after) {{
  pageInfo {{ hasNextPage endCursor }} nodes {{ {_PULL} }} }}"""
_OPEN_PULLS: Final = f"""open: pullRequests(states: [OPEN], baseRefName: $baseName,
    first: {PULLS_PER_PAGE}, after: $openAfter, orderBy: {{field: CREATED_AT, direction: DESC}}) {{
  pageInfo {{ hasNextPage endCursor }} nodes {{ {_PULL} }} }}"""
_BLOB: Final = "... on Blob { oid byteSize isBinary isTruncated text }"
_BLOB_SIZE: Final = "... on Blob { oid byteSize }"

Sent = dict[str, Any]


def look(place: Place, scope: LookScope) -> Sent:
    """Base head, our branch, pull requests of it and others, folders and files, all at once."""
    variables: dict[str, Any] = {
        "owner": place.owner,
        "name": place.repository,
        "base": f"refs/heads/{place.base_branch}",
        "head": f"refs/heads/{scope.head_branch}",
        "headName": scope.head_branch,
        "after": None,
        "baseName": place.base_branch,
        "openAfter": None,
    }
    kinds: dict[str, str] = {}
    fields: list[str] = []
    for n, number in enumerate(scope.pulls):
        variables[f"p{n}"], kinds[f"p{n}"] = number, "Int!"
        fields.append(f"p{n}: pullRequest(number: $p{n}) {{ {_PULL} }}")
    for n, folder in enumerate(scope.folders):
        variables[f"d{n}"], kinds[f"d{n}"] = f"refs/heads/{place.base_branch}:{folder}", "String!"
        fields.append(
            f"d{n}: object(expression: $d{n}) {{ oid ... on Tree {{ "
            "entries { name oid type mode } } }"
        )
    for n, file in enumerate(scope.files):
        variables[f"f{n}"], kinds[f"f{n}"] = f"refs/heads/{place.base_branch}:{file}", "String!"
        fields.append(f"f{n}: object(expression: $f{n}) {{ {_BLOB} }}")
    declared = "".join(f", ${name}: {kind}" for name, kind in kinds.items())
    query = f"""query Look($owner: String!, $name: String!, $base: String!, $head: String!,
    $headName: String!, $after: String, $baseName: String!, $openAfter: String{declared}) {{
  viewer {{ login databaseId }}
  repository(owner: $owner, name: $name, followRenames: false) {{
    id databaseId isArchived viewerPermission
    base: ref(qualifiedName: $base) {{ {_TIP} }}
    head: ref(qualifiedName: $head) {{ {_TIP} }}
    {_PULLS}
    {_OPEN_PULLS}
    {" ".join(fields)}
  }}
}}{_WHO}"""
    return {"query": query, "variables": variables}


def more_pulls(place: Place, *, head_branch: str, after: str) -> Sent:
    """A further page of the pull requests of our branch."""
    query = f"""query Pulls($owner: String!, $name: String!, $headName: String!, $after: String) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ {_PULLS} }}
}}{_WHO}"""
    variables = {
        "owner": place.owner,
        "name": place.repository,
        "headName": head_branch,
        "after": after,
    }
    return {"query": query, "variables": variables}


def more_open_pulls(place: Place, *, after: str) -> Sent:
    """A further page of the pull requests that are open to the base."""
    query = f"""query Open($owner: String!, $name: String!, $baseName: String!,
    $openAfter: String) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ {_OPEN_PULLS} }}
}}{_WHO}"""
    variables = {
        "owner": place.owner,
        "name": place.repository,
        "baseName": place.base_branch,
        "openAfter": after,
    }
    return {"query": query, "variables": variables}


def blobs(place: Place, *, commit: str, paths: tuple[str, ...], texts: bool) -> Sent:
    """Many files at one commit: their texts, or their names and sizes alone."""
    blob = _BLOB if texts else _BLOB_SIZE
    variables: dict[str, Any] = {"owner": place.owner, "name": place.repository}
    variables |= {f"b{n}": f"{commit}:{path}" for n, path in enumerate(paths)}
    declared = "".join(f", $b{n}: String!" for n in range(len(paths)))
    fields = " ".join(f"b{n}: object(expression: $b{n}) {{ {blob} }}" for n in range(len(paths)))
    query = f"""query Blobs($owner: String!, $name: String!{declared}) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ {fields} }}
}}"""
    return {"query": query, "variables": variables}


def commit(new: NewCommit, *, place: Place, repository_id: str) -> Sent:
    """Create the branch, and commit onto it if it is still at the parent.

    Top-level mutations run in this order, and the second also where the first failed: a branch
    without a commit of its own is taken over, and the expected head lets one of several in.
    """
    additions = [
        {"path": path, "contents": base64.b64encode(file.body).decode()}
        for path, file in sorted(new.files.items())
    ]
    query = """mutation Commit($ref: CreateRefInput!, $commit: CreateCommitOnBranchInput!) {
  ref: createRef(input: $ref) { ref { id name } }
  commit: createCommitOnBranch(input: $commit) {
    commit { oid parents(first: 3) { nodes { oid } } } }
}"""
    variables = {
        "ref": {
            "repositoryId": repository_id,
            "name": f"refs/heads/{new.branch}",
            "oid": new.parent,
        },
        "commit": {
            "branch": {"repositoryNameWithOwner": place.name, "branchName": new.branch},
            "message": {"headline": new.headline, "body": new.body},
            "expectedHeadOid": new.parent,
            "fileChanges": {"additions": additions},
        },
    }
    return {"query": query, "variables": variables}


def node_ids(place: Place, *, number: int | None = None) -> Sent:
    """GitHub's own names of a repository and of one of its pull requests."""
    variables: dict[str, Any] = {"owner": place.owner, "name": place.repository}
    declared, pull = "", ""
    if number is not None:
        variables["number"] = number
        declared, pull = ", $number: Int!", "pullRequest(number: $number) { id }"
    query = f"""query Ids($owner: String!, $name: String!{declared}) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ id {pull} }}
}}"""
    return {"query": query, "variables": variables}


def folder(place: Place, *, commit: str, path: str) -> Sent:
    """The object id of a folder at a commit."""
    query = """query Folder($owner: String!, $name: String!, $folder: String!) {
  repository(owner: $owner, name: $name, followRenames: false) {
    folder: object(expression: $folder) { __typename oid } }
}"""
    variables = {"owner": place.owner, "name": place.repository, "folder": f"{commit}:{path}"}
    return {"query": query, "variables": variables}


def open_pull(
    place: Place, *, repository_id: str, head: str, text: PullText, replaces: Sequence[str]
) -> Sent:
    """Close what it replaces, and open it; the second also where the first failed."""
    variables: dict[str, Any] = {
        f"c{n}": {"pullRequestId": pull_id} for n, pull_id in enumerate(replaces)
    }
    declared = "".join(f", ${name}: ClosePullRequestInput!" for name in variables)
    closing = "".join(
        f"\n  {name}: closePullRequest(input: ${name}) {{ pullRequest {{ state }} }}"
        for name in variables
    )
    query = f"""mutation Open($input: CreatePullRequestInput!{declared}) {{{closing}
  createPullRequest(input: $input) {{ pullRequest {{ {_PULL} }} }}
}}{_WHO}"""
    given = {
        "repositoryId": repository_id,
        "baseRefName": place.base_branch,
        "headRefName": head,
        "title": text.title,
        "body": text.body,
        "draft": text.draft,
    }
    return {"query": query, "variables": {"input": given, **variables}}


def renamed(place: Place) -> Sent:
    """The name of a repository now, also by a former one."""
    query = """query Renamed($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name, followRenames: true) { nameWithOwner }
}"""
    return {"query": query, "variables": {"owner": place.owner, "name": place.repository}}


def merge_method(place: Place) -> Sent:
    """The method by which this viewer's merges are made there."""
    query = """query Method($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name, followRenames: false) { viewerDefaultMergeMethod }
}"""
    return {"query": query, "variables": {"owner": place.owner, "name": place.repository}}


def auto_merge(pull_id: str, *, commit: str, method: str) -> Sent:
    """Have it merged once its checks pass, as long as its head is this commit."""
    query = """mutation AutoMerge($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { id } }
}"""
    given = {"pullRequestId": pull_id, "expectedHeadOid": commit, "mergeMethod": method}
    return {"query": query, "variables": {"input": given}}


def close_pull(pull_id: str, *, comment: str) -> Sent:
    query = """mutation Close($comment: AddCommentInput!, $close: ClosePullRequestInput!) {
  close: closePullRequest(input: $close) { pullRequest { state } }
  comment: addComment(input: $comment) { clientMutationId }
}"""
    given = {
        "comment": {"subjectId": pull_id, "body": comment},
        "close": {"pullRequestId": pull_id},
    }
    return {"query": query, "variables": given}


def comment(pull_id: str, *, text: str) -> Sent:
    query = """mutation Comment($comment: AddCommentInput!) {
  comment: addComment(input: $comment) { clientMutationId }
}"""
    return {"query": query, "variables": {"comment": {"subjectId": pull_id, "body": text}}}


def drop_ref(ref: str) -> Sent:
    query = """mutation Drop($input: DeleteRefInput!) {
  deleteRef(input: $input) { clientMutationId }
}"""
    return {"query": query, "variables": {"input": {"refId": ref}}}
