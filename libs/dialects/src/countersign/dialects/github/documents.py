"""The GraphQL documents that we send to GitHub; what varies goes into variables.

Source: https://docs.github.com/en/graphql/reference
"""

from typing import Any, Final

from countersign.dialects.interface import Change, Place, Text, View, Wanted

PULLS_PER_PAGE: Final = 50
_PULL: Final = """number id state title headRefName headRefOid baseRefName
  headRepository { databaseId }
  author { login ... on User { databaseId } ... on Bot { databaseId } }
  mergeCommit { oid }"""
_TIP: Final = """target { oid ... on Commit {
  committedDate tree { oid } parents(first: 3) { nodes { oid } } } }"""
_PULLS: Final = f"""pullRequests(headRefName: $headName, first: {PULLS_PER_PAGE}, after: $after) {{
  pageInfo {{ hasNextPage endCursor }} nodes {{ {_PULL} }} }}"""
_OPEN_PULLS: Final = f"""open: pullRequests(states: [OPEN], baseRefName: $baseName,
    first: {PULLS_PER_PAGE}, after: $openAfter, orderBy: {{field: CREATED_AT, direction: DESC}}) {{
  pageInfo {{ hasNextPage endCursor }} nodes {{ {_PULL} }} }}"""
_BLOB: Final = "... on Blob { oid byteSize isBinary isTruncated text }"

Sent = dict[str, Any]


def look(place: Place, wanted: Wanted) -> Sent:
    """Base head, our branch, pull requests of it and others, folders and files, all at once."""
    variables: dict[str, Any] = {
        "owner": place.owner,
        "name": place.repository,
        "base": f"refs/heads/{place.base_branch}",
        "head": f"refs/heads/{wanted.head_branch}",
        "headName": wanted.head_branch,
        "after": None,
        "baseName": place.base_branch,
        "openAfter": None,
    }
    kinds: dict[str, str] = {}
    fields: list[str] = []
    for n, number in enumerate(wanted.pulls):
        variables[f"p{n}"], kinds[f"p{n}"] = number, "Int!"
        fields.append(f"p{n}: pullRequest(number: $p{n}) {{ {_PULL} }}")
    for n, folder in enumerate(wanted.folders):
        variables[f"d{n}"], kinds[f"d{n}"] = f"refs/heads/{place.base_branch}:{folder}", "String!"
        fields.append(
            f"d{n}: object(expression: $d{n}) {{ oid ... on Tree {{ "
            "entries { name oid type mode } } }"
        )
    for n, file in enumerate(wanted.files):
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
}}"""
    return {"query": query, "variables": variables}


def more_pulls(place: Place, *, head_branch: str, after: str) -> Sent:
    """A further page of the pull requests of our branch."""
    query = f"""query Pulls($owner: String!, $name: String!, $headName: String!, $after: String) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ {_PULLS} }}
}}"""
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
}}"""
    variables = {
        "owner": place.owner,
        "name": place.repository,
        "baseName": place.base_branch,
        "openAfter": after,
    }
    return {"query": query, "variables": variables}


def blobs(place: Place, *, commit: str, paths: tuple[str, ...]) -> Sent:
    """Many files' texts at one commit."""
    variables: dict[str, Any] = {"owner": place.owner, "name": place.repository}
    variables |= {f"b{n}": f"{commit}:{path}" for n, path in enumerate(paths)}
    declared = "".join(f", $b{n}: String!" for n in range(len(paths)))
    fields = " ".join(f"b{n}: object(expression: $b{n}) {{ {_BLOB} }}" for n in range(len(paths)))
    query = f"""query Blobs($owner: String!, $name: String!{declared}) {{
  repository(owner: $owner, name: $name, followRenames: false) {{ {fields} }}
}}"""
    return {"query": query, "variables": variables}


def commit(change: Change, *, place_name: str, additions: list[dict[str, str]]) -> Sent:
    """Close what it supersedes, create the branch, commit onto it.

    Top-level mutations run in this order, and go on after a failed one, so opening the pull
    request is not among them.
    """
    variables: dict[str, Any] = {
        "commit": {
            "branch": {"repositoryNameWithOwner": place_name, "branchName": change.head_branch},
            "message": {"headline": change.headline},
            "expectedHeadOid": change.parent,
            "fileChanges": {"additions": additions},
        }
    }
    kinds = {"commit": "CreateCommitOnBranchInput!"}
    fields: list[str] = []
    for n, handle in enumerate(change.closes):
        variables[f"c{n}"], kinds[f"c{n}"] = {"pullRequestId": handle}, "ClosePullRequestInput!"
        fields.append(f"c{n}: closePullRequest(input: $c{n}) {{ pullRequest {{ state }} }}")
    if change.creates_branch:
        variables["ref"], kinds["ref"] = (
            {
                "repositoryId": change.handle,
                "name": f"refs/heads/{change.head_branch}",
                "oid": change.parent,
            },
            "CreateRefInput!",
        )
        fields.append("ref: createRef(input: $ref) { ref { id name } }")
    fields.append(
        "commit: createCommitOnBranch(input: $commit) { commit { oid parents(first: 3) "
        "{ nodes { oid } } } }"
    )
    declared = ", ".join(f"${name}: {kind}" for name, kind in kinds.items())
    query = f"mutation Commit({declared}) {{\n  " + "\n  ".join(fields) + "\n}"
    return {"query": query, "variables": variables}


def open_pull(view: View, *, base_branch: str, head: str, text: Text) -> Sent:
    query = f"""mutation Open($input: CreatePullRequestInput!) {{
  createPullRequest(input: $input) {{ pullRequest {{ {_PULL} }} }}
}}"""
    given = {
        "repositoryId": view.handle,
        "baseRefName": base_branch,
        "headRefName": head,
        "title": text.title,
        "body": text.body,
    }
    return {"query": query, "variables": {"input": given}}


def close_pull(handle: str, *, comment: str) -> Sent:
    query = """mutation Close($comment: AddCommentInput!, $close: ClosePullRequestInput!) {
  close: closePullRequest(input: $close) { pullRequest { state } }
  comment: addComment(input: $comment) { clientMutationId }
}"""
    given = {
        "comment": {"subjectId": handle, "body": comment},
        "close": {"pullRequestId": handle},
    }
    return {"query": query, "variables": given}


def comment(handle: str, *, text: str) -> Sent:
    query = """mutation Comment($comment: AddCommentInput!) {
  comment: addComment(input: $comment) { clientMutationId }
}"""
    return {"query": query, "variables": {"comment": {"subjectId": handle, "body": text}}}


def drop_ref(ref: str) -> Sent:
    query = """mutation Drop($input: DeleteRefInput!) {
  deleteRef(input: $input) { clientMutationId }
}"""
    return {"query": query, "variables": {"input": {"refId": ref}}}
