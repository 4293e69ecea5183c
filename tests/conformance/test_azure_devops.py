"""The behaviours that only Azure DevOps has, held against its own description."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
from conformance.stages import (
    OTHER,
    PLACE,
    SCRIPT,
    WRITER,
    SmallStage,
    small_stage,
)
from conformance.test_writing import AFTER, BRANCH, RELEASE, TEXT, change
from doubles.azure_devops.api import SIGN_IN, AzureDevOpsApi
from doubles.forge.git import EXECUTABLE, FILE, SUBMODULE

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.azure_devops.requests import DESCRIPTION_CHARACTERS_MAX
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import EntryKind, Place
from countersign.dialects.repositories.interface import LookScope, Repository
from countersign.dialects.repositories.pulls import PullState, PullText, Readiness
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp

SCOPE = LookScope(head_branch=BRANCH)
REPOSITORY = "/repositories/fleet?"


@pytest.fixture
async def stage() -> AsyncIterator[SmallStage]:
    async with small_stage("azure-devops") as made:
        yield made


def api_of(stage: SmallStage) -> AzureDevOpsApi:
    assert isinstance(stage.api, AzureDevOpsApi)
    return stage.api


async def test_names_with_spaces_and_beyond_ascii_are_written_to(stage: SmallStage) -> None:
    """The organization stands in the owner where the forge's host does not say it."""
    files = {"a b/%41#1 ü.yaml": b"version: 1\r\n", "-dash.yaml": b"version: 1\n"}
    made = stage.forge.repository("Web Küche/git öps & more", files, WRITER)
    place = Place(owner="contoso/Web Küche", repository="git öps & more", base_branch="main")
    entry = Forge(name="Azure", kind="azure-devops", origin="https://forge.test")
    client: Repository = repository_client(
        ForgeHttp(entry, transport=stage.transport), Secret(stage.tokens[WRITER])
    )
    scope = LookScope(head_branch=BRANCH, folders=("a b",), files=("-dash.yaml",))

    view = await client.look(place, scope)
    assert view.base is not None
    listed = await client.list_tree(place, commit=view.base.commit, path="")
    read = await client.read_files(
        place,
        commit=view.base.commit,
        files=[e for e in listed or () if e.is_file],
        bytes_max=1000,
    )
    new = replace(change(stage), parent=view.base.commit, files={})
    body = b"version: 2\r\n"
    odd = replace(next(iter(change(stage).files.values())), body=body)
    commit = await client.commit(place, replace(new, files={"a b/%41#1 ü.yaml": odd}))
    pull = await client.open_pull(place, head=BRANCH, text=TEXT)

    assert {path: file.body for path, file in read.items()} == files
    assert {e.path for e in view.folders["a b"].entries} == {"a b/%41#1 ü.yaml"}
    assert view.files["-dash.yaml"].body == files["-dash.yaml"]
    assert made.git.commits[commit].files["a b/%41#1 ü.yaml"] == (FILE, body)
    assert (pull.number, pull.head_commit) == (1, commit)


async def test_folder_that_moved_on_while_it_was_looked_at_does_not_come(
    stage: SmallStage,
) -> None:
    """The base was read before somebody pushed, and the folder after that."""
    older = stage.head("main")
    moved = stage.push("main", {"apps/prod/new.yaml": "a: 1\n"})
    tip = {"commitId": older, "committer": {"date": "2026-11-30T08:00:00Z"}}
    before = httpx2.Response(200, json={"count": 1, "value": [tip]})
    stage.transport.answer_once("GET", "itemVersion.version=main", before)

    view = await stage.client().look(PLACE, LookScope(head_branch=BRANCH, folders=("apps",)))

    assert view.base is not None
    assert view.base.commit == older != moved
    assert view.folders == {}


async def test_submodule_is_no_file(stage: SmallStage) -> None:
    stage.forge.push(stage.repository, "main", {"charts": (SUBMODULE, b"a" * 40)}, by=OTHER)

    listed = await stage.client().list_tree(PLACE, commit=stage.head("main"), path="")

    assert {e.path: e.kind for e in listed or ()}["charts"] is EntryKind.OTHER


PAGE = {
    "page instead of an answer": httpx2.Response(203, html=SIGN_IN),
    "moved to the page": httpx2.Response(
        302,
        html=SIGN_IN,
        headers={"location": "https://spsprodneu1.vssps.visualstudio.com/_signin?realm=x"},
    ),
    "refused": httpx2.Response(401, html=SIGN_IN),
    "refused in words": httpx2.Response(
        401, json={"message": "TF400813: The user '' is not authorized to access this resource."}
    ),
}


