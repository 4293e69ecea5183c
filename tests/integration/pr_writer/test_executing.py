"""One job in its own processes, against a forge with real repositories."""

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx2
import pytest
import vendor_api
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from doubles.pr_writer_stage import FILES, REPOSITORY, NoRedeemer, Runner, Story, merged

from countersign.contracts.errors import Retryable
from countersign.contracts.identity import consent_digest
from countersign.contracts.messages import (
    AutoMergeAnswer,
    CredentialMode,
    FailureDetail,
    FailureReason,
    OpeningStep,
    TokenUseOutcome,
)
from countersign.contracts.secret import Secret
from countersign.dialects.repositories.contents import NewCommit, Replacement
from countersign.dialects.repositories.interface import LookScope
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp
from countersign.pr_writer.executor.sightings import place_of
from countersign.pr_writer.jobs.frames import EXECUTOR_S
from countersign.pr_writer.jobs.model import Consent, Job
from countersign.pr_writer.jobs.outcomes import Failure, Fate, Opened, Progress

MARKER = '# {"$promotion": "apps:podinfo:prod"}'
PROD = "clusters/prod/podinfo.yaml"


async def test_pull_request_changes_the_marked_bytes_and_nothing_else(
    story: Story, runner: Runner
) -> None:
    job = story.job()

    outcome = await runner.open(job)

    assert outcome.files == (PROD,)
    pull = story.forge.pull(REPOSITORY, 1)
    assert (pull.author, pull.head_branch, pull.base_branch) == ("robot", job.branch, "main")
    for path, text in FILES.items():
        expected = text.replace("6.8.0", "6.9.0") if path == PROD else text
        assert story.forge.read(REPOSITORY, path, revision=job.branch) == expected.encode()
    assert "Countersign-Promotion: " + job.request.promotion.promotion_id in pull.body


async def test_calls_are_five_for_an_unknown_repository_and_three_for_a_known_one(
    story: Story, runner: Runner
) -> None:
    first = await runner.open(story.job())
    assert len(runner.calls) == 5
    runner.told.clear()
    story.forge.merge(REPOSITORY, 1, by="ada")
    # Somebody else changes something meanwhile, where we know the folder.
    story.forge.commit(REPOSITORY, {"clusters/prod/other.yaml": "a: 2\n"})

    second = await runner.open(story.job(story.requested("6.9.1"), known=first.learned))

    # The changed file is read once more; an unchanged neighbourhood costs nothing.
    assert runner.calls == [
        "look at the repository",
        "read files",
        "commit",
        "open the pull request",
    ]
    runner.told.clear()
    known = merged(first.learned, second.learned)
    await runner.open(story.job(story.requested("6.9.2"), known=known))
    assert len(runner.calls) == 3


async def test_new_file_with_a_marker_is_found_although_the_repository_is_known(
    story: Story, runner: Runner
) -> None:
    first = await runner.open(story.job())
    story.forge.commit(REPOSITORY, {"new/folder/app.yaml": f"v: 6.8.0 {MARKER}\n"})

    second = await runner.open(story.job(story.requested("6.9.1"), known=first.learned))

    assert set(second.files) == {PROD, "new/folder/app.yaml"}


async def test_path_of_the_pipeline_bounds_what_is_looked_at(story: Story, runner: Runner) -> None:
    story.forge.commit(REPOSITORY, {"elsewhere/app.yaml": f"v: 6.8.0 {MARKER}\n"})

    outcome = await runner.open(story.job(story.requested(path="clusters/prod")))

    assert outcome.files == (PROD,)
    again = story.job(story.requested("6.9.1", path="clusters/prod"), known=outcome.learned)
    runner.told.clear()
    assert (await runner.open(again)).files == (PROD,)
    assert len(runner.calls) == 3


