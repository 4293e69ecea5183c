"""A right that is withdrawn stops a promotion, in real processes, as a person sees it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from apiserver import ApiServer, running
from e2e.nemeses import WRITER, Nemeses
from e2e.people import PATIENCE_S, Person, person
from e2e.systems import pulls, system
from e2e.witnessing import Witness

from countersign.local.demo.manifests import NAMESPACE
from countersign.local.demo.running import Running
from countersign.local.demo.walk.browsing import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PIPELINE, ENVIRONMENT = "checkout", "test"
REVIEWER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: countersign-approval, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reviews}
rules: [{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reviews}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reviews}
subjects: [{kind: ServiceAccount, name: countersign-approval, namespace: default}]
"""
RIGHT = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: testers, namespace: {NAMESPACE}}}
rules:
- {{apiGroups: [pipelines.weave.works], resources: [pipelines/{ENVIRONMENT}], verbs: [promote]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: testers, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: testers}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: shop}}]
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    server: ApiServer
    started: Running
    ada: Person

    async def allow(self) -> None:
        await asyncio.to_thread(self.server.kubectl, "apply", "-f", "-", stdin=RIGHT)

    async def withdraw(self) -> None:
        arguments = ("delete", "rolebinding", "testers", "-n", NAMESPACE)
        await asyncio.to_thread(self.server.kubectl, *arguments)

    async def promote(self) -> Page:
        """*Promote as me*, through the forge and back."""
        gateway = self.started.ports.gateway_url
        sheet = f"{gateway}/p/{NAMESPACE}/{PIPELINE}/{ENVIRONMENT}/promote"
        page = await self.ada.browser.open(sheet)
        page = await self.ada.browser.submit(page, f"/{ENVIRONMENT}/promote")
        while page.url.startswith(self.started.ports.forge_url):
            allow = {"authorize": "1"}
            page = await self.ada.browser.submit(page, "/login/oauth/authorize", allow)
        return page


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = running(tmp_path_factory.mktemp("kubernetes"))
    try:
        server.kubectl("apply", "-f", "-", stdin=REVIEWER)
        server.kubectl("create", "namespace", NAMESPACE)
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def scene(root: Path, server: ApiServer) -> AsyncIterator[Scene]:
    """Only approval asks the cluster; everything else is as without one."""
    token = server.kubectl("create", "token", "countersign-approval").strip()
    asks = {
        "COUNTERSIGN_KUBE_URL": server.url,
        "COUNTERSIGN_KUBE_ACCOUNT_DIR": str(server.account(token)),
    }
    async with (
        system(root, settings={"approval": asks}) as started,
        person("ada", started.ports) as ada,
    ):
        yield Scene(server=server, started=started, ada=ada)


async def until_logged(started: Running, text: str, *, count: int) -> None:
    log = started.layout.logs / "approval.log"
    async with asyncio.timeout(PATIENCE_S):
        while log.read_text().count(text) < count:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.1)


async def test_right_withdrawn_before_the_writer_redeems_opens_nothing(
    own_server: ApiServer, tmp_path: Path
) -> None:
    async with scene(tmp_path, own_server) as s:
        promotion = await s.ada.until(PIPELINE, "waiting")

        page = await s.promote()
        assert page.status == 403
        assert f" create role promote-{PIPELINE}-{ENVIRONMENT}" in page.text

        await s.allow()
        nemeses = Nemeses(s.started, Witness())
        async with nemeses.standing_still(WRITER):
            # An answer is remembered for three seconds.
            async with asyncio.timeout(PATIENCE_S):
                while (await s.promote()).status != 200:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.5)
            await s.ada.until(PIPELINE, "opening")
            await s.withdraw()
        stopped = await s.ada.until(PIPELINE, "failed")
        path = f"/promotions/{promotion['promotionId']}"
        await s.ada.sees(
            path,
            "a right was withdrawn after the consent",
            " create role promote-",
            "the delegated token was revoked at the forge (withdrawn)",
            "then ask again",
        )

        assert stopped["promotionId"] == promotion["promotionId"]
        assert [pull for pull in await pulls(s.started) if PIPELINE in pull.branch] == []


async def test_api_server_that_is_away_is_told_and_nothing_is_lost_by_it(
    own_server: ApiServer, tmp_path: Path
) -> None:
    async with scene(tmp_path, own_server) as s:
        await s.ada.until(PIPELINE, "waiting")
        await s.allow()
        await asyncio.to_thread(s.server.stop, only="kube-apiserver")

        page = await s.promote()
        assert page.status == 503
        assert "Your permissions could not be checked" in page.text
        await asyncio.to_thread(s.server.start)

        async with Nemeses(s.started, Witness()).standing_still(WRITER):
            await s.promote()
            await s.ada.until(PIPELINE, "opening")
            await asyncio.to_thread(s.server.stop, only="kube-apiserver")
        await until_logged(s.started, "access_review.failed", count=2)
        await asyncio.to_thread(s.server.start)

        opened = await s.ada.until(PIPELINE, "open")
        assert (opened["author"], opened["attempt"]) == ("ada", 1)
