"""An executor reads the Secret of its job from a real API server, as the writer's account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from apiserver import ApiServer
from doubles.pr_writer_stage import (
    Runner,
    Stage,
    Story,
    running_executors,
    setting_stage,
    telling_story,
)
from doubles.service_accounts import (
    let_read,
    make_account,
    rotate_secret,
    settings_of,
    store_secret,
)

from countersign.contracts.messages import FailureReason, PullRequestFailed, PullRequestOpened
from countersign.kube.access.http_api import HttpClusterApi
from countersign.pr_writer.jobs.model import ClusterAddress, OpenJob, SecretSource
from countersign.pr_writer.jobs.outcomes import Opened

ACCOUNT = "countersign-pr-writer"
WRONG = "ghp_" + "0" * 36


@pytest.fixture
async def story(
    tmp_path: Path, apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> AsyncIterator[Story]:
    """Of a Pipeline in a namespace with an account that may read its Secret `fleet` alone."""
    await make_account(admin, namespace, ACCOUNT)
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    async with telling_story(tmp_path) as made:
        made.namespace = namespace
        made.entry = made.entry.model_copy(update={"repositories": {namespace: ("acme/*",)}})
        made.kube = await settings_of(admin, apiserver, ACCOUNT, namespace=namespace)
        yield made


@pytest.fixture
async def runner() -> AsyncIterator[Runner]:
    async with running_executors() as made:
        yield made


def job_of(story: Story, *, url: str = "", secret: str = "fleet") -> OpenJob:
    request = story.requested()
    reference = request.secret
    assert reference is not None
    named = reference.model_copy(update={"name": secret})
    place = ClusterAddress(url=url or story.kube.url, account_dir=str(story.kube.account_dir))
    request = request.model_copy(update={"secret": named})
    access = story.access(request.mode).model_copy(update={"secrets": SecretSource(cluster=place)})
    return story.job(request, access=access)


async def test_pull_request_is_opened_with_the_token_of_the_cluster(
    story: Story, runner: Runner, admin: HttpClusterApi
) -> None:
    await store_secret(admin, story.namespace, "fleet", {"token": f"{story.token.reveal()}\n"})

    outcome = await runner.run(job_of(story))

    assert isinstance(outcome, Opened), outcome
    assert len(story.open_pulls()) == 1
    assert not any(story.token.reveal() in repr(told) for told in runner.told)


async def test_password_and_bearer_token_are_taken_for_a_token(
    story: Story, runner: Runner, admin: HttpClusterApi
) -> None:
    keys = {"username": "robot", "password": story.token.reveal(), "bearerToken": WRONG}
    await store_secret(admin, story.namespace, "fleet", keys)

    outcome = await runner.run(job_of(story))

    assert isinstance(outcome, Opened), outcome


async def test_secret_that_may_not_be_read_is_told_with_the_line_that_grants(
    story: Story, runner: Runner, admin: HttpClusterApi
) -> None:
    await store_secret(admin, story.namespace, "other", {"token": story.token.reveal()})

    outcome = await runner.fail(job_of(story, secret="other"))

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert not outcome.retryable
    assert f"'{story.namespace}/other'" in outcome.message
    role = "countersign-credential-other"
    assert f"kubectl -n {story.namespace} create role {role}" in outcome.message
    assert story.forge.requests() == []


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (None, "it is not there"),
        ({"username": "robot"}, "it has no key 'token'"),
        ({"token": "\n"}, "its key 'token' is empty"),
        ({"token": "ümlaut"}, "is not of plain characters"),
    ],
)
async def test_secret_without_a_token_is_told(
    story: Story, runner: Runner, admin: HttpClusterApi, keys: dict[str, str] | None, why: str
) -> None:
    if keys is not None:
        await store_secret(admin, story.namespace, "fleet", keys)

    outcome = await runner.fail(job_of(story))

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert why in outcome.message


async def test_server_that_is_away_is_tried_again(story: Story, runner: Runner) -> None:
    outcome = await runner.fail(job_of(story, url="https://127.0.0.1:9"))

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert outcome.retryable


@pytest.fixture
async def stage(story: Story, tmp_path: Path) -> AsyncIterator[Stage]:
    async with setting_stage(story, tmp_path) as made:
        yield made


async def test_rotated_secret_is_used_at_the_next_job(
    story: Story, stage: Stage, admin: HttpClusterApi
) -> None:
    await store_secret(admin, story.namespace, "fleet", {"token": WRONG})
    await stage.request(story.requested("6.9.0"))
    failed = await stage.next(PullRequestFailed)
    await rotate_secret(admin, story.namespace, "fleet", {"token": story.token.reveal()})
    await stage.request(story.requested("6.9.1"))
    opened = await stage.next(PullRequestOpened)

    assert isinstance(failed, PullRequestFailed)
    assert failed.reason is FailureReason.UNAUTHORIZED
    assert isinstance(opened, PullRequestOpened)
    assert opened.author is not None
    assert opened.author.login == "robot"
