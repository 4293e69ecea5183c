"""A forge whose certificate only the Secret of the Pipeline vouches for: its key `caFile`."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from doubles.pr_writer_stage import Runner, Story
from doubles.tls_front import Front, tls_front

from countersign.contracts.messages import FailureReason
from countersign.pr_writer.jobs.model import OpenJob


@pytest.fixture
async def front(story: Story, tmp_path: Path) -> AsyncIterator[Front]:
    port = urlsplit(story.forge.origin).port
    assert port is not None
    async with tls_front(tmp_path / "tls", port=port) as made:
        story.entry = story.entry.model_copy(update={"origin": made.origin})
        yield made


def job_at(story: Story, front: Front) -> OpenJob:
    request = story.requested()
    to = request.destination.model_copy(update={"origin": front.origin})
    return story.job(request.model_copy(update={"destination": to}))


def vouch(story: Story, text: str) -> None:
    (story.secrets_dir / "apps" / "fleet" / "caFile").write_text(text)


async def test_authority_of_the_secret_is_believed(
    story: Story, runner: Runner, front: Front
) -> None:
    vouch(story, front.authority)

    await runner.open(job_at(story, front))

    assert len(story.open_pulls()) == 1


async def test_without_it_nothing_is_sent(story: Story, runner: Runner, front: Front) -> None:
    outcome = await runner.fail(job_at(story, front))

    assert outcome.reason is FailureReason.FORGE_UNAVAILABLE
    assert story.open_pulls() == []


async def test_authority_that_is_none_is_said(story: Story, runner: Runner, front: Front) -> None:
    vouch(story, "no certificate")

    outcome = await runner.fail(job_at(story, front))

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert "'caFile'" in outcome.message
