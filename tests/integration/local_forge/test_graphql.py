"""GraphQL, each document allowed by GitHub's own schema."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from checked_forge import FILES, REPO
from doubles.local_forge import RunningForge

from countersign.contracts.secret import Secret

Graph = Callable[..., Awaitable[dict[str, Any]]]

READ = """
query($head: String!) {
  viewer { login }
  rateLimit { remaining limit }
  repository(owner: "acme", name: "config") {
    id databaseId viewerPermission isPrivate
    defaultBranchRef { name target { oid } }
    base: ref(qualifiedName: "refs/heads/main") {
      target { oid ... on Commit { tree { oid } parents(first: 2) { nodes { oid } } } }
    }
    head: ref(qualifiedName: $head) { id target { oid } }
    known: object(expression: "main:apps/prod.yaml") {
      ... on Blob { oid text byteSize isBinary isTruncated }
    }
    binary: object(expression: "main:logo.png") { ... on Blob { text isBinary } }
    folder: object(expression: "main:apps") { ... on Tree { entries { name type oid mode } } }
    absent: object(expression: "main:none") { oid }
    pullRequests(first: 10, headRefName: "change", states: [OPEN, MERGED]) {
      totalCount
      nodes {
        number state merged headRefName headRefOid baseRefName url title
        headRepository { databaseId id } author { login }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
WRITE = """
mutation($ref: CreateRefInput!, $commit: CreateCommitOnBranchInput!) {
  createRef(input: $ref) { ref { id target { oid } } }
  createCommitOnBranch(input: $commit) {
    commit { oid tree { oid } parents(first: 1) { nodes { oid } } author { user { login } } }
    ref { name }
  }
}
"""
OPEN = """
mutation($input: CreatePullRequestInput!) {
  createPullRequest(input: $input) {
    clientMutationId
    pullRequest { id number url headRefOid headRepository { databaseId } author { login } }
  }
}
"""


def _write(forge: RunningForge, *, name: str = "change", expected: str = "") -> dict[str, Any]:
    repository = forge.store.repository("acme", "config")
    assert repository is not None
    contents = base64.b64encode(b"version: 7\n").decode()
    head = forge.head(REPO)
    return {
        "ref": {"repositoryId": f"R_{repository.id}", "name": f"refs/heads/{name}", "oid": head},
        "commit": {
            "branch": {"repositoryNameWithOwner": REPO, "branchName": name},
            "expectedHeadOid": expected or head,
            "message": {"headline": "Promote", "body": "Because."},
            "fileChanges": {"additions": [{"path": "apps/prod.yaml", "contents": contents}]},
        },
    }


def _open(forge: RunningForge, **changed: str) -> dict[str, Any]:
    repository = forge.store.repository("acme", "config")
    assert repository is not None
    made = {
        "repositoryId": f"R_{repository.id}",
        "headRefName": "change",
        "baseRefName": "main",
        "title": "Promote",
        "body": "Because.",
        "clientMutationId": "ours",
    }
    return made | changed


async def test_three_documents_make_a_promotion(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    before = (await graph(writer, READ, head="refs/heads/change"))["data"]
    written = await graph(writer, WRITE, **_write(forge))
    opened = await graph(writer, OPEN, input=_open(forge))
    after = (await graph(writer, READ, head="refs/heads/change"))["data"]

    repository = before["repository"]
    assert before["viewer"]["login"] == "ada"
    assert repository["viewerPermission"] == "WRITE"
    assert repository["base"]["target"]["oid"] == forge.head(REPO)
    assert repository["head"] is None
    assert repository["absent"] is None
    assert repository["known"]["text"] == FILES["apps/prod.yaml"]
    assert repository["binary"] == {"text": None, "isBinary": True}
    assert [one["name"] for one in repository["folder"]["entries"]] == ["crlf.yaml", "prod.yaml"]
    commit = written["data"]["createCommitOnBranch"]["commit"]
    assert commit["parents"]["nodes"][0]["oid"] == forge.head(REPO)
    assert commit["author"]["user"]["login"] == "ada"
    pull = opened["data"]["createPullRequest"]["pullRequest"]
    assert pull["headRefOid"] == commit["oid"]
    assert opened["data"]["createPullRequest"]["clientMutationId"] == "ours"
    node = after["repository"]["pullRequests"]["nodes"][0]
    assert node["headRepository"]["databaseId"] == repository["databaseId"]
    assert (node["number"], node["state"], node["author"]["login"]) == (1, "OPEN", "ada")
    assert forge.read(REPO, "apps/prod.yaml", revision="change") == b"version: 7\n"


async def test_an_exact_text_has_its_bytes(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    document = """{ repository(owner: "acme", name: "config") {
      object(expression: "main:apps/crlf.yaml") { ... on Blob { text } } } }"""

    answer = await graph(writer, document)

    text = answer["data"]["repository"]["object"]["text"]
    assert text.encode() == FILES["apps/crlf.yaml"]


async def test_a_later_mutation_runs_after_an_earlier_failed(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    await graph(writer, WRITE, **_write(forge))
    moved = forge.head(REPO, "change")

    again = await graph(writer, WRITE, **_write(forge, expected=str(moved)))

    assert again["data"]["createRef"] is None
    assert again["data"]["createCommitOnBranch"]["commit"]["parents"]["nodes"][0]["oid"] == moved
    assert again["errors"][0]["type"] == "UNPROCESSABLE"
    assert again["errors"][0]["path"] == ["createRef"]
    assert again["errors"][0]["message"] == (
        'A ref named "refs/heads/change" already exists in the repository.'
    )


async def test_a_commit_on_a_moved_branch_is_stale(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    answer = await graph(writer, WRITE, **_write(forge, expected="1" * 40))

    error = answer["errors"][0]
    assert answer["data"]["createRef"]["ref"]["target"]["oid"] == forge.head(REPO)
    assert answer["data"]["createCommitOnBranch"] is None
    assert error["type"] == "STALE_DATA"
    assert error["message"].startswith(f'Expected branch to point to "{"1" * 40}" but it did not')


async def test_a_protected_branch_takes_no_commit(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    forge.repository(REPO, writers=["ada"], protected=["main"])

    answer = await graph(writer, WRITE, **_write(forge, name="main"))

    assert answer["errors"][1]["path"] == ["createCommitOnBranch"]
    assert answer["errors"][1]["message"] == "Changes must be made through a pull request."


async def test_a_second_pull_request_is_unprocessable(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    await graph(writer, WRITE, **_write(forge))
    await graph(writer, OPEN, input=_open(forge))

    again = await graph(writer, OPEN, input=_open(forge))

    assert again["errors"][0]["message"] == "A pull request already exists for acme:change."
    assert again["errors"][0]["type"] == "UNPROCESSABLE"


@pytest.mark.parametrize(
    ("login", "kind"), [("bob", "FORBIDDEN"), ("eve", "NOT_FOUND")], ids=["reader", "stranger"]
)
async def test_who_may_not_write_gets_an_error_for_each_mutation(
    forge: RunningForge, graph: Graph, login: str, kind: str
) -> None:
    token = forge.token(login, scopes=["repo"])

    answer = await graph(token, WRITE, **_write(forge))

    assert [error["type"] for error in answer["errors"]] == [kind, kind]
    assert forge.head(REPO, "change") is None


async def test_an_app_user_without_rights_is_told_so_as_an_integration(
    forge: RunningForge, graph: Graph
) -> None:
    token = forge.user_token(forge.app(installations=[REPO]), "bob").text

    answer = await graph(token, WRITE, **_write(forge))

    assert answer["errors"][0]["message"] == "Resource not accessible by integration"


async def test_a_workflow_needs_its_own_permission(forge: RunningForge, graph: Graph) -> None:
    token = forge.user_token(forge.app(installations=[REPO]), "ada").text
    given = _write(forge)
    given["commit"]["fileChanges"]["additions"][0]["path"] = ".github/workflows/x.yml"

    answer = await graph(token, WRITE, **given)

    assert "without `workflows` permission" in answer["errors"][0]["message"]


@pytest.mark.parametrize("path", ["../x", "a//b", ".git/config", "a/.GIT/b", "/x"])
async def test_paths_that_git_refuses_are_refused(
    forge: RunningForge, graph: Graph, writer: Secret, path: str
) -> None:
    given = _write(forge)
    given["commit"]["fileChanges"]["additions"][0]["path"] = path

    answer = await graph(writer, WRITE, **given)

    assert answer["errors"][0]["path"] == ["createCommitOnBranch"]


async def test_an_invisible_repository_cannot_be_resolved(
    forge: RunningForge, graph: Graph
) -> None:
    token = forge.token("eve", scopes=["repo"])

    answer = await graph(token, READ, head="x")

    assert answer["data"]["repository"] is None
    assert answer["errors"][0]["type"] == "NOT_FOUND"
    assert answer["errors"][0]["message"] == (
        "Could not resolve to a Repository with the name 'acme/config'."
    )


async def test_pull_requests_come_in_pages(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    document = """query($after: String) { repository(owner: "acme", name: "config") {
      pullRequests(first: 2, after: $after) {
        nodes { number } pageInfo { hasNextPage endCursor } } } }"""
    for number in range(3):
        forge.commit(REPO, {"x": str(number)}, branch=f"b{number}")
        await graph(writer, OPEN, input=_open(forge, headRefName=f"b{number}"))

    first = (await graph(writer, document))["data"]["repository"]["pullRequests"]
    after = first["pageInfo"]["endCursor"]
    second = (await graph(writer, document, after=after))["data"]["repository"]["pullRequests"]

    assert [one["number"] for one in first["nodes"]] == [1, 2]
    assert first["pageInfo"]["hasNextPage"] is True
    assert [one["number"] for one in second["nodes"]] == [3]
    assert second["pageInfo"]["hasNextPage"] is False


async def test_a_connection_without_bounds_is_refused(graph: Graph, writer: Secret) -> None:
    document = """{ repository(owner: "acme", name: "config") {
      pullRequests { totalCount } } }"""

    answer = await graph(writer, document)

    assert answer["errors"][0]["type"] == "MISSING_PAGINATION_BOUNDARIES"


async def test_pull_requests_are_changed_closed_and_branches_deleted(
    forge: RunningForge, graph: Graph, writer: Secret
) -> None:
    created = (await graph(writer, WRITE, **_write(forge)))["data"]["createRef"]["ref"]["id"]
    opened = await graph(writer, OPEN, input=_open(forge))
    pull_id = opened["data"]["createPullRequest"]["pullRequest"]["id"]
    document = """mutation($pull: ID!, $ref: ID!) {
      updatePullRequest(input: {pullRequestId: $pull, title: "New"}) { pullRequest { title } }
      addComment(input: {subjectId: $pull, body: "Superseded"}) { subject { id } }
      closePullRequest(input: {pullRequestId: $pull}) { pullRequest { state merged closed } }
      deleteRef(input: {refId: $ref}) { clientMutationId }
    }"""

    answer = (await graph(writer, document, pull=pull_id, ref=created))["data"]

    assert answer["updatePullRequest"]["pullRequest"]["title"] == "New"
    assert answer["closePullRequest"]["pullRequest"]["state"] == "CLOSED"
    assert forge.head(REPO, "change") is None


async def test_merging_moves_the_base(forge: RunningForge, graph: Graph, writer: Secret) -> None:
    await graph(writer, WRITE, **_write(forge))
    opened = await graph(writer, OPEN, input=_open(forge))
    pull_id = opened["data"]["createPullRequest"]["pullRequest"]["id"]
    document = """mutation($pull: ID!) {
      mergePullRequest(input: {pullRequestId: $pull}) {
        pullRequest { state merged mergeCommit { oid } mergedBy { login } } } }"""

    answer = await graph(writer, document, pull=pull_id)

    merged = answer["data"]["mergePullRequest"]["pullRequest"]
    assert (merged["state"], merged["mergedBy"]["login"]) == ("MERGED", "ada")
    assert merged["mergeCommit"]["oid"] == forge.head(REPO)


async def test_graphql_asks_for_a_token_and_answers_bad_documents_with_200(
    forge: RunningForge, http: httpx2.AsyncClient, writer: Secret
) -> None:
    url, headers = f"{forge.origin}/api/graphql", {"authorization": f"bearer {writer.reveal()}"}

    nobody = await http.post(url, json={"query": "{ viewer { login } }"})
    wrong = await http.post(url, json={"query": "{ viewer { nonsense } }"}, headers=headers)
    broken = await http.post(url, json={"query": "{"}, headers=headers)

    assert nobody.status_code == 401
    assert (wrong.status_code, broken.status_code) == (200, 200)
    assert "errors" in wrong.json()
    assert "data" not in wrong.json()
    assert broken.headers["x-ratelimit-resource"] == "graphql"
