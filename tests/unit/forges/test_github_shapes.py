"""Whatever a forge answers is understood, or refused with the call that it answered."""

import asyncio
import copy
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenKind
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer
from countersign.dialects.github import inspection, oauth_answers
from countersign.dialects.github.limits import LIMITS
from countersign.dialects.limits import LIMIT_WAIT_S_MAX
from countersign.dialects.repositories.contents import (
    EntryKind,
    NewCommit,
    Place,
    TreeEntry,
    blob_id,
)
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullText
from countersign.forges.github.client import GitHub
from countersign.forges.http import ForgeHttp

Json = Any
OID = "a" * 40
PLACE = Place(owner="acme", repository="fleet", base_branch="main")
FORGE = Forge(name="F", kind="github", origin="https://forge.example")
SCOPE = LookScope(head_branch="cs/x", folders=("apps",), files=("apps/a.yaml",), pulls=(7,))
COMMIT = NewCommit(branch="cs/x", parent=OID, headline="Promote", files={})
ENTRY = TreeEntry(path="a.yaml", kind=EntryKind.FILE, object_id=blob_id(b"x"))
USER = {"login": "ada", "databaseId": 5}
PULL: Json = {
    "id": "PR_7", "number": 7, "state": "OPEN", "title": "t",
    "headRefName": "cs/x", "headRefOid": OID, "baseRefName": "main",
    "headRepository": {"databaseId": 1}, "author": USER, "mergeCommit": {"oid": OID},
    "mergedBy": USER, "mergedAt": "2026-01-02T03:04:05Z", "closedAt": None,
}  # fmt: skip
TIP: Json = {
    "target": {
        "oid": OID,
        "committedDate": "2026-01-02T03:04:05Z",
        "tree": {"oid": OID},
        "parents": {"nodes": [{"oid": OID}]},
    }
}
BLOB: Json = {
    "oid": ENTRY.object_id,
    "byteSize": 1,
    "isBinary": False,
    "isTruncated": False,
    "text": "x",
}
LOOK: Json = {
    "data": {
        "viewer": USER,
        "repository": {
            "id": "R_1", "databaseId": 1, "isArchived": False, "viewerPermission": "WRITE",
            "base": TIP, "head": TIP,
            "pullRequests": {
                "pageInfo": {"hasNextPage": False, "endCursor": "c"}, "nodes": [PULL]
            },
            "open": {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": [PULL]},
            "p0": PULL,
            "d0": {"oid": OID, "entries": [
                {"name": "a.yaml", "oid": OID, "type": "blob", "mode": 33188}
            ]},
            "f0": BLOB,
        },
    },
    "errors": [{"type": "NOT_FOUND", "path": ["repository", "p0"], "message": "gone"}],
}  # fmt: skip
COMMITTED: Json = {
    "data": {
        "ref": {"ref": {"id": "REF_1", "name": "refs/heads/cs/x"}},
        "commit": {"commit": {"oid": OID, "parents": {"nodes": [{"oid": OID}]}}},
    },
    "errors": [{"type": "X", "path": ["elsewhere"], "message": "m"}],
}
TREE: Json = {
    "truncated": False,
    "tree": [{"path": "a.yaml", "sha": OID, "type": "blob", "mode": "100644", "size": 1}],
}
COMPARISON: Json = {
    "merge_base_commit": {"sha": OID},
    "ahead_by": 1,
    "files": [{"filename": "a.yaml", "sha": OID, "status": "modified"}],
    "commits": [{"author": {"id": 5, "login": "ada"}}],
}
STATUS: Json = {
    "state": "closed", "merged": True, "merge_commit_sha": OID, "mergeable_state": "unknown",
    "merged_by": {"id": 5, "login": "ada"}, "merged_at": "2026-01-02T03:04:05Z",
}  # fmt: skip
IDS = json.dumps({"data": {"repository": {"id": "R_1", "pullRequest": {"id": "PR_7"}}}}).encode()
Ask = Callable[[GitHub], Awaitable[Any]]
# What is asked, a sound answer, and the name of the call.
CALLS: Mapping[str, tuple[Ask, Json]] = {
    "look at the repository": (lambda g: g.look(PLACE, SCOPE), LOOK),
    "list the tree": (lambda g: g.list_tree(PLACE, commit=OID, path=""), TREE),
    "find the folder": (
        lambda g: g.list_tree(PLACE, commit=OID, path="apps"),
        {"data": {"repository": {"folder": None}}},
    ),
    "read files": (
        lambda g: g.read_files(PLACE, commit=OID, files=[ENTRY], bytes_max=9),
        {"data": {"repository": {"b0": BLOB}}},
    ),
    "commit": (lambda g: g.commit(PLACE, COMMIT), COMMITTED),
    "open the pull request": (
        lambda g: g.open_pull(PLACE, head="cs/x", text=PullText(title="t", body="b")),
        {"data": {"createPullRequest": {"pullRequest": PULL}}},
    ),
    "compare commits": (lambda g: g.compare(PLACE, commit=OID), COMPARISON),
    "close the pull request": (
        lambda g: g.close_pull(PLACE, 7, comment="c"),
        {"data": {"close": {}}, "errors": [{"path": ["comment"], "message": "m"}]},
    ),
    "comment": (
        lambda g: g.comment(PLACE, 7, comment="c"),
        {"data": {"comment": {}}},
    ),
    "follow the pull request": (lambda g: g.follow(PLACE, 7, since=""), STATUS),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["\ud800", 2**31, 2**63, -1, 10**400, "0001-01-01T00:00:00", "\n", OID]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["oid", "nodes", "id", "path", "message", "x"]), inner,
                      max_size=3),
    max_leaves=4,
)  # fmt: skip


