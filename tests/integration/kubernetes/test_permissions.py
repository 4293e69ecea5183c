"""`k8s/base` on a real API server: every right is used, and every use has its right.

The services' own code asks, each as its own service account, and what it asks for is compared with
what the API server says that account may do.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import pytest
import yaml
from apiserver import ApiServer
from doubles.recorded_calls import RecordedApi, RecordedWatching, Right
from doubles.service_accounts import (
    HOME,
    make_account,
    may_do,
    secrets_path,
    settings_of,
    store_secret,
)
from e2e.mirroring import install, loose_crd
from reference import ROOT, skip_without

from countersign.auditor.checks.marking import Marking
from countersign.auditor.model import CredentialKey
from countersign.auditor.secrets.api_secrets import LOOK_S, ApiSecrets
from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import PromotionCompleted, PromotionRef, SecretRef
from countersign.kube.access import reviews
from countersign.kube.access.api import MERGE, MetadataApi
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api
from countersign.kube.access.stored_secrets import read_secret
from countersign.kube.objects import Manifest
from countersign.kube.rbac import cli
from countersign.kube.watches.watching_api import watching_api
from countersign.process.clocks import Clocks
from countersign.watcher.hints.keys import ClusterKeys
from countersign.watcher.interfaces import Changes
from countersign.watcher.observation.observer import Observer
from countersign.watcher.reading.clusters import Clusters
from countersign.watcher.reading.remote import Ways
from countersign.watcher.status.events import StepEvents
from countersign.watcher.status.objects import StatusObjects

BASE: Final = ROOT / "k8s" / "base"
SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
GROUP: Final = reviews.GROUP
PERSON: Final = reviews.Subject(user="ada", groups=("shop",))
BOT, HOOK, ACCESS = "bot", "hook", "eu-access"
LOOKS: Final = 200
LOOK_EACH_S: Final = 0.1


@pytest.fixture(scope="module", autouse=True)
def base(apiserver: ApiServer) -> None:
    """Installed as an administrator does, into a cluster with Flux."""
    install(apiserver, skip_without("crds") / "gitopsclusters.yaml")
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(BASE))


@pytest.fixture
async def account(admin: HttpClusterApi, namespace: str) -> str:
    """One that nobody has given any right."""
    await make_account(admin, namespace, "nobody")
    return namespace


async def rights_of(
    settings: KubeSettings, *, namespace: str, except_for: Iterable[Right] = ()
) -> set[Right]:
    """What the API server says that an account may do, beside what everybody may."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    async with cluster_api(settings) as api:
        answer = await api.call("POST", path, body=body)
    found = {
        Right(*parts)
        for rule in answer["status"]["resourceRules"]
        for parts in product(
            rule["verbs"], rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""])
        )
    }
    return found - set(except_for)


@pytest.fixture
async def everybody(apiserver: ApiServer, admin: HttpClusterApi, account: str) -> set[Right]:
    settings = await settings_of(admin, apiserver, "nobody", namespace=account)
    return await rights_of(settings, namespace=account)


def pipeline(namespace: str, **app: str) -> dict[str, Any]:
    """Of an application in this namespace, to be promoted with a token that is stored."""
    ask = {
        "type": "github",
        "url": "https://github.com/shop/gitops",
        "baseBranch": "main",
        "secretRef": {"name": BOT},
    }
    there = {"kind": "GitopsCluster", "name": "eu"}
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": app["kind"].lower(), "namespace": namespace},
        "spec": {
            "appRef": {"name": "checkout", **app},
            "promotion": {"strategy": {"pull-request": ask, "secretRef": {"name": HOOK}}},
            "environments": [
                {"name": "dev", "targets": [{"namespace": namespace}]},
                {"name": "prod", "targets": [{"namespace": namespace, "clusterRef": there}]},
            ],
        },
    }


def applied_from(namespace: str, kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "checkout", "namespace": namespace},
        "spec": {
            "interval": "1m",
            "prune": True,
            "sourceRef": {"kind": kind, "name": "fleet"},
        },
    }


def objects(namespace: str) -> list[dict[str, Any]]:
    cluster = {
        "apiVersion": "gitops.weave.works/v1alpha1",
        "kind": "GitopsCluster",
        "metadata": {"name": "eu", "namespace": namespace},
        "spec": {"secretRef": {"name": ACCESS}},
    }
    return [
        pipeline(namespace, apiVersion="helm.toolkit.fluxcd.io/v2", kind="HelmRelease"),
        pipeline(namespace, apiVersion="kustomize.toolkit.fluxcd.io/v1", kind="Kustomization"),
        cluster,
    ]


