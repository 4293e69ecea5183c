"""Bad input meets the running system: a person reads what is wrong, and nothing is lost.

Each case has an application of its own, in one system for all; what can be mended is mended, and
then completes. What is proven closer to where it happens is not repeated in all its kinds here:
fields and bodies of events `integration/messaging/test_working.py`, permissions and rogue replies
`test_permissions.py` and `test_requesting.py` there; places of a marker, of a branch's tip and of
an executor's death `integration/pr_writer/test_executing.py`; forged, late and foreign redemptions
`unit/approval/test_redeeming.py`; every route's refusals `unit/gateway/test_guards.py`.
"""

import asyncio
import html
import json
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from doubles.local_forge_browser import walk
from e2e.furnishing import (
    APPLICATIONS,
    BOM,
    GRACE,
    LARGE_BYTES,
    NUMBER,
    ODD_NAME,
    SPECIAL,
    bus_of,
    commit,
    furnish,
    log_of,
    pipeline_text,
)
from e2e.people import PATIENCE_S, Person, person
from e2e.systems import assert_never_twice, changes, git, pulls, system
from nats.errors import TimeoutError as NatsTimeoutError

from countersign.contracts import messages as m
from countersign.contracts.consent.redemption import NONCE_BYTES, UNSIGNED, canonical_bytes
from countersign.contracts.subjects import EVENT_ROOT, INTAKE_ROOT, RPC_ROOT
from countersign.local.demo.layout import FORGE_SLUG
from countersign.local.demo.manifests import BOT, NAMESPACE, NEW, OLD
from countersign.local.demo.programs import console_script
from countersign.local.demo.running import Running
from countersign.messaging.bus import Bus, open_bus
from countersign.messaging.topology.permissions import reply_prefix
from countersign.pr_writer.executor.redeeming import make_key, public_bytes
from countersign.pr_writer.parent.signing import signing_key
from countersign.process.health import Health

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

