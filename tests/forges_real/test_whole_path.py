"""A revision goes from dev to prod at a real Gitea, in a person's name and with a stored token."""

import asyncio
import os
from pathlib import Path

import pytest
from forges_real.building import built, chosen
from forges_real.site import LABEL, STORED_SCOPES, GiteaSite, files_of, gitea_site

from countersign.contracts import messages as m
from countersign.local.demo.manifests import BOT, ENVIRONMENTS, NEW, OLD
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.releasing import release

DELEGATED, STORED = "checkout", "catalog"


async def test_revision_goes_from_dev_to_prod_in_the_name_of_its_approver(tmp_path: Path) -> None:
    async with gitea_site(built(), tmp_path) as site:
        for environment in ENVIRONMENTS[1:]:
            await _is_promoted_by_ada(site, environment)
        ada = await site.person("ada")
        places = Places(
            directory=site.started.layout.root,
            pids=frozenset({os.getpid()}),
            answers=tuple(ada.browser.seen),
        )
        leaks = await look_for_leaks(await site.canary(), places)

    assert leaks.controls >= 3
    assert leaks.finds == ()


async def _is_promoted_by_ada(site: GiteaSite, environment: str) -> None:
    ada = await site.person("ada")
    here = {"promotion__environment": environment}
    await site.next(m.PromotionRequested, DELEGATED, **here)
    await ada.until(DELEGATED, "waiting")

    await ada.promote(DELEGATED, environment)
    granted = await site.next(m.ApprovalGranted, DELEGATED, **here)
    opened = await site.next(m.PullRequestOpened, DELEGATED, **here)
    revoked = await site.next(m.ApprovalRevoked, DELEGATED, **here)

    assert granted.forge_user.login == "ada"
    assert granted.scopes == ("read:issue", "read:user", "write:repository")
    assert revoked.outcome is m.RevocationOutcome.FORGOTTEN
    number = opened.pull_request.number
    pull = await site.call("GET", f"/pulls/{number}")
    assert pull["user"]["login"] == opened.author.login == "ada"
    assert [label["name"] for label in pull["labels"]] == [LABEL]
    assert opened.labels is m.LabelsAnswer.GIVEN
    ((path, body),) = files_of(site, pull["head"]["sha"]).items()
    assert path == f"apps/{DELEGATED}/{environment}/release.yaml"
    assert NEW.encode() in body
    assert OLD.encode() not in body

    site.hold(DELEGATED, environment)
    await site.merge(number, by="grace")
    merged = await site.next(m.PullRequestMerged, DELEGATED, **here)
    site.release()

    pull = await site.call("GET", f"/pulls/{number}")
    assert merged.by.login == pull["merged_by"]["login"] == "grace"
    assert merged.merge_commit == pull["merge_commit_sha"]
    await site.next(m.PromotionCompleted, DELEGATED, **here)


async def test_consent_from_before_labels_opens_without_them_and_says_so(tmp_path: Path) -> None:
    async with gitea_site(built(), tmp_path) as site:
        await site.consent_elsewhere("ada", "read:user write:repository")
        ada = await site.person("ada")
        await ada.until(DELEGATED, "waiting")

        await ada.promote(DELEGATED, "test")
        opened = await site.next(m.PullRequestOpened, DELEGATED)
        await ada.until(DELEGATED, "open")
        page = await ada.sees(f"/promotions/{opened.promotion.promotion_id}", "without its labels")

    assert opened.labels is m.LabelsAnswer.FORBIDDEN
    assert "takes the application away in their settings" in page


async def test_consent_from_before_for_more_is_refused(tmp_path: Path) -> None:
    async with gitea_site(built(), tmp_path, labels=False) as site:
        await site.consent_elsewhere("ada", "read:user write:repository write:issue")
        ada = await site.person("ada")
        await ada.until(DELEGATED, "waiting")

        page = await ada.promote(DELEGATED, "test")

        assert "take the application away in your settings" in page.text
        assert (await site.call("GET", "/pulls?state=all&poster=ada")) == []


async def test_stored_token_opens_supersedes_and_is_judged(tmp_path: Path) -> None:
    async with gitea_site(built(), tmp_path) as site:
        first = await site.next(m.PullRequestOpened, STORED)
        newer = await asyncio.to_thread(release, site.started.layout, STORED)
        second = await site.next(m.PullRequestOpened, STORED, promotion__revision__recorded=newer)
        closed = await site.until_closed(first.pull_request.number)
        said = await site.call("GET", f"/issues/{first.pull_request.number}/comments")
        site.hold(STORED)
        await site.merge(second.pull_request.number, by="ada")
        merged = await site.next(m.PullRequestMerged, STORED)
        site.release()
        done = await site.next(m.PromotionCompleted, STORED, promotion__revision__recorded=newer)
        token = await site.credential()

    assert (first.author.login, second.author.login) == (BOT, BOT)
    assert first.labels is second.labels is m.LabelsAnswer.GIVEN
    assert not closed["merged"]
    assert [comment["user"]["login"] for comment in said] == [BOT]
    assert newer in said[0]["body"]
    assert merged.by.login == "ada"
    assert done.promotion.environment == "test"
    assert (token["owner"], token["validity"]) == (BOT, "valid")
    tells_scopes = chosen().name >= "v1.27"
    assert token["scopes"] == (sorted(STORED_SCOPES) if tells_scopes else [])
    told = " ".join(token["findings"])
    assert ("it reaches more than shop/gitops" in told) is tells_scopes
    assert "labels that the forge list wants" not in told


@pytest.mark.parametrize("checks", [("ci/build",)])
async def test_forge_merges_by_itself_what_a_person_opened(
    checks: tuple[str, ...], tmp_path: Path
) -> None:
    async with gitea_site(built(), tmp_path, auto_merge=True, checks=checks) as site:
        ada = await site.person("ada")
        await ada.until(DELEGATED, "waiting")
        await ada.promote(DELEGATED, "test")
        pull = await site.until_opened("ada")
        await site.report(pull["head"]["sha"], checks[0], "pending")
        opened = await site.next(m.PullRequestOpened, DELEGATED)
        before = await site.call("GET", f"/pulls/{pull['number']}")
        site.hold(DELEGATED)
        await site.report(pull["head"]["sha"], checks[0], "success")
        merged = await site.next(m.PullRequestMerged, DELEGATED)
        site.release()
        await site.next(m.PromotionCompleted, DELEGATED)

    assert opened.auto_merge is m.AutoMergeAnswer.ACCEPTED
    assert not before["merged"]
    assert merged.by.login == "ada"


async def test_pull_request_that_was_closed_is_told_and_may_be_opened_again(tmp_path: Path) -> None:
    async with gitea_site(built(), tmp_path) as site:
        ada = await site.person("ada")
        await ada.until(DELEGATED, "waiting")
        await ada.promote(DELEGATED, "test")
        opened = await site.next(m.PullRequestOpened, DELEGATED)
        number = opened.pull_request.number
        await site.call("PATCH", f"/pulls/{number}", {"state": "closed"}, by="grace")
        closed = await site.next(m.PullRequestClosed, DELEGATED)
        await ada.until(DELEGATED, "closed")
        await site.call("PATCH", f"/pulls/{number}", {"state": "open"}, by="grace")
        site.hold(DELEGATED)
        await site.merge(number, by="grace")
        merged = await site.next(m.PullRequestMerged, DELEGATED)
        site.release()
        await site.next(m.PromotionCompleted, DELEGATED)

    assert closed.by.login == "grace"
    assert merged.by.login == "grace"
