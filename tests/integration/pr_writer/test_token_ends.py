"""A delegated token ends at the forge in the middle of the job that it was given for."""

import asyncio
from datetime import UTC, datetime, timedelta

from doubles.pr_writer_stage import FILES, REPOSITORY, NoRedeemer, Runner, Stage, Story
from integration.pr_writer.test_service import PROD, ada, failed, opened

from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    OpeningStep,
    PromotionRetried,
    PullRequestProgressed,
    TokenUsed,
    TokenUseOutcome,
)
from countersign.pr_writer.jobs.frames import EXECUTOR_S
from countersign.pr_writer.jobs.outcomes import Failure, Progress

# Longer than a token of the forge's application lives.
LATER = timedelta(hours=9)


async def reached(stage: Stage, step: OpeningStep) -> None:
    async with asyncio.timeout(30):
        while not any(told.step is step for told in stage.of(PullRequestProgressed)):
            stage.news.clear()
            await stage.news.wait()


async def test_token_that_expires_midway_is_told_once_and_the_next_consent_opens_one(
    stage: Stage,
) -> None:
    forge, event = stage.story.forge, stage.story.requested(mode=CredentialMode.DELEGATED)
    token, user = ada(stage)
    # What is under way when the forge's clock moves on is judged by the new time.
    forge.faults(path="/api/*", latency_ms=700)
    await stage.request(event)
    await stage.grant(event, token=token, user=user)
    await reached(stage, OpeningStep.COMMITTING)
    stage.story.clock.behind_s = -LATER.total_seconds()

    assert (await failed(stage)).reason is FailureReason.UNAUTHORIZED
    used = [await stage.next(TokenUsed, count=count) for count in (1, 2)]
    outcomes = [one.outcome for one in used if isinstance(one, TokenUsed)]
    assert outcomes == [TokenUseOutcome.ACCEPTED, TokenUseOutcome.REFUSED]
    assert [asked["status"] for asked in forge.requests()].count(401) == 1
    assert forge.pulls(REPOSITORY) == []

    forge.faults()
    again = event.model_copy(
        update={"promotion": event.promotion.model_copy(update={"attempt": 2})}
    )
    retried = PromotionRetried(promotion=again.promotion, retried_at=datetime.now(UTC))
    await stage.approval.publish(retried, message_id="r2")
    token, user = ada(stage)
    await stage.grant(again, token=token, user=user)
    await opened(stage)

    (pull,) = forge.pulls(REPOSITORY)
    assert pull.author == "ada"
    changed = forge.read(REPOSITORY, PROD, revision=pull.head_branch)
    assert changed == FILES[PROD].replace("6.8.0", "6.9.0").encode()


async def test_commit_that_an_expired_token_left_is_opened_by_the_next(
    story: Story, runner: Runner
) -> None:
    # Nobody waits until a commit of a moment ago is surely nobody's any more.
    story.clock.behind_s = EXECUTOR_S + 10
    soon = story.clock() + LATER / 2
    story.store(story.forge.token("robot", scopes=["repo"], expires_at=soon))
    story.forge.faults(path="/api/*", latency_ms=700)

    async def expire(progress: Progress) -> None:
        if progress.step is OpeningStep.OPENING:
            story.clock.behind_s = -LATER.total_seconds()

    outcome = await runner.pool.run(story.job(), on_progress=expire, redeemer=NoRedeemer())
    assert isinstance(outcome, Failure)
    assert outcome.reason is FailureReason.UNAUTHORIZED
    assert story.forge.pulls(REPOSITORY) == []

    story.forge.faults()
    story.store(story.token)
    await runner.open(story.job(tries=2))

    assert story.open_pulls() == [1]
    assert story.forge.pull(REPOSITORY, 1).head_branch == story.job().branch