@pytest.mark.parametrize(
    ("files", "placed"),
    [
        ({PROD: "v: 6.8.0\n"}, (FailureDetail.UNSPECIFIED, "", 0)),
        ({PROD: f"spec: {MARKER}\n  v: 1\n"}, (FailureDetail.MARKER_UNUSABLE, PROD, 1)),
        (
            {PROD: "v: 1 # {'$promotion': 'apps:podinfo:prod'}\n"},
            (FailureDetail.UNSPECIFIED, "", 0),
        ),
        ({PROD: "# x\n" * 2_200_000 + MARKER}, (FailureDetail.FILE_TOO_LARGE, PROD, 0)),
        ({PROD: f"a: [ {MARKER}\n"}, (FailureDetail.UNSPECIFIED, "", 0)),
    ],
)
async def test_missing_or_misplaced_marker_is_told_with_its_place(
    story: Story,
    runner: Runner,
    files: dict[str, str],
    placed: tuple[FailureDetail, str, int],
) -> None:
    story.forge.commit(REPOSITORY, dict(files))

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.NO_MARKER, outcome
    assert (outcome.detail, outcome.path, outcome.line) == placed
    assert story.forge.pulls(REPOSITORY) == []


async def test_environment_that_is_there_already_is_a_distinct_outcome(
    story: Story, runner: Runner
) -> None:
    outcome = await runner.fail(story.job(story.requested("6.8.0")))

    assert outcome.reason is FailureReason.ALREADY_THERE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base": "release"}, FailureReason.NOT_FOUND),
        ({"repository": "acme/empty"}, FailureReason.NOT_FOUND),
        ({"repository": "acme/missing"}, FailureReason.NOT_FOUND),
        ({"repository": "other/fleet"}, FailureReason.REPOSITORY_NOT_ALLOWED),
        ({"path": "no/such/folder"}, FailureReason.NO_MARKER),
    ],
)
async def test_destination_that_cannot_be_written_fails_with_its_reason(
    story: Story, runner: Runner, changes: dict[str, str], reason: FailureReason
) -> None:
    story.forge.repository("acme/empty", writers=["robot"])

    outcome = await runner.fail(story.job(story.requested(**changes)))  # type: ignore[arg-type]

    assert outcome.reason is reason, outcome


async def test_token_without_the_right_to_write_is_told_as_forbidden(
    story: Story, runner: Runner
) -> None:
    story.forge.person("guest")
    story.forge.repository("acme/read", FILES, writers=["ada"], readers=["guest"])
    story.store(story.forge.token("guest", scopes=["repo"]))

    outcome = await runner.fail(story.job(story.requested(repository="acme/read")))

    assert outcome.reason is FailureReason.FORBIDDEN
    assert any(p.use is TokenUseOutcome.FORBIDDEN for p in runner.told)
    assert "'guest'" in outcome.message


async def test_token_that_the_forge_refuses_is_told_as_unauthorized(
    story: Story, runner: Runner
) -> None:
    story.store(Secret("ghp_" + "0" * 36))

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.UNAUTHORIZED
    assert any(p.use is TokenUseOutcome.REFUSED for p in runner.told)


async def test_secret_that_is_missing_is_told(story: Story, runner: Runner) -> None:
    story.secrets_dir = story.secrets_dir / "none"
    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert "'apps/fleet'" in outcome.message


async def test_job_that_is_not_what_was_consented_to_reaches_no_forge(
    story: Story, runner: Runner
) -> None:
    outcome = await runner.fail(story.job(consent=Consent(digest="0" * 64)))

    assert outcome.reason is FailureReason.CONSENT_MISMATCH
    assert story.forge.requests() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": "9.9.9"}, id="another version"),
        pytest.param({"tag": "evil"}, id="another tag"),
        pytest.param({"commit": "f" * 40}, id="another commit"),
        pytest.param({"digest": f"sha256:{'f' * 64}"}, id="another digest"),
    ],
)
async def test_revision_whose_parts_are_not_those_of_what_was_consented_to_reaches_no_forge(
    story: Story, runner: Runner, change: dict[str, str]
) -> None:
    """The digest of a consent covers what was recorded; markers get its parts."""
    request = story.requested()
    revision = request.content.revision.model_copy(update=change)
    content = request.content.model_copy(update={"revision": revision})

    changed = request.model_copy(update={"content": content})
    consent = Consent(digest=consent_digest(request))

    outcome = await runner.fail(story.job(changed, consent=consent))

    assert outcome.reason is FailureReason.CONSENT_MISMATCH
    assert story.forge.requests() == []


