"""What we send to GitHub is what GitHub's own descriptions allow."""

import base64
import json
from typing import Any

import httpx2
import pytest
import vendor_api

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.github import documents, graphql, wire
from countersign.dialects.interface import Blob, Change, Entry, Place, Text, View, Wanted
from countersign.forges.github.client import GitHub
from countersign.forges.http import ForgeHttp

OID = "a" * 40
PLACE = Place(owner="acme", repository="fleet", base_branch="main")
WANTED = Wanted(head_branch="cs/x", folders=("", "apps"), files=("apps/a.yaml",), pulls=(7,))
VIEW = View(
    repository_id="1",
    handle="R_1",
    viewer=None,
    may_write=True,
    archived=False,
    base=None,
    head=None,
    pulls=(),
    previous=(),
    folders={},
    files={},
    read_at_s=0,
)
CHANGE = Change(
    handle="R_1",
    head_branch="cs/x",
    parent=OID,
    headline="Promote",
    files={"a.yaml": b"x"},
    closes=("PR_1",),
)


@pytest.mark.parametrize(
    "sent",
    [
        documents.look(PLACE, WANTED),
        documents.look(PLACE, Wanted(head_branch="cs/x")),
        documents.more_pulls(PLACE, head_branch="cs/x", after="c"),
        documents.blobs(PLACE, commit=OID, paths=("a.yaml", "b c.yaml")),
        documents.commit(
            CHANGE,
            place_name=PLACE.name,
            additions=[{"path": "a.yaml", "contents": base64.b64encode(b"x").decode()}],
        ),
        documents.open_pull(VIEW, base_branch="main", head="cs/x", text=Text(title="t", body="b")),
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
        wire.tree_request(PLACE, oid=OID),
        wire.raw_blob_request(PLACE, oid=OID),
        wire.compare_request(PLACE, base="main", head=OID),
        wire.pull_request(PLACE, number=3, etag='"x"'),
    ],
)
def test_request_is_described_by_github(request_: Request) -> None:
    vendor_api.check_request(request_.method, request_.url)


def test_names_cannot_leave_their_place_in_a_path() -> None:
    place = Place(owner="../x", repository="a/b?c", base_branch="main")

    assert wire.rest_path(place) == "/repos/..%2Fx/a%2Fb%3Fc"


def test_text_is_taken_only_if_its_object_id_is_the_forges() -> None:
    node: Any = {
        "oid": wire.blob_id(b"a: 1\n"),
        "byteSize": 5,
        "isTruncated": False,
        "text": "a: 1\n",
    }

    assert wire.blob_of(node) == Blob(oid=node["oid"], size_bytes=5, body=b"a: 1\n")
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
    with pytest.raises(Rejected, match="set a path"):
        wire.tree_of({"truncated": True, "tree": []}, place=PLACE)


def test_symlink_and_submodule_are_no_files() -> None:
    tree = [
        {"path": "a.yaml", "mode": "120000", "type": "blob", "sha": OID, "size": 3},
        {"path": "b.yaml", "mode": "160000", "type": "commit", "sha": OID},
        {"path": "c.yaml", "mode": "100644", "type": "blob", "sha": OID, "size": 3},
    ]

    entries = wire.tree_of({"truncated": False, "tree": tree}, place=PLACE)

    assert [e.path for e in entries if e.is_file] == ["c.yaml"]


async def test_branch_that_exists_is_taken_even_if_the_commit_went_through() -> None:
    body = b"""{"data": {"ref": null, "commit": {"commit": {"oid": "x", "parents": {"nodes": []}}}},
      "errors": [{"type": "UNPROCESSABLE", "path": ["ref"], "message": "already exists"}]}"""
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, content=body, headers={"content-type": "application/json"})
    )
    forge = Forge(name="F", kind="github", origin="https://forge.example")

    async with ForgeHttp(forge, transport=transport) as http:
        with pytest.raises(Rejected, match="branch_taken"):
            await GitHub(http, Secret("made-up")).commit(CHANGE, place=PLACE)


async def test_file_that_github_recodes_is_read_raw() -> None:
    exact = b"\xef\xbb\xbfa: 1\r\n"
    oid = wire.blob_id(exact)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, content=exact, headers={"content-type": "application/x"})
        text = {"oid": oid, "byteSize": 9, "isTruncated": False, "text": "a: 1\r\n"}
        return httpx2.Response(200, json={"data": {"repository": {"b0": text}}})

    forge = Forge(name="F", kind="github", origin="https://forge.example")
    entry = Entry(path="a.yaml", oid=oid, is_folder=False, is_file=True)
    async with ForgeHttp(forge, transport=httpx2.MockTransport(answer)) as http:
        github = GitHub(http, Secret("made-up"))
        found = await github.read_blobs(PLACE, commit=OID, files=[entry], bytes_max=100)

    assert found["a.yaml"].body == exact
