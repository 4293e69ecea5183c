"""The behaviours that only GitLab has, held against its own description."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
from conformance.stages import OTHER, PLACE, READER, WRITER, SmallStage, small_stage
from conformance.test_writing import BRANCH, TEXT, change
from doubles.forge.state import NOW
from doubles.gitlab.api import GitLabApi

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import TokenKind, TokenOwnerStanding, TokenReason, TokenValidity
from countersign.contracts.secret import Secret
from countersign.dialects.gitlab.inspection import INSPECTION
from countersign.dialects.inspection import Inspection, Question
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullState, PullText, Readiness
from countersign.forges.conversations import converse

SCOPE = LookScope(head_branch=BRANCH)
PROJECT = "/projects/acme%2Ffleet"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def stage() -> AsyncIterator[SmallStage]:
    async with small_stage("gitlab") as made:
        yield made


async def inspect(stage: SmallStage, token: str) -> Inspection:
    secret = Secret(token)
    question = Question(credential=secret, kind=INSPECTION.kind_of(secret), now=NOW)
    return await converse(stage.http.send_one, INSPECTION.inspect(question))


async def test_project_in_nested_groups_is_written_to(stage: SmallStage) -> None:
    files = {"a b/%41#1 ü.yaml": "version: 1\n", "-dash.yaml": "version: 1\n"}
    nested = stage.forge.repository("acme/platform/eu/fleet", files, WRITER)
    place = Place(owner="acme/platform/eu", repository="fleet", base_branch="main")
    client = stage.client()

    view = await client.look(place, LookScope(head_branch=BRANCH, folders=("a b",)))
    assert view.base is not None
    listed = await client.list_tree(place, commit=view.base.commit, path="")
    assert listed is not None
    read = await client.read_files(
        place,
        commit=view.base.commit,
        files=[e for e in listed if e.is_file],
        bytes_max=1000,
    )
    stage.forge.push(nested, BRANCH, {"-dash.yaml": "version: 2\n"}, by=WRITER, onto="main")
    await client.open_pull(place, head=BRANCH, text=PullText(title="x", body="y"))

    assert view.repository_id == str(nested.id)
    assert {path: file.body for path, file in read.items()} == {
        path: body.encode() for path, body in files.items()
    }
    assert {e.path for e in view.folders["a b"].entries} == {"a b/%41#1 ü.yaml"}
    assert nested.pulls[1].head == BRANCH


async def test_merge_request_from_a_fork_is_not_ours(stage: SmallStage) -> None:
    fork = stage.forge.repository("eve/fleet", {"README.md": "x"}, "eve")
    stage.forge.push(fork, BRANCH, {"README.md": "y"}, by="eve", onto="main")
    stage.forge.open(stage.repository, head=BRANCH, by="eve", source=fork)

    view = await stage.client().look(PLACE, SCOPE)

    assert [p.head_repository_id for p in view.pulls] == [str(fork.id)]
    assert view.own_pulls == ()


async def test_role_that_a_further_group_brings_is_asked_for(stage: SmallStage) -> None:
    """The project tells of its own members and of those of its own group alone."""
    told = {"project_access": {"access_level": 10}, "group_access": None}
    body = {"id": stage.repository.id, "archived": False, "permissions": told}
    stage.transport.answer_once("GET", PROJECT, httpx2.Response(200, json=body))

    view = await stage.client().look(PLACE, SCOPE)

    assert view.may_write is True
    assert any("/members/all/" in path for _, path in stage.transport.sent)


async def test_who_administers_the_forge_has_no_role_and_is_not_refused(stage: SmallStage) -> None:
    nobody = {"project_access": None, "group_access": None}
    body = {"id": stage.repository.id, "archived": False, "permissions": nobody}
    stage.transport.answer_once("GET", PROJECT, httpx2.Response(200, json=body))
    stage.repository.readers.discard(READER)
    stage.repository.writers.discard(WRITER)
    stage.repository.readers.add(WRITER)
    missing = httpx2.Response(404, json={"message": "404 Not found"})
    stage.transport.answer_once("GET", "/members/all/", missing)

    assert (await stage.client().look(PLACE, SCOPE)).may_write is None


REFUSED = {
    "push rule": (400, "Branch name does not follow the pattern '^x'", ForgeRefusal.REFUSED),
    "hook": (400, "pre-receive hook declined", ForgeRefusal.REFUSED),
    "removed": (400, "A file with this name doesn't exist", ForgeRefusal.CONFLICT),
    "protected": (403, "You are not allowed to push into this branch", ForgeRefusal.FORBIDDEN),
    "archived": (403, "403 Forbidden - the project is archived", ForgeRefusal.FORBIDDEN),
    "role": (403, "403 Forbidden", ForgeRefusal.FORBIDDEN),
    "hidden": (404, "404 Project Not Found", ForgeRefusal.NOT_FOUND),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_commit_that_is_refused_has_its_reason(stage: SmallStage, case: str) -> None:
    status, message, reason = REFUSED[case]
    answer = httpx2.Response(status, json={"message": message})
    stage.transport.answer_once("POST", "/repository/commits", answer)

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == reason


async def test_push_rule_is_told_in_the_forges_own_words(stage: SmallStage) -> None:
    assert isinstance(stage.api, GitLabApi)
    stage.api.push_rule = "Commit message does not follow the pattern '^[A-Z]+-1'"

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.REFUSED
    assert stage.api.push_rule in caught.value.message


ANSWERED = {
    "expired": (401, {"error": "invalid_token", "error_description": "Token is expired."},
                ForgeRefusal.UNAUTHORIZED),
    "revoked": (401, {"error": "invalid_token", "error_description": "Token was revoked."},
                ForgeRefusal.UNAUTHORIZED),
    "scope": (403, {"error": "insufficient_scope", "error_description": "x", "scope": "api"},
              ForgeRefusal.FORBIDDEN),
    "address": (403, {"message": "403 Forbidden - your IP is not allowed"},
                ForgeRefusal.FORBIDDEN),
    "SAML": (403, {"message": "Find out how to sign in with SAML single sign-on"},
             ForgeRefusal.SIGN_ON_WANTED),
    "hidden": (404, {"message": "404 Project Not Found"}, ForgeRefusal.NOT_FOUND),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERED)
async def test_refused_look_has_its_reason(stage: SmallStage, case: str) -> None:
    status, body, reason = ANSWERED[case]
    stage.transport.answer_once("GET", PROJECT, httpx2.Response(status, json=body))

    with pytest.raises(Rejected) as caught:
        await stage.client().look(PLACE, SCOPE)

    assert caught.value.reason == reason


async def test_file_larger_than_any_answer_is_left_out_with_its_size(stage: SmallStage) -> None:
    """GitLab tells no sizes in a listing, so it is asked for all the same."""
    body = b"a: 1 # much of it\r\n" * 280_000
    stage.push("main", {"large.yaml": body, "small.yaml": "a: 1\n"})
    client, commit = stage.client(), stage.head("main")
    listed = await client.list_tree(PLACE, commit=commit, path="")
    files = [e for e in listed or () if e.path in {"large.yaml", "small.yaml"}]

    read = await client.read_files(PLACE, commit=commit, files=files, bytes_max=256 * 1024)

    assert (read["large.yaml"].body, read["large.yaml"].size_bytes) == (None, len(body))
    assert read["small.yaml"].body == b"a: 1\n"


async def test_file_of_five_megabytes_is_written_to_the_byte(stage: SmallStage) -> None:
    body = "\ufeffname: k\u00f6ln \u2603\r\n".encode() * 240_000

    made = await stage.client().commit(PLACE, change(stage, body=body))

    assert stage.files(made)["apps/prod/release.yaml"][1] == body


async def test_limit_is_waited_for_as_long_as_the_forge_says(stage: SmallStage) -> None:
    headers = {**JSON, "RateLimit-Remaining": "0", "Retry-After": "31"}
    answer = httpx2.Response(429, json={"message": "Too many requests"}, headers=headers)
    stage.transport.answer_once("GET", PROJECT, answer)

    with pytest.raises(Retryable) as caught:
        await stage.client().look(PLACE, SCOPE)

    assert (caught.value.reason, caught.value.after_s) == (ForgeRefusal.RATE_LIMITED, 31)


@pytest.mark.parametrize(
    ("changes", "commit"),
    [
        ({"merge_commit_sha": "a" * 40}, "a" * 40),
        ({"merge_commit_sha": None, "squash_commit_sha": "b" * 40}, "b" * 40),
        ({"merge_commit_sha": None, "squash_commit_sha": None, "sha": "c" * 40}, "c" * 40),
    ],
    ids=["merge", "squash", "fast-forward"],
)
async def test_merge_commit_is_told_whatever_the_method(
    stage: SmallStage, changes: dict[str, str | None], commit: str
) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.merge(number)
    path = f"{PROJECT}/merge_requests/{number}"
    asked = await stage.http._client.get(
        f"https://forge.test/api/v4{path}",
        headers={"Authorization": f"Bearer {stage.tokens[WRITER]}"},
    )
    stage.transport.answer_once("GET", path, httpx2.Response(200, json=asked.json() | changes))

    status = await stage.client().follow(PLACE, number, since="")

    assert status is not None
    assert (status.state, status.merge_commit) == (PullState.MERGED, commit)
    assert status.ended_by is not None
    assert status.ended_by.login == OTHER


async def test_request_that_is_opened_again_is_open(stage: SmallStage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.close(number)
    client = stage.client()
    closed = await client.follow(PLACE, number, since="")
    assert closed is not None
    assert closed.ended_by is not None
    pull = stage.repository.pulls[number]
    pull.state, pull.ended_by, pull.ended_at = "open", "", None
    pull.updates += 1

    again = await client.follow(PLACE, number, since=closed.version)

    assert again is not None
    assert (again.state, again.readiness) == (PullState.OPEN, Readiness.READY)


async def test_merged_request_cannot_be_closed(stage: SmallStage) -> None:
    client = stage.client()
    await client.commit(PLACE, change(stage))
    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT)
    stage.merge(pull.number)

    with pytest.raises(Rejected) as caught:
        await client.close_pull(PLACE, pull.number, comment="Superseded.")

    assert caught.value.reason == ForgeRefusal.CONFLICT
    assert not stage.repository.comments


TOLD: dict[str, object] = {
    "expires_at": "2027-06-01T00:00:00.000Z",
    "created_at": "2026-06-01T08:00:00.000Z",
    "last_used_at": "2026-11-30T07:50:00.000Z",
}
OWNERS = {
    "project": ("project_1_bot_0a1b2c", TokenKind.REPOSITORY, False),
    "project, older": ("project_1_bot", TokenKind.REPOSITORY, False),
    "group": ("group_77_bot_0a1b2c", TokenKind.GROUP, False),
    "person": ("ada", TokenKind.PERSONAL, True),
}


@pytest.mark.parametrize("case", OWNERS)
async def test_stored_token_tells_everything_of_itself(stage: SmallStage, case: str) -> None:
    login, kind, is_person = OWNERS[case]
    token = stage.forge.token(login, "api")
    stage.forge.personal[token] = TOLD
    stage.repository.writers.add(login)

    found = await inspect(stage, token)

    assert (found.validity, found.kind, found.is_person) == (TokenValidity.VALID, kind, is_person)
    assert found.owner is not None
    assert found.owner.login == login
    assert (found.scopes, found.standing) == (("api",), TokenOwnerStanding.ACTIVE)
    assert found.repositories == (("acme/fleet",) if kind is TokenKind.REPOSITORY else None)
    assert found.expiry_known
    moments = (found.expires_at, found.created_at, found.last_used_at)
    assert [m.date().isoformat() for m in moments if m] == [
        "2027-06-01",
        "2026-06-01",
        "2026-11-30",
    ]


async def test_token_without_an_end_is_told_from_one_whose_end_is_not_told(
    stage: SmallStage,
) -> None:
    endless = stage.forge.token("ada", "api")
    stage.forge.personal[endless] = {"expires_at": None}
    silent = stage.forge.token("ada", "api")
    stage.forge.personal[silent] = {}

    found = [await inspect(stage, token) for token in (endless, silent)]

    assert [(f.expires_at, f.expiry_known) for f in found] == [(None, True), (None, False)]


async def test_end_of_a_token_may_be_told_as_a_day(stage: SmallStage) -> None:
    """As the vendor's pages show it, while its description says otherwise."""
    body = {"active": True, "scopes": ["api"], "expires_at": "2027-06-01"}
    stage.transport.answer_once("GET", "/self", httpx2.Response(200, json=body))

    found = await inspect(stage, stage.tokens[WRITER])

    assert found.expires_at == datetime(2027, 6, 1, tzinfo=UTC)


async def test_token_that_may_not_say_whose_it_is_is_valid_all_the_same(stage: SmallStage) -> None:
    token = stage.forge.token("ada", "write_repository")
    stage.forge.personal[token] = TOLD

    found = await inspect(stage, token)

    assert (found.validity, found.owner, found.is_person) == (TokenValidity.VALID, None, None)
    assert found.scopes == ("write_repository",)


@pytest.mark.parametrize("token", ["glpat-nobody-knows-it", "gldt-nobody-knows-it", "a" * 64])
async def test_token_that_nobody_knows_is_refused(stage: SmallStage, token: str) -> None:
    found = await inspect(stage, token)

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)
