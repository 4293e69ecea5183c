"""Contents go from dev to prod through the real services, at every kind of forge."""

from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.doubles import DOUBLES
from conformance.site import DELEGATED, RELEASE, STORED, Site, site_of

from countersign.contracts import messages as m
from countersign.contracts.forge_list import KIND_BY_NAME
from countersign.dialects.kinds import KINDS

DELEGATING = [name for name, double in DOUBLES.items() if double.oauth is not None]
MERGING = [n for n in DELEGATING if KINDS[KIND_BY_NAME[n]].capabilities.auto_merges]
KEEPING = [n for n, d in DOUBLES.items() if d.oauth is not None and d.oauth.keeps_first_scope]


@pytest.fixture(params=DELEGATING)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(request.param, tmp_path) as made:
        yield made


async def test_content_goes_from_dev_to_prod_delegated_and_stored(site: Site) -> None:
    (stored_token,) = site.api.forge.tokens
    site.lay(DELEGATED, STORED)

    await _is_opened_by_its_approver(site)
    await _is_opened_by_the_bot(site)
    (token,) = site.api.forge.tokens.keys() - {stored_token}
    await site.merge(site.pull_of(DELEGATED), webhook=True)
    await site.merge(site.pull_of(STORED), webhook=False)
    merged = [await site.next(m.PullRequestMerged, name) for name in (DELEGATED, STORED)]
    site.run("prod", "6.9.0")
    for name in (DELEGATED, STORED):
        await site.next(m.PromotionCompleted, name)

    # A webhook tells that somebody merged it; who asks is told who.
    assert [e.merge_commit for e in merged] == [
        site.pull_of(name).merge_commit for name in (DELEGATED, STORED)
    ]
    assert len(site.repository.pulls) == 2
    # Whether a forge is there is asked without a token.
    calls = [call for call in site.api.api_calls if call.path != "/"]
    sent = {_token_in(call.headers.get("authorization", "")) for call in calls}
    assert sent == {token, stored_token}
    told = b"".join(event.to_json() for event in site.heard)
    assert token.encode() not in told
    assert stored_token.encode() not in told


@pytest.mark.parametrize("site", MERGING, indirect=True)
async def test_forge_merges_what_its_approver_opened_where_the_pipeline_wants_that(
    site: Site,
) -> None:
    site.repository.required, site.repository.begins = {"ci"}, "ci"
    site.lay(DELEGATED, auto_merge=True)

    event = await site.next(m.PromotionRequested)
    done = await site.consent(event)
    assert done.problem is None, done.problem
    told = await site.next(m.PullRequestOpened)
    await site.next(m.ApprovalRevoked)
    opened = site.pull_of(DELEGATED)
    waiting = (opened.state, opened.auto_merge_by)
    site.api.forge.report(site.repository, opened.commit, "ci", "success")
    site.run("prod", "6.9.0")
    await site.next(m.PromotionCompleted)

    assert event.auto_merge is m.AutoMerge.WANTED
    assert told.auto_merge is m.AutoMergeAnswer.ACCEPTED
    assert waiting == ("open", "ada")
    assert (opened.ended_by, opened.merge_commit != "") == ("ada", True)


def _token_in(header: str) -> str:
    """The token, also where it is the password of a name."""
    scheme, _, sent = header.partition(" ")
    return b64decode(sent).decode().partition(":")[2] if scheme == "Basic" else sent


async def _is_opened_by_its_approver(site: Site) -> None:
    done = await site.consent(await site.next(m.PromotionRequested))
    assert done.problem is None, done.problem
    opened = await site.next(m.PullRequestOpened)
    revoked = await site.next(m.ApprovalRevoked)

    assert opened.author is not None
    assert opened.author.login == "ada"
    assert opened.files == (f"apps/{DELEGATED}/prod.yaml",)
    _holds_the_new_version(site, DELEGATED, author="ada")
    dialect = KINDS[site.entry.forge_kind].oauth
    if dialect.revoke is None:
        assert revoked.outcome is m.RevocationOutcome.FORGOTTEN
    else:
        assert revoked.outcome is m.RevocationOutcome.REVOKED
        assert site.oauth.ended


async def _is_opened_by_the_bot(site: Site) -> None:
    opened = await site.next(m.PullRequestOpened, STORED)

    assert opened.author is not None
    assert opened.author.login == "bot"
    _holds_the_new_version(site, STORED, author="bot")


def _holds_the_new_version(site: Site, pipeline: str, *, author: str) -> None:
    pull = site.pull_of(pipeline)
    commit = site.repository.git.commits[pull.commit]
    written = commit.files[f"apps/{pipeline}/prod.yaml"][1].decode()
    assert (pull.author, commit.author, pull.state) == (author, author, "open")
    assert written == (RELEASE % pipeline).replace("6.8.4", "6.9.0")


async def test_change_of_two_files_comes_as_one(site: Site) -> None:
    """Also at forges that commit one file at a time."""
    other = f"apps/{STORED}/canary.yaml"
    site.api.forge.push(site.repository, "main", {other: RELEASE % STORED}, by="grace")
    base = site.repository.git.branches["main"]
    site.lay(STORED)

    opened = await site.next(m.PullRequestOpened, STORED)

    assert set(opened.files) == {f"apps/{STORED}/prod.yaml", other}
    git, pull = site.repository.git, site.pull_of(STORED)
    for path in opened.files:
        written = git.commits[pull.commit].files[path][1].decode()
        assert written == (RELEASE % STORED).replace("6.8.4", "6.9.0")
    at_once = KINDS[site.entry.forge_kind].capabilities.one_commit_many_files
    assert len(git.beyond(base, pull.commit)) == (1 if at_once else 2)
    assert set(git.branches) == {"main", pull.head}


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize(
    ("scope", "answer"),
    [
        ("read:issue read:user write:repository", m.LabelsAnswer.GIVEN),
        # As of a consent before labels were asked for, which is not asked for again.
        ("read:user write:repository", m.LabelsAnswer.FORBIDDEN),
    ],
)
async def test_labels_are_given_as_far_as_the_consent_goes(
    kind: str, scope: str, answer: m.LabelsAnswer, tmp_path: Path
) -> None:
    async with site_of(kind, tmp_path, labels=("promotion",)) as site:
        site.repository.labels.add("promotion")
        site.oauth.grants["ada"] = scope
        site.lay(DELEGATED)

        done = await site.consent(await site.next(m.PromotionRequested))
        assert done.problem is None, done.problem
        opened = await site.next(m.PullRequestOpened)

        assert opened.labels is answer
        given = ("promotion",) if answer is m.LabelsAnswer.GIVEN else ()
        assert site.pull_of(DELEGATED).labels == given


@pytest.mark.parametrize("site", KEEPING, indirect=True)
@pytest.mark.parametrize("scope", ["", "read:user write:repository write:issue", "all"])
async def test_consent_that_was_given_for_more_before_is_refused(site: Site, scope: str) -> None:
    """A grant keeps the scope of the first consent there, whatever is asked for now."""
    site.oauth.grants["ada"] = scope
    site.lay(DELEGATED)

    done = await site.consent(await site.next(m.PromotionRequested))

    assert done.problem is not None
    assert done.problem.code == "token_too_strong"
    assert not site.repository.pulls
