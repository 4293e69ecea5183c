"""Committing, opening, closing and commenting, at every kind of forge that is written to."""

import asyncio
from dataclasses import replace

import httpx2
import pytest
from conformance.stages import LINKED, OTHER, PLACE, READER, SCRIPT, WRITER, Stage

from countersign.contracts.errors import Rejected, Retryable
from countersign.dialects.kinds import kind_of
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import NewCommit, Replacement, blob_id
from countersign.dialects.repositories.interface import LookScope, Repository, View
from countersign.dialects.repositories.pulls import PullState, PullText

BRANCH = "countersign/apps/podinfo/prod/abc"
RELEASE = "apps/prod/release.yaml"
BEFORE, AFTER = b"version: 6.8.0 # here\n", b"version: 6.9.0 # here\n"
# Forges whose API does not say clearly which of two commits is left out.
TELLS_NO_SUMMARIES = {"azure-devops"}
TEXT = PullText(title="Promote podinfo to 6.9.0 in prod", body="From staging.\n\nids: abc\n")


def change(
    stage: Stage, path: str = RELEASE, body: bytes = AFTER, *, branch: str = BRANCH
) -> NewCommit:
    """A change of one file as it is on the base now."""
    mode, before = stage.files(stage.head("main"))[path]
    return NewCommit(
        branch=branch,
        parent=stage.head("main"),
        headline="Promote podinfo to 6.9.0 in prod",
        files={
            path: Replacement(
                body=body, replaces=blob_id(before), is_executable=mode.endswith("755")
            )
        },
    )


async def refusal(stage: Stage, new: NewCommit, *, who: str = WRITER) -> str:
    with pytest.raises(Rejected) as caught:
        await stage.client(who=who).commit(PLACE, new)
    return caught.value.reason


async def test_commit_changes_the_file_on_a_new_branch_and_nothing_else(stage: Stage) -> None:
    before = dict(stage.files(stage.head("main")))

    made = await stage.client().commit(PLACE, change(stage))

    assert stage.head(BRANCH) == made
    assert dict(stage.files(made)) == {**before, RELEASE: (before[RELEASE][0], AFTER)}
    assert stage.author(made) == WRITER


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("apps/prod/crlf.yaml", b"\xef\xbb\xbfa: 2\r\nb: 2\r\n", id="BOM and CRLF"),
        pytest.param("apps/prod/latin.yaml", b"name: th\xe9\n", id="not UTF-8"),
        pytest.param("apps/k\u00f6ln/\u00fcbersicht 100% #1.yaml", b"a: 1\n", id="odd name"),
        pytest.param("apps/prod/empty.yaml", b"now: it is not\n", id="empty before"),
        pytest.param(RELEASE, b"no line end", id="no line end"),
    ],
)
async def test_commit_writes_to_the_byte(stage: Stage, path: str, body: bytes) -> None:
    made = await stage.client().commit(PLACE, change(stage, path, body))

    assert stage.files(made)[path][1] == body


async def test_commit_says_what_it_does_and_who_approved(stage: Stage) -> None:
    new = replace(change(stage), trailers=("Approved-by: Ada",))

    made = await stage.client().commit(PLACE, new)

    assert stage.message(made).rstrip() == f"{new.headline}\n\nApproved-by: Ada"


async def test_commit_of_several_files_is_one_change(stage: Stage) -> None:
    """A forge that commits one file at a time makes as many commits, and nothing else."""
    one, other = change(stage), change(stage, "README.md", b"# changed\n")
    new = NewCommit(
        branch=BRANCH,
        parent=one.parent,
        headline=one.headline,
        files={**one.files, **other.files},
    )

    made = await stage.client().commit(PLACE, new)
    compared = await stage.client().compare(PLACE, commit=made)

    at_once = kind_of(stage.http.forge).capabilities.one_commit_many_files
    assert (compared.fork_point, compared.commits_ahead) == (
        stage.head("main"),
        1 if at_once else len(new.files),
    )
    assert compared.is_one_change
    assert (compared.modified, compared.otherwise_changed) == (("README.md", RELEASE), ())
    assert compared.author is not None
    assert compared.author.login == WRITER


async def test_commit_keeps_the_mode_of_a_file_or_refuses(stage: Stage) -> None:
    before = stage.files(stage.head("main"))[SCRIPT]

    await made_or_refused(stage, change(stage, SCRIPT, b"version: 6.9.0\n"))

    if stage.head(BRANCH):
        assert stage.files(BRANCH)[SCRIPT] == (before[0], b"version: 6.9.0\n")


async def test_branch_that_is_there_is_taken(stage: Stage) -> None:
    stage.push(BRANCH, {"README.md": "somebody else's\n"})
    there = stage.head(BRANCH)

    assert await refusal(stage, change(stage)) == ForgeRefusal.BRANCH_TAKEN
    assert stage.head(BRANCH) == there


