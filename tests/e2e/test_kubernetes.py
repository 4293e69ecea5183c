"""The same path with a real API server: objects, status, rights, and Secrets read by name."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from apiserver import ApiServer, running
from e2e.invariants import assert_in_order, assert_settled, assert_true
from e2e.mirroring import Mirror, install
from e2e.nemeses import Nemeses
from e2e.persevering import Perseverance
from e2e.systems import assert_never_twice, canary, pulls, system
from e2e.witnessing import Witness, letters, since_requested, stored, witnessing
from reference import ROOT

from countersign.contracts.messages import (
    PipelineDeleted,
    PromotionSuperseded,
    PullRequestOpened,
)
from countersign.local.demo import programs
from countersign.local.demo.browsing import Browser
from countersign.local.demo.layout import Layout, Ports, free_port
from countersign.local.demo.leaks import Ground, look_for_leaks
from countersign.local.demo.manifests import BOT_SECRET, ENVIRONMENTS, NAMESPACE, NEW
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed
from countersign.local.demo.supervising import Program
from countersign.local.demo.walking import BY_COMMIT, DELEGATED, STORED, Route

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

WALK_S: Final = 150.0
LOOK_S: Final = 0.2
STEP_S: Final = 20.0
HOME: Final = "countersign"
# As Weave's documentation has it: https://docs.gitops.weaveworks.org/docs/pipelines/getting-started
EXAMPLE: Final = """
apiVersion: pipelines.weave.works/v1alpha1
kind: Pipeline
metadata: {name: podinfo-02, namespace: shop}
spec:
  appRef: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, name: podinfo}
  environments:
    - name: dev
      targets: [{namespace: podinfo-02-dev, clusterRef: {kind: GitopsCluster, name: dev}}]
    - name: test
      targets:
        - {namespace: podinfo-02-qa, clusterRef: {kind: GitopsCluster, name: dev}}
        - {namespace: podinfo-02-perf, clusterRef: {kind: GitopsCluster, name: dev}}
    - name: prod
      targets: [{namespace: podinfo-02-prod, clusterRef: {kind: GitopsCluster, name: prod}}]
"""
# The right to promote in one namespace, and nothing else.
TEAM: Final = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: shop-promotes, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: countersign-promoter}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: shop}}]
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    server: ApiServer
    started: Running
    settings: Mapping[str, Mapping[str, str]]

    def pipeline(self, name: str) -> dict[str, Any]:
        found = self.server.kubectl("-n", NAMESPACE, "get", "pipeline", name, "-o", "json")
        return dict(json.loads(found))


def account(server: ApiServer, service: str) -> Path:
    """The folder that the kubelet would mount into this service's Pod."""
    token = server.kubectl("-n", HOME, "create", "token", f"countersign-{service}").strip()
    return server.account(token)


@asynccontextmanager
async def scene(root: Path) -> AsyncIterator[Scene]:
    server = await asyncio.to_thread(running, root / "kubernetes")
    try:
        crds = ROOT / "k8s" / "crds" / "pipelines.yaml"
        await asyncio.to_thread(install, server, crds)
        server.kubectl("apply", "-k", str(ROOT / "k8s" / "base"))
        server.kubectl("create", "namespace", NAMESPACE)
        server.kubectl("apply", "-f", "-", stdin=TEAM)
        settings = {
            service: {
                "COUNTERSIGN_KUBE_URL": server.url,
                "COUNTERSIGN_KUBE_ACCOUNT_DIR": str(account(server, service)),
            }
            for service in SERVICES
        }

        def furnish(layout: Layout, ports: Ports) -> None:
            seed(layout, ports)
            file = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
            server.kubectl(
                "-n", NAMESPACE, "create", "secret", "generic", BOT_SECRET, f"--from-file={file}"
            )

        async with (
            system(root, furnish=furnish, settings=settings) as started,
            asyncio.TaskGroup() as group,
        ):
            mirroring = group.create_task(Mirror(started.layout.cluster, server).run())
            yield Scene(server=server, started=started, settings=settings)
            mirroring.cancel()
    finally:
        server.stop()


