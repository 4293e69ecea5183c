"""Jaeger and Prometheus beside the demonstration, started as the documents say, and asked.

Grafana is not among them: what its files say is compared by `tests/unit/local/test_compose.py`.
"""

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest
import yaml
from compose.projects import Json, Project, started
from compose.viewer_images import BUILD_S_MAX, VIEWERS, images_or_skip
from e2e.test_whole_path import STEPS
from reference import ROOT

from countersign.local.demo.programs import SERVICES
from countersign.local.demo.walk.browsing import Browser
from countersign.local.demo.walk.scanning import Scanner

pytestmark = [pytest.mark.timeout(2 * BUILD_S_MAX)]

MONITORING: Final = ROOT / "k8s/monitoring"
# Spans leave in batches, a second apart; Prometheus looks every five seconds, and a rate takes two.
SEEN_S_MAX: Final = 90.0
LOOK_S: Final = 0.5
TRACES_MAX: Final = 1500
# Of Linux, in /proc/net/tcp.
LISTENING: Final = "0A"
LOOPBACK: Final = ("0100007F", "0B00007F", "00000000000000000000000001000000")
# What the demonstration has none of: credentials that end, and faults.
QUIET: Final = frozenset(
    {
        "countersign-credentials: Days until the first credential of an environment ends",
        "countersign-promotions: Parts of clusters that are not known",
        "countersign-services: Missing or wrong since the start",
    }
)
EXEMPLARY: Final = frozenset(
    f"countersign_{name}_bucket"
    for name in (
        "forge_call_seconds",
        "http_request_seconds",
        "promotion_lead_seconds",
        "publish_seconds",
        "pull_request_own_seconds",
        "rpc_seconds",
    )
)


@dataclass(frozen=True)
class Seen:
    """The system while both flows are walked, and what its viewers say of it."""

    project: Project
    client: httpx2.Client
    begun_at: float
    promotions: list[Json] = field(default_factory=list)
    # Queries of dashboards that had an answer at some time: what waits is gone after the walk.
    answered: set[str] = field(default_factory=set)

    def get(self, part: str, path: str, **asked: str | float) -> Any:
        answer = self.client.get(f"{self.project.url(part)}{path}", params=asked)
        assert answer.status_code == httpx2.codes.OK, answer.text
        return answer.json()["data"]

    def prometheus(self, path: str, **asked: str | float) -> Any:
        return self.get("PROMETHEUS", f"/api/v1/{path}", **asked)

    def traces(self, service: str, **tags: str) -> list[Json]:
        asked = {"tags": json.dumps(tags)} if tags else {}
        return list(self.get("TRACES", "/api/traces", service=service, limit=TRACES_MAX, **asked))

    def trace(self, trace_id: str) -> Json | None:
        """Return one trace; none while Jaeger does not know it."""
        answer = self.client.get(f"{self.project.url('TRACES')}/api/traces/{trace_id}")
        return answer.json()["data"][0] if answer.status_code == httpx2.codes.OK else None

    @property
    def completed(self) -> list[Json]:
        return [one for one in self.promotions if one["state"] == "completed"]


@pytest.fixture(scope="module", name="seen")
def seen_fixture() -> Iterator[Seen]:
    environment = {"COMPOSE_PROFILES": "traces,metrics", **images_or_skip()}
    viewers = [viewer.service for viewer in VIEWERS]
    with (
        started(*viewers, environment=environment) as project,
        httpx2.Client(timeout=20.0, trust_env=False) as client,
    ):
        yield Seen(project=project, client=client, begun_at=time.time())


def until(true: Callable[[], bool], what: str) -> None:
    latest = time.monotonic() + SEEN_S_MAX
    while not true():
        assert time.monotonic() < latest, f"not within {SEEN_S_MAX:g} s: {what}"
        time.sleep(LOOK_S)