async def test_token_goes_to_no_other_forge_than_the_one_consented_to(
    story: Story, runner: Runner
) -> None:
    elsewhere = story.requested().destination.model_copy(update={"origin": "http://localhost:1"})
    request = story.requested().model_copy(update={"destination": elsewhere})

    outcome = await runner.fail(story.job(request))

    assert outcome.reason is FailureReason.CONSENT_MISMATCH
    assert story.forge.requests() == []


async def test_secret_of_another_namespace_is_not_read(story: Story, runner: Runner) -> None:
    request = story.requested()
    theirs = request.promotion.pipeline.model_copy(update={"namespace": "evil"})
    ref = request.promotion.model_copy(update={"pipeline": theirs})
    story.entry = story.entry.model_copy(update={"repositories": {"evil": ("acme/*",)}})

    outcome = await runner.fail(story.job(request.model_copy(update={"promotion": ref})))

    assert outcome.reason is FailureReason.CREDENTIAL_MISSING
    assert "another namespace" in outcome.message


@pytest.mark.parametrize(
    ("fault", "reason", "after_s"),
    [
        ({"status": 429, "retry_after_s": 7}, FailureReason.RATE_LIMITED, 7),
        ({"status": 403, "secondary": True}, FailureReason.RATE_LIMITED, 60),
        ({"status": 502}, FailureReason.FORGE_UNAVAILABLE, None),
        ({"cut": True}, FailureReason.FORGE_UNAVAILABLE, None),
    ],
)
async def test_forge_that_fails_for_now_is_tried_again_later(
    story: Story,
    runner: Runner,
    fault: dict[str, object],
    reason: FailureReason,
    after_s: float | None,
) -> None:
    story.forge.faults(**fault)

    outcome = await runner.fail(story.job())

    assert outcome.reason is reason
    assert outcome.retryable
    assert outcome.after_s == after_s


async def test_forge_that_answers_html_is_a_bad_answer(story: Story, runner: Runner) -> None:
    story.forge.faults(html=True)

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.BAD_ANSWER


@pytest.mark.parametrize("contains", ["createCommitOnBranch", "createPullRequest"])
@pytest.mark.parametrize("fault", ["drop_after_success", "cut"])
async def test_answer_lost_after_success_ends_in_one_pull_request(
    story: Story, runner: Runner, contains: str, fault: str
) -> None:
    story.forge.faults(contains=contains, count=1, **{fault: True})
    story.clock.behind_s = EXECUTOR_S + 1
    first = await runner.fail(story.job())
    assert first.retryable, first

    second = await runner.open(story.job(tries=2))

    assert second.files == (PROD,)
    assert story.open_pulls() == [1]


async def test_six_executors_at_once_make_one_pull_request(story: Story, runner: Runner) -> None:
    story.forge.allow_duplicates()

    outcomes = await asyncio.gather(*(runner.run(story.job()) for _ in range(6)))

    assert story.open_pulls() == [1]
    others = [o for o in outcomes if isinstance(o, Failure)]
    assert all(o.retryable for o in others)
    assert any(isinstance(o, Opened) for o in outcomes)


async def test_jobs_that_end_at_once_leave_one_executor_and_its_parser(
    story: Story, runner: Runner
) -> None:
    await asyncio.gather(*(runner.run(story.job()) for _ in range(6)))

    async with asyncio.timeout(10):
        while len(_children(runner.pool.zygote_pid)) > 2:  # noqa: ASYNC110 - they are ending
            await asyncio.sleep(0.05)


async def test_redelivered_job_finds_its_pull_request_open_or_merged(
    story: Story, runner: Runner
) -> None:
    await runner.open(story.job())

    again = await runner.open(story.job(tries=2))
    story.forge.merge(REPOSITORY, 1, by="ada")
    after_merge = await runner.open(story.job(tries=3))

    assert (again.found, after_merge.found) == (True, True)
    assert again.files == (PROD,)
    assert len(story.forge.pulls(REPOSITORY)) == 1


