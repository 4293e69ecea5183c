"""The behaviours that only Bitbucket Data Center has, held against its own description."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from conformance.stages import OTHER, PLACE, SCRIPT, WRITER, SmallStage, small_stage
from conformance.test_writing import BRANCH, RELEASE, TEXT, change, made_or_refused
from doubles.bitbucket_server.answers import error
from doubles.bitbucket_server.api import RULE, BitbucketServerApi
from doubles.forge.state import NOW
from unit.auditor.test_findings import CALM

from countersign.auditor.checks.findings import judge
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects.bitbucket_server.inspection import INSPECTION, SCOPES
from countersign.dialects.inspection import Inspection, Question
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import NewCommit, Place
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullState, PullText, Readiness
from countersign.forges.conversations import converse

SCOPE = LookScope(head_branch=BRANCH)
SAID = "Not so."
PROJECT = "/api/latest/projects/acme/repos/fleet"


@pytest.fixture
async def stage() -> AsyncIterator[SmallStage]:
    async with small_stage("bitbucket-server") as made:
        yield made


def api_of(stage: SmallStage) -> BitbucketServerApi:
    assert isinstance(stage.api, BitbucketServerApi)
    return stage.api


def several(stage: SmallStage) -> NewCommit:
    one, other = change(stage), change(stage, "README.md", b"# changed\n")
    return replace(one, files={**one.files, **other.files})


def told(status: int, name: str, message: str = "No.") -> httpx2.Response:
    return httpx2.Response(status, json=error(name, message))


async def test_repository_of_a_person_is_written_to(stage: SmallStage) -> None:
    own = stage.forge.repository("~ada/fleet", {RELEASE: "version: 6.8.0 # here\n"}, WRITER)
    place = Place(owner="~ada", repository="fleet", base_branch="main")
    client = stage.client()
    new = replace(change(stage), parent=own.git.branches["main"])

    made = await client.commit(place, new)
    pull = await client.open_pull(place, head=BRANCH, text=PullText(title="x", body="y"))

    assert (pull.head_commit, own.pulls[1].head) == (made, BRANCH)


async def test_several_files_leave_no_draft(stage: SmallStage) -> None:
    before = stage.head("main")

    made = await stage.client().commit(PLACE, several(stage))

    assert set(stage.repository.git.branches) == {"main", BRANCH}
    commits = stage.repository.git.beyond(before, made)
    changed = [set(_difference(stage, c.parents[0], c.oid)) for c in commits]
    assert sorted(map(sorted, changed)) == [["README.md"], [RELEASE]]


def _difference(stage: SmallStage, before: str, after: str) -> list[str]:
    old, new = stage.files(before), stage.files(after)
    return [path for path in new if old.get(path) != new[path]]


@pytest.mark.parametrize("committed", [0, 1])
async def test_branch_has_all_files_or_is_not_there(stage: SmallStage, committed: int) -> None:
    """A try that dies after any file leaves a draft, which the next one begins anew.

    The base may have moved until then.
    """
    new = several(stage)
    paths = sorted(new.files)
    failing = f"{PROJECT}/browse/{paths[committed]}"
    stage.transport.answer_once("PUT", failing, httpx2.Response(502, json={"errors": []}))

    with pytest.raises(Retryable):
        await stage.client().commit(PLACE, new)
    assert not stage.head(BRANCH)
    assert len(stage.repository.git.branches) == 2
    stage.push("main", {"apps/prod/crlf.yaml": "a: 2\r\n"})
    new = several(stage)

    made = await stage.client().commit(PLACE, new)

    assert stage.head(BRANCH) == made
    assert {p: stage.files(made)[p][1] for p in paths} == {p: f.body for p, f in new.files.items()}
    assert set(stage.repository.git.branches) == {"main", BRANCH}


async def test_of_two_changes_of_several_files_at_once_none_is_half(stage: SmallStage) -> None:
    """They share a draft, and each sees what the other wrote there."""
    ones, others = several(stage), several(stage)
    others = replace(
        others, files={p: replace(f, body=b"b" + f.body) for p, f in others.files.items()}
    )

    outcomes = await asyncio.gather(*(made_or_refused(stage, new) for new in (ones, others)))

    made = [outcome for outcome in outcomes if len(outcome) == 40]
    assert made == [stage.head(BRANCH)] * len(made)
    assert {o for o in outcomes if o not in made} <= {ForgeRefusal.BRANCH_TAKEN}
    if not made:
        made = [await stage.client().commit(PLACE, ones)]
    found = {path: stage.files(made[0])[path][1] for path in ones.files}
    assert found in [{p: f.body for p, f in new.files.items()} for new in (ones, others)]
    assert set(stage.repository.git.branches) == {"main", BRANCH}


@pytest.mark.parametrize("many", [False, True])
async def test_branch_without_a_commit_of_its_own_is_in_nobodys_way(
    stage: SmallStage, *, many: bool
) -> None:
    stage.point(BRANCH, stage.head("main"))

    made = await stage.client().commit(PLACE, several(stage) if many else change(stage))

    assert stage.head(BRANCH) == made


async def test_commits_that_do_more_than_one_file_each_are_not_one_change(
    stage: SmallStage,
) -> None:
    """Two files changed back and forth, in as many commits as files."""
    stage.push(BRANCH, {RELEASE: "evil: true\n", "README.md": "# changed\n"})
    commit = stage.push(BRANCH, {RELEASE: "version: 6.9.0 # here\n"})

    compared = await stage.client().compare(PLACE, commit=commit)

    assert (compared.commits_ahead, compared.modified) == (2, ("README.md", RELEASE))
    assert not compared.is_one_change


async def test_file_that_would_lose_its_mode_is_refused_and_leaves_nothing(
    stage: SmallStage,
) -> None:
    api_of(stage).drops_modes = True

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage, SCRIPT, b"version: 6.9.0\n"))

    assert caught.value.reason == ForgeRefusal.REFUSED
    assert SCRIPT in caught.value.message
    assert not stage.head(BRANCH)


async def test_token_of_a_repository_is_told_that_it_cannot_commit(stage: SmallStage) -> None:
    token = stage.forge.token(WRITER, "REPO_WRITE")
    api_of(stage).of_nobody.add(token)

    with pytest.raises(Rejected) as caught:
        await stage.client(token=token).commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.FORBIDDEN
    assert not stage.head(BRANCH)


async def test_token_of_nobody_has_no_viewer(stage: SmallStage) -> None:
    token = stage.forge.token(WRITER, "REPO_WRITE")
    api_of(stage).of_nobody.add(token)

    view = await stage.client(token=token).look(PLACE, SCOPE)

    assert (view.viewer, view.may_write) == (None, None)


async def test_name_that_is_an_address_is_the_same_account(stage: SmallStage) -> None:
    """Names are escaped in the header, and one may be part of another."""
    token = stage.forge.token("ada@example.com", "REPO_WRITE")
    stage.repository.readers.add("ada@example.com")
    stage.forge.person("nada@example.com")

    view = await stage.client(token=token).look(PLACE, SCOPE)

    assert view.viewer == ForgeUser(
        id=str(stage.forge.person("ada@example.com")), login="ada-example.com"
    )
    assert view.may_write is False


REFUSED = {
    "hook": (409, "hook.HookRejectedException", ForgeRefusal.CONFLICT),
    "invalid": (400, "ArgumentValidationException", ForgeRefusal.REFUSED),
    "may not": (401, "AuthorisationException", ForgeRefusal.FORBIDDEN),
    "hidden": (404, "repository.NoSuchRepositoryException", ForgeRefusal.NOT_FOUND),
    "no branch may be made": (403, "hook.HookRejectedException", ForgeRefusal.FORBIDDEN),
    "signed out": (401, "auth.AuthenticationException", ForgeRefusal.UNAUTHORIZED),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_branch_that_is_refused_has_its_reason(stage: SmallStage, case: str) -> None:
    status, name, reason = REFUSED[case]
    stage.transport.answer_once("POST", f"{PROJECT}/branches", told(status, name, SAID))

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == reason
    assert SAID in caught.value.message
    assert not stage.head(BRANCH)


async def test_rule_that_protects_branches_is_told_in_its_words(stage: SmallStage) -> None:
    stage.repository.protected.add("countersign/")

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.FORBIDDEN
    assert RULE in caught.value.message


async def test_file_that_is_refused_leaves_no_branch(stage: SmallStage) -> None:
    stage.transport.answer_once("PUT", "/browse/", told(400, "hook.HookRejectedException", SAID))

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.REFUSED
    assert SAID in caught.value.message
    assert not stage.head(BRANCH)


async def test_pull_request_that_cannot_be_opened_is_not_said_to_exist(stage: SmallStage) -> None:
    await stage.client().commit(PLACE, change(stage))
    stage.transport.answer_once(
        "POST", "/pull-requests", told(409, "repository.RepositoryArchivedException")
    )

    with pytest.raises(Rejected) as caught:
        await stage.client().open_pull(PLACE, head=BRANCH, text=TEXT)

    assert caught.value.reason == ForgeRefusal.REFUSED


async def test_pull_request_to_another_repository_is_not_ours(stage: SmallStage) -> None:
    """From our branch to the repository that ours was forked from."""
    upstream = stage.forge.repository("up/fleet", {"README.md": "x"}, OTHER)
    stage.push(BRANCH, {"README.md": "new\n"})
    stage.forge.open(upstream, head=BRANCH, by=WRITER, source=stage.repository)

    view = await stage.client().look(PLACE, SCOPE)

    assert view.pulls == ()


READINESS = {
    "conflict": ({"canMerge": False, "conflicted": True, "vetoes": []}, Readiness.CONFLICTING),
    "check": ({"canMerge": False, "conflicted": False, "vetoes": [{}]}, Readiness.BLOCKED),
    "silent": ({"canMerge": False, "conflicted": False, "vetoes": []}, Readiness.UNKNOWN),
}


@pytest.mark.parametrize("case", READINESS)
async def test_what_stands_in_the_way_of_a_merge_is_told(stage: SmallStage, case: str) -> None:
    body, readiness = READINESS[case]
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    client = stage.client()
    before = await client.follow(PLACE, number, since="")
    assert before is not None
    assert before.readiness is Readiness.READY
    stage.transport.answer_once("GET", "/merge", httpx2.Response(200, json=body))

    after = await client.follow(PLACE, number, since=before.version)

    assert (after.readiness if after else before.readiness) is readiness


async def test_pull_request_that_changed_while_it_was_declined_is_declined(
    stage: SmallStage,
) -> None:
    client = stage.client()
    await client.commit(PLACE, change(stage))
    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT)
    stage.transport.answer_once("POST", "/decline", told(409, "pull.PullRequestOutOfDateException"))

    await client.close_pull(PLACE, pull.number, comment="Replaced.")

    assert stage.pull(pull.number).state == "closed"


async def test_merged_pull_request_cannot_be_closed(stage: SmallStage) -> None:
    client = stage.client()
    await client.commit(PLACE, change(stage))
    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT)
    stage.merge(pull.number)

    with pytest.raises(Rejected) as caught:
        await client.close_pull(PLACE, pull.number, comment="Superseded.")

    assert caught.value.reason == ForgeRefusal.CONFLICT
    assert not stage.repository.comments


async def test_who_declined_is_told_after_much_was_said(stage: SmallStage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.close(number)
    stage.repository.comments += [(number, OTHER, f"{n}") for n in range(30)]

    status = await stage.client().follow(PLACE, number, since="")

    assert status is not None
    assert status.state is PullState.CLOSED
    assert status.ended_by is not None
    assert status.ended_by.login == OTHER


async def test_folder_of_more_than_a_page_is_listed(stage: SmallStage) -> None:
    more = {f"many/{n:04}.yaml": f"n: {n}\n" for n in range(1100)}
    stage.push("main", more)
    client, commit = stage.client(), stage.head("main")

    listed = await client.list_tree(PLACE, commit=commit, path="many")
    view = await client.look(PLACE, LookScope(head_branch=BRANCH, folders=("many",)))

    assert {e.path for e in listed or ()} == set(more)
    assert set(view.folders) == {""}


def http_token(stage: SmallStage, login: str, *, number: int = 252973515069) -> str:
    """Make one as Bitbucket does: its id is in it, before the secret."""
    token = "BBDC-" + base64.b64encode(b"%d:made-up-made-up-20" % number).decode()
    stage.forge.tokens[token] = stage.forge.tokens[stage.forge.token(login, "REPO_WRITE")]
    return token


async def inspect(stage: SmallStage, token: str) -> Inspection:
    secret = Secret(token)
    question = Question(credential=secret, kind=INSPECTION.kind_of(secret), now=NOW)
    return await converse(stage.http.send_one, INSPECTION.inspect(question))


TOLD = {
    "id": "252973515069",
    "name": "flux",
    "createdDate": "2026-06-01T08:00:00Z",
    "permissions": ["REPO_WRITE", "PROJECT_READ"],
}


async def test_token_of_an_account_tells_everything_of_itself(stage: SmallStage) -> None:
    token = http_token(stage, WRITER)
    stage.forge.personal[token] = {
        **TOLD,
        "expiryDate": 1_811_808_000_000,
        "lastAuthenticated": 1_796_025_600_000,
    }

    found = await inspect(stage, token)

    assert (found.validity, found.kind) == (TokenValidity.VALID, TokenKind.PERSONAL)
    assert found.owner == ForgeUser(id=str(stage.forge.person(WRITER)), login=WRITER)
    assert (found.is_person, found.standing) == (True, TokenOwnerStanding.ACTIVE)
    assert found.scopes == ("PROJECT_READ", "REPO_WRITE")
    assert SCOPES.sufficient & set(found.scopes)
    assert (found.expires_at, found.expiry_known) == (datetime(2027, 6, 1, tzinfo=UTC), True)
    assert found.created_at == datetime(2026, 6, 1, 8, tzinfo=UTC)
    assert found.last_used_at == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert found.repositories is None


ROWS = {
    "write": (["REPO_WRITE", "PROJECT_READ"], {"broad_scope", "owner_is_person"}),
    "admin": (
        ["REPO_ADMIN", "PROJECT_ADMIN"],
        {"broad_scope", "scopes_beyond_need", "owner_is_person"},
    ),
    "projects": (
        ["REPO_WRITE", "PROJECT_WRITE"],
        {"broad_scope", "scopes_beyond_need", "owner_is_person"},
    ),
    "read": (["REPO_READ", "PROJECT_READ"], {"cannot_write", "owner_is_person"}),
    "not told": (None, {"owner_is_person"}),
    "of a repository": (None, set[str]()),
}


@pytest.mark.parametrize("case", ROWS)
async def test_credential_has_exactly_its_findings(stage: SmallStage, case: str) -> None:
    permissions, codes = ROWS[case]
    token = http_token(stage, WRITER)
    if permissions is not None:
        expiry_ms = int((NOW + timedelta(days=180)).timestamp() * 1000)
        own = {"permissions": permissions, "expiryDate": expiry_ms, "createdDate": NOW.isoformat()}
        stage.forge.personal[token] = {**TOLD, **own}
    if case == "of a repository":
        api_of(stage).of_nobody.add(token)
    grant = replace(CALM.grant, forge=stage.http.forge)

    judged = judge(replace(CALM, grant=grant, told=await inspect(stage, token), now=NOW))

    assert {one.code.value for one in judged} == codes | {"use_user_driven_flow"}


async def test_token_that_tells_no_end_has_an_unknown_one(stage: SmallStage) -> None:
    token = http_token(stage, WRITER)
    stage.forge.personal[token] = dict(TOLD)

    found = await inspect(stage, token)

    assert (found.expires_at, found.expiry_known, found.last_used_at) == (None, False, None)


async def test_token_that_may_not_be_asked_about_is_valid_all_the_same(stage: SmallStage) -> None:
    token = http_token(stage, WRITER)

    found = await inspect(stage, token)

    assert found.validity is TokenValidity.VALID
    assert found.owner is not None
    assert (found.scopes, found.expiry_known, found.created_at) == (None, False, None)


async def test_token_of_a_project_or_repository_is_nobodys(stage: SmallStage) -> None:
    token = http_token(stage, WRITER)
    api_of(stage).of_nobody.add(token)

    found = await inspect(stage, token)

    assert (found.validity, found.kind) == (TokenValidity.VALID, TokenKind.REPOSITORY)
    assert (found.owner, found.is_person, found.scopes) == (None, None, None)
    assert (found.expiry_known, found.last_used_at) == (False, None)


async def test_token_without_an_id_in_it_tells_whose_it_is_alone(stage: SmallStage) -> None:
    found = await inspect(stage, stage.tokens[WRITER])

    assert (found.validity, found.kind) == (TokenValidity.VALID, TokenKind.OTHER)
    assert found.owner is not None
    assert found.scopes is None


@pytest.mark.parametrize("token", ["BBDC-bm9ib2R5OnNlY3JldA", "BBDC-MTIzOm1hZGUtdXA=", "a" * 40])
async def test_token_that_nobody_knows_is_refused(stage: SmallStage, token: str) -> None:
    found = await inspect(stage, token)

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)


@pytest.mark.parametrize("owner", [OTHER, WRITER])
async def test_token_is_not_taken_for_another_of_its_id(stage: SmallStage, owner: str) -> None:
    """An answer has to be about the very id that was asked for."""
    token = http_token(stage, owner)
    stage.transport.answer_once(
        "GET", "/access-tokens/", httpx2.Response(200, json={**TOLD, "id": "1"})
    )

    assert (await inspect(stage, token)).scopes is None
