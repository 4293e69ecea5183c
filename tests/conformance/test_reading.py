"""Looking at a repository, listing it and reading files, at every kind of forge."""

from collections.abc import Sequence

import httpx2
import pytest
from conformance.stages import (
    FILES,
    LINKED,
    OTHER,
    PLACE,
    READER,
    SCRIPT,
    WRITER,
    Stage,
)

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import EntryKind, Place, TreeEntry, blob_id
from countersign.dialects.repositories.interface import LookScope
from countersign.dialects.repositories.pulls import PullState, Readiness

BRANCH = "countersign/apps/podinfo/prod/abc"
SCOPE = LookScope(head_branch=BRANCH)
BYTES_MAX = 1024 * 1024
BODIES = {path: c.encode() if isinstance(c, str) else c for path, c in FILES.items()}


async def test_look_tells_whose_token_it_is_and_what_it_may(stage: Stage) -> None:
    view = await stage.client().look(PLACE, SCOPE)

    assert view.viewer is not None
    assert view.viewer.login == WRITER
    assert (view.may_write, view.archived) == (True if stage.wire.tells_role else None, False)
    assert view.base is not None
    assert view.base.commit == stage.head("main")
    assert (view.head, view.pulls, view.previous, view.open_pulls) == (None, (), (), ())
    # Of two clocks of one forge; its server writes the date anew each second, and later under load.
    assert view.read_at_s >= view.base.committed_at_s - 5


async def test_look_tells_who_may_only_read(stage: Stage) -> None:
    view = await stage.client(who=READER).look(PLACE, SCOPE)

    assert view.may_write is (False if stage.wire.tells_role else None)


async def test_look_at_a_repository_without_its_base_finds_none(stage: Stage) -> None:
    view = await stage.client().look(stage.make_empty(), SCOPE)

    assert (view.base, view.head, view.folders, view.files) == (None, None, {}, {})


async def test_look_at_a_missing_repository_is_refused(stage: Stage) -> None:
    place = Place(owner="acme", repository="nothing", base_branch="main")

    with pytest.raises(Rejected) as caught:
        await stage.client().look(place, SCOPE)

    assert caught.value.reason == ForgeRefusal.NOT_FOUND


async def test_look_finds_our_branch_and_its_pull_request(stage: Stage) -> None:
    commit = stage.push(BRANCH, {"apps/prod/release.yaml": "version: 6.9.0 # here\n"})
    number = stage.open(BRANCH, by=WRITER)

    view = await stage.client().look(PLACE, SCOPE)

    assert view.head is not None
    assert view.head.commit == commit
    (pull,) = view.pulls
    assert (pull.number, pull.state, pull.head_commit) == (number, PullState.OPEN, commit)
    assert (pull.head_branch, pull.base_branch) == (BRANCH, "main")
    assert pull.head_repository_id == view.repository_id
    assert pull.author is not None
    assert pull.author.login == WRITER
    assert view.open_pulls == view.pulls == view.own_pulls


async def test_look_tells_that_a_repository_is_archived(stage: Stage) -> None:
    stage.archive()

    view = await stage.client().look(PLACE, SCOPE)

    # Bitbucket Cloud has no archives.
    assert view.archived is (stage.kind != "bitbucket-cloud")


async def test_pull_request_of_a_fork_is_never_ours(stage: Stage) -> None:
    """Anybody may name a branch of a fork as they like, also as we name ours."""
    number = stage.open_from_fork(BRANCH)

    view = await stage.client().look(PLACE, SCOPE)

    assert view.head is None
    assert view.own_pulls == ()
    assert [pull.number for pull in view.open_pulls] == [number]
    assert view.open_pulls[0].head_repository_id != view.repository_id


async def test_look_finds_a_merged_pull_request_whose_branch_is_gone(stage: Stage) -> None:
    stage.push(BRANCH, {"apps/prod/release.yaml": "version: 6.9.0 # here\n"})
    number = stage.open(BRANCH)
    stage.merge(number)

    (pull,) = (await stage.client().look(PLACE, SCOPE)).pulls

    assert (pull.number, pull.state, pull.head_branch) == (number, PullState.MERGED, BRANCH)
    assert pull.ended_by is not None
    assert pull.ended_by.login == OTHER
    assert pull.merge_commit == stage.head("main")


async def test_look_finds_all_pull_requests_of_our_branch(stage: Stage) -> None:
    stage.push(BRANCH, {"apps/prod/release.yaml": "version: 6.9.0 # here\n"})
    first = stage.open(BRANCH)
    stage.close(first)
    second = stage.open(BRANCH)
    stage.push("elsewhere", {"README.md": "other\n"})
    stage.open("elsewhere")

    view = await stage.client().look(PLACE, SCOPE)

    states = {p.number: p.state for p in view.pulls}
    assert states == {first: PullState.CLOSED, second: PullState.OPEN}


