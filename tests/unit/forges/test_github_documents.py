"""What we send to GitHub is what GitHub's own descriptions allow."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import vendor_api

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github import documents, graphql, rest, wire
from countersign.dialects.repositories.contents import (
    EntryKind,
    File,
    NewCommit,
    Place,
    Replacement,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullText
from countersign.forges.github.client import GitHub
from countersign.forges.http import ForgeHttp

OID = "a" * 40
PLACE = Place(owner="acme", repository="fleet", base_branch="main")
SCOPE = LookScope(head_branch="cs/x", folders=("", "apps"), files=("apps/a.yaml",), pulls=(7,))
TEXT = PullText(title="t", body="b")
COMMIT = NewCommit(
    branch="cs/x",
    parent=OID,
    headline="Promote",
    files={"a.yaml": Replacement(body=b"x", replaces=OID)},
)


@pytest.mark.parametrize(
    "sent",
    [
        documents.look(PLACE, SCOPE),
        documents.look(PLACE, LookScope(head_branch="cs/x")),
        documents.more_pulls(PLACE, head_branch="cs/x", after="c"),
        documents.blobs(PLACE, commit=OID, paths=("a.yaml", "b c.yaml"), texts=True),
        documents.blobs(PLACE, commit=OID, paths=("a.yaml",), texts=False),
        documents.more_open_pulls(PLACE, after="c"),
        documents.folder(PLACE, commit=OID, path="apps/prod"),
        documents.node_ids(PLACE),
        documents.node_ids(PLACE, number=7),
        documents.commit(COMMIT, place=PLACE, repository_id="R_1"),
        documents.open_pull(PLACE, repository_id="R_1", head="cs/x", text=TEXT, replaces=()),
        documents.open_pull(PLACE, repository_id="R_1", head="cs/x", text=TEXT, replaces=["PR_1"]),
        documents.close_pull("PR_1", comment="c"),
        documents.comment("PR_1", text="c"),
        documents.drop_ref("REF_1"),
    ],
)
def test_document_is_valid_for_githubs_schema(sent: documents.Sent) -> None:
    vendor_api.check_graphql(sent["query"], sent["variables"])


@pytest.mark.parametrize(
    "request_",
    [
        rest.tree_request(PLACE, oid=OID),
        rest.raw_blob_request(PLACE, oid=OID, size_bytes=600_000),
        rest.compare_request(PLACE, base="main", head=OID),
        rest.pull_request(PLACE, number=3, etag='"x"'),
        rest.tree_creation(PLACE, COMMIT, base_tree=OID),
        rest.commit_creation(PLACE, COMMIT, tree=OID),
        rest.branch_creation(PLACE, branch="cs/x", commit=OID),
    ],
)
def test_request_is_described_by_github(request_: Request) -> None:
    body = json.dumps(request_.json).encode() if request_.json else b""
    vendor_api.check_request(request_.method, request_.url, body)


def test_names_cannot_leave_their_place_in_a_path() -> None:
    place = Place(owner="../x", repository="a/b?c", base_branch="main")

    assert rest.rest_path(place) == "/repos/..%2Fx/a%2Fb%3Fc"


def test_text_is_taken_only_if_its_object_id_is_the_forges() -> None:
    node: Any = {
        "oid": blob_id(b"a: 1\n"),
        "byteSize": 5,
        "isTruncated": False,
        "text": "a: 1\n",
    }

    assert wire.blob_of(node) == File(object_id=node["oid"], size_bytes=5, body=b"a: 1\n")
    recoded = wire.blob_of(node | {"text": "a: 2\n"})
    assert recoded is not None
    assert recoded.body is None


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ({"type": "FORBIDDEN", "message": "no"}, Rejected, "forbidden"),
        ({"type": "STALE_DATA", "message": "no"}, Rejected, "conflict"),
        ({"type": "RATE_LIMITED", "message": "no"}, Retryable, "rate_limited"),
        ({"message": "Something went wrong while executing"}, Retryable, "forge_unavailable"),
        ({"message": "Field 'x' doesn't exist"}, Rejected, "refused"),
    ],
)
def test_error_of_graphql_says_what_to_do(
    error: dict[str, str], kind: type[Exception], reason: str
) -> None:
    answer = Answer(status=200, headers={}, body=json.dumps({"errors": [error]}).encode())

    with pytest.raises(kind) as caught:
        graphql.data_of(answer, where="x")

    assert getattr(caught.value, "reason", None) == reason


def test_truncated_tree_is_refused_with_what_to_do() -> None:
    with pytest.raises(Rejected, match="a path"):
        rest.tree_of({"truncated": True, "tree": []}, place=PLACE, below="")


def test_symlink_and_submodule_are_no_files() -> None:
    tree = [
        {"path": "a.yaml", "mode": "120000", "type": "blob", "sha": OID, "size": 3},
        {"path": "b.yaml", "mode": "160000", "type": "commit", "sha": OID},
        {"path": "c.yaml", "mode": "100644", "type": "blob", "sha": OID, "size": 3},
    ]

    entries = rest.tree_of({"truncated": False, "tree": tree}, place=PLACE, below="apps")

    assert [e.path for e in entries if e.is_file] == ["apps/c.yaml"]


EXISTS = {
    "type": "UNPROCESSABLE",
    "path": ["ref"],
    "message": 'A ref named "refs/heads/cs/x" already exists in the repository.',
}
STALE = {"type": "STALE_DATA", "path": ["commit"], "message": "Expected branch to point to"}
FORBIDDEN = {"type": "FORBIDDEN", "path": ["commit"], "message": "Resource not accessible"}
MADE = {"commit": {"oid": OID, "parents": {"nodes": [{"oid": OID}]}}}
REF = {"ref": {"id": "REF_1", "name": "refs/heads/cs/x"}}


@asynccontextmanager
async def answering(*bodies: object) -> AsyncIterator[tuple[GitHub, list[str]]]:
    """A client to which GitHub gives its id of the repository and then these answers."""
    left = [{"data": {"repository": {"id": "R_1"}}}, *bodies]
    sent: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content)["query"])
        return httpx2.Response(200, json=left.pop(0))

    forge = Forge(name="F", kind="github", origin="https://forge.example")
    async with ForgeHttp(forge, transport=httpx2.MockTransport(answer)) as http:
        yield GitHub(http, Secret("made-up")), sent


async def test_bare_branch_that_exists_is_committed_to() -> None:
    """Who commits first has the lock; a try that died half-way left a bare branch at most."""
    answer = {"data": {"ref": None, "commit": MADE}, "errors": [EXISTS]}

    async with answering(answer) as (github, _):
        assert await github.commit(PLACE, COMMIT) == OID


async def test_branch_that_has_a_commit_is_taken() -> None:
    answer = {"data": {"ref": None, "commit": None}, "errors": [EXISTS, STALE]}

    async with answering(answer) as (github, _):
        with pytest.raises(Rejected, match="branch_taken"):
            await github.commit(PLACE, COMMIT)


async def test_branch_of_a_refused_commit_is_dropped() -> None:
    answer = {"data": {"ref": REF, "commit": None}, "errors": [FORBIDDEN]}

    async with answering(answer, {"data": {"deleteRef": {}}}) as (github, sent):
        with pytest.raises(Rejected, match="forbidden"):
            await github.commit(PLACE, COMMIT)

    assert "deleteRef" in sent[-1]


async def test_branch_that_another_one_committed_to_meanwhile_is_not_dropped() -> None:
    answer = {"data": {"ref": REF, "commit": None}, "errors": [STALE]}

    async with answering(answer) as (github, sent):
        with pytest.raises(Rejected, match="conflict"):
            await github.commit(PLACE, COMMIT)

    assert "deleteRef" not in sent[-1]


async def test_folder_that_the_look_did_not_bring_is_found_by_commit_and_path() -> None:
    found = {"data": {"repository": {"folder": {"__typename": "Tree", "oid": OID}}}}
    missing = {"data": {"repository": {"folder": None}}}
    tree = {"truncated": False, "tree": []}
    left = [found, tree, missing]
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=left.pop(0)))
    forge = Forge(name="F", kind="github", origin="https://forge.example")

    async with ForgeHttp(forge, transport=transport) as http:
        github = GitHub(http, Secret("made-up"))
        there = await github.list_tree(PLACE, commit=OID, path="apps")
        gone = await github.list_tree(PLACE, commit=OID, path="other")

    assert (there, gone) == ((), None)


async def test_file_that_github_recodes_is_read_raw() -> None:
    exact = b"\xef\xbb\xbfa: 1\r\n"
    oid = blob_id(exact)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, content=exact, headers={"content-type": "application/x"})
        text = {"oid": oid, "byteSize": 9, "isTruncated": False, "text": "a: 1\r\n"}
        return httpx2.Response(200, json={"data": {"repository": {"b0": text}}})

    forge = Forge(name="F", kind="github", origin="https://forge.example")
    entry = TreeEntry(path="a.yaml", kind=EntryKind.FILE, object_id=oid)
    async with ForgeHttp(forge, transport=httpx2.MockTransport(answer)) as http:
        github = GitHub(http, Secret("made-up"))
        found = await github.read_files(PLACE, commit=OID, files=[entry], bytes_max=100)

    assert found["a.yaml"].body == exact