@pytest.mark.parametrize(
    "text",
    [
        FILES[PROD].replace("6.8.0", "6.6.6"),
        FILES[PROD].replace("6.8.0", "6.9.0") + "admin: true\n",
    ],
)
async def test_branch_of_our_name_made_by_somebody_else_is_taken(
    story: Story, runner: Runner, text: str
) -> None:
    job = story.job()
    story.forge.commit(REPOSITORY, {PROD: text}, branch=job.branch)

    outcome = await runner.fail(job)

    assert outcome.reason is FailureReason.BRANCH_TAKEN
    assert story.forge.pulls(REPOSITORY) == []


async def test_commit_that_may_be_of_a_living_executor_is_left_alone_for_its_lifetime(
    story: Story, runner: Runner
) -> None:
    job = story.job()
    await _commit_only(story, job)

    outcome = await runner.fail(job)

    assert outcome.reason is FailureReason.CONFLICT
    assert outcome.retryable
    assert outcome.after_s is not None
    assert 50 < outcome.after_s <= 61


async def _commit_only(story: Story, job: Job) -> None:
    """What an executor leaves that dies right after its commit."""
    async with ForgeHttp(story.entry) as http:
        repository = repository_client(http, story.token)
        place = place_of(job)
        view = await repository.look(place, LookScope(head_branch=job.branch))
        assert view.base is not None
        body = FILES[PROD].replace("6.8.0", "6.9.0").encode()
        new = NewCommit(
            branch=job.branch,
            parent=view.base.commit,
            headline="x",
            files={PROD: Replacement(body=body)},
        )
        await repository.commit(place, new)


async def test_newer_content_closes_the_older_pull_request_before_it_opens(
    story: Story, runner: Runner
) -> None:
    await runner.open(story.job())

    outcome = await runner.open(story.job(story.requested("6.9.1"), previous=(1,)))

    assert outcome.closed == (1,)
    assert story.open_pulls() == [2]
    assert "Replaces #1." in story.forge.pull(REPOSITORY, 2).body


async def test_way_back_to_an_older_revision_is_a_promotion_of_its_own(
    story: Story, runner: Runner
) -> None:
    request = story.requested("6.9.0")
    for number, version in enumerate(("6.9.0", "6.9.1", "6.9.0"), start=1):
        request = story.requested(version, previous=request.promotion.promotion_id)
        await runner.open(story.job(request))
        story.forge.merge(REPOSITORY, number, by="ada")

    text = story.forge.read(REPOSITORY, PROD)
    assert text is not None
    assert b"6.9.0" in text


async def test_second_attempt_has_a_branch_of_its_own(story: Story, runner: Runner) -> None:
    await runner.open(story.job())
    story.forge.close(REPOSITORY, 1, by="ada")

    first_again = await runner.open(story.job(tries=2))
    second = await runner.open(story.job(attempt=2))

    assert (first_again.found, first_again.pull.fate) == (True, Fate.CLOSED)
    assert second.pull.pull_request.head_branch.endswith("-2")


async def test_file_with_bom_and_crlf_keeps_them(story: Story, runner: Runner) -> None:
    body = b"\xef\xbb\xbfa: 1\r\nv: '6.8.0'   " + MARKER.encode() + b"\r\n\r\nx: \xc3\xa9"
    story.forge.commit(REPOSITORY, {PROD: body})

    await runner.open(story.job())

    after = story.forge.read(REPOSITORY, PROD, revision=story.job().branch)
    assert after == body.replace(b"6.8.0", b"6.9.0")


async def test_revision_with_yaml_special_characters_is_quoted(
    story: Story, runner: Runner
) -> None:
    request = story.requested("a: b #c")
    await runner.open(story.job(request))

    text = story.forge.read(REPOSITORY, PROD, revision=story.job(request).branch)
    assert text is not None
    assert b'version: "a: b #c" # {' in text


@pytest.mark.parametrize("path", [".github/workflows/deploy.yml", ".gitlab-ci.yml"])
async def test_marker_in_a_file_that_runs_code_is_refused(
    story: Story, runner: Runner, path: str
) -> None:
    story.forge.commit(REPOSITORY, {path: f"v: 1 {MARKER}\n"})

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.NOT_PROMOTABLE
    assert story.forge.pulls(REPOSITORY) == []


async def test_suffix_that_the_revision_lacks_is_not_promotable(
    story: Story, runner: Runner
) -> None:
    text = 'v: 1 # {"$promotion": "apps:podinfo:prod:digest"}\n'
    story.forge.commit(REPOSITORY, {PROD: text})

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.NOT_PROMOTABLE
    assert "digest" in outcome.message


