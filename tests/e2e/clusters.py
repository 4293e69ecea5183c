"""The whole system on an API server of its own: objects, rights, and Secrets read by name."""

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from apiserver import ApiServer, running
from audit_log import assert_rights_are_enough
from e2e.mirroring import install
from e2e.people import PATIENCE_S, person
from e2e.systems import system
from reference import ROOT

from countersign.local.cluster.mirror import Mirror
from countersign.local.demo.layout import Layout, Ports
from countersign.local.demo.manifests import BOT_SECRET, NAMESPACE
from countersign.local.demo.programs import SERVICES
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk.walking import BY_COMMIT, DELEGATED

LOOK_S: Final = 0.2
HOME: Final = "countersign"
SECRET_FORBIDDEN: Final = "secret_forbidden"
# The right to promote in one namespace, and nothing else.
TEAM: Final = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: shop-promotes, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: countersign-promoter}}
subjects:
- {{apiGroup: rbac.authorization.k8s.io, kind: Group, name: shop}}
- {{apiGroup: rbac.authorization.k8s.io, kind: User, name: olga}}
"""
# How many must approve, by pipeline.
TERMS: Final = {
    DELEGATED.pipeline: "    approvals: 1\n    soloMode: true\n",
    BY_COMMIT.pipeline: "    approvals: 2\n",
}
_LINE: Final = re.compile(r"kubectl [^`]*")

Json = dict[str, Any]
Seen = TypeVar("Seen")


@dataclass(frozen=True, kw_only=True)
class Scene:
    server: ApiServer
    started: Running
    settings: Mapping[str, Mapping[str, str]]

    async def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return await asyncio.to_thread(self.server.kubectl, *arguments, stdin=stdin)

    async def status(self, name: str) -> Json:
        """Of a Pipeline; empty while there is none."""
        found = json.loads(await self.kubectl("-n", NAMESPACE, "get", "pl", "-o", "json"))
        one: Json = next((p for p in found["items"] if p["metadata"]["name"] == name), {})
        return dict(one.get("status", {}))

    async def findings(self, name: str) -> dict[str, str]:
        """Messages, by their codes."""
        found = (await self.status(name)).get("findings", [])
        return {finding["code"]: finding["message"] for finding in found}


def account(server: ApiServer, service: str) -> Path:
    """The folder that the kubelet would mount into this service's Pod."""
    token = server.kubectl("-n", HOME, "create", "token", f"countersign-{service}").strip()
    return server.account(token)


@asynccontextmanager
async def scene(root: Path) -> AsyncIterator[Scene]:
    """All services on an API server that holds Flux's kinds, `k8s/base`, and a team's right."""
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
            for name, terms in TERMS.items():
                file = layout.seed / "gitops" / "pipelines" / f"{name}.yaml"
                file.write_text(
                    file.read_text().replace("  promotion:\n", f"  promotion:\n{terms}")
                )

        async with system(root, furnish=furnish, settings=settings) as started:
            yield Scene(server=server, started=started, settings=settings)
        assert_rights_are_enough(server)
    finally:
        server.stop()


@asynccontextmanager
async def mirrored(root: Path) -> AsyncIterator[Scene]:
    """The same with the objects of the demonstration, which Flux's part is played for."""
    async with scene(root) as on, asyncio.TaskGroup() as group:
        layout = on.started.layout
        file = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
        await on.kubectl(
            "-n", NAMESPACE, "create", "secret", "generic", BOT_SECRET, f"--from-file={file}"
        )
        mirroring = group.create_task(Mirror(layout.cluster, on.server.settings()).run())
        yield on
        mirroring.cancel()


async def grant_secret(on: Scene, *, told_by: str, login: str) -> None:
    """As somebody does who reads what a Pipeline, or its page, says is missing."""
    found = await until(lambda: on.findings(told_by), lambda f: SECRET_FORBIDDEN in f)
    line = _LINE.search(found[SECRET_FORBIDDEN])
    assert line is not None, found
    page = f"/p/{NAMESPACE}/{told_by}"
    async with person(login, on.started.ports) as one:
        await until(lambda: one.sees(page), lambda text: line[0] in _to_mend(text))
        for command in line[0].split(" && "):
            program, *arguments = shlex.split(command)
            assert program == "kubectl"
            await on.kubectl(*arguments)
        await until(lambda: on.findings(told_by), lambda f: SECRET_FORBIDDEN not in f)
        await until(lambda: one.sees(page), lambda text: line[0] not in _to_mend(text))


def _to_mend(page: str) -> str:
    return page.partition('id="conditions"')[2].partition("</section>")[0]


async def until(look: Callable[[], Awaitable[Seen]], fits: Callable[[Seen], object]) -> Seen:
    """What is seen, as soon as it is what it should be."""
    seen: Seen | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seen = await look()
                if fits(seen):
                    return seen
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S:g} s; last seen: {seen}") from None