def places(node: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    below = [p for k, v in inner if isinstance(v, dict | list) for p in places(v, (*path, k))]
    keys = node if isinstance(node, dict) else range(len(node))
    return [*((*path, k) for k in keys), *below]


@st.composite
def damaged(draw: st.DrawFn, sound: Json) -> Json:
    """A sound answer of which one part is something else, or missing, or to which one came."""
    answer = copy.deepcopy(sound)
    at = draw(st.sampled_from([(), *places(sound)]))
    if not at:
        return draw(ANYTHING)
    *way, last = at
    for key in way:
        answer = answer[key]
    holder, whole = answer, answer
    if draw(st.booleans()) or isinstance(holder, list):
        holder[last] = draw(ANYTHING)
    else:
        del holder[last]
    return _rebuilt(sound, tuple(way), whole)


def _rebuilt(node: Json, way: tuple[Any, ...], part: Json) -> Json:
    if not way:
        return part
    whole = copy.copy(node)
    whole[way[0]] = _rebuilt(node[way[0]], way[1:], part)
    return whole


async def ask(call: Ask, body: bytes) -> Any:
    headers = {"content-type": "application/json"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asks_ids = b"query Ids(" in request.content
        return httpx2.Response(200, content=IDS if asks_ids else body, headers=headers)

    transport = httpx2.MockTransport(answer)
    # The system's certificates take longer to read than all the rest.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with ForgeHttp(FORGE, transport=transport, tls=tls) as http:
        return await call(GitHub(http, Secret("made-up")))


@pytest.mark.parametrize("name", CALLS)
async def test_sound_answer_is_understood(name: str) -> None:
    call, sound = CALLS[name]

    await ask(call, json.dumps(sound).encode())


@pytest.mark.parametrize("name", CALLS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_answer_is_refused_with_the_call_or_understood(
    name: str, data: st.DataObject
) -> None:
    call, sound = CALLS[name]
    body = json.dumps(data.draw(damaged(sound))).encode()

    refusal = refusal_of(lambda: asyncio.run(ask(call, body)))

    assert refusal is None or refusal.reason != "bad_answer" or name in refusal.message


def refusal_of(read: Callable[[], object]) -> Rejected | None:
    try:
        read()
    except Rejected as error:
        return error
    except Retryable:
        return None
    return None


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"number": 0}, "number"), ({"number": 2**31}, "number"), ({"number": True}, "number"),
        ({"number": "7"}, "number"), ({"number": 7.0}, "number"), ({"id": ""}, "id"),
        ({"id": 3}, "id"), ({"state": "LOST"}, "state"), ({"headRefOid": "main"}, "headRefOid"),
        ({"headRepository": {"databaseId": -1}}, "databaseId"),
        ({"mergeCommit": {"oid": "../x"}}, "oid"), ({"author": []}, "author"),
        ({"headRefName": None}, "headRefName"),
    ],
    ids=str,
)  # fmt: skip
async def test_unsound_pull_request_is_refused_by_its_part(
    change: dict[str, Json], part: str
) -> None:
    call, _ = CALLS["open the pull request"]
    body = {"data": {"createPullRequest": {"pullRequest": {**PULL, **change}}}}

    with pytest.raises(Rejected, match=f"bad_answer: .*'{part}'"):
        await ask(call, json.dumps(body).encode())


