"""The service as a process, between a real bus and the local forge."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nkeys
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from doubles.local_forge import RunningForge, running_forge
from doubles.streams import provision

from countersign.contracts import messages as m
from countersign.contracts.consent.redemption import canonical_bytes, hpke_info
from countersign.contracts.identity import consent_digest
from countersign.contracts.message import Message
from countersign.messaging.administration.local_server import LocalServer, local_server
from countersign.messaging.bus import Bus, Received, open_bus
from countersign.messaging.projections.follower import follow
from countersign.process.health import Health

CLIENT_ID = "Iv1.made-up"
OAUTH_APP_ID = "Ov1.made-up"
CLIENT_SECRET = "x7-of-nobody-q9-made-up"
PUBLIC_URL = "http://127.0.0.1:8080"
SESSION = "5" * 64
ADA = m.Person(id="ada@example", name="Ada", groups=("developers",))
PATIENCE_S = 20.0


@dataclass
class News:
    """All events, as a projection of the gateway sees them."""

    received: list[Received] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def on_event(self, received: Received) -> None:
        self.received.append(received)
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, kind: type[Message], *, count: int = 1) -> list[Received]:
        def found() -> list[Received]:
            return [r for r in self.received if isinstance(r.message, kind)]

        async with asyncio.timeout(PATIENCE_S + 20), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= count)
        return found()


@dataclass
class Process:
    replica: str
    process: asyncio.subprocess.Process
    log: Path

    async def until_logged(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.log.read_text():
                assert self.process.returncode is None, self.log.read_text()
                # A file tells nobody that it grew.
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@dataclass(kw_only=True)
class Site:
    """Everything around the service."""

    server: LocalServer
    forge: RunningForge
    gateway: Bus
    writer: Bus
    watcher: Bus
    news: News
    writer_pair: Any
    start: Callable[..., AbstractAsyncContextManager[Process]]

    def requested(self, name: str = "p" * 16, **changes: Any) -> m.PromotionRequested:
        pipeline = m.PipelineRef(namespace="shop", name="checkout", uid="uid-1", generation=1)
        ref = m.PromotionRef(promotion_id=name, pipeline=pipeline, environment="prod", attempt=1)
        values: dict[str, Any] = {
            "promotion": ref,
            "app": m.ObjectRef(kind="HelmRelease", name="checkout"),
            "from_environment": "staging",
            "content": m.Content(identity="6.9.1", revision=m.Revision(recorded="6.9.1")),
            "destination": m.Destination(
                kind=m.ForgeKind.GITHUB,
                origin=self.forge.origin,
                owner="shop",
                repository="deploy",
                base_branch="main",
            ),
            "marker_key": "shop:checkout:prod",
            "mode": m.CredentialMode.DELEGATED,
            "requested_at": datetime.now(UTC),
        }
        return m.PromotionRequested(**{**values, **changes})

    async def begin(self, name: str = "p" * 16, *, device: bool = False) -> m.BeginResponse:
        request = m.BeginRequest(promotion_id=name, person=ADA, session=SESSION, device=device)
        response = await self.gateway.request("approval.begin", request)
        assert isinstance(response, m.BeginResponse)
        return response

    async def complete(self, begun: m.BeginResponse, query: dict[str, str]) -> m.CompleteResponse:
        request = m.CompleteRequest(replica=begun.replica, session=SESSION, person=ADA, **query)
        response = await self.gateway.request("approval.complete", request, replica=begun.replica)
        assert isinstance(response, m.CompleteResponse)
        return response

    async def redeem(
        self, begun: m.BeginResponse, event: m.PromotionRequested
    ) -> tuple[m.RedeemResponse, Callable[[], str]]:
        key = X25519PrivateKey.generate()
        reply = self.writer.reply_subject()
        bare = m.RedeemRequest(
            replica=begun.replica,
            approval_id=begun.approval_id,
            promotion_id=event.promotion.promotion_id,
            attempt=1,
            consent_digest=consent_digest(event),
            public_key=key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
            nonce=os.urandom(16),
            signed_at=datetime.now(UTC),
            reply=reply,
            signature=b"unsigned",
        )
        signature = self.writer_pair.sign(canonical_bytes(bare))
        request = bare.model_copy(update={"signature": signature})
        response = await self.writer.request(
            "approval.redeem", request, replica=begun.replica, reply=reply
        )
        assert isinstance(response, m.RedeemResponse)

        def opened() -> str:
            suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
            return suite.decrypt(response.sealed, key, hpke_info(request)).decode()

        return response, opened


def furnish(forge: RunningForge) -> None:
    forge.person("ada")
    forge.person("grace")
    forge.repository("shop/deploy", {"a.yaml": "a: 1\n"}, writers=["ada"], readers=["grace"])
    forge.repository("shop/other", {"a.yaml": "a: 1\n"}, writers=["ada"])
    forge.app(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        callbacks=[f"{PUBLIC_URL}/oauth/callback/forge"],
        installations=["shop/deploy", "shop/other"],
        device_flow=True,
    )
    forge.app(
        kind="oauth-app",
        client_id=OAUTH_APP_ID,
        client_secret=CLIENT_SECRET,
        callbacks=[f"{PUBLIC_URL}/oauth/callback/forge"],
    )


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(local_server(tmp_path / "bus"))
        await provision(server)
        forge = await stack.enter_async_context(running_forge(tmp_path / "forge"))
        furnish(forge)
        pair = nkeys.from_seed((server.keys_dir / "pr-writer.nk").read_bytes().strip())
        buses = {
            name: await stack.enter_async_context(
                open_bus(server.settings(name), service=name, health=Health())
            )
            for name in ("gateway", "pr-writer", "watcher")
        }
        news = News()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        following = tasks.create_task(
            follow(buses["gateway"], streams=("PROMOTIONS",), apply=news.on_event)
        )
        stack.callback(following.cancel)
        yield Site(
            server=server,
            forge=forge,
            gateway=buses["gateway"],
            writer=buses["pr-writer"],
            watcher=buses["watcher"],
            news=news,
            writer_pair=pair,
            start=starter(tmp_path, server=server, forge=forge, pair=pair),
        )


def starter(
    directory: Path, *, server: LocalServer, forge: RunningForge, pair: Any
) -> Callable[..., AbstractAsyncContextManager[Process]]:
    secret = directory / "client-secret"
    secret.write_text(CLIENT_SECRET)

    @asynccontextmanager
    async def start(
        replica: str = "approval-0",
        *,
        client_id: str = CLIENT_ID,
        device_flow: bool = False,
        **more: str,
    ) -> AsyncIterator[Process]:
        forges = directory / "forges.yaml"
        entry = {
            "name": "Forge",
            "kind": "github",
            "origin": forge.origin,
            "clientId": client_id,
            "clientSecretFile": str(secret),
            "deviceFlow": device_flow,
        }
        forges.write_text(yaml.safe_dump({"forges": [entry]}))
        writers = directory / "writer-nkeys"
        writers.write_bytes(pair.public_key)
        log = directory / f"{replica}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "COUNTERSIGN_NATS_URL": server.url,
            "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / "approval.nk"),
            "COUNTERSIGN_REPLICA": replica,
            "COUNTERSIGN_FORGES_FILE": str(forges),
            "COUNTERSIGN_PUBLIC_URL": PUBLIC_URL,
            "COUNTERSIGN_WRITER_NKEYS_FILE": str(writers),
            "COUNTERSIGN_LOG_LEVEL": "debug",
            **more,
        }
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "countersign.approval",
                env=environment,
                stderr=out,
                stdout=out,
            )
        try:
            running = Process(replica, process, log)
            await running.until_logged("bus.serving")
            yield running
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return start
