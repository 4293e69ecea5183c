"""What becomes of open pull requests when their Pipelines change or go. Each ends its Pipeline."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx2
from e2e.clusters import Scene, until
from e2e.furnishing import commit
from e2e.people import Person, person
from e2e.systems import Pull, git, pulls
from e2e.witnessing import Witness

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    PipelineDeleted,
    PromotionRef,
    PromotionRequested,
    PromotionSuperseded,
    PullRequestClosed,
    PullRequestOpened,
)
from countersign.gateway.model import PipelineKey
from countersign.gateway.text import addresses
from countersign.local.demo.manifests import BOT, ENVIRONMENTS, NAMESPACE
from countersign.local.demo.walk.releasing import release
from countersign.local.demo.walk.walking import BY_COMMIT, STORED

STEP_S: Final = 30.0
# So long nothing happens where nothing is to happen.
QUIET_S: Final = 2.0
ENVIRONMENT: Final = ENVIRONMENTS[1]
RENAMED: Final = "qa"

Kind = TypeVar("Kind", bound=Message)


@dataclass(frozen=True, kw_only=True)
class Life:
    """One Pipeline, as the bus tells of it, and its pull requests, as the forge does."""

    on: Scene
    witness: Witness
    name: str

    @property
    def heard(self) -> int:
        return len(self.witness.heard)

    async def until(self, kind: type[Kind], *, after: int = 0) -> Kind:
        try:
            found = await self.witness.until(
                lambda m: isinstance(m, kind) and self._is_ours(m), after=after, seconds_max=STEP_S
            )
        except TimeoutError:
            heard = [r.subject for r in self.witness.heard[after:]]
            raise AssertionError(f"no {kind.__name__} of {self.name}: {heard}") from None
        assert isinstance(found.message, kind)
        return found.message

    def _is_ours(self, message: Message) -> bool:
        ref = getattr(message, "promotion", None)
        pipeline = ref.pipeline if ref is not None else getattr(message, "pipeline", None)
        return pipeline is not None and bool(pipeline.name == self.name)

    async def pulls(self) -> list[Pull]:
        return [p for p in await pulls(self.on.started) if f"/{self.name}/" in p.branch]

    async def open(self) -> list[Pull]:
        return [p for p in await self.pulls() if p.state == "open"]

    async def delete(self) -> PromotionSuperseded:
        """On the real API server; tells of the promotion that this ends."""
        said = self.heard
        await self.on.kubectl("-n", NAMESPACE, "delete", "pl", self.name, "--wait=false")
        ended = await self.until(PromotionSuperseded, after=said)
        await self.until(PipelineDeleted, after=said)
        return ended

    async def stay_quiet(self) -> None:
        """Another revision that is ready has nobody ask for it, and opens nothing."""
        said, before = self.heard, await self.pulls()
        release(self.on.started.layout, self.name)
        await asyncio.sleep(QUIET_S)
        assert not any(self._is_ours(r.message) for r in self.witness.heard[said:])
        assert await self.pulls() == before


async def end_delegated(on: Scene, witness: Witness) -> None:
    """A pull request that two people consented to stays open when its Pipeline is deleted."""
    life = Life(on=on, witness=witness, name=BY_COMMIT.pipeline)
    opened = await _approve_by_two(life)
    promotion_id = opened.promotion.promotion_id

    ended = await life.delete()

    assert ended.promotion.promotion_id == promotion_id
    # Nobody holds a token with which it could be closed: people are told.
    path, number = addresses.promotion(promotion_id), opened.pull_request.number
    async with person("ada", on.started.ports) as ada:
        page = await until(lambda: ada.sees(path), lambda text: ended.reason in text)
    assert f"#{number} is overtaken and still open" in page
    await life.stay_quiet()
    assert [p.number for p in await life.open()] == [number]


async def _approve_by_two(life: Life) -> PullRequestOpened:
    """Who asked for it is none of them; the pull request is the second one's."""
    ports, name = life.on.started.ports, life.name
    asked = await life.until(PromotionRequested)
    assert (asked.approvals, asked.solo_mode) == (2, False)
    promotion_id = asked.promotion.promotion_id
    async with person("olga", ports) as olga, person("ada", ports) as ada:
        await olga.reject(promotion_id)
        await olga.until(name, "rejected")
        await olga.retry(promotion_id)
        await olga.until(name, "waiting")
        await _assert_refused(olga, asked.promotion, because="asked for it, so")
        await ada.promote(name, ENVIRONMENT)
        gate = addresses.gate(PipelineKey(NAMESPACE, name), ENVIRONMENT)
        await until(lambda: ada.sees(gate), lambda text: "1 of 2 approvals" in text)
        await _assert_refused(ada, asked.promotion, because="has approved it already")
    assert await life.pulls() == []
    async with person("grace", ports) as grace:
        await grace.promote(name, ENVIRONMENT)
        shown = await grace.until(name, "open")
    opened = await life.until(PullRequestOpened)
    granted = {d["personId"] for d in shown["decisions"] if d["outcome"] == "granted"}
    assert (granted, shown["author"]) == ({"ada", "grace"}, "grace")
    assert [p.number for p in await life.open()] == [opened.pull_request.number]
    return opened


