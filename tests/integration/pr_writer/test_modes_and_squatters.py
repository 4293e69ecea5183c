"""Files that can be run stay so, and a commit is ours only if we made it."""

import pytest
from doubles.pr_writer_stage import FILES, REPOSITORY, Runner, Story

from countersign.contracts.messages import FailureReason
from countersign.local.forge.git.objects import MODE_FILE
from countersign.pr_writer.jobs.frames import EXECUTOR_S
from countersign.pr_writer.jobs.model import Consent, OpenJob

PROD = "clusters/prod/podinfo.yaml"
EXECUTABLE = 0o100755
WRITTEN = FILES[PROD].replace("6.8.0", "6.9.0")


def approved_by(story: Story, *delegates: str) -> OpenJob:
    """A job for which people delegated, whoever's token it is done with."""
    job = story.job()
    consent = Consent(digest=job.consent.digest, delegates=delegates)
    return job.model_copy(update={"consent": consent})


async def test_executable_file_stays_executable(story: Story, runner: Runner) -> None:
    story.forge.commit(REPOSITORY, {PROD: FILES[PROD]}, mode=EXECUTABLE)
    job = story.job()

    outcome = await runner.open(job)

    assert outcome.files == (PROD,)
    assert story.forge.mode(REPOSITORY, PROD, revision=job.branch) == EXECUTABLE
    assert story.forge.read(REPOSITORY, PROD, revision=job.branch) == WRITTEN.encode()


async def test_file_beside_an_executable_one_stays_plain(story: Story, runner: Runner) -> None:
    other = "clusters/prod/run.yaml"
    story.forge.commit(REPOSITORY, {other: FILES[PROD]}, mode=EXECUTABLE)
    job = story.job()

    outcome = await runner.open(job)

    assert set(outcome.files) == {PROD, other}
    assert story.forge.mode(REPOSITORY, PROD, revision=job.branch) == MODE_FILE
    assert story.forge.mode(REPOSITORY, other, revision=job.branch) == EXECUTABLE


async def test_redelivered_job_finds_its_executable_file(story: Story, runner: Runner) -> None:
    story.forge.commit(REPOSITORY, {PROD: FILES[PROD]}, mode=EXECUTABLE)
    await runner.open(story.job())

    again = await runner.open(story.job(tries=2))

    assert again.found
    assert story.open_pulls() == [1]


@pytest.mark.parametrize("by", ["ada", "somebody"])
async def test_commit_of_somebody_else_with_our_very_change_is_not_ours(
    story: Story, runner: Runner, by: str
) -> None:
    story.clock.behind_s = EXECUTOR_S + 1
    job = story.job()
    story.forge.commit(REPOSITORY, {PROD: WRITTEN}, branch=job.branch, by=by)

    outcome = await runner.fail(job)

    assert outcome.reason is FailureReason.BRANCH_TAKEN
    assert story.open_pulls() == []


async def test_commit_of_an_earlier_approver_is_taken_over(story: Story, runner: Runner) -> None:
    story.store(story.forge.token("ada", scopes=["repo"]))
    first = await runner.open(story.job())
    assert first.pull.author is not None
    story.store(story.token)

    found = await runner.open(approved_by(story, first.pull.author.id))
    refused = await runner.fail(approved_by(story))

    assert found.found
    assert refused.reason is FailureReason.BRANCH_TAKEN
