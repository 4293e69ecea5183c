"""A forge that does what it was asked when nobody waits for it any more, through real executors."""

import asyncio

from doubles.pr_writer_stage import REPOSITORY, Runner, Story

from countersign.contracts.messages import OpeningStep
from countersign.pr_writer.jobs.outcomes import Fate


async def _is_opened(story: Story) -> None:
    async with asyncio.timeout(10):
        while not story.forge.pulls(REPOSITORY):  # noqa: ASYNC110 - it is the forge that is late
            await asyncio.sleep(0.05)


async def test_pull_request_that_opens_after_its_job_failed_is_found_and_closed(
    story: Story, runner: Runner
) -> None:
    story.forge.faults(contains="createPullRequest", count=1, effect_after_ms=500)
    failed = await runner.fail(story.job())
    before = await runner.look(story.look_job())

    await _is_opened(story)
    after = await runner.look(story.look_job())

    assert (failed.retryable, failed.step) == (True, OpeningStep.OPENING)
    assert before.pulls == ()
    assert [p.fate for p in after.pulls] == [Fate.CLOSED]
    assert story.open_pulls() == []


async def test_look_without_a_reason_to_close_leaves_it_open(story: Story, runner: Runner) -> None:
    await runner.open(story.job())

    looked = await runner.look(story.look_job(closes=False))

    assert [(p.attempt, p.fate) for p in looked.pulls] == [(1, Fate.OPEN)]
    assert story.open_pulls() == [1]


async def test_commit_that_comes_late_is_nobody_elses(story: Story, runner: Runner) -> None:
    story.forge.faults(contains="createCommitOnBranch", count=1, effect_after_ms=300)
    first = await runner.fail(story.job())
    branch = story.job().branch

    async with asyncio.timeout(10):
        while not story.forge.head(REPOSITORY, branch):  # noqa: ASYNC110 - the forge is late
            await asyncio.sleep(0.05)
    second = await runner.fail(story.job(tries=2))

    assert (first.retryable, second.retryable) == (True, True)
    assert second.after_s is not None
    assert story.open_pulls() == []


async def test_next_job_of_a_lane_finds_what_opened_when_nobody_could_look(
    story: Story, runner: Runner
) -> None:
    """A person's token is revoked with their promotion; what it sent may open after that."""
    before = story.job()
    await runner.open(before)
    story.forge.merge(REPOSITORY, 1, by="ada")

    outcome = await runner.open(story.job(story.requested("6.9.1"), uncertain=(before.branch,)))

    assert [(p.pull_request.number, p.fate) for p in outcome.others] == [(1, Fate.MERGED)]
    assert outcome.pull.pull_request.number == 2