async def _assert_refused(one: Person, ref: PromotionRef, *, because: str) -> None:
    """Their page does not offer it, and the approval service refuses it, once it has heard."""
    sheet = await one.browser.open(one.sheet(ref.pipeline.name, ref.environment))
    assert sheet.find("/promote") is None
    answer = await until(
        lambda: one.ask(ref.promotion_id), lambda a: a.status_code == httpx2.codes.FORBIDDEN
    )
    assert because in answer.text


async def end_stored(on: Scene, witness: Witness) -> None:
    """A pull request that a stored token opened is closed when its environment is renamed.

    So is the one for the new name, when the Pipeline is deleted.
    """
    life = Life(on=on, witness=witness, name=STORED.pipeline)
    said = life.heard
    revision = release(on.started.layout, life.name)
    first = await life.until(PullRequestOpened, after=said)
    assert first.promotion.environment == ENVIRONMENT

    said = life.heard
    _rename(on)
    ended = await life.until(PromotionSuperseded, after=said)
    assert ended.promotion.promotion_id == first.promotion.promotion_id
    second = await life.until(PullRequestOpened, after=said)
    assert second.promotion.environment == RENAMED
    assert second.promotion.promotion_id != first.promotion.promotion_id
    await _until_closed(life, first, after=said)
    assert [p.number for p in await life.open()] == [second.pull_request.number]
    await _assert_shown(life, second, revision=revision)

    said = life.heard
    ended = await life.delete()
    assert ended.promotion.promotion_id == second.promotion.promotion_id
    await _until_closed(life, second, after=said)
    await life.stay_quiet()
    assert await life.open() == []


def _rename(on: Scene) -> None:
    """In git, as a team does it: the Pipeline, and the marker that names the environment."""
    name = STORED.pipeline
    pipeline, release_file = f"pipelines/{name}.yaml", f"apps/{name}/{ENVIRONMENT}/release.yaml"
    changes = {
        pipeline: (f"- name: {ENVIRONMENT}\n", f"- name: {RENAMED}\n"),
        release_file: (f"{NAMESPACE}:{name}:{ENVIRONMENT}", f"{NAMESPACE}:{name}:{RENAMED}"),
    }
    files = {}
    for path, (old, new) in changes.items():
        text = git(on.started, "show", f"main:{path}").decode()
        assert text.count(old) == 1, text
        files[path] = text.replace(old, new).encode()
    commit(on.started, files)


async def _until_closed(life: Life, opened: PullRequestOpened, *, after: int) -> None:
    """By its own author, without having been merged."""
    closed = await life.until(PullRequestClosed, after=after)
    number = opened.pull_request.number
    assert closed.pull_request.number == number
    pull = next(p for p in await life.pulls() if p.number == number)
    assert (pull.state, pull.merged, pull.author) == ("closed", False, BOT)


async def _assert_shown(life: Life, opened: PullRequestOpened, *, revision: str) -> None:
    """By `kubectl`: the environments that there are now, and the pull request that is open."""
    url = f"/pull/{opened.pull_request.number}"
    status = await until(lambda: life.on.status(life.name), lambda s: url in json.dumps(s))
    assert set(status["environments"]) == {*ENVIRONMENTS, RENAMED} - {ENVIRONMENT}
    told = status["environments"][RENAMED]["promotion"]
    assert (told["revision"], told["pullRequest"].endswith(url)) == (revision, True)
