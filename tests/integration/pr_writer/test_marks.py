"""How a pull request is marked: labels, drafts, and whether the forge merges it by itself."""

import httpx2
from doubles.pr_writer_stage import REPOSITORY, Runner, Story

from countersign.contracts.identity import consent_digest
from countersign.contracts.messages import AutoMerge, AutoMergeAnswer, FailureReason
from countersign.pr_writer.jobs.model import Consent


async def test_pull_request_is_labelled_and_a_draft_where_the_entry_says_so(
    story: Story, runner: Runner
) -> None:
    story.mark(labels=["promotion", "team: shop"], draft=True)

    await runner.open(story.job())

    pull = story.forge.pull(REPOSITORY, 1)
    assert (pull.labels, pull.draft) == (("promotion", "team: shop"), True)


async def test_label_that_is_refused_leaves_the_pull_request_as_it_is(
    story: Story, runner: Runner
) -> None:
    story.mark(labels=["promotion"])
    story.forge.faults(path="*/labels", status=403)

    await runner.open(story.job())

    assert story.forge.pull(REPOSITORY, 1).labels == ()
    assert story.open_pulls() == [1]


async def report(story: Story, sha: str, state: str) -> None:
    """Report a check of a commit, as a CI does."""
    token = story.forge.token("ada", scopes=["repo"])
    async with httpx2.AsyncClient(trust_env=False) as ci:
        answer = await ci.post(
            f"{story.forge.api}/repos/{REPOSITORY}/statuses/{sha}",
            json={"state": state, "context": "ci"},
            headers={"authorization": f"Bearer {token.reveal()}"},
        )
    assert answer.status_code == 201, answer.text


async def test_pull_request_is_merged_by_itself_once_its_checks_pass(
    story: Story, runner: Runner
) -> None:
    story.mark(autoMerge=True)
    story.forge.repository(REPOSITORY, writers=["ada", "robot"], required_checks=["ci"])

    await runner.open(story.job())
    opened = story.forge.pull(REPOSITORY, 1)
    await report(story, opened.head_sha, "pending")
    waiting = story.forge.pull(REPOSITORY, 1)
    await report(story, opened.head_sha, "success")
    merged_pull = story.forge.pull(REPOSITORY, 1)

    assert waiting.is_open
    assert merged_pull.merged_at is not None
    assert merged_pull.merged_by == "robot"


async def test_pull_request_without_required_checks_waits_for_a_person(
    story: Story, runner: Runner
) -> None:
    story.mark(autoMerge=True)

    outcome = await runner.open(story.job())

    assert "enable auto-merge" in runner.calls
    assert outcome.marks.auto_merge is AutoMergeAnswer.REFUSED
    assert story.open_pulls() == [1]


async def test_pipeline_that_refuses_is_not_merged_by_itself_where_the_list_presets_that(
    story: Story, runner: Runner
) -> None:
    story.mark(autoMerge="preset")
    story.forge.repository(REPOSITORY, writers=["ada", "robot"], required_checks=["ci"])
    request = story.requested().model_copy(update={"auto_merge": AutoMerge.UNWANTED})

    await runner.open(story.job(request))

    pull = story.forge.pull(REPOSITORY, 1)
    assert (pull.auto_merge_by, "merge it by itself" in pull.body) == ("", False)


async def test_pipeline_that_asks_for_it_is_merged_by_itself_where_the_list_allows_that(
    story: Story, runner: Runner
) -> None:
    story.mark(autoMerge="allowed")
    story.forge.repository(REPOSITORY, writers=["ada", "robot"], required_checks=["ci"])
    request = story.requested().model_copy(update={"auto_merge": AutoMerge.WANTED})

    await runner.open(story.job(request))

    pull = story.forge.pull(REPOSITORY, 1)
    assert pull.auto_merge_by == "robot"
    assert "The forge is asked to merge it by itself once its checks pass." in pull.body


async def test_pull_request_that_would_merge_itself_takes_a_consent_to_that(
    story: Story, runner: Runner
) -> None:
    """The list that approval consented by is not the one that the pr-writer has now."""
    request = story.requested().model_copy(update={"auto_merge": AutoMerge.WANTED})
    consent = Consent(digest=consent_digest(request))
    story.mark(autoMerge="allowed")

    outcome = await runner.fail(story.job(request, consent=consent))

    assert outcome.reason is FailureReason.CONSENT_MISMATCH
    assert story.forge.requests() == []
