"""What the real notification-controller sent, between what the real controllers wrote.

Each recording is replayed twice, with and without its hints, and asks for the same promotions.
"""

import gzip
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from doubles.hinting import HookHouse
from doubles.watched import NOW, pipeline_manifest
from reference import directory, skip_without
from unit.watcher.test_recordings import BAD_VERSIONS

from countersign.contracts.messages import PromotionRequested
from countersign.kube.flux import read_object
from countersign.kube.objects import ObjectKey, key_of
from countersign.watcher.deciding import decide
from countersign.watcher.flux_events import BODY_BYTES_MAX, read_event
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import Links, Situation

FOLDER = "recordings/flux"
# Of the recordings: see their README.
RECORDED_KEY = "example-hmac-key"
APPS = {"HelmRelease", "Kustomization"}
Json = dict[str, Any]
App = tuple[str, str, str]


def scenarios() -> list[str]:
    root = directory()
    found = sorted((root / FOLDER).glob("*.watch.jsonl*")) if root else []
    return [path.name.partition(".watch")[0] for path in found] or ["absent"]


def requests() -> list[Json]:
    raw = (skip_without(FOLDER) / "events.http.jsonl.gz").read_bytes()
    return [json.loads(line) for line in gzip.decompress(raw).splitlines()]


def watched(scenario: str) -> list[Json]:
    folder = skip_without(FOLDER)
    (path,) = folder.glob(f"{scenario}.watch.jsonl*")
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    entries = [json.loads(line) for line in text.splitlines()]
    return [e for e in entries if e["type"] != "STEP"]


def header(request: Json, name: str) -> str:
    return next((v for n, v in request["headers"] if n.lower() == name), "")


@dataclass
class Replay:
    """A cluster that steps through a recording; whatever leads to a look is decided at once."""

    house: HookHouse
    pipelines: dict[App, str]
    links: dict[ObjectKey, Links] = field(default_factory=lambda: defaultdict(dict))
    requested: list[tuple[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def apply(self, entry: Json) -> None:
        key = key_of(entry["object"])
        gone = entry["type"] == "DELETED"
        changed = {} if gone else {key: read_object(entry["object"])}
        removed = frozenset({key}) if gone else frozenset[ObjectKey]()
        await self.house.watching.on_changes(Changes(changed=changed, removed=removed))
        self.decide()

    async def tell(self, request: Json) -> None:
        body = request["body"].encode()
        involved = json.loads(body)["involvedObject"]
        app = (involved["apiVersion"].partition("/")[0], involved["kind"], involved["name"])
        name = self.pipelines.get(app, "absent")
        answer = await self.house.post(
            body, f"/promotion/shop/{name}/dev", X_Signature=header(request, "x-signature")
        )
        self.answers.append(answer.status_code)
        self.decide()

    def decide(self) -> None:
        world, projection = self.house.watching.world, self.house.watching.projection
        for key, pipeline in world.pipelines.items():
            decision = decide(
                Situation(
                    pipeline=pipeline,
                    apps=world.apps_of(pipeline),
                    source_urls=world.source_urls_of(pipeline),
                    promotions=projection.promotions_of(pipeline.ref.uid),
                    links=self.links[key],
                    now=NOW,
                )
            )
            self.links[key] = dict(decision.links)
            for sequence, event in enumerate(decision.events, start=1):
                projection.apply(event, sequence=sequence)
                if isinstance(event, PromotionRequested):
                    self.requested.append((key.name, event.content.revision.recorded))


async def replay_of(scenario: str) -> Replay:
    """With a Pipeline for each application, whose second environment is still empty."""
    places: dict[App, set[str]] = defaultdict(set)
    manifests: dict[App, Json] = {}
    for entry in watched(scenario):
        if entry["object"]["kind"] in APPS:
            key = key_of(entry["object"])
            places[key.group, key.kind, key.name].add(key.namespace)
            manifests[key.group, key.kind, key.name] = entry["object"]
    made = Replay(HookHouse(requests_max=10_000), {})
    made.house.keys.keys["key"] = RECORDED_KEY
    for number, (app, namespaces) in enumerate(places.items()):
        pipeline = pipeline_manifest("dev", "prod", kind=app[1], ask={"secretRef": {"name": "t"}})
        pipeline["metadata"] |= {"name": f"p{number}", "uid": f"uid-{number}"}
        pipeline["spec"]["appRef"]["name"] = app[2]
        pipeline["spec"]["environments"][0]["targets"] = [
            {"namespace": namespace} for namespace in sorted(namespaces)
        ]
        pipeline["spec"]["promotion"]["strategy"]["secretRef"] = {"name": "key"}
        await made.house.hold(pipeline)
        made.pipelines[app] = f"p{number}"
    return made


def story(scenario: str, *, hints: bool) -> Iterator[tuple[str, bool, Json]]:
    told = [
        (r["received"], True, r)
        for r in requests()
        if r["scenario"] == scenario and header(r, "x-signature") and hints
    ]
    seen = [(e["received"], False, e) for e in watched(scenario)]
    yield from sorted(itertools.chain(told, seen), key=lambda entry: entry[0])


async def play(scenario: str, *, hints: bool) -> Replay:
    replay = await replay_of(scenario)
    for _, is_hint, entry in story(scenario, hints=hints):
        await (replay.tell(entry) if is_hint else replay.apply(entry))
    return replay


@pytest.mark.parametrize("scenario", scenarios())
async def test_hints_change_nothing_about_what_is_promoted(scenario: str) -> None:
    without = await play(scenario, hints=False)
    told = await play(scenario, hints=True)

    assert told.requested == without.requested
    assert not {version for _, version in told.requested} & BAD_VERSIONS.get(scenario, set())
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
    replay = await replay_of("hr-upgrade-failure")
    failed = [
        r
        for r in requests()
        if r["scenario"] == "hr-upgrade-failure"
        and header(r, "x-signature")
        and json.loads(r["body"])["reason"] == "UpgradeFailed"
    ]
    for _, is_hint, entry in story("hr-upgrade-failure", hints=True):
        if not is_hint:
            await replay.apply(entry)
        for again in failed:
            await replay.tell(again)

    assert failed
    assert set(replay.answers) == {204}
    assert [version for _, version in replay.requested] == ["6.8.4", "6.9.1"]


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
    assert not forged & {version for _, version in replay.requested}


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