@pytest.mark.parametrize("case", PAGE)
async def test_page_where_people_sign_in_means_that_the_token_is_not_known(
    stage: SmallStage, case: str
) -> None:
    stage.transport.answer_once("GET", REPOSITORY, PAGE[case])

    with pytest.raises(Rejected) as caught:
        await stage.client().look(PLACE, SCOPE)

    assert caught.value.reason == ForgeRefusal.UNAUTHORIZED


ANSWERED = {
    "permission": (403, "TF401027: You need the Git 'GenericRead' permission", "forbidden"),
    "project": (404, "TF200016: The following project does not exist: acme.", "not_found"),
    "repository": (404, "TF401019: The Git repository does not exist", "not_found"),
    "conditional access": (403, "VS403463: The conditional access policy", "sign_on_wanted"),
    "elsewhere": (302, "", "bad_answer"),
}


@pytest.mark.parametrize("case", ANSWERED)
async def test_refused_look_has_its_reason(stage: SmallStage, case: str) -> None:
    status, message, reason = ANSWERED[case]
    answer = httpx2.Response(
        status, json={"message": message}, headers={"location": "https://elsewhere.test/x"}
    )
    stage.transport.answer_once("GET", REPOSITORY, answer)

    with pytest.raises(Rejected) as caught:
        await stage.client().look(PLACE, SCOPE)

    assert caught.value.reason == reason