async def made_or_refused(stage: Stage, new: NewCommit) -> str:
    """The commit, or why there is none."""
    try:
        return await stage.client().commit(PLACE, new)
    except (Rejected, Retryable) as error:
        return error.reason


async def test_of_two_commits_on_one_branch_one_succeeds(stage: Stage) -> None:
    changes = (change(stage), change(stage, body=b"version: 7.0.0 # here\n"))

    outcomes = await asyncio.gather(*(made_or_refused(stage, new) for new in changes))

    made = [outcome for outcome in outcomes if len(outcome) == 40]
    assert made == [stage.head(BRANCH)]


async def test_file_that_was_changed_meanwhile_is_not_overwritten(stage: Stage) -> None:
    """The commit starts where was looked, or is refused."""
    new = change(stage)
    stage.push("main", {RELEASE: "version: 6.8.5 # here\n"})

    outcome = await made_or_refused(stage, new)

    if stage.head(BRANCH):
        assert outcome == stage.head(BRANCH)
        compared = await stage.client().compare(PLACE, commit=outcome)
        assert compared.fork_point == new.parent
    else:
        assert outcome == ForgeRefusal.CONFLICT


async def test_commit_after_the_base_moved_elsewhere_changes_that_file_alone(
    stage: Stage,
) -> None:
    new = change(stage)
    stage.push("main", {"README.md": "moved\n"})

    made = await stage.client().commit(PLACE, new)

    compared = await stage.client().compare(PLACE, commit=made)
    assert (compared.commits_ahead, compared.modified) == (1, (RELEASE,))


async def test_who_may_only_read_commits_nothing(stage: Stage) -> None:
    assert await refusal(stage, change(stage), who=READER) == ForgeRefusal.FORBIDDEN
    assert not stage.head(BRANCH)


@pytest.mark.parametrize("name", ["countersign", "countersign/apps"])
async def test_branch_in_the_way_of_ours_is_refused_for_good(stage: Stage, name: str) -> None:
    """A branch `countersign` forbids every one below it, however often it is tried."""
    stage.push(name, {"README.md": "in the way\n"})

    assert await refusal(stage, change(stage)) == ForgeRefusal.REFUSED
    assert not stage.head(BRANCH)


async def test_compare_tells_what_was_changed_otherwise(stage: Stage) -> None:
    commit = stage.push(BRANCH, {RELEASE: AFTER, "apps/new.yaml": "a: 1\n", "README.md": None})

    compared = await stage.client().compare(PLACE, commit=commit)

    assert compared.modified == (RELEASE,)
    assert set(compared.otherwise_changed) == {"apps/new.yaml", "README.md"}


async def test_commits_between_two_are_told_by_their_first_lines(stage: Stage) -> None:
    base = stage.head("main")
    first = stage.push(BRANCH, {RELEASE: AFTER})
    second = stage.push(BRANCH, {RELEASE: "version: 7.0.0 # here\n"})

    told = await stage.client().summaries(PLACE, old=base, new=second)
    if stage.kind in TELLS_NO_SUMMARIES:
        assert told == ()
        return
    newest = await stage.client().summaries(PLACE, old=first, new=second)

    expected = [stage.message(commit).strip().splitlines()[0] for commit in (second, first)]
    assert list(told) == expected
    assert list(newest) == expected[:1]
    assert await stage.client().summaries(PLACE, old=second, new=base) == ()


async def test_commits_that_are_not_there_are_not_found(stage: Stage) -> None:
    asked = stage.client().summaries(PLACE, old="a" * 40, new=stage.head("main"))
    if stage.kind in TELLS_NO_SUMMARIES:
        assert await asked == ()
        return

    with pytest.raises(Rejected) as refused:
        await asked

    assert refused.value.reason == ForgeRefusal.NOT_FOUND


async def test_compare_counts_commits(stage: Stage) -> None:
    base = stage.head("main")
    stage.push(BRANCH, {RELEASE: AFTER})
    commit = stage.push(BRANCH, {RELEASE: "version: 7.0.0 # here\n"})

    compared = await stage.client().compare(PLACE, commit=commit)

    assert (compared.commits_ahead, compared.fork_point) == (2, base)
    assert not compared.is_one_change


async def ours(stage: Stage) -> View:
    return await stage.client().look(PLACE, LookScope(head_branch=BRANCH))


async def opened(stage: Stage, client: Repository) -> int:
    await client.look(PLACE, LookScope(head_branch=BRANCH))
    made = await client.commit(PLACE, change(stage))
    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT)
    assert pull.head_commit == made
    return pull.number


async def test_pull_request_is_opened_in_the_name_of_the_token(stage: Stage) -> None:
    client = stage.client()

    number = await opened(stage, client)

    seen = stage.pull(number)
    assert (seen.title, seen.body, seen.author) == (TEXT.title, TEXT.body, WRITER)
    view = await client.look(PLACE, LookScope(head_branch=BRANCH))
    (pull,) = view.own_pulls
    assert (pull.number, pull.state, pull.head_branch) == (number, PullState.OPEN, BRANCH)
    assert pull.author is not None
    assert pull.author.login == WRITER


