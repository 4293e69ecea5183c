"""The auditor as a process, on a real bus, against the local forge."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from doubles.local_forge import RunningForge, running_forge
from doubles.streams import provision
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    CheckRequest,
    CheckResponse,
    CredentialMode,
    CredentialUse,
    Destination,
    ForgeKind,
    ObjectRef,
    Person,
    PipelineObserved,
    PipelineRef,
    SecretRef,
    TokenChangeKind,
    TokenChecked,
    TokenKind,
    TokenUsed,
    TokenUseOutcome,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.contracts.subjects import event_subject
from countersign.local.demo.walk.scanning import Scanner
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, open_bus
from countersign.process.health import Health

REF = SecretRef(namespace="apps", name="promotion")
SUBJECT = event_subject(TokenChecked(credential=REF))
DEADLINE_S = 30.0
CANARY_CHARACTERS = 16


@dataclass(frozen=True, kw_only=True)
class World:
    """A bus, a forge, a folder of Secrets, and the services around the auditor."""

    server: LocalServer
    forge: RunningForge
    directory: Path
    watcher: Bus
    writer: Bus
    reader: Bus

    @property
    def log(self) -> Path:
        return self.directory / "auditor.log"

    def store(self, token: Secret) -> None:
        path = self.directory / "secrets" / REF.namespace / REF.name / "token"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(token.reveal())

    async def name_it(self, *, origin: str = "", owner: str = "acme") -> None:
        destination = Destination(
            kind=ForgeKind.GITHUB,
            origin=origin or self.forge.origin,
            owner=owner,
            repository="gitops",
            base_branch="main",
        )
        use = CredentialUse(
            secret=REF, environment="prod", destination=destination, mode=CredentialMode.STORED
        )
        await self.tell(
            self.watcher,
            PipelineObserved(
                pipeline=PipelineRef(namespace="apps", name="podinfo", uid="u1"),
                app=ObjectRef(kind="HelmRelease", name="podinfo"),
                credentials=(use,),
            ),
        )

    async def tell(self, bus: Bus, event: Message) -> None:
        await bus.publish(event, message_id=f"{type(event).__name__} {datetime.now(UTC)}")

    async def until(self, holds: Callable[[TokenChecked], bool]) -> TokenChecked:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = await self.reader.last(TokenChecked, SUBJECT, stream="TOKENS")
                event = found.message if found is not None else None
                if isinstance(event, TokenChecked) and holds(event):
                    return event
                await asyncio.sleep(0.05)

    def questions(self) -> int:
        return sum(1 for r in self.forge.requests() if str(r["path"]).endswith("/user"))


@asynccontextmanager
async def running_auditor(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = world.server.settings("auditor")
    environment = os.environ | {
        "COUNTERSIGN_NATS_URL": settings.nats_url,
        "COUNTERSIGN_NKEY_FILE": str(settings.nkey_file),
        "COUNTERSIGN_FORGES_FILE": str(world.directory / "forges.yaml"),
        "COUNTERSIGN_SECRETS_DIR": str(world.directory / "secrets"),
    }
    with world.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "countersign.auditor", env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0, world.log.read_text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(local_server(tmp_path / "bus"))
        await provision(server)
        forge = await stack.enter_async_context(running_forge(tmp_path / "forge"))
        forge.person("ada")
        forge.repository("acme/gitops", {"a.yaml": "a: 1"}, writers=["ada"])
        (tmp_path / "secrets").mkdir()
        entry = {"name": "Forge", "kind": "github", "origin": forge.origin}
        forges = {"forges": [{**entry, "repositories": {"apps": ["acme/*"]}}]}
        (tmp_path / "forges.yaml").write_text(yaml.safe_dump(forges))
        buses = [
            await stack.enter_async_context(
                open_bus(server.settings(user, replica="test"), service=user, health=Health())
            )
            for user in ("watcher", "pr-writer", "gateway")
        ]
        yield World(
            server=server,
            forge=forge,
            directory=tmp_path,
            watcher=buses[0],
            writer=buses[1],
            reader=buses[2],
        )


async def test_auditor_says_whose_a_stored_token_is_and_what_is_risky(world: World) -> None:
    token = world.forge.token("ada", scopes=["repo", "admin:org"])
    world.store(token)

    async with running_auditor(world):
        await world.name_it()
        event = await world.until(lambda e: e.validity is TokenValidity.VALID)

    assert event.kind is TokenKind.CLASSIC
    assert event.owner is not None
    assert event.owner.login == "ada"
    assert event.scopes == ("admin:org", "repo")
    assert event.expiry_known
    assert [f.code for f in event.findings] == [
        "broad_scope",
        "scopes_beyond_need",
        "never_expires",
        "outdated_kind",
        "owner_is_person",
        "use_user_driven_flow",
    ]
    assert token.reveal() not in world.log.read_text()


async def test_auditor_reads_the_expiry_of_a_fine_grained_token(world: World) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    world.store(
        world.forge.token(
            "ada",
            kind="fine-grained",
            permissions={"contents": "write", "pull_requests": "write"},
            repositories=["acme/gitops"],
            expires_at=expires_at,
        )
    )

    async with running_auditor(world):
        await world.name_it()
        event = await world.until(lambda e: e.validity is TokenValidity.VALID)

    assert event.kind is TokenKind.FINE_GRAINED
    assert event.expires_at == expires_at
    assert event.scopes == ()
    assert event.findings[0].code == "expires_within_7_days"


async def test_auditor_sends_nothing_to_a_forge_that_is_not_listed(
    world: World, tmp_path: Path
) -> None:
    world.store(world.forge.token("ada", scopes=["repo"]))

    async with running_forge(tmp_path / "evil") as evil, running_auditor(world):
        await world.name_it(origin=evil.origin)
        event = await world.until(lambda e: e.validity is TokenValidity.UNKNOWN)
        seen = evil.requests()

    assert event.findings[0].code == "forge_not_listed"
    assert seen == []
    assert world.questions() == 0


async def test_auditor_checks_at_once_after_a_refusal_in_use_and_then_rests(world: World) -> None:
    token = world.forge.token("ada", scopes=["repo"])
    world.store(token)
    async with running_auditor(world):
        await world.name_it()
        await world.until(lambda e: e.validity is TokenValidity.VALID)
        world.store(Secret("ghp_madeup_and_revoked_long_ago"))
        await world.until(lambda e: e.validity is TokenValidity.INVALID)
        asked = world.questions()
        at = datetime.now(UTC).replace(microsecond=0)
        refused = TokenUsed(credential=REF, used_at=at, outcome=TokenUseOutcome.REFUSED)
        await world.tell(world.writer, refused)
        event = await world.until(lambda e: e.last_used_by_us_at == at)

    assert asked == 2
    assert world.questions() == 2
    assert event.findings[0].code == "token_invalid"


async def assert_token_is_nowhere(world: World, event: TokenChecked, token: Secret) -> None:
    """Scan all that the auditor wrote, and all that the gateway exports of it."""
    scanner = Scanner(token.reveal()[-CANARY_CHARACTERS:])
    written = [world.log, *(p for p in (world.directory / "bus").rglob("*") if p.is_file())]
    scene = Scene()
    scene.tell(event)
    exports = ("/credentials.csv", "/credentials.json", "/credentials", "/api/v1/credentials")
    async with browser(scene) as client:
        answers = {path: (await client.get(path)).content for path in exports}

    found = [f.place for path in written for f in scanner.search_file(path)]
    found += [f.place for path, body in answers.items() for f in scanner.search(body, path)]
    assert found == []
    assert all(REF.name.encode() in body for body in answers.values())
    # What finds nothing must be able to find it.
    control = world.directory / "secrets" / REF.namespace / REF.name / "token"
    assert [f.place for f in scanner.search_file(control)] == [str(control)]


async def test_auditor_looks_when_somebody_asks_it_to(world: World) -> None:
    token = world.forge.token("ada", scopes=["repo"])
    world.store(token)
    async with running_auditor(world):
        await world.name_it()
        await world.until(lambda e: e.validity is TokenValidity.VALID)
        world.forge.revoke(token)
        person = Person(id="grace", name="Grace", groups=())
        answer = await world.reader.request(
            "auditor.check", CheckRequest(credential=REF, person=person)
        )
        event = await world.until(lambda e: e.validity is TokenValidity.INVALID)
        stranger = SecretRef(namespace="apps", name="no-such")
        refused = await world.reader.request(
            "auditor.check", CheckRequest(credential=stranger, person=person)
        )

    assert isinstance(answer, CheckResponse)
    assert answer.problem is None
    await assert_token_is_nowhere(world, event, token)
    assert [change.kind for change in event.history] == [
        TokenChangeKind.FIRST_CHECKED,
        TokenChangeKind.VALIDITY,
    ]
    assert isinstance(refused, CheckResponse)
    assert refused.problem is not None
    assert refused.problem.code == "not_named"


async def test_auditor_goes_on_after_a_restart_without_asking_again(world: World) -> None:
    world.store(world.forge.token("ada", scopes=["repo"]))
    async with running_auditor(world):
        await world.name_it()
        before = await world.until(lambda e: e.validity is TokenValidity.VALID)

    async with running_auditor(world):
        used = TokenUsed(
            credential=REF, used_at=datetime.now(UTC), outcome=TokenUseOutcome.ACCEPTED
        )
        await world.tell(world.writer, used)
        after = await world.until(lambda e: e.last_used_by_us_at is not None)

    assert world.questions() == 1
    assert after.owner == before.owner
    assert after.checked_at == before.checked_at
    assert after.next_check_at == before.next_check_at


async def test_auditor_calls_a_page_unknown_and_not_a_success(world: World) -> None:
    world.store(world.forge.token("ada", scopes=["repo"]))
    world.forge.faults(path="*/user", html=True)

    async with running_auditor(world):
        await world.name_it()
        event = await world.until(lambda e: bool(e.checked_at))

    assert event.validity is TokenValidity.UNKNOWN
    assert event.owner is None


async def test_auditor_obeys_a_rate_limit(world: World) -> None:
    world.store(world.forge.token("ada", scopes=["repo"]))
    world.forge.faults(path="*/user", status=429, retry_after_s=1200)

    async with running_auditor(world):
        await world.name_it()
        event = await world.until(lambda e: bool(e.checked_at))

    assert event.validity is TokenValidity.UNKNOWN
    assert event.checked_at is not None
    assert event.next_check_at is not None
    assert event.next_check_at - event.checked_at >= timedelta(seconds=1190)


@pytest.mark.parametrize("missing", ["COUNTERSIGN_FORGES_FILE", "COUNTERSIGN_SECRETS_DIR"])
async def test_auditor_explains_bad_settings(tmp_path: Path, missing: str) -> None:
    (tmp_path / "forges.yaml").write_text("forges: []")
    good = {
        "COUNTERSIGN_FORGES_FILE": str(tmp_path / "forges.yaml"),
        "COUNTERSIGN_SECRETS_DIR": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "countersign.auditor",
        env=os.environ | good | {missing: str(tmp_path / "absent")},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        _, said = await process.communicate()

    assert process.returncode == 2
    assert missing.encode() in said
    assert b"Traceback" not in said
