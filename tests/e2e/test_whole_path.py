"""A revision goes from dev to prod through both flows, in real processes."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from e2e.collecting import Collector, collecting
from e2e.remains import Memory, listening, memory_of
from e2e.systems import Pull, assert_never_twice, canary, changes, pulls, system

from countersign.local.demo.manifests import BOT_SECRET, ENVIRONMENTS, NAMESPACE, NEW, OLD
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.walk import walking
from countersign.local.demo.walk.leaks import Places, Result, look_for_leaks
from countersign.local.demo.walk.releasing import release

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TOKENS = {"token", "stored token", "client secret"}
# People, repositories, pipelines, branches and addresses of the demonstration.
NAMES = {
    "ada", "grace", "linus", "flux-bot", "bot", "shop", "gitops", "checkout", "catalog",
    "website", "search", "main", "localhost", "127.0.0.1",
}  # fmt: skip

STEPS = {
    "watcher": {"request promotion", "follow pull request", "complete promotion"},
    # Without "complete approval": a delegation that is still held is used again, asking nobody.
    "approval": {"begin approval", "redeem delegation"},
    "pr-writer": {"write pull request", "open pull request"},
}


# Every logger of every library says all it has, whatever level we give it.
LOQUACIOUS = """
import logging

def say_all(self, level):
    self.level = logging.DEBUG
    self.manager._clear_cache()