async def test_promotions_go_from_dev_to_prod_and_outlive_the_api_server(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        walks = {r: Perseverance(r, on.started.ports, Browser()) for r in (DELEGATED, STORED)}
        try:
            async with asyncio.timeout(WALK_S), asyncio.TaskGroup() as group:
                for walk in walks.values():
                    group.create_task(walk.run(NEW))
                group.create_task(_grant_secret(on))
                await _until_merged(on)
                await asyncio.to_thread(on.server.stop)
                await asyncio.sleep(2)
                await asyncio.to_thread(on.server.start)
        except TimeoutError:
            pytest.fail(f"{[f'{r.pipeline} at {w.stuck}' for r, w in walks.items()]}")
        finally:
            for walk in walks.values():
                await walk.browser.close()
        events = await stored(on.started)
        found = await pulls(on.started)
        assert_never_twice(found)
        assert_in_order(events)
        assert_settled(events)
        assert_true(events, found)
        assert await letters(on.started) == []
        for route in (DELEGATED, STORED):
            await _until_told(on, route)
        await _assert_example_is_shown(on)
        ground = Ground(directory=on.started.layout.root, pids=frozenset({os.getpid()}), answers=())
        assert (await look_for_leaks(await canary(on.started), ground)).finds == ()


async def test_two_watchers_find_out_again_what_every_stream_has_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, witnessing(on.started) as witness:
        nemeses = Nemeses(on.started, witness)
        walk = Perseverance(DELEGATED, on.started.ports, Browser())
        walk.merges = False
        try:
            async with asyncio.timeout(WALK_S), asyncio.TaskGroup() as group:
                second = group.create_task(on.started.supervisor.supervise(_second(on, nemeses)))
                walking = group.create_task(walk.run(NEW))
                before = await _opened(on, witness)
                lost = len(witness.heard)
                await nemeses.forget_everything()
                after = await _opened(on, witness, after=lost)
                walk.merges = True
                await walking
                await _delete_pipeline(on, witness)
                second.cancel()
        except TimeoutError:
            pytest.fail(f"{DELEGATED.pipeline} at {walk.stuck}")
        finally:
            await walk.browser.close()
        found = await pulls(on.started)
        events = since_requested(await stored(on.started))

    assert after == before, "another pull request for what was open already"
    assert_never_twice(found)
    assert_in_order(events)
    assert_settled(events)
    assert_true(events, found)


def _second(on: Scene, nemeses: Nemeses) -> Program:
    """Another watcher, with the first one's rights."""
    settings = on.settings["watcher"]
    program = programs.service(
        "watcher",
        layout=on.started.layout,
        ports=replace(on.started.ports, webhooks=free_port()),
        bus=nemeses.bus,
        health_port=free_port(),
    )
    return replace(
        program,
        name="watcher-2",
        log=on.started.layout.logs / "watcher-2.log",
        settings={**program.settings, **settings, "COUNTERSIGN_REPLICA": "watcher-2"},
    )


async def _opened(on: Scene, witness: Witness, *, after: int = 0) -> list[int]:
    await witness.until(
        lambda m: (
            isinstance(m, PullRequestOpened) and m.promotion.pipeline.name == DELEGATED.pipeline
        ),
        after=after,
        seconds_max=60,
    )
    return [p.number for p in await pulls(on.started) if f"/{DELEGATED.pipeline}/" in p.branch]


async def _delete_pipeline(on: Scene, witness: Witness) -> None:
    """While a promotion of it waits, which ends it."""
    said = len(witness.heard)
    name = BY_COMMIT.pipeline
    await asyncio.to_thread(
        on.server.kubectl, "-n", NAMESPACE, "delete", "pipeline", name, "--wait=false"
    )
    for kind in (PromotionSuperseded, PipelineDeleted):
        await witness.until(
            lambda m, kind=kind: isinstance(m, kind), after=said, seconds_max=STEP_S
        )


async def _grant_secret(on: Scene) -> None:
    """As an administrator does once Pipelines are there."""
    while True:
        found = await asyncio.to_thread(on.server.kubectl, "get", "pipelines", "-A", "-o", "yaml")
        if "name: catalog" in found:
            break
        await asyncio.sleep(LOOK_S)
    rbac = await asyncio.create_subprocess_exec(
        ROOT / ".venv" / "bin" / "countersign-rbac",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    roles, _ = await rbac.communicate(found.encode())
    assert rbac.returncode == 0
    await asyncio.to_thread(on.server.kubectl, "apply", "-f", "-", stdin=roles.decode())


async def _until_merged(on: Scene) -> None:
    while not any(pull.merged for pull in await pulls(on.started)):  # noqa: ASYNC110 - a forge
        await asyncio.sleep(LOOK_S)


async def _until_told(on: Scene, route: Route) -> None:
    """What `kubectl` shows is what happened."""
    last = ENVIRONMENTS[-1]
    for _ in range(50):
        status = on.pipeline(route.pipeline).get("status", {})
        told = status.get("environments", {}).get(last, {}).get("promotion", {})
        if told.get("phase") == "Completed":
            break
        await asyncio.sleep(LOOK_S)
    assert told["revision"] == NEW
    assert told["pullRequest"].startswith(on.started.ports.forge_url)
    assert route.author == STORED.author or told["approvers"] == [route.login]
    waited = on.server.kubectl(
        "-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=10s",
        f"pipeline/{route.pipeline}",
    )  # fmt: skip
    assert "condition met" in waited
    assert route.pipeline in on.server.kubectl("-n", NAMESPACE, "get", "pl")


async def _assert_example_is_shown(on: Scene) -> None:
    """Nothing else was applied: neither the clusters it names nor their application are there."""
    await asyncio.to_thread(on.server.kubectl, "apply", "-f", "-", stdin=EXAMPLE)
    person = Perseverance(DELEGATED, on.started.ports, Browser())
    await person.sign_in()
    url = f"{on.started.ports.gateway_url}/api/v1/pipelines"
    async with asyncio.timeout(STEP_S):
        while True:
            items: Any = (await person.browser.read_json(url))["items"]
            shown = next((p for p in items if p["name"] == "podinfo-02"), None)
            if shown is not None:
                break
            await asyncio.sleep(LOOK_S)
    await person.browser.close()
    assert [e["name"] for e in shown["environments"]] == ["dev", "test", "prod"]
    assert {e["condition"] for e in shown["environments"]} == {"unknown"}
    assert all("GitopsCluster" in e["message"] for e in shown["environments"])
