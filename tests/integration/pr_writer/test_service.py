"""The whole service on a real bus: what it does with events, and what it says."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doubles.pr_writer_stage import FILES, REPOSITORY, Stage, running_writer

from countersign.contracts.messages import (
    CredentialMode,
    FailureReason,
    ForgeUser,
    OpeningStep,
    PromotionRequested,
    PromotionRetried,
    PromotionSuperseded,
    PullRequestClosed,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
    PullRequestProgressed,
    TokenUsed,
    TokenUseOutcome,
)
from countersign.contracts.secret import Secret

PROD = "clusters/prod/podinfo.yaml"


def ada(stage: Stage) -> tuple[Secret, ForgeUser]:
    app = stage.story.forge.app(kind="github-app", installations=[REPOSITORY])
    issued = stage.story.forge.user_token(app, "ada")
    person = next(p for p in stage.story.forge.store.people if p.login == "ada")
    return issued.text, ForgeUser(id=str(person.id), login="ada")


async def opened(stage: Stage, *, count: int = 1) -> PullRequestOpened:
    event = await stage.next(PullRequestOpened, count=count)
    assert isinstance(event, PullRequestOpened)
    return event


async def failed(stage: Stage) -> PullRequestFailed:
    event = await stage.next(PullRequestFailed)
    assert isinstance(event, PullRequestFailed)
    return event


async def superseded(stage: Stage, event: PromotionRequested) -> None:
    news = PromotionSuperseded(
        promotion=event.promotion, reason="6.9.1 is newer", superseded_at=datetime.now(UTC)
    )
    await stage.watcher.publish(news, message_id=f"s{event.promotion.promotion_id}")


async def test_stored_credential_opens_as_soon_as_it_is_requested(stage: Stage) -> None:
    event = stage.story.requested()

    await stage.request(event)
    said = await opened(stage)

    assert said.mode is CredentialMode.STORED
    assert said.author == ForgeUser(id=said.author.id if said.author else "", login="robot")
    assert said.files == (PROD,)
    used = await stage.next(TokenUsed)
    assert isinstance(used, TokenUsed)
    assert (used.credential, used.outcome) == (event.secret, TokenUseOutcome.ACCEPTED)
    steps = [
        e.step for e in stage.of(PullRequestProgressed) if isinstance(e, PullRequestProgressed)
    ]
    assert steps == [
        OpeningStep.READING,
        OpeningStep.EDITING,
        OpeningStep.COMMITTING,
        OpeningStep.OPENING,
    ]


async def test_delegation_opens_as_the_one_who_approved(stage: Stage) -> None:
    token, user = ada(stage)
    event = stage.story.requested(mode=CredentialMode.DELEGATED)

    await stage.request(event)
    await stage.grant(event, token=token, user=user)
    said = await opened(stage)

    assert stage.story.forge.pull(REPOSITORY, 1).author == "ada"
    assert said.author == user
    assert said.approval_id == f"a-{event.promotion.promotion_id}"
    used = await stage.next(TokenUsed)
    assert isinstance(used, TokenUsed)
    assert used.credential.name == ".delegated"


async def test_delegation_of_somebody_else_opens_nothing(stage: Stage) -> None:
    token, user = ada(stage)
    event = stage.story.requested(mode=CredentialMode.DELEGATED)

    await stage.request(event)
    await stage.grant(event, token=token, user=user.model_copy(update={"id": "1"}))

    assert (await failed(stage)).reason is FailureReason.CONSENT_MISMATCH
    assert stage.story.forge.pulls(REPOSITORY) == []


async def test_delegation_that_is_over_says_so(stage: Stage) -> None:
    _, user = ada(stage)
    event = stage.story.requested(mode=CredentialMode.DELEGATED)

    await stage.request(event)
    await stage.grant(event, token=None, user=user)

    assert (await failed(stage)).reason is FailureReason.DELEGATION_EXPIRED


async def test_stored_credential_with_manual_waits_for_consent(stage: Stage) -> None:
    waiting = stage.story.requested("7.0.0", environment="staging", manual=True)
    await stage.request(waiting)
    await stage.request(stage.story.requested())

    said = await opened(stage)

    assert said.promotion.environment == "prod"
    assert len(stage.story.forge.pulls(REPOSITORY)) == 1


async def test_superseded_pull_request_is_closed_at_once(stage: Stage) -> None:
    event = stage.story.requested()
    await stage.request(event)
    await opened(stage)

    await superseded(stage, event)
    await stage.next(PullRequestClosed)

    assert stage.story.open_pulls() == []


async def test_merge_is_seen_by_polling_where_the_credential_is_stored(stage: Stage) -> None:
    await stage.request(stage.story.requested())
    await opened(stage)

    stage.story.forge.merge(REPOSITORY, 1, by="ada")

    said = await stage.next(PullRequestMerged)
    assert isinstance(said, PullRequestMerged)
    assert said.by is not None
    assert said.by.login == "ada"


async def test_retry_after_a_failure_is_a_new_attempt(stage: Stage) -> None:
    event = stage.story.requested()
    stage.story.forge.commit(REPOSITORY, {PROD: "v: 1\n"})
    await stage.request(event)
    assert (await failed(stage)).reason is FailureReason.NO_MARKER

    stage.story.forge.commit(REPOSITORY, {PROD: FILES[PROD]})
    again = event.promotion.model_copy(update={"attempt": 2})
    await stage.approval.publish(
        PromotionRetried(promotion=again, retried_at=datetime.now(UTC)), message_id="r2"
    )

    said = await opened(stage)
    assert said.promotion.attempt == 2
    assert said.pull_request.head_branch.endswith("-2")


async def test_forge_that_fails_once_is_tried_again(stage: Stage) -> None:
    stage.story.forge.faults(contains="createPullRequest", count=1, drop_after_success=True)

    await stage.request(stage.story.requested())
    said = await opened(stage)

    assert said.files == (PROD,)
    assert stage.story.open_pulls() == [1]


async def test_forge_that_is_not_listed_gets_nothing(stage: Stage) -> None:
    event = stage.story.requested()
    elsewhere = event.destination.model_copy(update={"origin": "https://evil.example"})

    await stage.request(event.model_copy(update={"destination": elsewhere}))

    assert (await failed(stage)).reason is FailureReason.FORGE_NOT_LISTED
    assert stage.story.forge.requests() == []


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3, 0.6])
async def test_service_that_is_stopped_midway_leaves_one_pull_request(
    stage: Stage, tmp_path: Path, delay_s: float
) -> None:
    stage.story.forge.faults(latency_ms=100)
    await stage.request(stage.story.requested())
    await asyncio.sleep(delay_s)
    stage.writer.cancel()
    await asyncio.wait([stage.writer])

    async with running_writer(stage.story, stage.server, tmp_path):
        await stage.next(PullRequestOpened, timeout_s=110)

    assert stage.story.open_pulls() == [1]
