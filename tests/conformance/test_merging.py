"""Merging by the forge itself, at every kind that says it does that, and never at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.stages import PLACE, READER, WRITER, Stage, stage_of
from conformance.test_writing import BRANCH, TEXT, change

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import KIND_BY_NAME
from countersign.dialects.gitea.merging import fits
from countersign.dialects.kinds import KINDS
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.pulls import Pull
from countersign.pr_writer.executor.aftercare import CHECK_PAUSES_S, merge_when_ready

CHECK = "ci/build"
MERGING = sorted(name for name, k in KIND_BY_NAME.items() if KINDS[k].capabilities.auto_merges)
# Where a required check that nobody has reported yet is known to be waited for.
KNOWS_WHAT_IS_EXPECTED = {"github", "bitbucket-server"}


@pytest.fixture(params=MERGING)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage_of(request.param, tmp_path) as made:
        yield made


async def opened(stage: Stage) -> Pull:
    await stage.client().commit(PLACE, change(stage))
    return await stage.client().open_pull(PLACE, head=BRANCH, text=TEXT)


async def enable(stage: Stage, pull: Pull, *, who: str = WRITER) -> None:
    client = stage.client(who=who)
    await client.merge_when_ready(PLACE, pull.number, commit=pull.head_commit)


async def refused(stage: Stage, pull: Pull, *, who: str = WRITER) -> str:
    try:
        await enable(stage, pull, who=who)
    except (Rejected, Retryable) as error:
        return error.reason
    raise AssertionError("nothing was refused")


async def test_forge_merges_in_the_name_of_who_opened_once_checks_pass(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    await stage.report(pull.head_commit, CHECK, "pending")

    await enable(stage, pull)
    waiting = stage.pull(pull.number)
    await stage.report(pull.head_commit, CHECK, "success")
    after = stage.pull(pull.number)

    assert (waiting.state, waiting.auto_merge_by) == ("open", WRITER)
    assert (after.state, after.merged_by) == ("closed", WRITER)


async def test_nothing_is_merged_where_no_check_exists(stage: Stage) -> None:
    pull = await opened(stage)

    await refused(stage, pull)

    seen = stage.pull(pull.number)
    assert (seen.state, seen.auto_merge_by) == ("open", "")


async def test_nothing_is_merged_before_a_check_has_begun(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)

    if stage.kind in KNOWS_WHAT_IS_EXPECTED:
        await enable(stage, pull)
    else:
        assert await refused(stage, pull) == ForgeRefusal.NOT_READY

    assert stage.pull(pull.number).state == "open"


async def test_checks_that_have_passed_already_leave_it_to_a_person(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    await stage.report(pull.head_commit, CHECK, "success")

    reason = await refused(stage, pull)

    seen = stage.pull(pull.number)
    assert (seen.state, seen.auto_merge_by) == ("open", "")
    assert reason != ForgeRefusal.NOT_READY


async def test_it_is_not_asked_for_a_commit_that_is_not_ours(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    theirs = stage.push(BRANCH, {"README.md": "# theirs\n"})
    await stage.report(theirs, CHECK, "pending")

    await refused(stage, pull)
    await stage.report(theirs, CHECK, "success")

    seen = stage.pull(pull.number)
    assert (seen.state, seen.auto_merge_by) == ("open", "")


async def test_asking_again_changes_nothing(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    await stage.report(pull.head_commit, CHECK, "pending")

    await enable(stage, pull)
    await enable(stage, pull)

    seen = stage.pull(pull.number)
    assert (seen.state, seen.auto_merge_by) == ("open", WRITER)


async def test_reader_has_nothing_merged_and_a_token_that_is_good(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    await stage.report(pull.head_commit, CHECK, "pending")

    reason = await refused(stage, pull, who=READER)

    assert stage.pull(pull.number).auto_merge_by == ""
    assert reason != ForgeRefusal.UNAUTHORIZED


async def test_check_that_begins_in_the_next_moment_is_waited_for(stage: Stage) -> None:
    stage.require(CHECK)
    pull = await opened(stage)
    slept: list[float] = []

    async def begin(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            await stage.report(pull.head_commit, CHECK, "pending")

    await merge_when_ready(PLACE, pull, forge=stage.client(), sleep=begin)

    assert stage.pull(pull.number).auto_merge_by == WRITER
    assert slept == ([] if stage.kind in KNOWS_WHAT_IS_EXPECTED else list(CHECK_PAUSES_S[:2]))


@pytest.mark.parametrize("kind", ["gitea", "forgejo"])
async def test_required_check_counts_and_no_other(kind: str, tmp_path: Path) -> None:
    async with stage_of(kind, tmp_path) as stage:
        stage.require("ci/*")
        pull = await opened(stage)
        await stage.report(pull.head_commit, "lint", "pending")

        assert await refused(stage, pull) == ForgeRefusal.NOT_READY
        await stage.report(pull.head_commit, "ci/build", "pending")
        await enable(stage, pull)


@pytest.mark.parametrize(
    ("pattern", "name", "fit"),
    [
        ("ci/build", "ci/build", True),
        ("ci/*", "ci/build", True),
        ("*", "anything / at all (push)", True),
        ("ci/?", "ci/1", True),
        ("ci/*", "CI/build", False),
        # The forge's patterns are of another language than ours.
        ("ci/{build,test}", "ci/build", False),
        ("ci/[ab]", "ci/a", False),
        ("ci/[!a]", "ci/b", False),
        ("ci\\*", "ci\\x", False),
        ("ci/[ab]", "ci/[ab]", True),
    ],
)
def test_pattern_of_a_required_check_fits_only_what_is_certain(
    pattern: str, name: str, *, fit: bool
) -> None:
    assert fits(name, pattern=pattern) is fit
