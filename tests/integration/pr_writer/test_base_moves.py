"""Somebody else's commit arrives at the base branch while a promotion is being written."""

import pytest
from doubles.pr_writer_stage import FILES, REPOSITORY, NoRedeemer, Runner, Story
from integration.pr_writer.test_service import PROD

from countersign.contracts.messages import OpeningStep
from countersign.local.forge.state.service import Denied
from countersign.pr_writer.jobs.outcomes import Opened, Progress

PROMOTED = FILES[PROD].replace("6.8.0", "6.9.0")
NOTE = "# reviewed by nobody\n"


@pytest.mark.parametrize("step", [OpeningStep.COMMITTING, OpeningStep.OPENING])
@pytest.mark.parametrize(
    ("theirs", "together"),
    [
        pytest.param({"README.md": "# moved\n"}, {PROD: PROMOTED}, id="another file"),
        pytest.param({PROD: NOTE + FILES[PROD]}, {PROD: NOTE + PROMOTED}, id="the same file"),
    ],
)
async def test_commit_that_comes_to_the_base_meanwhile_is_kept_beside_ours(
    story: Story, runner: Runner, step: OpeningStep, *, theirs: dict[str, str],
    together: dict[str, str],
) -> None:  # fmt: skip
    # What is sent at that step arrives after theirs.
    story.forge.faults(path="/api/*", latency_ms=400)

    async def move(progress: Progress) -> None:
        if progress.step is step:
            story.forge.commit(REPOSITORY, theirs)

    outcome = await runner.pool.run(story.job(), on_progress=move, redeemer=NoRedeemer())
    assert isinstance(outcome, Opened), outcome
    assert story.open_pulls() == [1]

    story.forge.faults()
    story.forge.merge(REPOSITORY, 1, by="robot")
    for path, text in {**theirs, **together}.items():
        assert story.forge.read(REPOSITORY, path) == text.encode()


async def test_value_that_somebody_else_changed_meanwhile_is_not_overwritten(
    story: Story, runner: Runner
) -> None:
    story.forge.faults(path="/api/*", latency_ms=400)
    theirs = FILES[PROD].replace("6.8.0", "6.8.9")

    async def move(progress: Progress) -> None:
        if progress.step is OpeningStep.COMMITTING:
            story.forge.commit(REPOSITORY, {PROD: theirs})

    await runner.pool.run(story.job(), on_progress=move, redeemer=NoRedeemer())
    story.forge.faults()

    with pytest.raises(Denied, match="Merge conflict"):
        story.forge.merge(REPOSITORY, 1, by="robot")
    assert story.forge.read(REPOSITORY, PROD) == theirs.encode()
