"""Files of five megabytes are edited to the byte over every kind's transport, and read once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache

import pytest
from conformance.stages import PLACE, Stage
from doubles.parser_process import running_parser
from doubles.stories import ref, requested

from countersign.contracts.messages import Content, CredentialMode, Destination, ForgeUser
from countersign.contracts.messages import OpeningStep as Step
from countersign.contracts.revision import parse_revision
from countersign.pr_writer.executor.manifests.editing import MarkerEditor
from countersign.pr_writer.executor.manifests.parser_client import Parser
from countersign.pr_writer.executor.writing import Writing
from countersign.pr_writer.jobs.model import Access, Consent, OpenJob
from countersign.pr_writer.jobs.outcomes import Known, Opened

LARGE_BYTES = 5_000_000
BUNDLE, DEFINITIONS = "apps/prod/bundle.yaml", "apps/prod/crds.yaml"
RELEASE = """\
---
kind: HelmRelease
spec:
  version: %s # {"$promotion": "shop:checkout:prod"}
"""
# A block whose lines look like the beginning of a document, and like what is marked.
FIELD = """\
          field%d:
            description: |-
              ---
              version: 6.8.0, \u2116 %d of those that a caf\u00e9 \U0001f375 has
            type: string
"""
HEAD = "---\nkind: CustomResourceDefinition\nspec:\n  schema:\n        properties:\n"


@cache
def definitions() -> str:
    fields = "".join(FIELD % (n, n) for n in range(400))
    one = HEAD + fields
    return one * (LARGE_BYTES // len(one.encode()) + 1)


def bundle(version: str) -> bytes:
    """A release among definitions, with CRLF and a byte order mark."""
    half = definitions()[: len(definitions()) // 2].rpartition("---\nkind")[0]
    rest = definitions()[len(half) :]
    return ("\ufeff" + half + RELEASE % version + rest).replace("\n", "\r\n").encode()


@dataclass
class Promoter:
    """Opens pull requests as an executor does, with a parser that is a process."""

    stage: Stage
    parser: Parser
    received_bytes: int = field(default=0, init=False)

    async def open(self, version: str, *, known: Known) -> Opened:
        self.received_bytes = 0
        self.stage.transport.edit = self._count
        job = self._job(version, known)
        writing = Writing(
            job,
            forge=self.stage.client(),
            editor=MarkerEditor(
                self.parser, key=job.request.marker_key, revision=job.request.content.revision
            ),
            reporter=self,
            sleep=asyncio.sleep,
        )
        outcome = (await writing.open()).outcome
        assert isinstance(outcome, Opened)
        return outcome

    def _count(self, body: bytes) -> bytes:
        self.received_bytes += len(body)
        return body

    def _job(self, version: str, known: Known) -> OpenJob:
        forge = self.stage.http.forge
        promotion = ref().model_copy(update={"promotion_id": f"p{version.replace('.', '')}"})
        request = requested(
            promotion=promotion,
            content=Content(identity=version, revision=parse_revision(version)),
            destination=Destination(
                kind=forge.forge_kind,
                origin=forge.origin,
                owner=PLACE.owner,
                repository=PLACE.repository,
                base_branch=PLACE.base_branch,
            ),
        )
        return OpenJob(
            request=request,
            attempt=1,
            access=Access(mode=CredentialMode.STORED, forge=forge),
            consent=Consent(digest="0" * 64),
            known=known,
        )

    async def step(self, step: Step) -> None:
        """Nobody waits to hear it."""

    def sent(self) -> None:
        """The same."""

    async def user(self, user: ForgeUser | None) -> None:
        """The same."""


@pytest.fixture
async def promoter(stage: Stage) -> AsyncIterator[Promoter]:
    async with running_parser() as parser:
        yield Promoter(stage, parser)


async def test_marker_in_five_megabytes_is_written_to_the_byte_and_what_has_none_read_once(
    stage: Stage, promoter: Promoter
) -> None:
    before = bundle("6.8.0")
    stage.push("main", {BUNDLE: before, DEFINITIONS: definitions()})
    there = dict(stage.files(stage.head("main")))

    first = await promoter.open("6.9.0", known=Known())
    received_first = promoter.received_bytes
    pull = first.pull.pull_request

    assert len(before) > LARGE_BYTES
    assert first.files == (BUNDLE,)
    made = dict(stage.files(pull.head_commit))
    assert made.pop(BUNDLE) == (there[BUNDLE][0], bundle("6.9.0"))
    assert made == {path: file for path, file in there.items() if path != BUNDLE}

    second = await promoter.open("6.9.1", known=first.learned)

    assert stage.files(second.pull.pull_request.head_commit)[BUNDLE][1] == bundle("6.9.1")
    # Where a forge names no files, none is remembered.
    is_remembered = bool(first.learned.markers)
    assert (received_first - promoter.received_bytes > 0.9 * LARGE_BYTES) is is_remembered