@pytest.fixture
async def shop(apiserver: ApiServer, admin: HttpClusterApi, namespace: str) -> str:
    """A namespace with Pipelines, what they name, and the Roles that were printed for that."""
    for name in (BOT, HOOK, ACCESS, "other"):
        await store_secret(admin, namespace, name, {"token": "ghp_madeup0123456789"})
    apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects(namespace)))
    return namespace


def grant(apiserver: ApiServer, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the documented line does, for one namespace."""
    listed = apiserver.kubectl("-n", namespace, "get", "pipelines,gitopsclusters", "-o", "yaml")
    file = apiserver.directory / "pipelines.yaml"
    file.write_text(listed)
    assert cli.main([str(file)]) == 0
    apiserver.kubectl("apply", "-f", "-", stdin=capsys.readouterr().out)


async def service(admin: HttpClusterApi, apiserver: ApiServer, name: str) -> KubeSettings:
    return await settings_of(admin, apiserver, f"countersign-{name}")


@asynccontextmanager
async def recorded(settings: KubeSettings) -> AsyncIterator[RecordedApi]:
    async with cluster_api(settings) as api:
        yield RecordedApi(api)


@pytest.mark.parametrize("name", ["approval", "gateway"])
async def test_who_asks_about_people_may_do_that_alone(
    apiserver: ApiServer, admin: HttpClusterApi, everybody: set[Right], shop: str, name: str
) -> None:
    settings = await service(admin, apiserver, name)
    async with recorded(settings) as api:
        await reviews.may_promote(api, PERSON, "prod", namespace=shop, name="checkout")

    assert await rights_of(settings, namespace=shop, except_for=everybody) == api.asked


async def test_writer_may_get_the_secret_it_uses_and_do_nothing_else(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    everybody: set[Right],
    shop: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    grant(apiserver, shop, capsys)
    settings = await service(admin, apiserver, "pr-writer")
    async with recorded(settings) as api:
        await read_secret(api, namespace=shop, name=BOT)

    assert await rights_of(settings, namespace=shop, except_for=everybody) == api.asked


async def test_auditor_may_get_the_secret_it_checks_and_do_nothing_else(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    everybody: set[Right],
    shop: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    grant(apiserver, shop, capsys)
    settings, later_s = await service(admin, apiserver, "auditor"), [0.0]
    async with recorded(settings) as api:
        key = CredentialKey(shop, BOT)
        stored = ApiSecrets(api, mark=Marking(b"made up"), monotonic_s=lambda: later_s[0])
        await stored.read(key)
        later_s[0] += LOOK_S
        changed = await stored.changed([key])

    assert changed == frozenset()
    assert await rights_of(settings, namespace=shop, except_for=everybody) == api.asked


@pytest.mark.parametrize("name", SERVICES)
async def test_service_may_do_nothing_with_other_secrets(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    shop: str,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    grant(apiserver, shop, capsys)
    one, all_here = secrets_path(shop, "other"), secrets_path(shop)
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made"}}
    async with cluster_api(await service(admin, apiserver, name)) as api:
        for method, path, sent in (
            ("GET", one, None),
            ("GET", all_here, None),
            ("GET", "/api/v1/secrets", None),
            ("POST", all_here, body),
            ("DELETE", one, None),
            ("GET", secrets_path(HOME, BOT), None),
        ):
            with pytest.raises(Rejected, match="forbidden"):
                await api.call(method, path, body=sent)


async def test_nobody_reads_secrets_before_roles_are_printed(
    apiserver: ApiServer, admin: HttpClusterApi, shop: str
) -> None:
    for name in SERVICES:
        async with cluster_api(await service(admin, apiserver, name)) as api:
            with pytest.raises(Rejected, match="secret_forbidden"):
                await read_secret(api, namespace=shop, name=BOT)


class Nobody:
    """Publishes to nobody."""

    sequence = 0

    async def publish(
        self, _event: Message, *, message_id: str, create_once: bool = False
    ) -> "Nobody":
        assert message_id or create_once
        return self

    async def last(self, model: type[Message], subject: str, *, stream: str) -> object:
        raise AssertionError(f"nothing was there first: {model} {subject} {stream}")


class Interfering(RecordedApi):
    """Somebody else changes the object at the moment at which its status is written."""

    def __init__(self, api: MetadataApi, other: HttpClusterApi) -> None:
        super().__init__(api)
        self._other = other
        self._came = False

    async def call(self, method: str, path: str, **more: Any) -> Manifest:
        if method == "PATCH" and not self._came:
            annotated = {"metadata": {"annotations": {"by": secrets.token_hex(4)}}}
            object_path = path.removesuffix("/status")
            await self._other.call("PATCH", object_path, body=annotated, content_type=MERGE)
            self._came = True
        return await super().call(method, path, **more)


@asynccontextmanager
async def running_watcher(api: RecordedWatching, single: RecordedApi) -> AsyncIterator[None]:
    """All of the service that speaks to the API server."""
    clocks = Clocks(wall=utc_now, monotonic=time.monotonic)
    steps = StepEvents(single, clock=utc_now, sleep=asyncio.sleep, instance="watcher-0")
    statuses = StatusObjects(single, clocks=clocks, random=lambda: 0.5, not_ready=lambda: None)
    watching = Observer(publisher=Nobody(), links=statuses, clocks=clocks)
    watching.caught_up.set()

    async def on_changes(changes: Changes) -> None:
        assert not [gap.message for gap in changes.gaps if gap.code == "kind_forbidden"]
        await watching.on_changes(changes)
        for pipeline in watching.inventory.pipelines.values():
            ref = PromotionRef(promotion_id="p", pipeline=pipeline.ref, environment="prod")
            steps.on_event(PromotionCompleted(promotion=ref), recorded_at=utc_now())

    jobs = (
        Clusters(api, ways=Ways(secrets=single)).follow(on_changes),
        watching.run(),
        statuses.run(),
        steps.run(),
    )
    running = asyncio.gather(*jobs)
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


def utc_now() -> datetime:
    return datetime.now(UTC)


async def test_watcher_uses_each_of_its_rights(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    everybody: set[Right],
    shop: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Of a later Flux than the CRDs that we have.
    apiserver.kubectl(
        "apply", "-f", "-", stdin=json.dumps(loose_crd("ExternalArtifact", "externalartifacts"))
    )
    apiserver.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    sources = [
        {**applied_from(shop, kind), "metadata": {"name": name, "namespace": shop}}
        for name, kind in (
            ("checkout", "GitRepository"),
            ("b", "OCIRepository"),
            ("c", "Bucket"),
            ("d", "ExternalArtifact"),
        )
    ]
    apiserver.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(sources))
    grant(apiserver, shop, capsys)
    settings = await service(admin, apiserver, "watcher")
    held = await rights_of(settings, namespace=shop, except_for=everybody)
    async with cluster_api(settings) as single, watching_api(settings) as watching:
        api, recorded_single = RecordedWatching(watching), Interfering(single, admin)
        await ClusterKeys(recorded_single).read(SecretRef(namespace=shop, name=HOOK))
        async with running_watcher(api, recorded_single):
            for _ in range(LOOKS):
                asked = api.asked | {nameless(right) for right in recorded_single.asked}
                if held <= asked:
                    break
                await asyncio.sleep(LOOK_EACH_S)

    # In Namespaces of other tests too, where it was given no Secret.
    assert {r for r in asked if r.resource != "secrets" or r in held} == held


def nameless(right: Right) -> Right:
    return right if right.resource == "secrets" else right._replace(name="")


def roles(apiserver: ApiServer) -> dict[str, dict[str, Any]]:
    """Ours for people, by name."""
    listed = yaml.safe_load(apiserver.kubectl("get", "clusterroles", "-o", "yaml"))["items"]
    names = {"viewer", "credentials", "promoter"}
    return {
        name: role
        for role in listed
        if (name := role["metadata"]["name"].removeprefix("countersign-")) in names
    }


def test_right_to_promote_comes_with_no_other_role(apiserver: ApiServer) -> None:
    found = roles(apiserver)
    aggregated = {
        name: [label for label in role["metadata"]["labels"] if "aggregate-to" in label]
        for name, role in found.items()
    }

    assert aggregated == {
        "viewer": ["rbac.authorization.k8s.io/aggregate-to-view"],
        "credentials": ["rbac.authorization.k8s.io/aggregate-to-edit"],
        "promoter": [],
    }
    for name in ("viewer", "credentials"):
        assert {verb for rule in found[name]["rules"] for verb in rule["verbs"]} <= {
            "get",
            "list",
            "watch",
        }


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("viewer", (True, False, False)),
        ("credentials", (False, True, False)),
        ("promoter", (True, False, True)),
    ],
)
async def test_role_of_people_allows_what_its_name_says(
    apiserver: ApiServer,
    admin: HttpClusterApi,
    namespace: str,
    role: str,
    expected: tuple[bool, bool, bool],
) -> None:
    binding = ("create", "rolebinding", "them", f"--clusterrole=countersign-{role}", "--group=shop")
    apiserver.kubectl("-n", namespace, *binding)

    async with cluster_api(await service(admin, apiserver, "gateway")) as api:
        allowed = await may_do(api, PERSON, namespace=namespace)
        elsewhere = await reviews.may_promote(api, PERSON, "prod", namespace=HOME, name="x")

    assert allowed == expected
    assert not elsewhere