async def test_look_finds_pull_requests_beyond_the_first_page(stage: Stage) -> None:
    stage.push(BRANCH, {"apps/prod/release.yaml": "version: 6.9.0 # here\n"})
    ours = stage.open(BRANCH)
    stage.push("other-base", {"README.md": "x\n"})
    for n in range(55):
        stage.push(f"feature-{n}", {"README.md": f"{n}\n"})
        stage.open(f"feature-{n}", base="main" if n % 5 else "other-base")

    view = await stage.client().look(PLACE, SCOPE)

    assert [p.number for p in view.pulls] == [ours]
    numbers = [p.number for p in view.open_pulls]
    assert len(set(numbers)) == len(numbers) == 45
    assert {p.base_branch for p in view.open_pulls} == {"main"}


async def test_look_brings_pull_requests_by_number_and_leaves_out_what_is_gone(
    stage: Stage,
) -> None:
    stage.push("older", {"README.md": "older\n"})
    number = stage.open("older")
    stage.close(number)

    view = await stage.client().look(PLACE, LookScope(head_branch=BRANCH, pulls=(number, 999)))

    assert [(p.number, p.state) for p in view.previous] == [(number, PullState.CLOSED)]


async def test_folders_and_files_that_come_with_a_look_are_the_bases(stage: Stage) -> None:
    """They need not come at all."""
    scope = LookScope(
        head_branch=BRANCH, folders=("apps", "apps/prod"), files=("apps/prod/release.yaml",)
    )

    view = await stage.client().look(PLACE, scope)

    for path, folder in view.folders.items():
        below = {p for p in (*FILES, SCRIPT, LINKED) if p.startswith(f"{path}/" if path else "")}
        depth = len(path.split("/")) if path else 0
        assert {e.path for e in folder.entries} == {
            "/".join(p.split("/")[: depth + 1]) for p in below
        }
    for path, file in view.files.items():
        assert file.body == BODIES[path]


def files_in(listed: Sequence[TreeEntry] | None, stage: Stage) -> set[str]:
    """The files, without a link that some forge takes for one."""
    assert listed is not None
    return {e.path for e in listed if e.is_file} - (set() if stage.tells_modes else {LINKED})


async def test_whole_tree_is_listed_with_kinds_and_modes(stage: Stage) -> None:
    listed = await stage.client().list_tree(PLACE, commit=stage.head("main"), path="")

    assert listed is not None
    by_path = {e.path: e for e in listed}
    assert files_in(listed, stage) == {*FILES, SCRIPT}
    assert by_path[SCRIPT].is_executable is stage.tells_modes
    assert not by_path["README.md"].is_executable
    assert (by_path[LINKED].kind is EntryKind.OTHER) is stage.tells_modes
    for path, body in BODIES.items():
        assert by_path[path].size_bytes in {None, len(body)}
        assert by_path[path].object_id in {"", blob_id(body)}


async def test_folder_is_listed_with_whole_paths(stage: Stage) -> None:
    listed = await stage.client().list_tree(PLACE, commit=stage.head("main"), path="apps/prod")

    assert files_in(listed, stage) == {p for p in FILES if p.startswith("apps/prod/")}


@pytest.mark.parametrize("path", ["apps/nothing", "nothing/prod", "README.md", "apps/prod/empty"])
async def test_folder_that_is_none_is_not_listed(stage: Stage, path: str) -> None:
    assert await stage.client().list_tree(PLACE, commit=stage.head("main"), path=path) is None


async def test_older_commit_is_listed_as_it_was(stage: Stage) -> None:
    before = stage.head("main")
    stage.push("main", {"apps/prod/new.yaml": "a: 1\n", "README.md": None})

    listed = await stage.client().list_tree(PLACE, commit=before, path="")

    assert files_in(listed, stage) == {*FILES, SCRIPT}


async def test_tree_of_more_than_a_page_is_listed(stage: Stage) -> None:
    more = {f"many/{n // 100:02}/{n:04}.yaml": f"n: {n}\n" for n in range(1200)}
    stage.push("main", more)

    listed = await stage.client().list_tree(PLACE, commit=stage.head("main"), path="many")

    assert listed is not None
    assert {e.path for e in listed if e.is_file} == set(more)


async def test_files_are_read_to_the_byte(stage: Stage) -> None:
    client, commit = stage.client(), stage.head("main")
    listed = await client.list_tree(PLACE, commit=commit, path="")
    assert listed is not None
    files = [e for e in listed if e.path in FILES]

    read = await client.read_files(PLACE, commit=commit, files=files, bytes_max=BYTES_MAX)

    assert {path: file.body for path, file in read.items()} == BODIES


async def test_file_is_read_as_it_was_at_the_commit(stage: Stage) -> None:
    before = stage.head("main")
    stage.push("main", {"README.md": "changed\n"})
    entry = TreeEntry(path="README.md", kind=EntryKind.FILE)

    read = await stage.client().read_files(PLACE, commit=before, files=[entry], bytes_max=BYTES_MAX)

    assert read["README.md"].body == BODIES["README.md"]


