"""One open pull request in a lane, also where the stream that knew of it is gone."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE

import pytest
from doubles.pr_writer_stage import REPOSITORY, Runner, Story

from countersign.contracts.errors import Retryable


async def test_pull_request_of_another_attempt_is_found_when_the_stream_forgot_it(
    story: Story, runner: Runner
) -> None:
    second = await runner.open(story.job(attempt=2))

    first = await runner.open(story.job(attempt=1))

    assert first.found
    assert first.pull.pull_request == second.pull.pull_request
    assert len(story.forge.pulls(REPOSITORY)) == 1


async def test_pull_request_of_another_attempt_with_another_content_gives_way(
    story: Story, runner: Runner
) -> None:
    second = await runner.open(story.job(attempt=2))
    assert second.pull.pull_request is not None
    branch = second.pull.pull_request.head_branch
    story.forge.commit(REPOSITORY, {"clusters/prod/more.yaml": "a: 1\n"}, branch=branch)

    first = await runner.open(story.job(attempt=1))

    assert not first.found
    assert story.open_pulls() == [2]


async def test_older_pull_request_is_closed_when_the_stream_forgot_it(
    story: Story, runner: Runner
) -> None:
    await runner.open(story.job())

    outcome = await runner.open(story.job(story.requested("6.9.1")))

    assert outcome.closed == (1,)
    assert story.open_pulls() == [2]


async def test_pull_request_of_a_lane_whose_branches_begin_alike_is_left_alone(
    story: Story, runner: Runner
) -> None:
    environments = [f"production-in-region-{n}" for n in ("one", "two")]
    for environment in environments:
        request = story.requested(environment=environment, marker_key="apps:podinfo:prod")
        await runner.open(story.job(request))

    assert sorted(story.open_pulls()) == [1, 2]


async def test_zygote_that_dies_while_it_starts_is_started_for_the_next_try(
    story: Story, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(runner.pool.zygote_pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while runner.pool.not_ready() is None:  # noqa: ASYNC110 - it is ending
            await asyncio.sleep(0.01)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(Retryable, match="zygote"):
            await runner.open(story.job())
    await runner.open(story.job(tries=2))


async def test_zygote_whose_parent_died_ends_without_a_word() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "countersign.pr_writer.zygote", str(theirs.fileno()),
            pass_fds=(theirs.fileno(),), stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
    async with asyncio.timeout(20):
        said = await process.communicate()

    assert said == (b"", b"")
    assert process.returncode == 0
