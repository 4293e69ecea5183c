"""The promotion hook of a watcher on a real API server: keys from Secrets, truth from objects."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import reference
import yaml
from apiserver import ApiServer
from doubles.hinting import event, sign
from doubles.observed_cluster import make_namespace, put, true_pipeline, true_release
from doubles.service_accounts import (
    let_read,
    make_account,
    rotate_secret,
    settings_of,
    store_secret,
)
from integration.watcher import conftest as stage

from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.contracts.subjects import FLUX_HINT
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api
from countersign.local.demo.layout import free_port
from countersign.messaging.administration.local_server import LocalServer
from countersign.messaging.bus import open_bus
from countersign.process.health import Health
from countersign.watcher import bootstrap
from countersign.watcher.hints.keys import KEPT_S, ClusterKeys, KeptKeys
from countersign.watcher.settings import Settings

KEY, PROD_KEY = "made-up-hmac-key", "made-up-hmac-key-of-prod"
TIMEOUT_S = 30.0
# A bus, and what its streams hold.
server = stage.server
heard = stage.heard


@dataclass
class Hook:
    """A running watcher's hook, for the Pipelines of one Namespace."""

    client: httpx2.AsyncClient
    base: str
    space: str

    async def post(
        self, environment: str = "dev", *, key: str = KEY, pipeline: str = "checkout", **said: Any
    ) -> int:
        namespace = self.space if environment == "dev" else elsewhere(self.space)
        body = event(involved={"namespace": namespace}, **said)
        headers = {"X-Signature": sign(body, key=key)} if key else {}
        url = f"{self.base}/promotion/{self.space}/{pipeline}/{environment}"
        return (await self.client.post(url, content=body, headers=headers)).status_code

    async def until(self, status: int, **request: Any) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if await self.post(**request) == status:
                        return
                await asyncio.sleep(0.05)


@pytest.fixture
async def space(api: HttpClusterApi, space: str) -> str:
    await make_namespace(api, elsewhere(space))
    return space


@asynccontextmanager
async def watcher(
    kube: KubeSettings,
    server: LocalServer,
    space: str,
) -> AsyncIterator[Hook]:
    port, health = free_port(), Health()
    settings = Settings(kube=kube, namespaces=space, webhook_port=port)
    async with (
        open_bus(server.settings("watcher"), service="watcher", health=health) as bus,
        httpx2.AsyncClient(timeout=TIMEOUT_S) as client,
    ):
        job = asyncio.create_task(bootstrap.serve(settings, bus, health=health, sources={}))
        try:
            yield Hook(client, f"http://127.0.0.1:{port}", space)
        finally:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job


def elsewhere(space: str) -> str:
    return f"{space}-2"


def keyed(space: str) -> dict[str, Any]:
    """The Pipeline has a key, and so has what leads into prod; only dev runs something."""
    later = [{"namespace": elsewhere(space)}]
    targets = {"staging": later, "prod": later}
    made = true_pipeline(space, "dev", "staging", "prod", targets=targets)
    strategy = made["spec"]["promotion"]["strategy"]
    made["spec"]["environments"][2]["promotion"] = {
        "strategy": {**strategy, "secretRef": {"name": "prod-key"}}
    }
    made["spec"]["promotion"]["strategy"] = {**strategy, "secretRef": {"name": "key"}}
    return made


async def test_hint_is_answered_by_key_and_promotes_what_the_object_says(
    flux: ApiServer,
    api: HttpClusterApi,
    space: str,
    server: LocalServer,
    heard: stage.Heard,
) -> None:
    await store_secret(api, space, "key", {"hmac-key": KEY, "token": "made-up-token"})
    await store_secret(api, space, "prod-key", {"hmac-key": PROD_KEY})
    await put(api, keyed(space))
    await put(api, true_release(space, "6.9.0", phase="failed"))

    async with watcher(flux.settings(), server, space) as hook:
        await hook.until(201)
        answers = {
            "unsigned": await hook.post(key=""),
            "wrong key": await hook.post(key="wrong"),
            "key of prod": await hook.post(key=PROD_KEY),
            "into prod": await hook.post("staging", key=PROD_KEY),
            "into prod, with the pipeline's": await hook.post("staging"),
            "absent": await hook.post(pipeline="absent"),
            "failed": await hook.post(severity="error", reason="UpgradeFailed"),
            "last": await hook.post("prod"),
        }
        await heard.until(lambda: bool(heard.of(m.PipelineObserved)))
        requested_by_hints = heard.of(m.PromotionRequested)
        await put(api, true_release(space, "6.9.1"))
        await heard.until(lambda: bool(heard.of(m.PromotionRequested)))

    assert answers == {
        "unsigned": 401,
        "wrong key": 401,
        "key of prod": 401,
        "into prod": 201,
        "into prod, with the pipeline's": 201,
        "absent": 401,
        "failed": 204,
        "last": 422,
    }
    assert requested_by_hints == []
    requested = heard.of(m.PromotionRequested)
    assert {r.content.revision.recorded for r in requested} == {"6.9.1"}