async def test_symbolic_link_is_never_followed(stage: Stage) -> None:
    entry = TreeEntry(path=LINKED, kind=EntryKind.FILE)

    read = await stage.client().read_files(
        PLACE, commit=stage.head("main"), files=[entry], bytes_max=BYTES_MAX
    )

    assert BODIES["apps/prod/release.yaml"] not in {file.body for file in read.values()}


@pytest.mark.parametrize("path", ["nothing.yaml", "apps"])
async def test_what_is_no_file_is_left_out(stage: Stage, path: str) -> None:
    entry = TreeEntry(path=path, kind=EntryKind.FILE)

    read = await stage.client().read_files(
        PLACE, commit=stage.head("main"), files=[entry], bytes_max=BYTES_MAX
    )

    assert read == {}


async def test_file_that_is_too_large_comes_without_bytes(stage: Stage) -> None:
    stage.push("main", {"large.yaml": "a" * 3000})
    client, commit = stage.client(), stage.head("main")
    listed = await client.list_tree(PLACE, commit=commit, path="")
    files = [e for e in listed or () if e.path == "large.yaml"]

    read = await client.read_files(PLACE, commit=commit, files=files, bytes_max=1000)

    assert (read["large.yaml"].body, read["large.yaml"].size_bytes) == (None, 3000)


async def test_follow_tells_an_open_pull_request_once(stage: Stage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    client = stage.client()

    first = await client.follow(PLACE, number, since="")
    assert first is not None

    assert first.state is PullState.OPEN
    assert first.readiness in {Readiness.READY, Readiness.UNKNOWN}
    assert await client.follow(PLACE, number, since=first.version) is None


async def test_follow_tells_who_merged_it(stage: Stage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    client = stage.client()
    before = await client.follow(PLACE, number, since="")
    stage.merge(number)

    after = await client.follow(PLACE, number, since=before.version if before else "")

    assert after is not None
    assert after.state is PullState.MERGED
    assert after.ended_by is not None
    assert after.ended_by.login == OTHER
    assert after.merge_commit == stage.head("main")
    assert after.ended_at_s is not None


async def test_follow_tells_that_it_was_closed(stage: Stage) -> None:
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH)
    stage.close(number)

    status = await stage.client().follow(PLACE, number, since="")

    assert status is not None
    assert (status.state, status.merge_commit) == (PullState.CLOSED, "")


async def test_follow_of_what_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(Rejected) as caught:
        await stage.client().follow(PLACE, 999, since="")

    assert caught.value.reason == ForgeRefusal.NOT_FOUND


async def test_token_that_nobody_knows_is_unauthorized_and_not_told(stage: Stage) -> None:
    token = "0123456789abcdef0123456789abcdef01234567"

    with pytest.raises(Rejected) as caught:
        await stage.client(token=token).look(PLACE, SCOPE)

    assert caught.value.reason == ForgeRefusal.UNAUTHORIZED
    assert token not in caught.value.message


PAGE = "<!doctype html><title>Sign in</title>"
BROKEN = {
    "500": (httpx2.Response(500, json={"message": ""}), Retryable, ForgeRefusal.FORGE_UNAVAILABLE),
    "502 page": (
        httpx2.Response(502, html=PAGE), Retryable, ForgeRefusal.FORGE_UNAVAILABLE,
    ),
    "429": (
        httpx2.Response(429, json={"message": "slow down"}, headers={"retry-after": "7"}),
        Retryable,
        ForgeRefusal.RATE_LIMITED,
    ),
    "page": (httpx2.Response(200, html=PAGE), Rejected, ForgeRefusal.BAD_ANSWER),
    "no JSON": (
        httpx2.Response(200, content=b"{", headers={"content-type": "application/json"}),
        Rejected,
        ForgeRefusal.BAD_ANSWER,
    ),
    "list": (httpx2.Response(200, json=[]), Rejected, ForgeRefusal.BAD_ANSWER),
    "null": (httpx2.Response(200, json=None), Rejected, ForgeRefusal.BAD_ANSWER),
    "empty": (httpx2.Response(200, json={}), Rejected, ForgeRefusal.BAD_ANSWER),
    "moved": (
        httpx2.Response(301, headers={"location": "https://elsewhere.test/"}),
        Rejected,
        ForgeRefusal.BAD_ANSWER,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_answer_has_its_reason(stage: Stage, case: str) -> None:
    answer, error, reason = BROKEN[case]
    for _ in range(8):
        stage.transport.answer_once(*stage.wire.repository, answer)

    with pytest.raises(error) as caught:
        await stage.client().look(PLACE, SCOPE)

    assert isinstance(caught.value, Rejected | Retryable)
    assert caught.value.reason == reason
    if case == "429":
        assert isinstance(caught.value, Retryable)
        assert caught.value.after_s == 7
