"""What a real Gitea and a real Forgejo sent, byte for byte."""

import json
from typing import Any

import pytest
import reference
from doubles.webhook_house import House, our_pull_request

from countersign.contracts import messages as m
from countersign.contracts.forge_list import Forge

SECRET = "example-webhook-secret"
# The pull request that was merged, and the one that was closed, opened again, and lost its branch.
NUMBERS = {"gitea": (40, 41), "forgejo": (41, 42)}
pytestmark = pytest.mark.parametrize("kind", NUMBERS)


def deliveries(kind: str) -> dict[str, tuple[dict[str, str], bytes]]:
    path = reference.skip_without(f"recordings/{kind}/webhooks.jsonl")
    rows: list[Any] = [json.loads(line) for line in path.read_text().splitlines()]
    found = [(row["case"], row["delivery"]) for row in rows if "delivery" in row]
    own = [(case, sent) for case, sent in found if sent["path"] == "/hook"]
    hop = {"host", "content-length", "accept-encoding"}
    return {
        case: (
            {name: value for name, value in sent["headers"] if name.lower() not in hop},
            sent["raw_body"].encode(),
        )
        for case, sent in own
    }


def house_with(kind: str, *, number: int, branch: str) -> House:
    forge = Forge.model_validate({"name": "Ours", "kind": kind, "origin": "https://github.com"})
    house = House(forge, secret=SECRET)
    ids = {"repository_id": "1", "head_repository_id": "1"}
    house.open(our_pull_request(**ids, number=number, head_branch=branch))
    return house


async def answers(house: House, sent: dict[str, tuple[dict[str, str], bytes]]) -> dict[str, str]:
    told = {}
    for case, (headers, body) in sent.items():
        answer = await house.client.post("/webhooks/ours", content=body, headers=headers)
        told[case.partition(" /")[0]] = answer.text.strip()
    return told


async def test_recorded_merge_is_published_and_all_else_is_not(kind: str) -> None:
    house = house_with(kind, number=NUMBERS[kind][0], branch="w/one")

    told = await answers(house, deliveries(kind))

    assert told.pop("pull-merged: pull_request") == "merged"
    assert told.pop("pull-closed: pull_request") == "unknown"
    assert told.pop("branch-deleted-with-open-pull: pull_request") == "unknown"
    assert set(told.values()) == {"ignored"}
    (event,) = house.recorder.events
    assert isinstance(event, m.PullRequestMerged)
    assert event.by == m.ForgeUser(id="2", login="ada")
    assert len(event.merge_commit) == 40


@pytest.mark.parametrize("case", ["pull-closed", "branch-deleted-with-open-pull"])
async def test_recorded_closing_is_published(kind: str, case: str) -> None:
    """Also that by deleting the branch, after which the branch has another name."""
    house = house_with(kind, number=NUMBERS[kind][1], branch="w/two")
    sent = {c: d for c, d in deliveries(kind).items() if c.startswith(f"{case}: pull_request")}

    assert list((await answers(house, sent)).values()) == ["closed"]
    assert [type(event) for event in house.recorder.events] == [m.PullRequestClosed]


async def test_recorded_delivery_is_not_believed_of_the_other_kind(kind: str) -> None:
    """Forgejo also signs as Gitea does, so it would pass for one; Gitea not for Forgejo."""
    other = {"gitea": "forgejo", "forgejo": "github"}[kind]
    house = house_with(other, number=NUMBERS[kind][0], branch="w/one")
    headers, body = deliveries(kind)["pull-merged: pull_request /hook"]
    headers.pop("X-Hub-Signature-256")

    answer = await house.client.post("/webhooks/ours", content=body, headers=headers)

    assert answer.status_code == 401