@pytest.mark.parametrize(
    "change", [{"author": None}, {"headRepository": None}, {"mergeCommit": None}], ids=str
)
async def test_pull_request_may_lack_what_was_deleted(change: dict[str, Json]) -> None:
    call, _ = CALLS["open the pull request"]
    body = {"data": {"createPullRequest": {"pullRequest": {**PULL, **change}}}}

    found = await ask(call, json.dumps(body).encode())

    assert found.number == 7


def answered(body: Json, **headers: str) -> Answer:
    headers = {"content-type": "application/json", **headers}
    return Answer(status=200, headers=headers, body=json.dumps(body).encode())


OAUTH: Mapping[str, tuple[Callable[[Answer], Any], Json]] = {
    "delegated": (
        lambda a: oauth_answers.delegated(a, where="F"),
        {"access_token": "ghu_made-up-token", "expires_in": 28800, "error": "x"},
    ),
    "user": (lambda a: oauth_answers.user(a, where="F"), {"id": 5, "login": "ada"}),
    "child": (
        lambda a: oauth_answers.child(a, token=Secret("ghu_other"), name="a/b", where="F"),
        {
            "token": "ghu_made-up-token", "expires_at": "2026-01-01T00:00:00Z",
            "installation": {"permissions": {"contents": "write"},
                             "repository_selection": "selected"},
        },
    ),
    "installations": (
        lambda a: oauth_answers.installations(a, at_most=10, where="F"),
        {"total_count": 1, "installations": [{"id": 3}]},
    ),
    "repositories": (
        lambda a: oauth_answers.refuse_other_repositories([a], name="acme/fleet", where="F"),
        {
            "total_count": 1,
            "repositories": [{"full_name": "acme/fleet", "permissions": {"push": True}}],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OAUTH)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_answer_about_a_delegation_is_refused_or_understood(
    name: str, data: st.DataObject
) -> None:
    read, sound = OAUTH[name]
    answer = answered(data.draw(damaged(sound)))

    refusal = refusal_of(lambda: read(answer))

    # People are told by other words than those of the transport.
    assert refusal is None or isinstance(refusal.reason, DelegationRefusal)


@pytest.mark.parametrize("number", [True, 0, -1, 2**63, "3", None])
def test_installation_without_a_sound_id_is_refused(number: Json) -> None:
    answer = answered({"total_count": 1, "installations": [{"id": number}]})

    with pytest.raises(Rejected, match="listed"):
        oauth_answers.installations(answer, at_most=10, where="F")


@pytest.mark.parametrize("change", [{"id": True}, {"id": 0}, {"login": "a\nb"}, {"login": "é"}])
def test_user_without_a_sound_name_is_refused(change: dict[str, Json]) -> None:
    with pytest.raises(Rejected, match="no user"):
        oauth_answers.user(answered({"id": 5, "login": "ada", **change}), where="F")


def test_answer_about_a_delegation_that_is_no_json_is_called_by_a_word_for_people() -> None:
    answer = Answer(status=200, headers={}, body=b"{")

    with pytest.raises(Rejected) as caught:
        oauth_answers.user(answer, where="F")

    assert caught.value.reason == "forge_unavailable"


@given(
    body=damaged({"id": 5, "login": "ada", "type": "User"}),
    expiry=st.text(max_size=30) | st.just("0001-01-01 00:00:00 +2359"),
)
@settings(max_examples=60, deadline=None)
def test_damaged_answer_about_a_token_is_understood(body: Json, expiry: str) -> None:
    answer = answered(body, **{"github-authentication-token-expiration": expiry})

    inspection.read(answer, kind=TokenKind.CLASSIC, now=datetime(2026, 1, 2, tzinfo=UTC))


def test_limit_whose_end_is_a_number_without_end_is_waited_for() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 5000}

    assert LIMITS.wait_s(headers, 0) == LIMIT_WAIT_S_MAX
