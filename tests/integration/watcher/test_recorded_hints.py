"""What the real notification-controller sent, between what the real controllers wrote.

Each recording is replayed with its hints, and asks for the promotions that it asks for without.
"""

import gzip
import itertools
import json
from collections.abc import Iterator
from typing import Any, Self

import pytest
from doubles.flux_recordings import FOLDER, Promoter, applications, entries, recordings
from doubles.hinting import HookHouse
from reference import skip_without

from countersign.kube.flux.rules import read_object
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.hints.flux_events import BODY_BYTES_MAX, read_event
from countersign.watcher.interfaces import Changes

# Of the recordings: see their README.
RECORDED_KEY = "example-hmac-key"
Json = dict[str, Any]


def requests() -> list[Json]:
    raw = (skip_without(FOLDER) / "events.http.jsonl.gz").read_bytes()
    return [json.loads(line) for line in gzip.decompress(raw).splitlines()]


def header(request: Json, name: str) -> str:
    return next((v for n, v in request["headers"] if n.lower() == name), "")


class Replay:
    """A cluster that steps through a recording; whatever leads to a look is decided at once."""

    def __init__(self, recording: str) -> None:
        self.house = HookHouse(requests_max=10_000)
        self.house.keys.keys["key"] = RECORDED_KEY
        self.answers: list[int] = []
        self.line = 0
        watching = self.house.watching
        self.apps = {(a.kind, a.name): a for a in applications(recording) if a.has_all_targets}
        self.promoter = Promoter(watching.inventory, [*self.apps.values()], watching.projection)

    async def begin(self) -> Self:
        """With a Pipeline for each application, whose second environment is still empty."""
        for app in self.apps.values():
            pipeline = app.pipeline()
            pipeline["metadata"]["uid"] = app.label
            pipeline["spec"]["promotion"]["strategy"]["secretRef"] = {"name": "key"}
            await self.house.hold(pipeline)
        return self

    async def apply(self, line: int, entry: Json) -> None:
        self.line = line
        key = key_of(entry["object"])
        gone = entry["type"] == "DELETED"
        changed = {} if gone else {key: read_object(entry["object"])}
        removed = frozenset({key}) if gone else frozenset[ObjectKey]()
        await self.house.watching.on_changes(Changes(changed=changed, removed=removed))
        self.promoter.look(line)

    async def tell(self, request: Json) -> None:
        body = request["body"].encode()
        involved = json.loads(body)["involvedObject"]
        app = self.apps.get((involved["kind"], involved["name"]))
        place = f"{app.key.namespace}/{app.key.name}" if app else "shop/absent"
        answer = await self.house.post(
            body, f"/promotion/{place}/dev", X_Signature=header(request, "x-signature")
        )
        self.answers.append(answer.status_code)
        self.promoter.look(self.line)

    def revisions(self) -> set[str]:
        return {revision for told in self.promoter.requested.values() for _, revision in told}


def story(recording: str, *, hints: bool) -> Iterator[tuple[int, Json]]:
    """Lines of the recording with their numbers, and between them what was told, without."""
    told = [
        (r["received"], 0, r)
        for r in requests()
        if r["scenario"] == recording and header(r, "x-signature") and hints
    ]
    seen = [(e["received"], line, e) for line, e in entries(recording)]
    for _, line, entry in sorted(itertools.chain(told, seen), key=lambda entry: entry[0]):
        yield line, entry


async def play(recording: str, *, hints: bool) -> Replay:
    replay = await Replay(recording).begin()
    for line, entry in story(recording, hints=hints):
        await (replay.apply(line, entry) if line else replay.tell(entry))
    return replay


@pytest.mark.parametrize("recording", recordings())
async def test_hints_change_nothing_about_what_is_promoted(recording: str) -> None:
    told = await play(recording, hints=True)

    assert told.promoter.differences() == {}
    assert told.house.bus.events == []


async def test_every_recorded_signature_is_good_and_every_answer_one_of_weaves() -> None:
    signed = [r for r in requests() if header(r, "x-signature")]
    answers = [
        status
        for scenario in sorted({r["scenario"] for r in signed})
        for status in (await play(scenario, hints=True)).answers
    ]

    assert len(answers) == len(signed) == 282
    assert set(answers) == {201, 204, 422}
    # Drift, and a dependency that is not ready, are told without a revision.
    silent = [r for r in signed if not read_event(r["body"].encode()).revision]
    assert answers.count(422) == len(silent)


async def test_failed_upgrade_that_names_its_revision_promotes_nothing() -> None:
    """The event of 6.9.0 has a revision, and goes to Alerts of severity info as well."""
    replay = await Replay("hr-upgrade-failure").begin()
    failed = [
        r
        for r in requests()
        if r["scenario"] == "hr-upgrade-failure"
        and header(r, "x-signature")
        and json.loads(r["body"])["reason"] == "UpgradeFailed"
    ]
    for line, entry in story("hr-upgrade-failure", hints=False):
        await replay.apply(line, entry)
        for again in failed:
            await replay.tell(again)

    assert failed
    assert set(replay.answers) == {204}
    assert replay.promoter.differences() == {}


async def test_forged_revision_promotes_nothing() -> None:
    """Whoever may annotate the object, or write the Alert, chooses `metadata.revision`."""
    forged = {
        revision
        for r in requests()
        if r["scenario"] == "events-inject"
        and (revision := json.loads(r["body"])["metadata"].get("revision"))
    } & {"9.9.9", "7.7.7"}
    replay = await play("events-inject", hints=True)

    assert forged
    assert not forged & replay.revisions()


async def test_noise_costs_one_look() -> None:
    replay = await play("ks-noise", hints=True)
    noise = [
        r
        for r in requests()
        if r["scenario"] == "ks-noise"
        and header(r, "x-signature")
        and read_event(r["body"].encode()).is_repeated
    ]

    assert len(noise) >= 13
    assert len(replay.house.looks) <= len(replay.answers) - len(noise) + 1


def test_events_are_far_shorter_than_what_is_taken() -> None:
    longest = max(r["body_len"] for r in requests())

    assert longest * 10 < BODY_BYTES_MAX