async def test_key_of_an_environment_alone_signs(
    flux: ApiServer,
    api: HttpClusterApi,
    space: str,
    server: LocalServer,
) -> None:
    await store_secret(api, space, "prod-key", {"hmac-key": PROD_KEY})
    made = keyed(space)
    del made["spec"]["promotion"]["strategy"]["secretRef"]
    await put(api, made)

    async with watcher(flux.settings(), server, space) as hook:
        await hook.until(201, environment="staging", key=PROD_KEY)
        into_staging = [await hook.post(key=key) for key in ("", KEY, PROD_KEY)]

    assert into_staging == [401, 401, 401]


@pytest.mark.parametrize("kinds", [("Provider", "Alert"), ("Provider",)])
async def test_documented_objects_are_what_flux_takes(
    flux: ApiServer, api: HttpClusterApi, kinds: tuple[str, ...]
) -> None:
    crds = reference.skip_without("crds")
    for name in ("providers", "alerts"):
        flux.kubectl("apply", "--server-side", "-f", str(crds / f"{name}.yaml"))
    flux.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    text = (reference.ROOT / "docs" / "webhooks.md").read_text()
    written = [
        list(yaml.safe_load_all(b)) for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ]
    manifests = next(w for w in written if tuple(o.get("kind") for o in w) == kinds)
    for namespace in {manifest["metadata"]["namespace"] for manifest in manifests}:
        await make_namespace(api, namespace)

    said = flux.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    assert said.count("created") == len(kinds)
    provider = manifests[0]["spec"]
    assert provider.get("channel") in {None, FLUX_HINT}


def revealed(key: Secret | None) -> str | None:
    return key.reveal() if key else None


async def test_watcher_reads_the_secrets_that_its_role_names_and_no_other(
    flux: ApiServer, api: HttpClusterApi, space: str
) -> None:
    account = "countersign-watcher"
    for name in ("key", "other"):
        await store_secret(api, space, name, {"hmac-key": KEY})
    await make_account(api, space, account)
    let_read(flux, space, account, "key", "absent")
    settings = await settings_of(api, flux, account, namespace=space)

    async with cluster_api(settings) as mine:
        keys = ClusterKeys(mine)
        allowed = await keys.read(SecretRef(namespace=space, name="key"))
        with pytest.raises(Rejected) as absent:
            await keys.read(SecretRef(namespace=space, name="absent"))
        with pytest.raises(Rejected) as refused:
            await keys.read(SecretRef(namespace=space, name="other"))

    assert revealed(allowed) == KEY
    assert absent.value.reason == "secret_missing"
    assert refused.value.reason == "secret_forbidden"
    assert "kubectl" in refused.value.message


async def test_rotated_key_counts_after_seconds(api: HttpClusterApi, space: str) -> None:
    now = [0.0]
    await store_secret(api, space, "key", {"hmac-key": KEY})
    keys = KeptKeys(ClusterKeys(api), lookup_s=TIMEOUT_S, clock=lambda: now[0])
    here = SecretRef(namespace=space, name="key")

    first = revealed(await keys.read(here))
    await rotate_secret(api, space, "key", {"hmac-key": PROD_KEY})
    kept = revealed(await keys.read(here))
    now[0] = KEPT_S
    rotated = revealed(await keys.read(here))

    assert (first, kept, rotated) == (KEY, KEY, PROD_KEY)
