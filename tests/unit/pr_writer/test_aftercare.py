"""Pull requests that are closed because their promotion is over, and what is told of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from doubles import stories as s

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import CredentialMode, ForgeUser, LabelsAnswer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.interface import LookScope, View
from countersign.dialects.repositories.pulls import Pull, PullState
from countersign.pr_writer.executor import aftercare
from countersign.pr_writer.jobs.model import Access, Consent, LookJob, OpenJob
from countersign.pr_writer.jobs.outcomes import Fate, Marks

BOT = ForgeUser(id="9", login="bot")


def job(
    *, closes: bool = False, warning: str = "", kind: str = "github", labels: tuple[str, ...] = ()
) -> LookJob:
    request = s.requested(mode=CredentialMode.STORED)
    forge = Forge.model_validate(
        {
            "name": "Forge",
            "kind": kind,
            "origin": request.destination.origin,
            "pullRequests": {"labels": labels},
        }
    )
    access = Access(mode=CredentialMode.STORED, forge=forge)
    return LookJob(request=request, attempt=1, access=access, closes=closes, warning=warning)


@dataclass
class AForge:
    """Has one pull request; somebody may merge it just before it is closed."""

    merged_meanwhile: bool = False
    state: PullState = PullState.OPEN
    comments: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    # What comes of labelling it.
    refusal: Rejected | Retryable | TimeoutError | None = None

    async def look(self, _place: object, scope: LookScope) -> View:
        pull = Pull(
            number=7,
            state=self.state,
            head_branch=job().branch,
            head_commit="c" * 40,
            head_repository_id="1",
            base_branch="main",
        )
        return View(
            repository_id="1",
            viewer=BOT,
            may_write=True,
            archived=False,
            base=None,
            head=None,
            pulls=(),
            previous=(pull,) if 7 in scope.pulls else (),
            open_pulls=(pull,) if self.state is PullState.OPEN else (),
            read_at_s=0.0,
        )

    async def close_pull(self, _place: object, _number: int, *, comment: str) -> None:
        self.comments.append(comment)
        if self.merged_meanwhile:
            self.state = PullState.MERGED
        self.state = PullState.CLOSED if self.state is PullState.OPEN else self.state

    async def label(self, _place: object, _number: int, *, labels: Sequence[str]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.labels += labels

    async def comment(self, _place: object, _number: int, *, comment: str) -> None:
        self.comments.append(comment)


class Reports:
    async def user(self, user: ForgeUser | None) -> None:
        assert user == BOT


@pytest.mark.parametrize(("merged", "fate"), [(True, Fate.MERGED), (False, Fate.CLOSED)])
async def test_what_was_merged_before_it_could_be_closed_is_told_as_merged(
    *, merged: bool, fate: Fate
) -> None:
    forge = AForge(merged_meanwhile=merged)

    looked = await aftercare.look(job(closes=True), forge=forge, reporter=Reports())  # type: ignore[arg-type]

    (pull,) = looked.pulls
    assert pull.fate is fate
    assert pull.ended_by == (None if merged else BOT)


async def test_warning_is_said_at_what_is_open_and_leaves_it_open() -> None:
    forge = AForge()
    warned = job(warning="staging has failed")

    await aftercare.look(warned, forge=forge, reporter=Reports())  # type: ignore[arg-type]
    forge.state = PullState.MERGED
    numbered = _with_its_number(warned)
    looked = await aftercare.look(numbered, forge=forge, reporter=Reports())  # type: ignore[arg-type]

    assert [warned.warning in comment for comment in forge.comments] == [True]
    assert [p.fate for p in looked.pulls] == [Fate.MERGED]


async def test_what_nobody_told_of_is_labelled_when_it_is_found_and_no_more_than_once() -> None:
    forge, found = AForge(), job(labels=("promotion",))

    await aftercare.look(found, forge=forge, reporter=Reports())  # type: ignore[arg-type]
    await aftercare.look(_with_its_number(found), forge=forge, reporter=Reports())  # type: ignore[arg-type]

    assert forge.labels == ["promotion"]


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (None, LabelsAnswer.GIVEN),
        (Rejected(ForgeRefusal.FORBIDDEN, "no"), LabelsAnswer.FORBIDDEN),
        (Rejected(ForgeRefusal.NOT_FOUND, "no"), LabelsAnswer.MISSING),
        (Rejected(ForgeRefusal.REFUSED, "no"), LabelsAnswer.REFUSED),
        (Retryable(ForgeRefusal.FORGE_UNAVAILABLE, "no"), LabelsAnswer.REFUSED),
        (TimeoutError(), LabelsAnswer.REFUSED),
    ],
)
async def test_refused_label_is_told_and_fails_nothing(
    refusal: Rejected | Retryable | TimeoutError | None, answer: LabelsAnswer
) -> None:
    asked = job(labels=("promotion",))
    opening = OpenJob(
        request=asked.request, attempt=1, access=asked.access, consent=Consent(digest="0" * 64)
    )
    forge = AForge(refusal=refusal)
    (pull,) = (await forge.look(None, LookScope(head_branch=asked.branch))).open_pulls

    marks = await aftercare.mark(opening, pull, forge=forge, sleep=asyncio.sleep)  # type: ignore[arg-type]

    assert marks == Marks(labels=answer)


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("github", "/pull/7"),
        ("gitlab", "/-/merge_requests/7"),
        ("gitea", "/pulls/7"),
        ("bitbucket-cloud", "/pull-requests/7"),
    ],
)
async def test_page_of_a_pull_request_is_where_its_forge_has_it(kind: str, page: str) -> None:
    """Whatever type the Pipeline says: the forge list is what requests go by."""
    looked = await aftercare.look(job(kind=kind), forge=AForge(), reporter=Reports())  # type: ignore[arg-type]

    (pull,) = looked.pulls
    assert pull.pull_request.url.endswith(page)


def _with_its_number(asked: LookJob) -> LookJob:
    return asked.model_copy(update={"numbers": (7,)})
