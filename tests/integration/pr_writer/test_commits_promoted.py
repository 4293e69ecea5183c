"""Commits in a pull request that promotes them, and those that no token is used to read."""

from typing import Any

from doubles.pr_writer_stage import REPOSITORY, Runner, Story

from countersign.contracts.messages import Content, CredentialMode, OpeningStep, PromotionRequested
from countersign.contracts.revision import parse_revision
from countersign.pr_writer.executor.credentials import readable_span

SITE = "acme/site"


def requested(story: Story, *, old: str, new: str) -> PromotionRequested:
    request = story.requested()
    source = f"{story.forge.origin}/{SITE}".replace(":", "%3A").replace("/", "%2F")
    purl = f"pkg:generic/site@{new}?vcs_url=git%2B{source}%40{new}"
    recorded = f"main@sha1:{new}"
    changes: dict[str, Any] = {
        "promotion": request.promotion.model_copy(update={"purl": purl}),
        "content": Content(identity=recorded, revision=parse_revision(recorded)),
        "current": parse_revision(f"main@sha1:{old}"),
    }
    return request.model_copy(update=changes)


def walked(story: Story, *, messages: tuple[str, ...]) -> PromotionRequested:
    """A site with these commits since what prod runs."""
    story.forge.repository(SITE, {"index.html": "0"}, writers=["robot"])
    commits = [
        story.forge.commit(SITE, {"index.html": str(i)}, message=message)
        for i, message in enumerate(("begin", *messages))
    ]
    return requested(story, old=commits[0], new=commits[-1])


def body_of(story: Story) -> str:
    (pull,) = story.forge.pulls(REPOSITORY)
    return str(pull.body)


async def test_pull_request_lists_the_commits_that_a_stored_token_may_read(
    story: Story, runner: Runner
) -> None:
    request = walked(story, messages=("Add a banner\n\nlong story", "Closes #1 for @ada"))

    await runner.open(story.job(request))

    _, _, listed = body_of(story).partition("Commits, the newest first:")
    lines = [line for line in listed.splitlines() if line.startswith("- ")]
    assert len(lines) == 2
    assert "#1" not in lines[0]
    assert lines[1] == "- `Add a banner`"


async def test_commits_are_read_before_the_time_for_the_request_runs(
    story: Story, runner: Runner
) -> None:
    """An executor that is late with its request is ended, and nobody knows what came of it."""
    request = walked(story, messages=("Add a banner",))

    await runner.open(story.job(request))

    told = [p.call[0] if p.call else p.step for p in runner.told]
    assert told.index("compare commits") < told.index(OpeningStep.OPENING)


async def test_nothing_is_read_that_the_namespace_may_not_use(story: Story, runner: Runner) -> None:
    """Whoever names a source in a cluster could otherwise learn of a repository by its commits."""
    request = walked(story, messages=("Buy the other company",))
    only_fleet = story.entry.model_copy(update={"repositories": {"apps": (REPOSITORY,)}})
    story.entry = only_fleet

    await runner.open(story.job(request))

    assert "Buy the other company" not in body_of(story)
    assert "compare commits" not in runner.calls


async def test_pull_request_is_opened_where_the_commits_cannot_be_read(
    story: Story, runner: Runner
) -> None:
    request = requested(story, old="a" * 40, new="b" * 40)

    await runner.open(story.job(request))

    assert story.open_pulls() == [1]
    assert "Commits" not in body_of(story)


async def test_delegated_token_reads_no_other_repository(story: Story) -> None:
    stored = requested(story, old="a" * 40, new="b" * 40)
    delegated = stored.model_copy(update={"mode": CredentialMode.DELEGATED})

    assert readable_span(story.job(stored)) is not None
    assert readable_span(story.job(delegated)) is None