FOREIGN = "evil.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One system. It lives in a task of its own: a fixture is entered and left by two."""
    found: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def run() -> None:
        async with system(tmp_path_factory.mktemp("system"), furnish=furnish) as running:
            found.set_result(running)
            await over.wait()

    task = asyncio.create_task(run())
    await asyncio.wait((task, found), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    yield found.result()
    over.set()
    await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(started: Running) -> AsyncIterator[Person]:
    async with person("ada", started.ports) as one:
        yield one


@asynccontextmanager
async def as_service(started: Running, name: str) -> AsyncIterator[Bus]:
    """On the bus with that service's own key."""
    settings = bus_of(started).settings(name)
    async with open_bus(settings, service=name, health=Health()) as bus:
        yield bus


@contextmanager
def paused(started: Running, service: str) -> Iterator[None]:
    pid = started.supervisor.pids[service]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def faulty(started: Running, **rule: Any) -> AsyncIterator[None]:
    url = f"{started.ports.forge_url}/_local/faults"
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.put(url, json=rule)
        assert answer.status_code == 200, answer.text
        try:
            yield
        finally:
            await client.delete(url)


async def fails(ada: Person, name: str, *, failure: str, words: str) -> dict[str, Any]:
    """The promotion fails, and its page says why; the message and what to do are not empty."""
    promotion = await ada.until(name, "failed")
    assert promotion["failure"] == failure, promotion
    assert words in promotion["failureMessage"]
    await ada.sees(f"/promotions/{promotion['promotionId']}", promotion["failureMessage"])
    gate = (await ada.pipeline(name))["environments"][1]["gate"]
    assert gate["fix"], gate
    return promotion


async def pulls_of(started: Running, name: str) -> int:
    return sum(f"/{name}/" in pull.branch for pull in await pulls(started))


async def test_environment_with_any_name_is_promoted_into(started: Running, ada: Person) -> None:
    await ada.until("odd", "waiting")
    await ada.sees("/p/shop/odd", ODD_NAME)

    page = await ada.promote("odd")

    assert page.status == 200, page.text
    promotion = await ada.complete("odd")
    assert promotion["environment"] == ODD_NAME
    assert await pulls_of(started, "odd") == 1


async def test_unknown_field_is_named_and_hinders_nothing(ada: Person) -> None:
    await ada.until("typo", "waiting")

    words = "field spec.promotion.strategy.pull-request.basebranch is not known and has no effect"
    await ada.sees("/p/shop/typo", words)
    await ada.promote("typo")
    await ada.until("typo", "open")


async def test_wrong_environments_are_named_until_they_are_mended(
    started: Running, ada: Person
) -> None:
    wrong = {
        "none": "spec.environments is empty; list at least one environment",
        "nameless": "environment 2 has no name; give it one",
        "double": "environment 'dev' is listed 2 times; rename one",
    }
    for name, words in wrong.items():
        await ada.until_pipeline(name, lambda p: p.get("findings"))
        await ada.sees(f"/p/shop/{name}", words)
        assert await ada.promotions(name) == []

    commit(started, {APPLICATIONS[n].pipeline_path: pipeline_text(started, n) for n in wrong})

    for name in wrong:
        await ada.until(name, "waiting")
        await ada.until_pipeline(name, lambda p: p.get("findings") == [])
        await ada.promote(name)
        await ada.until(name, "open")
    assert [await pulls_of(started, name) for name in wrong] == [1, 1, 1]


async def test_broken_yaml_ends_nothing_and_is_told_with_its_place(
    started: Running, ada: Person
) -> None:
    file = started.layout.cluster / "by-hand" / "pipeline.yaml"
    file.parent.mkdir()
    broken = "apiVersion: [broken\n  kind: {"

    file.write_text(broken)
    await _until_logged(started, "watcher", "directory.file_unreadable", "is no YAML in line 2")
    assert await ada.pipeline("by-hand") == {}
    file.write_bytes(pipeline_text(started, "by-hand"))
    waiting = await ada.until("by-hand", "waiting")
    file.write_text(broken)
    await ada.until_pipeline("by-hand", lambda p: p.get("findings"))

    await ada.sees(
        "/p/shop/by-hand", "by-hand/pipeline.yaml: is no YAML in line 2", "is still used"
    )
    await ada.promote("by-hand")
    assert (await ada.until("by-hand", "open"))["promotionId"] == waiting["promotionId"]
    file.write_bytes(pipeline_text(started, "by-hand"))
    await ada.until_pipeline("by-hand", lambda p: p and not p["findings"])
    assert await pulls_of(started, "by-hand") == 1


async def _until_logged(started: Running, service: str, event: str, words: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [line for line in log_of(started, service) if line.get("event") == event]
            if any(words in str(line) for line in found):
                return
            # A file tells nobody that it grew.
            await asyncio.sleep(0.1)


async def test_marker_on_a_mapping_fails_with_its_place(started: Running, ada: Person) -> None:
    one = APPLICATIONS["mapping"]
    words = f"{one.path!r}, line 8, is on a mapping"
    promotion = await fails(ada, "mapping", failure="no_marker", words=words)
    assert await pulls_of(started, "mapping") == 0

    mended = one.release("prod", OLD, marker=one.marker)
    commit(started, {one.path: mended.encode()})
    await ada.retry(promotion["promotionId"])

    await ada.until("mapping", "open")
    assert await pulls_of(started, "mapping") == 1


@pytest.mark.parametrize(("name", "revision"), [("special", SPECIAL), ("number", NUMBER)])
async def test_revision_that_yaml_would_read_otherwise_arrives_as_it_is(
    ada: Person, name: str, revision: str
) -> None:
    promotion = await ada.complete(name, author=BOT)

    assert promotion["revision"] == revision
    reached = (await ada.pipeline(name))["environments"][1]
    assert reached["recorded"] == revision
    await ada.sees(f"/p/shop/{name}", revision)


async def test_file_with_crlf_and_bom_keeps_every_other_byte(started: Running, ada: Person) -> None:
    await ada.until("crlf", "open")
    (pull,) = [p for p in await pulls(started) if "/crlf/" in p.branch]

    ((before, after),) = changes(started, pull.head_commit).values()

    assert before.startswith(BOM)
    assert before.count(b"\r\n") == before.count(b"\n")
    assert after == before.replace(OLD.encode(), NEW.encode())


async def test_marker_in_a_file_of_nine_megabytes_is_told_as_too_large(
    started: Running, ada: Person
) -> None:
    await fails(ada, "large", failure="no_marker", words="large.yaml")
    promotion = await ada.until("large", "failed")

    assert "too large" in promotion["failureMessage"]
    assert await pulls_of(started, "large") == 0
    one = APPLICATIONS["large"]
    commit(started, {one.path: one.release("prod", OLD, marker=one.marker).encode()})
    await ada.retry(promotion["promotionId"])
    await ada.until("large", "open")


async def test_file_of_five_megabytes_beside_the_marker_is_left_alone(
    started: Running, ada: Person
) -> None:
    await ada.until("beside", "open")

    (pull,) = [p for p in await pulls(started) if "/beside/" in p.branch]
    assert set(changes(started, pull.head_commit)) == {APPLICATIONS["beside"].path}
    kept = git(started, "cat-file", "-s", "main:apps/beside/prod/large.yaml")
    assert int(kept) > LARGE_BYTES


async def test_repository_that_is_empty_is_named(ada: Person) -> None:
    await fails(ada, "empty", failure="not_found", words="'shop/empty' is empty")


async def test_base_branch_that_is_missing_is_named_and_then_made(
    started: Running, ada: Person
) -> None:
    promotion = await fails(ada, "baseless", failure="not_found", words="no branch 'release-2'")

    git(started, "branch", "release-2", "main")
    await ada.retry(promotion["promotionId"])

    await ada.until("baseless", "open")
    assert await pulls_of(started, "baseless") == 1


async def test_branch_that_somebody_else_made_is_not_touched_until_it_is_deleted(
    started: Running, ada: Person
) -> None:
    waiting = await ada.until("taken", "waiting")
    branch = f"refs/heads/countersign/shop/taken/prod/{waiting['promotionId']}"
    base = git(started, "rev-parse", "main").decode().strip()
    made = git(started, *GRACE, "commit-tree", "-p", base, "-m", "Mine", f"{base}^{{tree}}")
    theirs = made.decode().strip()
    git(started, "update-ref", branch, theirs)

    await ada.promote("taken")

    promotion = await fails(ada, "taken", failure="branch_taken", words="")
    assert git(started, "rev-parse", branch).decode().strip() == theirs
    assert await pulls_of(started, "taken") == 0
    git(started, "update-ref", "-d", branch)
    await ada.retry(promotion["promotionId"])
    await ada.until("taken", "waiting")
    await ada.promote("taken")
    await ada.until("taken", "open")
    assert await pulls_of(started, "taken") == 1


async def test_way_back_to_an_older_revision_is_a_third_promotion(
    started: Running, ada: Person
) -> None:
    one = APPLICATIONS["back"]
    await ada.complete("back", author=BOT)
    commit(started, {one.dev_path: one.release("dev", "6.9.1").encode()})
    await ada.until("back", "open", revision="6.9.1")
    await ada.complete("back", author=BOT)
    commit(started, {one.dev_path: one.release("dev", NEW).encode()})
    # What would go backwards waits for a person, whosever token is stored.
    await ada.until("back", "waiting", revision=NEW)
    await ada.promote("back")
    await ada.until("back", "open", revision=NEW)
    await ada.complete("back")

    promotions = await ada.promotions("back")
    assert [p["revision"] for p in promotions] == [NEW, "6.9.1", NEW]
    assert len({p["promotionId"] for p in promotions}) == 3
    assert {p["state"] for p in promotions} == {"completed"}
    assert await pulls_of(started, "back") == 3


async def test_person_who_may_not_write_is_told_so_and_another_can_go_on(
    started: Running, ada: Person
) -> None:
    await ada.until("readonly", "waiting")

    async with person("olga", started.ports) as olga:
        page = await olga.promote("readonly")

    assert page.status == 403
    assert "You cannot write to that repository" in page.text
    assert "You cannot write to 'shop/gitops'" in html.unescape(page.text)
    await ada.until("readonly", "waiting")
    assert await pulls_of(started, "readonly") == 0
    await ada.promote("readonly")
    await ada.until("readonly", "open")


async def test_sign_in_of_another_session_and_a_replayed_one_are_refused(
    started: Running, ada: Person
) -> None:
    waiting = await ada.until("signing", "waiting")
    # A delegation that ada still holds would ask nobody.
    async with person("ada", started.ports) as other, person("grace", started.ports) as grace:
        url = await other.begin(waiting["promotionId"])
        callback = await walk(started.ports.forge_url, url, "ada", deny=False)

        stolen = await grace.browser.open(callback)
        done = await other.browser.open(callback)
        again = await other.browser.open(callback)

    assert stolen.status == 403
    assert done.status == 200
    assert done.url.endswith(f"/promotions/{waiting['promotionId']}")
    assert again.status == 400
    assert "This sign-in is no longer valid" in again.text
    # What signs out takes what it delegated along; the browsers were only closed.
    await ada.until("signing", "open")
    assert await pulls_of(started, "signing") == 1


@pytest.mark.parametrize("host", [FOREIGN, f"{FOREIGN}:80", "127.0.0.1.nip.io"])
async def test_foreign_host_is_refused_everywhere(started: Running, host: str) -> None:
    ports = started.ports
    forge = ports.forge_url.replace("localhost", "127.0.0.1")
    asked = {
        ("GET", f"{ports.gateway_url}/"),
        ("GET", f"{ports.gateway_url}/api/v1/promotions"),
        ("POST", f"{ports.gateway_url}/sign-in"),
        ("GET", f"{ports.gateway_url}/oauth/callback/{FORGE_SLUG}?code=made-up&state=a.b"),
        ("POST", ports.webhooks_url),
        ("GET", f"{forge}/login"),
        ("GET", f"{forge}/api/v3/user"),
        *(
            ("GET", f"http://127.0.0.1:{port}/{path}")
            for port in started.health_ports.values()
            for path in ("healthz", "readyz", "metrics")
        ),
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for method, url in asked:
            answer = await client.request(method, url, headers={"Host": host})

            assert answer.status_code == 421, f"{method} {url}: {answer.status_code}"
            assert "host" in answer.text.lower()
            assert "set-cookie" not in answer.headers


async def test_events_that_cannot_be_read_are_dead_letters_and_others_go_on(
    started: Running, ada: Person
) -> None:
    waiting = await ada.until("poison", "waiting")
    place = f"shop.poison.prod.{'q' * 16}"
    incomplete = {"promotion": {"promotionId": "q" * 16, "environment": "prod"}}
    bodies = {
        f"{INTAKE_ROOT}.promotion.requested.{place}": b"{broken: 5 o'clock",
        f"{INTAKE_ROOT}.promotion.superseded.{place}": json.dumps(incomplete).encode(),
        f"{INTAKE_ROOT}.pipeline.observed.shop.poison": b"\xff\xfe\x00",
    }

    async with as_service(started, "watcher") as bus:
        for subject, body in bodies.items():
            stored = await bus.client.request(subject, body, timeout=5)
            assert "seq" in json.loads(stored.data), stored.data

    async with asyncio.timeout(PATIENCE_S):
        while (listed := await asyncio.to_thread(_dead_letters, started)).count(place) < 2:  # noqa: ASYNC110 - a stream that only a command reads
            await asyncio.sleep(0.2)
    for name in ("requested", "superseded"):
        (line,) = [ln for ln in listed.splitlines() if f"promotion.{name}.{place}" in ln]
        assert "malformed" in line
        assert "o'clock" not in line
    await ada.sees("/", "poison")
    await ada.promote("poison")
    assert (await ada.until("poison", "open"))["promotionId"] == waiting["promotionId"]
    assert len(await ada.promotions("poison")) == 1


def _dead_letters(started: Running) -> str:
    server = bus_of(started)
    environment = {
        "PATH": os.environ["PATH"],
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "topology.nk"),
    }
    command = [console_script("countersign-topology"), "dead-letters"]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout


async def test_request_of_the_wrong_service_is_not_answered_and_told(
    started: Running, ada: Person
) -> None:
    waiting = await ada.until("misled", "waiting")
    asker = m.Person(id="ada", name="Ada Lovelace")
    request = m.BeginRequest(
        promotion_id=waiting["promotionId"], person=asker, session="5" * 64
    ).to_json()
    begin = f"{RPC_ROOT}.approval.begin"

    async with as_service(started, "watcher") as watcher:
        with pytest.raises(NatsTimeoutError):
            await watcher.client.request(begin, request, timeout=1)
    async with as_service(started, "gateway") as gateway:
        await gateway.client.publish(begin, request, reply=f"{reply_prefix('pr-writer')}x")
        await _until_logged(started, "approval", "rpc.foreign_reply", "begin")

    told = (started.layout.bus / "nats-server.log").read_text()
    assert f'Publish Violation - Subject "{begin}"' in told
    assert (await ada.until("misled", "waiting"))["decisions"] == []
    await ada.promote("misled")
    await ada.until("misled", "open")


async def test_redemption_is_for_its_writer_its_key_and_its_moment_alone(
    started: Running, ada: Person
) -> None:
    await ada.until("redeeming", "waiting")

    with paused(started, "pr-writer"):
        await ada.promote("redeeming")
        granted = await _granted(started, ada, "redeeming")
        async with as_service(started, "pr-writer") as writer:
            codes = await _redeem_badly(started, writer, granted)

    assert codes == {
        "first": "",
        "the same again": "replay",
        "its nonce with another key": "replay",
        "an old one": "bad_request",
        "signed by another": "not_allowed",
        "for another promotion": "not_allowed",
    }
    refused = [e for e in log_of(started, "approval") if e.get("event") == "rpc.refused"]
    assert {"replay", "bad_request", "not_allowed"} <= {e["reason"] for e in refused}
    await ada.until("redeeming", "open")
    assert await pulls_of(started, "redeeming") == 1


async def _granted(started: Running, ada: Person, name: str) -> m.ApprovalGranted:
    """The event, as the stream holds it."""
    promotion = await ada.until(name, "opening")
    place = f"{NAMESPACE}.{name}.prod.{promotion['promotionId']}"
    subject = f"{EVENT_ROOT}.approval.granted.{place}"
    async with as_service(started, "gateway") as bus:
        found = await bus.last(m.ApprovalGranted, subject, stream="PROMOTIONS")
    assert found is not None
    assert isinstance(found.message, m.ApprovalGranted)
    return found.message


def _redemption(
    started: Running,
    bus: Bus,
    granted: m.ApprovalGranted,
    *,
    key: str = "pr-writer",
    **changes: Any,
) -> m.RedeemRequest:
    ref = granted.promotion
    bare = m.RedeemRequest(
        replica=granted.replica,
        approval_id=granted.approval_id,
        promotion_id=ref.promotion_id,
        attempt=ref.attempt,
        consent_digest=granted.consent_digest,
        public_key=public_bytes(make_key()),
        nonce=secrets.token_bytes(NONCE_BYTES),
        signed_at=datetime.now(UTC),
        reply=bus.reply_subject(),
        signature=UNSIGNED,
    ).model_copy(update=changes)
    signer = signing_key(bus_of(started).keys_dir / f"{key}.nk")
    return bare.model_copy(update={"signature": signer.sign(canonical_bytes(bare))})


async def _redeem_badly(
    started: Running, writer: Bus, granted: m.ApprovalGranted
) -> dict[str, str]:
    first = _redemption(started, writer, granted)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    tried = {
        "first": first,
        "the same again": first,
        "its nonce with another key": _redemption(started, writer, granted, nonce=first.nonce),
        "an old one": _redemption(started, writer, granted, signed_at=long_ago),
        "signed by another": _redemption(started, writer, granted, key="watcher"),
        "for another promotion": _redemption(started, writer, granted, promotion_id="r" * 16),
    }
    codes = {}
    for what, request in tried.items():
        response = await writer.request(
            "approval.redeem", request, replica=request.replica, reply=request.reply
        )
        assert isinstance(response, m.RedeemResponse)
        codes[what] = response.problem.code if response.problem else ""
    return codes


async def test_six_deliveries_of_one_job_open_one_pull_request(
    started: Running, ada: Person
) -> None:
    await ada.until("sixfold", "waiting")

    async with faulty(started, duplicates="allow"):
        with paused(started, "pr-writer"):
            await ada.promote("sixfold")
            granted = await _granted(started, ada, "sixfold")
            async with as_service(started, "approval") as bus:
                for number in range(5):
                    await bus.publish(granted, message_id=f"again-{number}")
        await ada.until("sixfold", "open")
        await _until_all_is_settled(started)

    assert await pulls_of(started, "sixfold") == 1
    assert (await ada.until("sixfold", "open"))["failureMessage"] == ""


async def _until_all_is_settled(started: Running) -> None:
    """Nothing is left for the pr-writer, and nothing is in its hands."""
    async with as_service(started, "pr-writer") as bus, asyncio.timeout(PATIENCE_S):
        while True:
            answer = await bus.client.request(
                "$JS.API.CONSUMER.INFO.PROMOTIONS.pr-writer-jobs", b"", timeout=5
            )
            found = json.loads(answer.data)
            if found["num_pending"] == found["num_ack_pending"] == 0:
                return
            await asyncio.sleep(0.1)


async def test_forge_that_answers_html_is_named_and_tried_again_when_it_is_well(
    started: Running, ada: Person
) -> None:
    await ada.until("page", "waiting")

    async with faulty(started, path="/api/graphql", html=True):
        await ada.promote("page")
        promotion = await fails(ada, "page", failure="bad_answer", words="instead of JSON")
    await ada.retry(promotion["promotionId"])
    await ada.until("page", "waiting")
    async with person("grace", started.ports) as grace:
        async with faulty(started, path="/login/oauth/access_token", html=True):
            refused = await grace.promote("page")
        text = html.unescape(refused.text)
        assert refused.status >= 400
        assert "The forge is not responding" in text
        assert "instead of JSON" in text
        await ada.until("page", "waiting")
        await grace.promote("page")

    assert (await ada.until("page", "open"))["author"] == "grace"
    assert await pulls_of(started, "page") == 1


async def test_after_all_of_it_everything_arrives_and_nothing_came_twice(
    started: Running, ada: Person
) -> None:
    await ada.until("checkout", "waiting")
    page = await ada.browser.open(f"{started.ports.gateway_url}/p/shop/checkout/test/promote")
    await ada.browser.submit(page, "/test/promote")
    await ada.until("checkout", "open")

    async with asyncio.TaskGroup() as merging:
        for name in APPLICATIONS:
            (newest, *_) = await ada.promotions(name)
            # What is merged into another branch than the cluster's reaches no environment.
            if newest["state"] == "open" and name != "baseless":
                merging.create_task(ada.complete(name, author=newest["author"]))
    await _until_all_is_settled(started)

    ends = {name: {p["state"] for p in await ada.promotions(name)} for name in APPLICATIONS}
    assert ends.pop("empty") == {"failed"}
    assert ends.pop("baseless") == {"open"}
    assert ends == {key: {"completed"} for key in ends}
    assert_never_twice(await pulls(started))
    counts = {name: await pulls_of(started, name) for name in APPLICATIONS}
    assert counts == {**dict.fromkeys(APPLICATIONS, 1), "empty": 0, "back": 3}
    assert len((await asyncio.to_thread(_dead_letters, started)).splitlines()) == 2
    assert started.supervisor.restarts == 0
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        for port in started.health_ports.values():
            assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