async def test_pull_request_is_marked_as_far_as_the_kind_can(stage: Stage) -> None:
    client, labels = stage.client(), ("promotion", "team: shop")
    stage.label("another", *labels)
    can = kind_of(stage.http.forge).capabilities
    await client.look(PLACE, LookScope(head_branch=BRANCH))
    await client.commit(PLACE, change(stage))

    pull = await client.open_pull(PLACE, head=BRANCH, text=replace(TEXT, labels=labels, draft=True))
    for _ in range(2):
        # As a try does that finds what another one opened.
        await client.label(PLACE, pull.number, labels=labels)

    seen = stage.pull(pull.number)
    assert seen.draft == can.drafts
    assert seen.labels == (labels if can.labels else ())
    assert seen.title.endswith(TEXT.title)
    assert [p.number for p in (await ours(stage)).own_pulls] == [pull.number]


async def test_pull_request_of_a_fork_is_in_nobodys_way(stage: Stage) -> None:
    theirs = stage.open_from_fork(BRANCH)

    number = await opened(stage, stage.client())

    assert number != theirs
    assert [p.number for p in (await ours(stage)).own_pulls] == [number]


async def test_second_pull_request_of_a_branch_exists_already(stage: Stage) -> None:
    client = stage.client()
    await opened(stage, client)

    with pytest.raises(Rejected) as caught:
        await client.open_pull(PLACE, head=BRANCH, text=TEXT)

    assert caught.value.reason == ForgeRefusal.PULL_EXISTS


async def test_opening_closes_what_it_replaces(stage: Stage) -> None:
    stage.push("older", {RELEASE: "version: 6.8.9 # here\n"})
    older = stage.open("older")
    client = stage.client()
    await client.look(PLACE, LookScope(head_branch=BRANCH, pulls=(older,)))
    await client.commit(PLACE, change(stage))

    pull = await client.open_pull(PLACE, head=BRANCH, text=TEXT, replaces=(older,))

    assert (stage.pull(older).state, stage.pull(pull.number).state) == ("closed", "open")


async def test_what_cannot_be_closed_is_replaced_by_nothing(stage: Stage) -> None:
    stage.push("older", {RELEASE: "version: 6.8.9 # here\n"})
    older = stage.open("older")
    client = stage.client()
    await client.look(PLACE, LookScope(head_branch=BRANCH, pulls=(older,)))
    await client.commit(PLACE, change(stage))
    stage.transport.answer_once(*stage.wire.close, httpx2.Response(502, json={"message": ""}))

    with pytest.raises(Retryable):
        await client.open_pull(PLACE, head=BRANCH, text=TEXT, replaces=(older,))

    view = await stage.client().look(PLACE, LookScope(head_branch=BRANCH))
    assert [p.number for p in view.open_pulls] == [older]


async def test_closing_says_why(stage: Stage) -> None:
    client = stage.client()
    number = await opened(stage, client)

    await client.close_pull(PLACE, number, comment="Replaced by 6.9.1.")

    seen = stage.pull(number)
    assert seen.state == "closed"
    assert "Replaced by 6.9.1." in "".join((seen.body, *seen.comments))
    assert TEXT.body.strip() in seen.body


async def test_closing_what_is_closed_is_no_error(stage: Stage) -> None:
    client = stage.client()
    number = await opened(stage, client)
    stage.close(number)

    await client.close_pull(PLACE, number, comment="Replaced.")

    assert stage.pull(number).state == "closed"


async def test_comment_is_to_be_read_there(stage: Stage) -> None:
    number = await opened(stage, stage.client())
    for who in (WRITER, OTHER):
        client = stage.client(who=who)
        await client.look(PLACE, LookScope(head_branch=BRANCH, pulls=(number,)))
        await client.comment(PLACE, number, comment=f"Said by {who}.")

    seen = stage.pull(number)
    text = "".join((seen.body, *seen.comments))
    assert f"Said by {WRITER}." in text
    assert f"Said by {OTHER}." in text


async def test_answer_that_is_lost_leaves_one_branch(stage: Stage) -> None:
    """What was done before the error is found by looking again."""
    stage.transport.answer_once(*stage.wire.commit, httpx2.Response(502, json={"message": ""}))

    with pytest.raises(Retryable) as caught:
        await stage.client().commit(PLACE, change(stage))

    assert caught.value.reason == ForgeRefusal.FORGE_UNAVAILABLE
    made = await stage.client().commit(PLACE, change(stage))
    assert stage.head(BRANCH) == made


async def test_symbolic_link_is_not_written_through(stage: Stage) -> None:
    await made_or_refused(stage, change(stage, LINKED, b"version: 6.9.0\n"))

    if stage.head(BRANCH):
        assert stage.files(BRANCH)[RELEASE][1] == BEFORE
