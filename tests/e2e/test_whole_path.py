"""A revision goes from dev to prod through both flows, in real processes."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from e2e.collecting import Collector, collecting
from e2e.systems import assert_never_twice, canary, changes, pulls, system

from countersign.local.demo.manifests import ENVIRONMENTS, NEW, OLD
from countersign.local.demo.running import Running
from countersign.local.demo.walk import walking
from countersign.local.demo.walk.leaks import Places, look_for_leaks
from countersign.local.demo.walk.releasing import release

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

STEPS = {
    "watcher": {"request promotion", "follow pull request", "complete promotion"},
    # Without "complete approval": a delegation that is still held is used again, asking nobody.
    "approval": {"begin approval", "redeem delegation"},
    "pr-writer": {"write pull request", "open pull request"},
}


async def test_promotion_is_opened_by_its_approver_in_one_trace_and_leaves_no_token(
    tmp_path: Path,
) -> None:
    lines: list[str] = []

    async with collecting() as collector, system(tmp_path, collector=collector.endpoint) as started:
        walked = walking.Venue(ports=started.ports, release=lambda n: release(started.layout, n))
        answers = await walking.walk_all(walked, say=lines.append)
        promotions = await _promotions(started)
        metrics = await _metrics(started)
        found = await pulls(started)
        await _until_exported(collector, promotions)
        places = Places(
            directory=started.layout.root,
            pids=frozenset({os.getpid()}),
            answers=(*answers, *metrics, *collector.bodies),
        )
        leaks = await look_for_leaks(await canary(started), places)

        for pipeline, author in (("checkout", "ada"), ("catalog", "flux-bot")):
            for environment in ENVIRONMENTS[1:]:
                text = f"by {author} shop/{pipeline} {environment} {NEW}"
                assert sum(text in line for line in lines) == 1
        assert_never_twice(found)
        _assert_only_marked_bytes_changed(started, found)

    for promotion in promotions:
        _assert_approver_is_author(promotion)
        _assert_one_trace(collector, promotion)
    assert leaks.controls >= 3
    assert leaks.finds == ()


def _assert_approver_is_author(promotion: dict[str, Any]) -> None:
    if promotion["mode"] == "delegated" and promotion["state"] == "completed":
        granted = [d for d in promotion["decisions"] if d["outcome"] == "granted"]
        assert [d["forgeLogin"] for d in granted] == [promotion["author"]] == ["ada"]


def _assert_one_trace(collector: Collector, promotion: dict[str, Any]) -> None:
    if promotion["state"] != "completed":
        return
    traces = collector.trace_of(promotion["promotionId"])
    assert traces == {promotion["traceId"]}
    own = [s for s in collector.spans if s.trace_id == promotion["traceId"]]
    names = {service: {s.name for s in own if s.service == service} for service in STEPS}
    assert STEPS["watcher"] <= names["watcher"]
    assert STEPS["pr-writer"] <= names["pr-writer"]
    if promotion["mode"] == "delegated":
        assert STEPS["approval"] <= names["approval"]
        linked = {trace for s in own if s.name == "begin approval" for trace in s.linked}
        assert {s.service for s in collector.spans if s.trace_id in linked} >= {"gateway"}
    ids = {s.span_id for s in own}
    assert len([s for s in own if s.parent_id not in ids]) == 1, "more than one root"


def _assert_only_marked_bytes_changed(started: Running, found: list[Any]) -> None:
    for pull in found:
        changed = changes(started, pull.head_commit)
        assert changed
        for before, after in changed.values():
            line = next(x for x in before.splitlines() if x not in after.splitlines())
            assert b'{"$promotion": "shop:' in line
            if OLD.encode() in line:
                assert after == before.replace(line, line.replace(OLD.encode(), NEW.encode()))


async def _promotions(started: Running) -> list[dict[str, Any]]:
    gateway = started.ports.gateway_url
    async with httpx2.AsyncClient(base_url=gateway, trust_env=False, timeout=10) as client:
        await sign_in(client, gateway)
        items: list[dict[str, Any]] = (await client.get("/api/v1/promotions")).json()["items"]
        return items


async def sign_in(client: httpx2.AsyncClient, gateway: str) -> None:
    page = (await client.get("/sign-in")).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    headers = {"Origin": gateway, "Sec-Fetch-Site": "same-origin"}
    form = {"person": "ada", "form_token": token}
    answer = await client.post("/sign-in", data=form, headers=headers)
    assert answer.status_code == 303, answer.text


async def _metrics(started: Running) -> list[bytes]:
    found = []
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for port in started.health_ports.values():
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
            assert answer.status_code == 200
            found.append(answer.content)
    return found


async def _until_exported(collector: Collector, promotions: list[dict[str, Any]]) -> None:
    """Spans leave in batches, a second apart."""
    completed = [p["promotionId"] for p in promotions if p["state"] == "completed"]
    async with asyncio.timeout(10):
        while True:
            seen = {
                s.attributes.get("countersign.promotion.id")
                for s in collector.spans
                if s.name == "complete promotion"
            }
            if seen.issuperset(completed):
                return
            await asyncio.sleep(0.1)