REFUSED = {
    "permission": (403, "TF401027: You need the Git 'CreateBranch' permission", "forbidden"),
    "branch policy": (403, "TF402455: Pushes to this branch are not permitted", "forbidden"),
    "moved": (409, "TF401028: The reference has already been updated", "conflict"),
    "base gone": (400, "TF401035: The object does not exist.", "conflict"),
    "push policy": (400, "VS403702: author email does not match the patterns", "refused"),
    "hidden": (404, "TF401019: The Git repository does not exist", "not_found"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_commit_that_is_refused_has_its_reason(stage: SmallStage, case: str) -> None:
    status, message, reason = REFUSED[case]
    answer = httpx2.Response(status, json={"message": message})
    stage.transport.answer_once("POST", "/pushes", answer)

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == reason
    if reason == "refused":
        assert message in caught.value.message


async def test_branch_policy_on_our_branches_is_told(stage: SmallStage) -> None:
    stage.repository.protected.add("countersign/")

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.FORBIDDEN
    assert "branch policy" in caught.value.message


async def test_branch_without_a_commit_of_its_own_is_continued(stage: SmallStage) -> None:
    stage.point(BRANCH, stage.head("main"))

    made = await stage.client().commit(PLACE, change(stage))

    assert stage.head(BRANCH) == made


async def test_branch_is_taken_back_where_a_push_would_change_a_mode(stage: SmallStage) -> None:
    api_of(stage).keeps_modes = False

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, change(stage, SCRIPT, b"version: 6.9.0\n"))

    assert caught.value.reason == ForgeRefusal.REFUSED
    assert SCRIPT in caught.value.message
    assert not stage.head(BRANCH)


async def test_file_stays_executable(stage: SmallStage) -> None:
    made = await stage.client().commit(PLACE, change(stage, SCRIPT, b"version: 6.9.0\n"))

    assert stage.files(made)[SCRIPT] == (EXECUTABLE, b"version: 6.9.0\n")


async def test_changed_mode_is_not_a_change_of_bytes_alone(stage: SmallStage) -> None:
    changed = {RELEASE: (EXECUTABLE, AFTER), SCRIPT: (EXECUTABLE, b"version: 6.9.0\n")}
    pushed = stage.forge.push(stage.repository, BRANCH, changed, by=WRITER, onto="main")

    compared = await stage.client().compare(PLACE, commit=pushed.oid)

    assert (compared.modified, compared.otherwise_changed) == ((SCRIPT,), (RELEASE,))
    assert compared.author is not None
    assert compared.author.login == WRITER


async def test_differences_beyond_the_first_page_are_told(stage: SmallStage) -> None:
    new = {f"many/{n:03}.yaml": "n: 1\n" for n in range(130)}
    commit = stage.push(BRANCH, new)

    compared = await stage.client().compare(PLACE, commit=commit)

    assert set(compared.otherwise_changed) == set(new)


async def test_branch_with_more_pull_requests_than_a_page_has_all_of_them(
    stage: SmallStage,
) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    for _ in range(130):
        stage.close(stage.open(BRANCH))

    view = await stage.client().look(PLACE, SCOPE)

    assert [p.number for p in view.pulls] == list(range(130, 0, -1))


async def test_trial_of_a_merge_is_no_merge(stage: SmallStage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    client = stage.client()
    status = await client.follow(PLACE, number, since="")
    stage.close(number)
    closed = await client.follow(PLACE, number, since=status.version if status else "")

    assert status is not None
    assert (status.state, status.merge_commit) == (PullState.OPEN, "")
    assert closed is not None
    assert (closed.state, closed.merge_commit) == (PullState.CLOSED, "")
    assert closed.ended_by is not None
    assert closed.ended_by.login == OTHER


async def test_pull_request_that_is_reactivated_is_open(stage: SmallStage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.close(number)
    client = stage.client()
    closed = await client.follow(PLACE, number, since="")
    assert closed is not None
    pull = stage.repository.pulls[number]
    pull.state, pull.ended_by, pull.ended_at = "open", "", None

    again = await client.follow(PLACE, number, since=closed.version)

    assert again is not None
    assert (again.state, again.ended_by) == (PullState.OPEN, None)


@pytest.mark.parametrize(
    ("edit", "readiness"),
    [
        ((b'"mergeStatus": "succeeded"', b'"mergeStatus": "conflicts"'), Readiness.CONFLICTING),
        ((b'"mergeStatus": "succeeded"', b'"mergeStatus": "rejectedByPolicy"'), Readiness.BLOCKED),
        ((b'"isDraft": false', b'"isDraft": true'), Readiness.DRAFT),
        ((b"", b""), Readiness.UNKNOWN),
    ],
    ids=["conflicts", "policy", "draft", "merges"],
)
async def test_readiness_is_told_as_far_as_it_is_known(
    stage: SmallStage, edit: tuple[bytes, bytes], readiness: Readiness
) -> None:
    """That it merges without a conflict says nothing of the policies that are asked besides."""
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.transport.edit = lambda body: body.replace(*edit) if edit[0] else body

    status = await stage.client().follow(PLACE, number, since="")

    assert status is not None
    assert status.readiness is readiness


async def test_completed_pull_request_cannot_be_closed(stage: SmallStage) -> None:
    client = stage.client()
    await client.commit(PLACE, change(stage))
    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT)
    stage.merge(pull.number)

    with pytest.raises(Rejected) as caught:
        await client.close_pull(PLACE, pull.number, comment="Superseded.")

    assert caught.value.reason == ForgeRefusal.CONFLICT
    assert "!1" in caught.value.message
    assert not stage.repository.comments


async def test_long_text_keeps_its_beginning_and_what_programs_read(stage: SmallStage) -> None:
    client = stage.client()
    await client.commit(PLACE, change(stage))
    body = "\n\n".join(["From staging.", "many lines\n" * 1000, "ids: abc\n"])

    await client.open_pull(PLACE, head=BRANCH, text=PullText(title="x", body=body))

    seen = stage.pull(1).body
    assert len(seen) <= DESCRIPTION_CHARACTERS_MAX
    assert seen.startswith("From staging.")
    assert seen.endswith("\n\nids: abc\n")


def test_pull_requests_are_referred_to_as_no_work_item(stage: SmallStage) -> None:
    assert stage.client().reference(12) == "!12"


async def test_limit_is_waited_for_as_long_as_the_forge_says(stage: SmallStage) -> None:
    told = {"message": "TF400733: The request has been canceled: Request was blocked"}
    for status in (429, 503):
        answer = httpx2.Response(status, json=told, headers={"Retry-After": "31"})
        stage.transport.answer_once("GET", REPOSITORY, answer)

        with pytest.raises(Retryable) as caught:
            await stage.client().look(PLACE, SCOPE)

        assert (caught.value.reason, caught.value.after_s) == (ForgeRefusal.RATE_LIMITED, 31)


async def test_tree_that_is_too_large_for_one_listing_asks_for_a_path(stage: SmallStage) -> None:
    huge = httpx2.Response(200, json={"treeEntries": [], "x": "a" * (17 << 20)})
    stage.transport.answer_once("GET", "/trees/", huge)

    with pytest.raises(Rejected) as caught:
        await stage.client().list_tree(PLACE, commit=stage.head("main"), path="")

    assert caught.value.reason == ForgeRefusal.LIMIT_EXCEEDED
    assert "path" in caught.value.message


async def test_file_of_five_megabytes_is_written_to_the_byte(stage: SmallStage) -> None:
    body = "\ufeffname: k\u00f6ln \u2603\r\n".encode() * 240_000

    made = await stage.client().commit(PLACE, change(stage, body=body))

    assert stage.files(made)[RELEASE][1] == body