def test_prometheus_reads_every_service_and_knows_every_rule(seen: Seen) -> None:
    def health() -> dict[str, str]:
        targets = seen.prometheus("targets")["activeTargets"]
        return {one["labels"]["pod"]: one["health"] for one in targets}

    until(lambda: health() == dict.fromkeys(SERVICES, "up"), "every target up")
    groups = yaml.safe_load((MONITORING / "prometheus/rules.yaml").read_text())["groups"]
    written = {rule["alert"] for group in groups for rule in group["rules"]}
    known = [rule for group in seen.prometheus("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in known} == written
    assert [rule["lastError"] for rule in known if rule.get("lastError")] == []
    ask_dashboards(seen, wanted="countersign-promotions: Where promotions are")


async def test_promotion_is_one_trace_that_jaeger_finds(seen: Seen) -> None:
    await seen.project.walk()
    seen.promotions.extend(await promotions_of(seen.project))

    assert {one["mode"] for one in seen.completed} == {"delegated", "stored"}
    for promotion in seen.completed:
        steps = {s: names for s, names in STEPS.items() if takes_part(s, promotion)}
        until(lambda p=promotion, s=steps: is_whole(seen, p, s), f"a whole trace of {promotion}")
        named = {"countersign.promotion.id": promotion["promotionId"]}
        found = {trace["traceID"] for service in steps for trace in seen.traces(service, **named)}
        assert found == {promotion["traceId"]}


def takes_part(service: str, promotion: Json) -> bool:
    return service != "approval" or promotion["mode"] == "delegated"


def is_whole(seen: Seen, promotion: Json, steps: dict[str, set[str]]) -> bool:
    """All steps are in it, below one first span."""
    trace = seen.trace(promotion["traceId"])
    if trace is None:
        return False
    names = names_of(trace)
    return len(roots_of(trace)) == 1 and all(steps[s] <= names.get(s, set()) for s in steps)


async def test_traces_link_to_what_they_follow_from(seen: Seen) -> None:
    """To the promotion below, to a person's click, and from a forge's webhook to the promotion."""
    by_pipeline: dict[str, set[str]] = {}
    for promotion in seen.completed:
        key = f"{promotion['pipeline']} {promotion['mode']}"
        by_pipeline.setdefault(key, set()).add(promotion["traceId"])
    linked = {
        trace_id: links_of(trace)
        for promotion in seen.completed
        if (trace := seen.trace(trace_id := promotion["traceId"])) is not None
    }
    clicks = {trace["traceID"] for trace in seen.traces("gateway")}
    webhooks = {
        trace["traceID"]
        for trace in seen.traces("watcher")
        if "receive webhook" in names_of(trace)["watcher"]
    }

    for ids in by_pipeline.values():
        # All but the first, into the second environment, have one below.
        assert sum(bool(linked[one] & ids) for one in ids) == len(ids) - 1, ids
    assert set.union(*linked.values()) & clicks
    assert set.union(*linked.values()) & webhooks


def test_every_service_names_itself_in_its_spans(seen: Seen) -> None:
    until(lambda: set(seen.get("TRACES", "/api/services")) >= set(SERVICES), "every service")
    for service in SERVICES:
        (process, *_) = seen.traces(service)[0]["processes"].values()
        tags = {tag["key"]: tag["value"] for tag in process["tags"]}
        assert tags["service.namespace"] == "countersign", service
        assert tags["service.version"], service


async def test_board_leads_to_the_page_of_a_trace(seen: Seen) -> None:
    promotion = seen.completed[0]
    browser = await signed_in(seen.project)
    try:
        url = f"{seen.project.ports.gateway_url}/promotions/{promotion['promotionId']}"
        page = await browser.open(url)
    finally:
        await browser.close()
    assert f'href="{seen.project.url("TRACES")}/trace/{promotion["traceId"]}"' in page.text


def test_no_span_and_no_metric_holds_a_token(seen: Seen) -> None:
    forge = seen.client.get(f"{seen.project.ports.forge_url}/_local/canary").json()
    kept = {s: seen.traces(s) for s in seen.get("TRACES", "/api/services")}
    series = seen.prometheus("series", **{"match[]": '{job="countersign"}'})
    scanner = Scanner(forge["canary"])
    stored = seen.project.compose("exec", "-T", "forge", "sh", "-c", "cat /state/secrets/*/*/*")

    assert forge["issued"]
    assert all(len(traces) < TRACES_MAX for traces in kept.values())
    for told in (json.dumps(kept), json.dumps(series)):
        assert list(scanner.search(told.encode(), "viewers")) == []
        assert [secret for secret in stored.split() if len(secret) > 8 and secret in told] == []
    planted = json.dumps([kept, f"ghu_{forge['canary']}"])
    assert list(scanner.search(planted.encode(), "viewers")) != []


def test_every_query_of_the_dashboards_has_an_answer(seen: Seen) -> None:
    ask_dashboards(seen)

    fired = {alert["labels"]["alertname"] for alert in seen.prometheus("alerts")["alerts"]}
    assert fired == set()


def ask_dashboards(seen: Seen, wanted: str = "") -> None:
    """Ask every query until those had an answer once that should; rules only must not fail."""
    spec = importlib.util.spec_from_file_location("ask", MONITORING / "ask.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asked = list(module.queries())
    every = {name for name, _ in asked if not name.startswith("alert ")}
    assert every > QUIET

    def all_answered() -> bool:
        for name, query in asked:
            wrong, count = module.ask(seen.project.url("PROMETHEUS"), query)
            assert not wrong, (name, wrong)
            if count:
                seen.answered.add(name)
        return seen.answered >= ({wanted} if wanted else every - QUIET)

    until(all_answered, f"an answer to each of {sorted(every - QUIET - seen.answered)}")


def test_exemplar_leads_to_a_trace_that_jaeger_knows(seen: Seen) -> None:
    def known() -> set[str]:
        """Metrics of which every exemplar's trace is known."""
        found: dict[str, set[str]] = {}
        for one in exemplars(seen):
            ids = {exemplar["labels"]["trace_id"] for exemplar in one["exemplars"]}
            found.setdefault(one["seriesLabels"]["__name__"], set()).update(ids)
        return {name for name in found if all(seen.trace(trace_id) for trace_id in found[name])}

    until(lambda: known() >= EXEMPLARY, f"exemplars of {sorted(EXEMPLARY)}")


def exemplars(seen: Seen) -> list[Json]:
    query = '{__name__=~"countersign_.+"}'
    return list(
        seen.prometheus("query_exemplars", query=query, start=seen.begun_at, end=time.time())
    )


def test_only_the_relays_listen_beyond_loopback(seen: Seen) -> None:
    """All parts share one network; what `entry` relays is what its neighbours there can reach."""
    tables = seen.project.compose("exec", "-T", "entry", "cat", "/proc/net/tcp", "/proc/net/tcp6")
    rows = [row.split() for row in tables.splitlines()]
    listening = [row[1].split(":") for row in rows if row[3] == LISTENING]
    relays = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["entry"]["command"]

    assert {int(port, 16) for _, port in listening} >= {4318, 4319, 9090}
    assert {int(port, 16) for address, port in listening if address not in LOOPBACK} == {
        int(relay.partition("=")[0].rpartition(":")[2]) for relay in relays[1:]
    }


def test_programs_of_others_may_do_little_and_see_no_secret(seen: Seen) -> None:
    found = {
        container["Config"]["Labels"]["com.docker.compose.service"]: container
        for container in seen.project.containers()
    }
    for viewer in VIEWERS:
        host = found[viewer.service]["HostConfig"]
        names = {mount.get("Name", "") for mount in found[viewer.service]["Mounts"]}
        assert found[viewer.service]["Config"]["User"] not in {"", "0", "root"}, viewer
        assert host["ReadonlyRootfs"], viewer
        assert host["CapDrop"] == ["ALL"], viewer
        assert not any(name.endswith("_state") for name in names), viewer
        assert found[viewer.service]["RestartCount"] == 0, viewer


def test_what_was_seen_outlives_a_restart(seen: Seen) -> None:
    before = time.time()
    trace_id = seen.completed[0]["traceId"]
    spans = len((seen.trace(trace_id) or {"spans": []})["spans"])

    seen.project.compose("--profile", "*", "down")
    seen.project.up()

    until(lambda: seen.trace(trace_id) is not None, "the trace from before")
    assert len((seen.trace(trace_id) or {"spans": []})["spans"]) == spans
    assert seen.prometheus("query", query="sum(countersign_ready)", time=before)["result"]
    until(lambda: bool(exemplars(seen)), "exemplars from before")


def names_of(trace: Json) -> dict[str, set[str]]:
    """Names of spans, by the service that made them."""
    found: dict[str, set[str]] = {}
    for span in trace["spans"]:
        service = trace["processes"][span["processID"]]["serviceName"]
        found.setdefault(service, set()).add(span["operationName"])
    return found


def roots_of(trace: Json) -> list[Json]:
    """Spans whose parent is not in the trace."""
    there = {span["spanID"] for span in trace["spans"]}
    return [span for span in trace["spans"] if not there & parents_of(span)]


def parents_of(span: Json) -> set[str]:
    return {
        reference["spanID"]
        for reference in span["references"]
        if reference["refType"] == "CHILD_OF" and reference["traceID"] == span["traceID"]
    }


def links_of(trace: Json) -> set[str]:
    """The other traces that its spans link to."""
    every = {r["traceID"] for span in trace["spans"] for r in span["references"]}
    return every - {trace["traceID"]}


async def signed_in(project: Project) -> Browser:
    browser = Browser()
    page = await browser.open(f"{project.ports.gateway_url}/sign-in")
    await browser.submit(page, "/sign-in", {"person": "ada"})
    return browser


async def promotions_of(project: Project) -> list[Json]:
    browser = await signed_in(project)
    try:
        found: Any = await browser.read_json(f"{project.ports.gateway_url}/api/v1/promotions")
    finally:
        await browser.close()
    return list(found["items"])
