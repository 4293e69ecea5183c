"""A right that is missing is told where people look; the line that gives it is run as shown.

Secrets have names as long as people give them.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import reference
from apiserver import ApiServer
from doubles.kubectl_lines import line_in, run_line
from doubles.observed_cluster import eyes, make_namespace, put, true_pipeline, true_release
from doubles.service_accounts import make_account, settings_of, store_secret
from doubles.streams import provision
from doubles.told_cluster import LOOK_S, NAME, UNTIL_S, Told
from e2e.mirroring import install
from integration.kubernetes.test_auditor_secrets import Auditor, auditor_of
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene

from countersign.contracts import messages as m
from countersign.contracts.subjects import event_subject
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api
from countersign.messaging.administration.local_server import local_server

WATCHER, AUDITOR, WRITER = (f"countersign-{s}" for s in ("watcher", "auditor", "pr-writer"))
K8S: Final = reference.ROOT / "k8s"
SECRET: Final = f"promotion-credentials-{'of-the-team-that-ships-' * 7}checkout"
ASK: Final = {"type": "github", "url": "https://github.com/shop/gitops", "baseBranch": "main"}
TOKEN: Final = "ghp_madeup0123456789"


@pytest.fixture(scope="module", autouse=True)
def crds(apiserver: ApiServer) -> None:
    clusters = reference.skip_without("crds") / "gitopsclusters.yaml"
    install(apiserver, K8S / "crds" / "pipelines.yaml", clusters)


@pytest.fixture
async def watcher(apiserver: ApiServer, admin: HttpClusterApi, namespace: str) -> KubeSettings:
    """With all that it is given but Secrets, here and in the namespace beside."""
    await make_account(admin, namespace, WATCHER)
    await make_namespace(admin, f"{namespace}-prod")
    role = K8S / "base" / "watcher.yaml"
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(role))
    for place in (namespace, f"{namespace}-prod"):
        apiserver.kubectl(
            "-n", place, "create", "rolebinding", WATCHER, f"--clusterrole={WATCHER}",
            f"--serviceaccount={namespace}:{WATCHER}",
        )  # fmt: skip
    return await settings_of(admin, apiserver, WATCHER, namespace=namespace)


@pytest.fixture
async def told(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str, tmp_path: Path
) -> AsyncIterator[Told]:
    async with local_server(tmp_path / "bus") as bus:
        await provision(bus)
        yield Told(apiserver, admin, bus, namespace)


async def until_found(told: Told, *codes: str) -> dict[str, str]:
    """Of the status, once these findings and no others are there."""

    def found(status: dict[str, Any]) -> dict[str, str]:
        return {f["code"]: f["message"] for f in status.get("findings", [])}

    def met(status: dict[str, Any]) -> bool:
        return "observedGeneration" in status and set(found(status)) == set(codes)

    return found(await told.until(met))


async def test_key_of_hints_that_may_not_be_read_is_told_until_the_line_was_run(
    told: Told, watcher: KubeSettings, admin: HttpClusterApi
) -> None:
    await store_secret(admin, told.space, SECRET, {"hmac-key": "made-up-key"})
    await told.lay(strategy={"pull-request": ASK, "secretRef": {"name": SECRET}})

    async with told.watcher(settings=watcher):
        findings = await until_found(told, "secret_forbidden")
        run_line(told.server, findings["secret_forbidden"])
        await until_found(told)

    assert "for promotion hints" in findings["secret_forbidden"]


@pytest.fixture
async def auditor(
    apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> AsyncIterator[Auditor]:
    for name in (AUDITOR, WRITER):
        await make_account(admin, namespace, name)
    settings = await settings_of(admin, apiserver, AUDITOR, namespace=namespace)
    async with cluster_api(settings) as api:
        yield auditor_of(api, namespace, secret=SECRET)


async def checked(told: Told, auditor: Auditor) -> m.TokenChecked:
    """As the auditor says it, and everybody hears it."""
    async with told.as_service("auditor") as bus:
        await bus.publish(auditor.bus.last, message_id=f"checked-{auditor.later_s[0]}")
    return auditor.bus.last


async def pages(told: Told, check: m.TokenChecked, *, finds: bool) -> list[str]:
    """What the gateway shows of the Pipeline and of the credential, once the watcher told of it."""
    ref = m.PipelineRef(namespace=told.space, name=NAME, uid="any")
    subject = event_subject(
        m.PipelineObserved(pipeline=ref, app=m.ObjectRef(kind="any", name="any"))
    )
    async with told.as_service("gateway") as bus, asyncio.timeout(UNTIL_S):
        while True:
            found = await bus.last(m.PipelineObserved, subject, stream="PIPELINES")
            if found is not None and isinstance(found.message, m.PipelineObserved):
                codes = [f.code for f in found.message.findings]
                if ("secret_forbidden" in codes) is finds:
                    break
            await asyncio.sleep(LOOK_S)
    scene = Scene()
    scene.tell(found.message, check)
    async with browser(scene) as client:
        where = (f"/p/{told.space}/{NAME}", f"/credentials/{told.space}/{SECRET}")
        return [(await client.get(address)).text for address in where]


async def test_token_that_may_not_be_read_is_told_everywhere_until_the_line_was_run(
    told: Told, watcher: KubeSettings, auditor: Auditor, admin: HttpClusterApi
) -> None:
    await store_secret(admin, told.space, SECRET, {"token": TOKEN})
    await told.lay(strategy={"pull-request": {**ASK, "secretRef": {"name": SECRET}}})

    async with told.watcher(settings=watcher):
        await until_found(told)
        await auditor.schedule.step()
        check = await checked(told, auditor)
        findings = await until_found(told, "secret_forbidden")
        of_pipeline, of_credential = await pages(told, check, finds=True)
        lines = {line_in(t) for t in (findings["secret_forbidden"], of_pipeline, of_credential)}
        run_line(told.server, of_pipeline)
        await until_allowed(auditor)
        check = await checked(told, auditor)
        await until_found(told)
        after = await pages(told, check, finds=False)

    [line] = lines
    assert check.validity is m.TokenValidity.VALID
    assert "create role" in line
    # Lines that only look at an object stay.
    assert not any("create role" in page for page in after)


async def until_allowed(auditor: Auditor) -> None:
    """The API server hears of its own Roles a moment later."""
    async with asyncio.timeout(UNTIL_S):
        while "secret_forbidden" in auditor.bus.codes:
            await auditor.look()
            await asyncio.sleep(LOOK_S)


def kubeconfig(server: ApiServer) -> str:
    """To the same API server, as somebody else."""
    ca = base64.b64encode(server.ca.read_bytes()).decode()
    cluster = {"server": server.url, "certificate-authority-data": ca}
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "made-up-admin-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


async def test_kubeconfig_that_may_not_be_read_is_told_until_it_may_be(
    apiserver: ApiServer, watcher: KubeSettings, admin: HttpClusterApi, namespace: str
) -> None:
    there = f"{namespace}-prod"
    ref = {"kind": "GitopsCluster", "name": "far"}
    targets = {"prod": [{"namespace": there, "clusterRef": ref}]}
    await put(admin, true_pipeline(namespace, "dev", "prod", targets=targets))
    await put(admin, true_release(namespace, "6.9.0"))
    await put(admin, true_release(there, "6.8.4"))
    far = {"kind": "GitopsCluster", "metadata": {"name": "far", "namespace": namespace}}
    far |= {"apiVersion": "gitops.weave.works/v1alpha1", "spec": {"secretRef": {"name": SECRET}}}
    await put(admin, far)
    await store_secret(admin, namespace, SECRET, {"kubeconfig": kubeconfig(apiserver)})

    async with eyes(watcher, namespaces=frozenset({namespace})) as seen:
        await seen.until(lambda: "secret_forbidden" in seen.findings(namespace))
        condition = seen.condition(namespace, "prod")
        here = seen.revision(namespace, "dev")
        run_line(apiserver, seen.findings(namespace)["secret_forbidden"])
        await seen.until(lambda: seen.revision(namespace, "prod") == "6.8.4")

        assert seen.condition(namespace, "prod") == "HEALTHY"
        assert seen.findings(namespace) == {}
    assert (condition, here) == ("UNKNOWN", "6.9.0")
