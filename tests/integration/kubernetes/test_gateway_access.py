"""Who may see and promote what at the gateway, as a real API server says it."""

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx2
import pytest
from apiserver import ApiServer
from unit.gateway.browsing import browser, form_token
from unit.gateway.doubles import Scene
from unit.gateway.stories import Pipeline

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.gateway.access.cluster_access import FRESH_S, HELD_S, ClusterAccess
from countersign.gateway.access.holdings import ClusterReviewer
from countersign.gateway.interfaces import Evidence
from countersign.gateway.live.hub import Client
from countersign.gateway.live.rendition import View
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.schedule import recheck
from countersign.kube.access.http_api import HttpClusterApi, cluster_api
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, namespace: {namespace}}}
rules: [{{apiGroups: [pipelines.weave.works], resources: ["{resource}"], verbs: [{verb}]{more}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {namespace}}}
subjects: [{{kind: {kind}, name: "{who}", apiGroup: rbac.authorization.k8s.io}}]
roleRef: {{kind: Role, name: {name}, apiGroup: rbac.authorization.k8s.io}}
"""
GRACE = Person(id="oidc:grace", name="Grace Hopper", groups=("oidc:developers",))


class Watch:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    return Watch()


class Switch:
    """An API server that may turn into another one."""

    def __init__(self, api: HttpClusterApi) -> None:
        self.to = api

    async def call(self, method: str, path: str, **how: Any) -> Manifest:
        return await self.to.call(method, path, **how)


@pytest.fixture
def switch(admin: HttpClusterApi) -> Switch:
    return Switch(admin)


@pytest.fixture
def scene(switch: Switch, namespace: str, watch: Watch) -> Scene:
    """Checkout waits before staging, and before prod; the same in a namespace next door."""
    scene = Scene(people=(GRACE,), access=ClusterAccess(switch, elapsed=watch))
    for name in (namespace, f"{namespace}-b"):
        pipeline = Pipeline("checkout", namespace=name)
        stages = ("staging", "prod")
        promotions = [pipeline.promotion(s, "6.9.0", current="6.8.4") for s in stages]
        scene.tell(
            pipeline.observed(
                pipeline.environment("dev", "6.9.0", gate=None),
                *(pipeline.environment(s, "6.8.4") for s in stages),
            ),
            *(p.requested for p in promotions),
        )
    return scene


class Rules:
    """Roles and bindings for one person in one namespace."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self._server = server
        self._namespace = namespace

    def allow(
        self, verb: str, resource: str, *, kind: str = "User", who: str = GRACE.id, name: str = ""
    ) -> str:
        made = f"{verb}-{resource.replace('/', '-').replace('*', 'all')}-{name or 'any'}"
        text = ROLE.format(
            name=made,
            namespace=self._namespace,
            verb=verb,
            resource=resource,
            kind=kind,
            who=who,
            more=f", resourceNames: [{name}]" if name else "",
        )
        self._server.kubectl("apply", "-f", "-", stdin=text)
        return made

    def revoke(self, made: str) -> None:
        self._server.kubectl("delete", "rolebinding", made, "-n", self._namespace)


@pytest.fixture
def rules(apiserver: ApiServer, namespace: str) -> Rules:
    return Rules(apiserver, namespace)


@pytest.fixture
async def grace(scene: Scene) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(scene, person=GRACE.id) as client:
        yield client


def tell_cart(scene: Scene, namespace: str) -> None:
    """Another Pipeline of that namespace, which waits before prod as well."""
    cart = Pipeline("cart", namespace=namespace)
    scene.tell(
        cart.observed(
            cart.environment("dev", "6.9.0", gate=None), cart.environment("prod", "6.8.4")
        ),
        cart.promotion("prod", "6.9.0", current="6.8.4").requested,
    )


def consent_of(namespace: str, environment: str) -> str:
    return f"/p/{namespace}/checkout/{environment}/promote"


async def test_somebody_without_rights_sees_nothing_and_learns_who_they_are(
    grace: httpx2.AsyncClient, namespace: str
) -> None:
    board = (await grace.get("/")).text
    pipeline = await grace.get(f"/p/{namespace}/checkout")
    nowhere = await grace.get(f"/p/nowhere-{namespace}/checkout")

    assert "none that you may see" in board
    assert GRACE.id in board
    assert "checkout" not in board
    assert pipeline.status_code == nowhere.status_code == 404
    assert "RoleBinding" in pipeline.text
    assert "RoleBinding" in nowhere.text


async def test_viewer_sees_one_namespace_and_not_the_other(
    grace: httpx2.AsyncClient, rules: Rules, namespace: str
) -> None:
    rules.allow("get", "pipelines", kind="Group", who="oidc:developers")

    board = (await grace.get("/")).text
    listed = (await grace.get("/api/v1/pipelines")).json()["items"]

    assert f"/p/{namespace}/checkout" in board
    assert f"{namespace}-b" not in board
    assert [(p["namespace"], p["name"]) for p in listed] == [(namespace, "checkout")]
    assert "Continue to" not in (await grace.get(consent_of(namespace, "prod"))).text
    assert (await grace.get(f"/p/{namespace}-b/checkout")).status_code == 404


async def test_promoter_to_staging_is_offered_staging_and_not_prod(
    grace: httpx2.AsyncClient, scene: Scene, rules: Rules, namespace: str
) -> None:
    rules.allow("get", "pipelines")
    rules.allow("promote", "pipelines/staging")

    staging = (await grace.get(consent_of(namespace, "staging"))).text
    prod = (await grace.get(consent_of(namespace, "prod"))).text
    board = (await grace.get("/")).text
    asked = await grace.post(
        consent_of(namespace, "prod"),
        data={
            "form_token": form_token(prod),
            "promotion_id": Pipeline("checkout", namespace=namespace)
            .promotion("prod", "6.9.0", current="6.8.4")
            .id,
        },
    )

    assert "Continue to GitHub as yourself" in staging
    assert "Continue to GitHub as yourself" not in prod
    assert consent_of(namespace, "staging") in board
    assert consent_of(namespace, "prod") not in board
    assert asked.status_code == 403
    assert "pipelines/prod" in asked.text
    assert scene.requests.asked == []


@pytest.mark.parametrize("resource", ["pipelines/*", "*"])
async def test_promoter_everywhere_is_offered_every_environment(
    grace: httpx2.AsyncClient, rules: Rules, namespace: str, resource: str
) -> None:
    rules.allow("get", "pipelines")
    rules.allow("promote", resource)

    for environment in ("staging", "prod"):
        assert "Continue to" in (await grace.get(consent_of(namespace, environment))).text


async def test_right_for_one_pipeline_by_name_is_noticed(
    grace: httpx2.AsyncClient, rules: Rules, namespace: str
) -> None:
    rules.allow("get", "pipelines")
    rules.allow("promote", "pipelines/prod", name="checkout")
    rules.allow("promote", "pipelines/staging", name="cart")

    board = (await grace.get("/")).text

    assert consent_of(namespace, "prod") in board
    assert consent_of(namespace, "staging") not in board


async def test_pipeline_that_one_may_get_by_name_is_shown_alone_and_promoted(
    grace: httpx2.AsyncClient, scene: Scene, rules: Rules, namespace: str
) -> None:
    tell_cart(scene, namespace)
    rules.allow("get", "pipelines", name="checkout")
    rules.allow("promote", "pipelines/prod", name="checkout")

    board = (await grace.get("/")).text
    listed = (await grace.get("/api/v1/pipelines")).json()["items"]

    assert [(p["namespace"], p["name"]) for p in listed] == [(namespace, "checkout")]
    assert consent_of(namespace, "prod") in board
    assert "cart" not in board
    assert (await grace.get(f"/p/{namespace}/checkout")).status_code == 200
    assert (await grace.get(f"/p/{namespace}/cart")).status_code == 404


async def test_manifest_that_a_refusal_shows_grants_the_right_and_no_more(
    grace: httpx2.AsyncClient, scene: Scene, apiserver: ApiServer, watch: Watch, namespace: str
) -> None:
    tell_cart(scene, namespace)
    for address in (f"/p/{namespace}/checkout", consent_of(namespace, "prod")):
        refused = (await grace.get(address)).text
        manifest = unescape(refused.split("<pre", 1)[1].split(">", 1)[1].split("</pre>", 1)[0])
        apiserver.kubectl("apply", "-f", "-", stdin=manifest)
        watch.now_s += FRESH_S + 1

    assert "Continue to" in (await grace.get(consent_of(namespace, "prod"))).text
    assert "Continue to" not in (await grace.get(consent_of(namespace, "staging"))).text
    assert (await grace.get(f"/p/{namespace}/cart")).status_code == 404
    everybody_sees = ROLE.format(
        name="sees", namespace=namespace, verb="get", resource="pipelines", kind="User",
        who=GRACE.id, more="",
    )  # fmt: skip
    apiserver.kubectl("apply", "-f", "-", stdin=everybody_sees)
    watch.now_s += FRESH_S + 1
    cart = (await grace.get(f"/p/{namespace}/cart/prod/promote")).text
    assert "Continue to" not in cart
    assert "pipelines/prod" in cart


async def test_credentials_need_a_right_of_their_own(
    grace: httpx2.AsyncClient, rules: Rules, watch: Watch, namespace: str
) -> None:
    rules.allow("get", "pipelines")
    address = f"/credentials/{namespace}/flux-bot"

    before = await grace.get(address)
    rules.allow("get", "pipelines/credentials")
    watch.now_s += FRESH_S + 1
    after = await grace.get(address)

    assert before.status_code == 403
    assert "pipelines/credentials" in before.text
    assert "RoleBinding" in before.text
    assert after.status_code == 404
    assert "RoleBinding" not in after.text


async def test_revoked_right_is_noticed_within_seconds(
    grace: httpx2.AsyncClient, rules: Rules, watch: Watch, namespace: str
) -> None:
    made = rules.allow("get", "pipelines")
    assert (await grace.get(f"/p/{namespace}/checkout")).status_code == 200

    rules.revoke(made)
    watch.now_s += FRESH_S + 1
    answer = await grace.get(f"/p/{namespace}/checkout")

    assert answer.status_code == 404


async def test_revoked_right_is_taken_from_open_pages(
    scene: Scene, rules: Rules, watch: Watch, namespace: str
) -> None:
    seeing = rules.allow("get", "pipelines")
    promoting = rules.allow("promote", "pipelines/prod")
    async with browser(scene, person=GRACE.id) as grace:
        page = (await grace.get(f"/p/{namespace}/checkout/prod")).text
        heard = await _open(scene, namespace)
        assert "Reject 6.9.0" in page

        rules.revoke(promoting)
        watch.now_s += FRESH_S + 1
        await recheck(scene.visibility, scene.hub)
        without_button = heard.get_nowait()
        rules.revoke(seeing)
        watch.now_s += FRESH_S + 1
        await recheck(scene.visibility, scene.hub)

    assert b"hx-partial" in without_button
    assert b"Reject 6.9.0" not in without_button
    assert b"event: rights-changed" in heard.get_nowait()


async def _open(scene: Scene, namespace: str) -> asyncio.Queue[bytes]:
    view = View(pipeline=PipelineKey(namespace, "checkout"), environment="prod")
    client = Client(
        view=view,
        person=GRACE,
        audience=scene.access.audience(GRACE),
        session_id="s",
        form_token="t",
    )
    scene.hub.join(client, since=scene.projection.position)
    return client.queue


async def test_api_server_that_is_away_allows_nothing_and_is_named(
    apiserver: ApiServer, scene: Scene, rules: Rules, watch: Watch, switch: Switch
) -> None:
    rules.allow("get", "pipelines")
    nobody = apiserver.settings("made-up-token-of-nobody")
    async with browser(scene, person=GRACE.id) as grace, cluster_api(nobody) as away:
        assert (await grace.get("/")).status_code == 200
        switch.to = away

        watch.now_s += HELD_S + 1
        page = await grace.get("/")
        program = await grace.get("/api/v1/pipelines")
        out = await grace.post("/sign-out", data={"form_token": form_token(page.text)})

    assert page.status_code == program.status_code == 503
    assert "API server" in page.text
    assert program.json()["code"] == "access_unknown"
    assert "checkout" not in page.text
    assert out.status_code == 303


class WithoutBindings(Switch):
    """An API server that lets us ask about groups, and read no bindings."""

    async def call(self, method: str, path: str, **how: Any) -> Manifest:
        if "rbac.authorization.k8s.io" in path:
            raise Rejected(ClusterRefusal.FORBIDDEN, path)
        return await super().call(method, path, **how)


async def test_review_finds_the_same_groups_by_bindings_and_by_asking(
    rules: Rules, admin: HttpClusterApi, namespace: str
) -> None:
    rules.allow("promote", "pipelines/prod", kind="Group", who="oidc:platform")
    rules.allow("promote", "pipelines/dev", kind="Group", who="oidc:juniors")
    gate = GateKey(PipelineKey(namespace, "checkout"), "prod")
    groups = ("oidc:platform", "oidc:juniors")
    asking = ClusterReviewer(WithoutBindings(admin), groups=groups)

    bound = (await ClusterReviewer(admin, groups=()).reach(gate, ("fleet",))).promoters
    async with asyncio.timeout(10):
        # The API server hears of its own Roles by a watch, a moment later.
        while not (asked := (await asking.reach(gate, ()))).promoters.holders:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)

    assert bound.evidence is Evidence.BINDINGS
    assert {h.name for h in bound.holders if h.name in groups} == {"oidc:platform"}
    assert "system:masters" in {h.name for h in bound.holders}
    assert asked.promoters.evidence is Evidence.GROUPS
    assert [h.name for h in asked.promoters.holders] == ["oidc:platform"]