logging.Logger.setLevel = say_all
"""
# Lines of libraries that no level of ours lets through.
LIBRARIES = (b"send_request_headers.started", b"receive_response_headers.complete")
HELD = re.compile(rb"^countersign_delegations_held ([1-9])", re.MULTILINE)
LABELS = re.compile(rb'[a-z_]+="((?:[^"\\\\]|\\\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Walked:
    """Everything that was seen of a system in which all was promoted to the end."""

    started: Running
    lines: list[str]
    promotions: list[dict[str, Any]]
    pulls: list[Pull]
    collector: Collector
    leaks: Result
    told: Mapping[str, Mapping[str, bytes]]
    logs: Mapping[str, bytes]
    secrets: Mapping[str, str]
    memory: Mapping[str, Memory]
    listening: Mapping[str, set[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Walked]:
    root = tmp_path_factory.mktemp("walked")
    (root / "sitecustomize.py").write_text(LOQUACIOUS)
    talk = {"COUNTERSIGN_LOG_LEVEL": "debug", "PYTHONPATH": str(root)}
    lines: list[str] = []
    async with (
        collecting() as collector,
        system(
            root, collector=collector.endpoint, settings=dict.fromkeys(SERVICES, talk)
        ) as started,
    ):
        venue = walking.Venue(ports=started.ports, release=lambda n: release(started.layout, n))
        answers = await walking.walk_all(venue, say=lines.append)
        cookie, promotions = await _promotions(started)
        told = await _told(started)
        found = await pulls(started)
        await _until_exported(collector, promotions)
        issued = await canary(started)
        secrets = {"token": issued, "cookie": cookie, **_secrets(started)}
        pids = started.supervisor.pids
        places = Places(
            directory=started.layout.root,
            pids=frozenset({os.getpid()}),
            answers=(
                *answers, *(body for by in told.values() for body in by.values()),
                *collector.bodies,
            ),
        )  # fmt: skip
        yield Walked(
            started=started,
            lines=lines,
            promotions=promotions,
            pulls=found,
            collector=collector,
            leaks=await look_for_leaks(issued, places),
            told=told,
            logs={path.stem: path.read_bytes() for path in started.layout.logs.glob("*.log")},
            secrets=secrets,
            memory={
                name: await asyncio.to_thread(memory_of, {pid}, secrets)
                for name, pid in pids.items()
            },
            listening={name: listening(pid) for name, pid in pids.items() if name in SERVICES},
        )


def test_promotion_is_opened_by_its_approver_in_one_trace_and_leaves_no_token(
    walked: Walked,
) -> None:
    for pipeline, author in (("checkout", "ada"), ("catalog", "flux-bot")):
        for environment in ENVIRONMENTS[1:]:
            text = f"by {author} shop/{pipeline} {environment} {NEW}"
            assert sum(text in line for line in walked.lines) == 1
    assert_never_twice(walked.pulls)
    _assert_only_marked_bytes_changed(walked.started, walked.pulls)
    for promotion in walked.promotions:
        _assert_approver_is_author(promotion)
        _assert_one_trace(walked.collector, promotion)
    assert walked.leaks.controls >= 3
    assert walked.leaks.finds == ()


@pytest.mark.parametrize("service", SERVICES)
def test_log_at_its_most_talkative_holds_no_secret(walked: Walked, service: str) -> None:
    """The tokens of all that was delegated were looked for there by the search for leaks."""
    log = walked.logs[service]
    found = {n for n, text in walked.secrets.items() if n != "token" and text.encode() in log}

    assert b'"level":"debug"' in log.replace(b" ", b"")
    assert found == set()
    assert re.findall(rb"[?&](?:code|state)=[\w.~-]{8,}", log) == []


def test_libraries_were_as_talkative_as_they_can_be(walked: Walked) -> None:
    """The control: at no level of ours would they say that much."""
    assert all(line in walked.logs["approval"] for line in LIBRARIES)


@pytest.mark.parametrize("service", SERVICES)
def test_memory_holds_tokens_as_ciphertext_alone(walked: Walked, service: str) -> None:
    """A delegation waits in approval meanwhile, and the auditor has checked stored tokens.

    To who is not root the memory of those that hold tokens is closed.
    """
    memory = walked.memory[service]

    assert HELD.search(walked.told["approval"]["metrics"])
    assert memory.found & TOKENS == set()
    assert os.geteuid() != 0 or not memory.closed


def test_memory_that_holds_a_token_is_seen_to(walked: Walked) -> None:
    """The control: the forge, which issued them."""
    assert walked.memory["forge"].found >= TOKENS


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_and_health_name_nobody(walked: Walked, service: str) -> None:
    told = walked.told[service]
    labels = {label.decode() for label in LABELS.findall(told["metrics"])}
    names = NAMES | {walked.started.ports.forge_url, walked.started.ports.gateway_url}
    everything = b"\n".join(told.values()).decode().lower()

    assert labels
    assert {
        n for n in names if re.search(rf"(?<![a-z]){re.escape(n)}(?![a-z])", everything)
    } == set()
    assert [label for label in labels if "/" in label and not label.startswith("/")] == []


@pytest.mark.parametrize("service", SERVICES)
def test_service_listens_where_it_is_told_to_and_nowhere_else(walked: Walked, service: str) -> None:
    ports = walked.started.ports
    own = {"gateway": {ports.gateway}, "watcher": {ports.webhooks}}.get(service, set[int]())
    told = own | {walked.started.health_ports[service]}

    assert walked.listening[service] == {f"127.0.0.1:{port}" for port in told}


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


async def _promotions(started: Running) -> tuple[str, list[dict[str, Any]]]:
    """Return the cookie of a session, and the promotions that its person sees."""
    gateway = started.ports.gateway_url
    async with httpx2.AsyncClient(base_url=gateway, trust_env=False, timeout=10) as client:
        await sign_in(client, gateway)
        items: list[dict[str, Any]] = (await client.get("/api/v1/promotions")).json()["items"]
        return max(client.cookies.values(), key=len), items


async def sign_in(client: httpx2.AsyncClient, gateway: str) -> None:
    page = (await client.get("/sign-in")).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    headers = {"Origin": gateway, "Sec-Fetch-Site": "same-origin"}
    form = {"person": "ada", "form_token": token}
    answer = await client.post("/sign-in", data=form, headers=headers)
    assert answer.status_code == 303, answer.text


async def _told(started: Running) -> dict[str, dict[str, bytes]]:
    """Return what each service answers on its health port."""
    found: dict[str, dict[str, bytes]] = {}
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for name, port in started.health_ports.items():
            found[name] = {}
            for path in ("metrics", "healthz", "readyz"):
                answer = await client.get(f"http://127.0.0.1:{port}/{path}")
                assert answer.status_code == 200
                found[name][path] = answer.content
    return found


def _secrets(started: Running) -> dict[str, str]:
    layout = started.layout
    files = {
        "stored token": layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET),
        "client secret": layout.client_secret_file,
        "webhook secret": layout.webhook_secret_file,
        **{f"nkey of {path.stem}": path for path in (layout.bus / "keys").glob("*.nk")},
    }
    return {name: path.read_text().strip() for name, path in files.items()}


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
