"""The promotion hook around a real `Observer`, and requests to it."""

import hmac
import json
import time
from collections.abc import Iterable
from typing import Any

import httpx2
from doubles.watched import CLOCKS, NOW, pipeline_manifest, release

from countersign.contracts.errors import Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.kube.flux.rules import read_object
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.messaging.refusals import BusRefusal
from countersign.process.clocks import Clocks
from countersign.process.http.rates import RateLimit
from countersign.watcher.hints.endpoint import Guard, PromotionHook
from countersign.watcher.hints.reception import Hints
from countersign.watcher.hints.signatures import Signatures
from countersign.watcher.http import webhook_app
from countersign.watcher.interfaces import Changes
from countersign.watcher.model import Links, Situation
from countersign.watcher.observation.observer import Observer
from countersign.watcher.pulls.news import PullRequestNews

KEY = "made-up-hmac-key"
PROD_KEY = "made-up-hmac-key-of-prod"
PATH = "/promotion/shop/checkout/dev"
UNIX_NOW = NOW.timestamp()


class StoppedClock:
    """Moves only while somebody waits for something."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    async def wait(self, wait_s: float) -> None:
        self.now_s += wait_s


class Keys:
    """Secrets by name."""

    def __init__(self) -> None:
        self.keys = {"key": KEY, "prod-key": PROD_KEY}
        self.errors: list[Exception] = []
        self.asked: list[str] = []
        self.clock = StoppedClock()
        self.read_s = 0.0

    async def read(self, secret: SecretRef) -> Secret | None:
        self.asked.append(secret.name)
        await self.clock.wait(self.read_s)
        if self.errors:
            raise self.errors.pop(0)
        found = self.keys.get(secret.name)
        return Secret(found) if found else None


class Silent:
    """A bus that nobody listens to, and a memory that forgets."""

    sequence = 1

    def __init__(self) -> None:
        self.events: list[Message] = []

    async def publish(
        self, event: Message, *, message_id: str, create_once: bool = False
    ) -> "Silent":
        assert message_id or create_once
        self.events.append(event)
        return self

    async def last(self, model: type[Message], subject: str, *, stream: str) -> None:
        raise Retryable(BusRefusal.UNAVAILABLE, f"{model} {subject} {stream}")

    def read(self, _pipeline: Pipeline) -> Links:
        return {}

    def write(self, _pipeline: Pipeline, _links: Links) -> None: ...

    def published(self, _situation: Situation) -> None: ...


class HookHouse:
    """`looks` are the Pipelines that hints made us look at; `macs` counts the HMACs."""

    def __init__(
        self,
        *,
        requests_max: int = 1000,
        refusal_s: float = 0.0,
        clock: StoppedClock | None = None,
    ) -> None:
        self.bus = Silent()
        self.watching = Observer(publisher=self.bus, links=self.bus, clocks=CLOCKS)
        self.watching.caught_up.set()
        self.keys = Keys()
        self.looks: list[ObjectKey] = []
        self.macs = 0
        self.now = UNIX_NOW
        self.hints = Hints(
            inventory=self.watching.inventory, projection=self.watching.projection, look=self._look
        )
        guard = Guard(
            keys=self.keys,
            signatures=Signatures(clock=lambda: self.now, mac=self._mac),
            rate=RateLimit(requests_max=requests_max, clock=lambda: self.now),
            not_ready=self.watching.not_ready,
            clocks=Clocks(wall=lambda: NOW, monotonic=clock.monotonic_s, sleep=clock.wait)
            if clock
            else CLOCKS,
            refusal_s=refusal_s,
        )
        self.keys.clock = clock or self.keys.clock
        following = PullRequestNews(
            projection=self.watching.projection, publisher=self.bus, clock=lambda: NOW
        )
        app = webhook_app(
            news=following, sources={}, clock=time.time, hook=PromotionHook(self.hints, guard)
        )
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://hook.example"
        )

    def _look(self, keys: Iterable[ObjectKey]) -> None:
        self.looks.extend(keys)

    def _mac(self, key: bytes, text: bytes, algorithm: str) -> bytes:
        self.macs += 1
        return hmac.digest(key, text, algorithm)

    async def hold(self, *manifests: dict[str, Any]) -> "HookHouse":
        records = map(read_object, manifests)
        await self.watching.on_changes(Changes(changed={r.key: r for r in records}))
        return self

    async def post(
        self, body: bytes, path: str = PATH, *, key: str | None = KEY, **headers: str
    ) -> httpx2.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent.setdefault("X-Signature", sign(body, key=key))
        return await self.client.post(path, content=body, headers=sent)


def sign(body: bytes, *, key: str = KEY, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(key.encode(), body, algorithm).hexdigest()}"


def event(**changes: Any) -> bytes:
    """As helm-controller tells of an upgrade."""
    involved = {
        "kind": "HelmRelease",
        "namespace": "dev-0",
        "name": "podinfo",
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        **changes.pop("involved", {}),
    }
    told = {
        "involvedObject": involved,
        "severity": "info",
        "reason": "UpgradeSucceeded",
        "message": "made up",
        "metadata": {"revision": "6.9.0", **changes.pop("metadata", {})},
        "reportingController": "helm-controller",
        **changes,
    }
    return json.dumps(told).encode()


def keyed_pipeline(*names: str, own: str = "key", **promotion: Any) -> dict[str, Any]:
    """A Pipeline whose settings name a Secret with a key and one with a token."""
    ask = {"secretRef": {"name": "token"}}
    made = pipeline_manifest(*(names or ("dev", "staging", "prod")), ask=ask, **promotion)
    if own:
        made["spec"]["promotion"]["strategy"]["secretRef"] = {"name": own}
    return made


async def hook_house(**options: Any) -> HookHouse:
    """Dev runs 6.9.0 healthily, the others 6.8.4."""
    running = {"dev": "6.9.0", "staging": "6.8.4", "prod": "6.8.4"}
    return await HookHouse(**options).hold(
        keyed_pipeline(), *(release(name, version) for name, version in running.items())
    )
