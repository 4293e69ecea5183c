"""Remains of an earlier try at a forge are taken over if they are ours, and nothing but ours."""

from collections.abc import AsyncIterator, Mapping

import pytest
from conformance.doubles import DOUBLES
from conformance.stages import PLACE, WRITER, Content, SmallStage, small_stage
from doubles.stories import requested

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import CredentialMode, Destination
from countersign.dialects.kinds import kind_of
from countersign.dialects.repositories.interface import LookScope
from countersign.pr_writer.executor.manifests.editing import Edits
from countersign.pr_writer.executor.remains import Commit, Remains
from countersign.pr_writer.jobs.model import Access, Consent, OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal

OURS: Mapping[str, Content] = {
    "apps/prod/release.yaml": "version: 6.9.0 # here\n",
    "apps/k\u00f6ln/\u00fcbersicht 100% #1.yaml": "version: 6.9.0\n",
}


class Editor:
    """Writes our value where the older one is."""

    async def edit(self, bodies: Mapping[str, bytes], *, root: str) -> Edits:
        del root
        files = {path: body.replace(b"6.8.0", b"6.9.0") for path, body in bodies.items()}
        return Edits(files=files, places=len(files), markers={}, notes=())


@pytest.fixture(params=DOUBLES)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[SmallStage]:
    async with small_stage(request.param) as made:
        yield made


def job_at(stage: SmallStage) -> OpenJob:
    destination = Destination(
        kind=stage.http.forge.forge_kind,
        origin=stage.http.forge.origin,
        owner=PLACE.owner,
        repository=PLACE.repository,
        base_branch=PLACE.base_branch,
    )
    return OpenJob(
        request=requested(destination=destination),
        attempt=1,
        access=Access(mode=CredentialMode.STORED, forge=stage.http.forge),
        consent=Consent(digest="0" * 64),
    )


async def found(stage: SmallStage) -> Commit | None:
    job, client = job_at(stage), stage.client()
    view = await client.look(PLACE, LookScope(head_branch=job.branch))
    assert view.base is not None
    return await Remains(job, forge=client, editor=Editor()).find(view, view.base)


async def test_change_of_several_files_is_taken_over(stage: SmallStage) -> None:
    """It is one commit, or one for each file where a forge makes no other."""
    at_once = kind_of(stage.http.forge).capabilities.one_commit_many_files
    steps = [OURS] if at_once else [{path: body} for path, body in OURS.items()]
    for step in steps:
        stage.push(job_at(stage).branch, step, by=WRITER)

    left = await found(stage)

    assert left is not None
    assert (left.commit, set(left.files)) == (stage.head(job_at(stage).branch), set(OURS))


@pytest.mark.parametrize(
    "first",
    [
        {"apps/prod/release.yaml": "evil: true\n"},
        {**OURS, "apps/prod/release.yaml": "evil: true\n"},
    ],
    ids=["one file twice", "two files at once"],
)
async def test_branch_that_once_had_something_else_is_taken(
    stage: SmallStage, first: Mapping[str, Content]
) -> None:
    """Also where what it has now is to the byte what we would write."""
    branch = job_at(stage).branch
    stage.push(branch, first, by=WRITER)
    stage.push(branch, OURS, by=WRITER)

    with pytest.raises(Rejected) as caught:
        await found(stage)

    assert caught.value.reason == JobRefusal.BRANCH_TAKEN
