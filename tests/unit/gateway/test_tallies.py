"""Counts and what waits are kept up to date; they are always what counting anew would give."""

import asyncio
import random

import pytest
from unit.gateway.doubles import NOW, Scene
from unit.gateway.gallery import many_pipelines, rich_board
from unit.gateway.stories import ADA, GRACE, Pipeline, ago

from countersign.contracts.messages import Person, PipelineDeleted
from countersign.gateway.access.people import LocalAccess
from countersign.gateway.gate_states import Show
from countersign.gateway.interfaces import FeedStatus, rights
from countersign.gateway.live.hub import LAST, QUEUE_MESSAGES_MAX, Client, Hub
from countersign.gateway.live.rendition import View
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.view.boards import Query, board, counts_of, shown_of, waiting_of
from countersign.gateway.view.tallies import Tallies

CHECKOUT = Pipeline("checkout", namespace="shop")
ALAN = Person(id="alan", name="Alan Turing", groups=("viewers",))


class Teams(LocalAccess):
    """A group sees and promotes in the namespaces of its name alone."""

    def may_see(self, person: Person, pipeline: PipelineKey) -> bool:
        return "team-001" not in person.groups or pipeline.namespace in person.groups

    def may_promote(self, person: Person, gate: GateKey) -> bool:
        return super().may_promote(person, gate) and self.may_see(person, gate.pipeline)

    def audience(self, person: Person) -> str:
        return ",".join(person.groups)


class Losing(LocalAccess):
    """Access in which people can lose a right; then they only look."""

    def __init__(self) -> None:
        self.lost: set[str] = set()

    def may_promote(self, person: Person, gate: GateKey) -> bool:
        return person.id not in self.lost and super().may_promote(person, gate)

    def audience(self, person: Person) -> str:
        return "looks" if person.id in self.lost else super().audience(person)


ERIN = Person(id="erin", name="Erin", groups=("developers",))
TEAM = Person(id="tess", name="Tess", groups=("team-001",))


def assert_right(scene: Scene, tallies: Tallies, *, namespace: str) -> None:
    for person in (GRACE, ADA, ALAN, TEAM):
        tally = tallies.of(person)
        may = rights(scene.access, person)
        tracks = [
            t
            for t in scene.projection.tracks()
            if scene.access.may_see(person, t.key) and namespace in {"", t.key.namespace}
        ]

        assert tally.counts(namespace) == counts_of(tracks, may=may)
        assert [id(w.gate) for w in tally.waiting(namespace)] == [
            id(w.gate) for w in waiting_of(tracks, may=may)
        ]


@pytest.mark.parametrize("seed", range(3))
def test_tally_is_what_counting_anew_gives_whatever_happens(seed: int) -> None:
    scene = Scene(access=Teams())
    rich_board(scene)
    many_pipelines(scene, count=60)
    tallies, choices = Tallies(scene.projection, scene.access), random.Random(seed)  # noqa: S311 - choices
    keys = list(scene.projection.pipelines)

    for i in range(40):
        key = choices.choice(keys)
        pipeline = Pipeline(key.name, namespace=key.namespace)
        story = pipeline.promotion("prod", f"9.{i}.0", at=ago(minutes=i))
        happened = [
            [story.requested],
            [story.requested, story.begun(choices.choice((GRACE, ADA)))],
            story.to_open(i + 500),
            [story.requested, story.failed()],
            [PipelineDeleted(pipeline=pipeline.ref, deleted_at=NOW)],
        ]
        scene.tell(*choices.choice(happened))
        if i == 30:
            scene.projection.forget("PROMOTIONS")
        assert_right(scene, tallies, namespace=choices.choice(("", "shop", "team-001")))


@pytest.mark.parametrize("show", Show)
@pytest.mark.parametrize(("words", "namespace"), [("", ""), ("9.0", ""), ("", "shop"), ("x", "y")])
@pytest.mark.parametrize("page", [1, 2, 99])
def test_open_page_follows_the_tracks_that_its_board_shows(
    show: Show, words: str, namespace: str, page: int
) -> None:
    scene = Scene()
    rich_board(scene)
    many_pipelines(scene, count=90)
    query, may = Query(show, words, namespace, page), rights(scene.access, GRACE)
    tally = Tallies(scene.projection, scene.access).of(GRACE)

    made = board(scene.projection.tracks(), query, may=may, totals=tally.totals(namespace))

    assert made == board(scene.projection.tracks(), query, may=may)
    shown = shown_of(scene.projection.tracks(), query, may=may)
    assert shown == {t.key for t in made.tracks}


async def test_right_that_ends_while_pages_are_sent_changes_no_count_of_who_has_it() -> None:
    """Somebody has more pages than are sent in one go; another is shown the same."""
    access = Losing()
    scene = Scene(access=access)
    rich_board(scene)
    sent = asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:
            return
        if not access.lost:
            access.lost.add(ERIN.id)
            scene.tell(CHECKOUT.promotion("prod", "9.9.9").requested)
        else:
            sent.set()
        await asyncio.sleep(0)

    scene.hub = Hub(
        projection=scene.projection, templates=scene.templates, access=access, pause=pause
    )
    for _ in range(120):
        scene.hub.join(
            Client(
                view=View(board=Query()), person=ERIN, audience="", session_id="s", form_token="t"
            ),
            since=scene.projection.position,
        )
    running = asyncio.create_task(scene.hub.run())
    scene.tell(CHECKOUT.promotion("prod", "9.9.8").requested)
    async with asyncio.timeout(10):
        await sent.wait()
    running.cancel()

    assert_right(scene, scene.hub.tallies, namespace="")


def test_reader_who_falls_behind_is_told_to_come_again() -> None:
    scene = Scene()
    rich_board(scene)
    client = Client(
        view=View(board=Query()), person=GRACE, audience="", session_id="s", form_token="t"
    )
    scene.hub.join(client, since=None)

    for i in range(QUEUE_MESSAGES_MAX + 1):
        scene.hub.show_status(FeedStatus(caught_up=True, connected=bool(i % 2)))

    assert len(scene.hub) == 0
    assert client.queue.get_nowait() == LAST