async def test_executor_that_is_killed_is_noticed_at_once(story: Story, runner: Runner) -> None:
    story.forge.faults(latency_ms=5_000)
    job = asyncio.ensure_future(runner.open(story.job()))
    async with asyncio.timeout(10):
        while not runner.told:  # noqa: ASYNC110 - it is of another process
            await asyncio.sleep(0.01)

    for pid in _children(runner.pool.zygote_pid):
        _kill(pid)

    with pytest.raises(Retryable, match="executor_died"):
        await job


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def test_zygote_is_started_again_without_a_job(runner: Runner) -> None:
    """A replica that is not ready gets no work, and would wait for it without end."""
    old = runner.pool.zygote_pid
    ticks: asyncio.Queue[None] = asyncio.Queue()
    _kill(old)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(runner.pool.keep(sleep=lambda _: ticks.get()))
        async with asyncio.timeout(60):
            while runner.pool.zygote_pid == old or runner.pool.not_ready() is not None:
                ticks.put_nowait(None)
                await asyncio.sleep(0.05)
        keeping.cancel()

    assert runner.pool.not_ready() is None


async def test_zygote_that_was_killed_is_started_again(story: Story, runner: Runner) -> None:
    _kill(runner.pool.zygote_pid)
    async with asyncio.timeout(10):
        while runner.pool.not_ready() is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)

    await runner.open(story.job())


async def test_superseded_pull_request_is_closed_with_a_comment(
    story: Story, runner: Runner
) -> None:
    await runner.open(story.job())

    looked = await runner.look(story.look_job(numbers=(1,)))

    assert [(p.pull_request.number, p.fate) for p in looked.pulls] == [(1, Fate.CLOSED)]
    assert story.open_pulls() == []


async def test_open_pull_request_is_followed_and_costs_nothing_unchanged(
    story: Story, runner: Runner
) -> None:
    await runner.open(story.job())

    first = await runner.follow(story.follow_job(1))
    unchanged = await runner.follow(story.follow_job(1, since=first.version))
    story.forge.merge(REPOSITORY, 1, by="ada")
    after = await runner.follow(story.follow_job(1, since=first.version))

    assert (first.fate, unchanged.fate, after.fate) == (Fate.OPEN, None, Fate.MERGED)
    assert after.ended_by is not None
    assert after.ended_by.login == "ada"


async def test_comparison_is_described_by_github(story: Story, runner: Runner) -> None:
    await runner.open(story.job())
    head = story.forge.head(REPOSITORY, story.job().branch)
    target = f"/api/v3/repos/{REPOSITORY}/compare/main...{head}"

    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": f"Bearer {story.token.reveal()}"}
        answer = await client.get(story.forge.origin + target, headers=headers)

    vendor_api.check_response("GET", target, status=200, response=answer.content)
    assert answer.json()["ahead_by"] == 1


async def test_app_mints_a_token_for_the_one_repository_and_revokes_it(
    story: Story, runner: Runner
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = story.forge.app(
        kind="github-app",
        installations=[REPOSITORY],
        public_key=public.decode(),
    )
    key_file = story.secrets_dir / "app.pem"
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    story.entry = story.entry.model_copy(
        update={"app_id": str(app.id), "app_key_file": str(key_file)}
    )

    await runner.open(story.job(story.requested(mode=CredentialMode.APP)))

    assert "bot" in story.forge.pull(REPOSITORY, 1).author
    assert runner.calls[-1] == "revoke the token"


async def test_repository_that_was_renamed_is_called_by_its_new_name(
    story: Story, runner: Runner
) -> None:
    old = REPOSITORY.replace("fleet", "armada")
    story.forge.repository(REPOSITORY, writers=["robot"], former_names=[old])

    failure = await runner.fail(story.job(story.requested(repository=old)))

    assert failure.reason is FailureReason.NOT_FOUND
    assert f"'{old}'" in failure.message
    assert f"'{REPOSITORY}'" in failure.message
    assert story.open_pulls() == []


@pytest.mark.parametrize("step", [OpeningStep.EDITING, OpeningStep.COMMITTING, OpeningStep.OPENING])
async def test_executor_killed_at_any_step_leaves_one_pull_request_in_the_end(
    story: Story, runner: Runner, step: OpeningStep
) -> None:
    story.clock.behind_s = EXECUTOR_S + 10

    async def kill(progress: Progress) -> None:
        if progress.step is step:
            for pid in _children(runner.pool.zygote_pid):
                _kill(pid)

    with pytest.raises(Retryable, match="executor_died"):
        await runner.pool.run(story.job(), on_progress=kill, redeemer=NoRedeemer())

    await runner.open(story.job(tries=2))

    assert story.open_pulls() == [1]
    assert (
        story.forge.read(REPOSITORY, PROD, revision=story.job().branch)
        == FILES[PROD].replace("6.8.0", "6.9.0").encode()
    )


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param({"path": "*/labels"}, id="labelling"),
        pytest.param({"contains": "enablePullRequestAutoMerge"}, id="auto-merge"),
    ],
)
async def test_executor_killed_after_opening_marks_what_it_opened_when_it_is_tried_again(
    story: Story, runner: Runner, slow: dict[str, str]
) -> None:
    story.mark(labels=["promotion"], autoMerge=True)
    story.forge.repository(REPOSITORY, writers=["ada", "robot"], required_checks=["ci"])
    story.forge.faults(**slow, latency_ms=20_000)
    first = asyncio.ensure_future(runner.open(story.job()))
    async with asyncio.timeout(30):
        while not _is_stuck(story, slow):  # noqa: ASYNC110 - it is of another process
            await asyncio.sleep(0.05)
    for pid in _children(runner.pool.zygote_pid):
        _kill(pid)
    with pytest.raises(Retryable, match="executor_died"):
        await first
    before = story.forge.pull(REPOSITORY, 1)
    story.forge.faults()

    found = await runner.open(story.job(tries=2))
    again = await runner.open(story.job(tries=3))

    after = story.forge.pull(REPOSITORY, 1)
    assert (before.labels, before.auto_merge_by) != (("promotion",), "robot")
    assert (after.labels, after.auto_merge_by) == (("promotion",), "robot")
    assert (found.found, again.found, story.open_pulls()) == (True, True, [1])
    assert found.marks.auto_merge is again.marks.auto_merge is AutoMergeAnswer.ACCEPTED


def _is_stuck(story: Story, slow: dict[str, str]) -> bool:
    """Tell if the executor has opened its pull request and waits for what is slow."""
    pull = next(iter(story.forge.pulls(REPOSITORY)), None)
    return pull is not None and ("path" in slow or pull.labels != ())


async def test_parser_can_open_nothing_and_nobody_leaves_a_core(runner: Runner) -> None:
    async with asyncio.timeout(20):
        while not _parsers(runner.pool.zygote_pid):  # noqa: ASYNC110 - they limit themselves
            await asyncio.sleep(0.05)

    (parser,) = _parsers(runner.pool.zygote_pid)
    assert re.search(r"Max cpu time +5 +5", parser)
    assert all(
        re.search(r"Max core file size +0 +0", text) for text in _limits(runner.pool.zygote_pid)
    )


def _limits(zygote: int) -> list[str]:
    return [Path(f"/proc/{pid}/limits").read_text() for pid in _children(zygote)]


def _parsers(zygote: int) -> list[str]:
    return [text for text in _limits(zygote) if re.search(r"Max open files +0 +0", text)]


async def test_file_that_no_parser_takes_is_named_each_time(story: Story, runner: Runner) -> None:
    """It may hold a marker: who merges is told that it was not written, at every promotion."""
    broken = 'v: "6.8.0 # {"$promotion": "apps:podinfo:prod"}\n'
    story.forge.commit(REPOSITORY, {"clusters/prod/broken.yaml": broken})

    first = await runner.open(story.job())
    second = await runner.open(story.job(story.requested("6.9.1"), known=first.learned))

    for outcome in (first, second):
        assert outcome.files == ("clusters/prod/podinfo.yaml",)
        body = story.forge.pull(REPOSITORY, outcome.pull.pull_request.number).body
        assert "clusters/prod/broken.yaml" in body
