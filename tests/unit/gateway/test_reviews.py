"""Who could bring something where, with what, until when: pages, rights, forms and exports."""

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from unit.gateway.browsing import browser, token_of
from unit.gateway.doubles import FORGE, Scene
from unit.gateway.gallery import rich_board
from unit.gateway.stories import GRACE, Pipeline, ago

from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import (
    CheckRequest,
    CheckResponse,
    CredentialMode,
    ForgeKind,
    Person,
    RevokeRequest,
    SecretRef,
)
from countersign.gateway.access.people import LocalAccess
from countersign.gateway.interfaces import Evidence, Holder, Holders, Reach
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.review.boards import Filter, Order, read_query, select
from countersign.gateway.review.exports import (
    BOM,
    CREDENTIAL_COLUMNS,
    ENVIRONMENT_COLUMNS,
    harmless,
)
from countersign.gateway.review.migrations import without_stored_token
from countersign.gateway.view.risks import credential_views, uses_by_credential

GATE = "/p/shop/cart/prod/access"


@dataclass
class Bound:
    """A cluster whose bindings can be read."""

    asked: list[tuple[GateKey, tuple[str, ...]]] = field(default_factory=list)

    async def reach(self, gate: GateKey, secrets: Any) -> Reach:
        self.asked.append((gate, tuple(secrets)))
        group = Holder(kind="Group", name="platform", through="RoleBinding promoters")
        account = Holder(kind="ServiceAccount", name="auditor", namespace="countersign")
        return Reach(
            promoters=Holders(evidence=Evidence.BINDINGS, holders=(group,)),
            readers={s: Holders(evidence=Evidence.GROUPS, holders=(account,)) for s in secrets},
        )


class OnlyOwnNamespace(LocalAccess):
    """Credentials of one namespace may be seen."""

    def may_see_credentials(self, person: Person, *, namespace: str) -> bool:
        return namespace == "payments" and person.id == "grace"


class NobodyPromotes(LocalAccess):
    def may_promote(self, person: Person, gate: GateKey) -> bool:
        del person, gate
        return False


@pytest.fixture
def scene() -> Scene:
    made = Scene(reviewer=Bound())
    rich_board(made)
    return made


def rows_of(text: str) -> list[dict[str, str]]:
    assert text.startswith(BOM)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BOM))))


async def test_environment_page_answers_who_with_what_and_until_when(scene: Scene) -> None:
    async with browser(scene) as client:
        page = (await client.get(GATE)).text
        exported = rows_of((await client.get(GATE + ".csv")).text)
        listed = (await client.get(GATE + ".json")).json()["items"]

    for told in ("platform", "RoleBinding promoters", "flux-bot", "auditor", "acme/gitops"):
        assert told in page
    assert listed == exported
    assert list(exported[0]) == list(ENVIRONMENT_COLUMNS)
    ways = {(row["way"], row["who"], row["until"]) for row in exported}
    assert ("stored token", "flux-bot", "never") in ways
    assert ("reader of the Secret", "ServiceAccount countersign/auditor", "") in ways


async def test_environment_page_asks_about_the_secrets_of_that_environment(scene: Scene) -> None:
    async with browser(scene) as client:
        await client.get(GATE)

    assert isinstance(scene.reviewer, Bound)
    assert scene.reviewer.asked == [(GateKey(PipelineKey("shop", "cart"), "prod"), ("flux-bot",))]


@pytest.mark.parametrize("path", [GATE, GATE + ".csv", GATE + ".json"])
async def test_environment_is_shown_to_nobody_who_may_not_see_its_credentials(path: str) -> None:
    scene = Scene(access=OnlyOwnNamespace(), reviewer=Bound())
    rich_board(scene)

    async with browser(scene) as client:
        answer = await client.get(path)

    assert answer.status_code == 403
    assert "flux-bot" not in answer.text


async def test_environment_that_is_not_there_is_not_found(scene: Scene) -> None:
    async with browser(scene) as client:
        answer = await client.get("/p/shop/cart/moon/access")

    assert answer.status_code == 404


async def test_exports_hold_what_the_person_may_see_and_no_more() -> None:
    scene = Scene(access=OnlyOwnNamespace())
    rich_board(scene)

    async with browser(scene) as client:
        exported = rows_of((await client.get("/credentials.csv")).text)
        listed = (await client.get("/credentials.json")).json()["items"]

    assert exported == listed == []


async def test_export_of_credentials_says_what_is_unknown(scene: Scene) -> None:
    async with browser(scene) as client:
        exported = rows_of((await client.get("/credentials.csv")).text)
        listed = (await client.get("/credentials.json?show=not-valid")).json()["items"]

    by_secret = {row["secret"]: row for row in exported}
    assert list(exported[0]) == list(CREDENTIAL_COLUMNS)
    assert by_secret["flux-bot"]["expires_at"] == "never"
    assert by_secret["old-deploy"]["owner"] == "unknown"
    assert by_secret["old-deploy"]["expires_at"] == "unknown"
    assert [row["secret"] for row in listed] == ["old-deploy"]


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =cmd|' /C calc'!A0", "\n=1"]
)
def test_cell_is_never_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless("6.9.0") == "6.9.0"


@pytest.mark.parametrize(
    ("params", "secrets"),
    [
        ({}, ["flux-bot", "old-deploy", "grace-laptop", "countersign-app"]),
        ({"show": "high"}, ["flux-bot", "old-deploy"]),
        ({"show": "not-valid"}, ["old-deploy"]),
        ({"show": "expiring"}, ["grace-laptop"]),
        ({"show": "moon", "sort": "moon"}, None),
        ({"sort": "secret"}, ["countersign-app", "flux-bot", "grace-laptop", "old-deploy"]),
        ({"sort": "owner"}, ["countersign-app", "flux-bot", "grace-laptop", "old-deploy"]),
        ({"sort": "expires"}, ["grace-laptop", "countersign-app", "flux-bot", "old-deploy"]),
        ({"sort": "used"}, ["grace-laptop", "countersign-app", "flux-bot", "old-deploy"]),
        ({"q": "WORKFLOW flux"}, ["flux-bot"]),
    ],
)
def test_board_filters_and_sorts(
    scene: Scene, params: dict[str, str], secrets: list[str] | None
) -> None:
    known = scene.projection
    views = credential_views(
        known.credentials, known.used, uses=uses_by_credential(known.pipelines)
    )
    found = [v.key.name for v in select(views, read_query(params), now=scene.clock())]

    if secrets is None:
        assert (read_query(params).show, read_query(params).order) == (Filter.ALL, Order.RISK)
    else:
        assert found == secrets


async def test_time_line_holds_checks_and_pull_requests_with_their_author(scene: Scene) -> None:
    async with browser(scene) as client:
        page = (await client.get("/credentials/shop/flux-bot")).text

    opened, first_check = page.rindex("2026-11-02"), page.rindex("2025-10-20")
    assert opened < first_check
    assert "by flux-bot" in page[page.index("#22") : opened]


async def test_detail_shows_the_pipeline_without_the_stored_token(scene: Scene) -> None:
    observed = scene.projection.pipelines[PipelineKey("shop", "cart")]
    text = without_stored_token(observed, SecretRef(namespace="shop", name="flux-bot"))

    assert "secretRef" not in text
    assert "credential:" not in text
    assert "baseBranch: main" in text
    async with browser(scene) as client:
        page = (await client.get("/credentials/shop/flux-bot")).text
    assert "baseBranch: main" in page


@pytest.mark.parametrize(
    ("kind", "accepted", "said", "unsaid"),
    [
        ("github", "refuse", "for this repository only", "Without that, nothing"),
        ("gitlab", "accept", "can do everything you can do at Forge", "Without that, nothing"),
        ("gitlab", "refuse", "Without that, nothing could be promoted", "this repository only"),
        ("bitbucket-cloud", "accept", "cannot be revoked by us", "this repository only"),
    ],
)
async def test_advice_to_delegate_says_what_that_is_at_the_forge_of_the_credential(
    kind: str, accepted: str, said: str, unsaid: str
) -> None:
    """It promised a token for one repository, which GitHub alone gives."""
    forge = Forge.model_validate(
        {
            "name": "Forge",
            "kind": kind,
            "origin": FORGE,
            "clientId": "c",
            "broadTokens": accepted,
        }
    )
    scene = Scene(forges=ForgeList(forges=(forge,)))
    rich_board(scene)
    async with browser(scene) as client:
        page = (await client.get("/credentials/shop/flux-bot")).text
    advice = page.partition("Promote as people instead")[2]

    assert said in advice
    assert unsaid not in advice


@pytest.mark.parametrize("manifest", ["", "{", "a: 1\n---\nb: 2\n", "- 1\n", "kind: Pipeline\n"])
def test_manifest_that_is_not_whole_gives_no_yaml(manifest: str) -> None:
    pipeline = Pipeline("cart", mode=CredentialMode.STORED)
    observed = pipeline.observed(manifest=manifest)

    assert not without_stored_token(observed, SecretRef(namespace="shop", name="flux-bot"))


async def test_check_now_asks_the_auditor_in_the_persons_name(scene: Scene) -> None:
    scene.requests.answers["auditor.check"] = CheckResponse()
    async with browser(scene) as client:
        form = {"form_token": await token_of(client)}
        answer = await client.post("/credentials/shop/flux-bot/check", data=form)

    (asked,) = [r for method, r, _ in scene.requests.asked if method == "auditor.check"]
    assert answer.status_code == 303
    assert isinstance(asked, CheckRequest)
    assert (asked.credential.name, asked.person.id) == ("flux-bot", "grace")


async def test_check_now_is_refused_to_whoever_may_not_see_the_credential() -> None:
    scene = Scene(access=OnlyOwnNamespace())
    rich_board(scene)
    async with browser(scene) as client:
        form = {"form_token": await token_of(client)}
        answer = await client.post("/credentials/shop/flux-bot/check", data=form)

    assert answer.status_code == 403
    assert scene.requests.asked == []


def delegated(scene: Scene, kind: ForgeKind = ForgeKind.GITHUB) -> str:
    """A delegation of Grace's that is alive."""
    checkout = Pipeline("tea")
    checkout.to = checkout.to.model_copy(update={"kind": kind})
    story = checkout.promotion("prod", "1.1.0", current="1.0.0", at=ago(seconds=20))
    scene.tell(checkout.observed(checkout.environment("prod", "1.0.0")), story.requested)
    scene.tell(story.begun(), story.granted())
    return story.id


async def revoke(scene: Scene, promotion_id: str, *, by: str, whose: str = "grace") -> int:
    async with browser(scene, person=by) as client:
        form = {
            "form_token": await token_of(client),
            "promotion_id": promotion_id,
            "person_id": whose,
        }
        return (await client.post("/delegations/revoke", data=form)).status_code


async def test_live_delegation_is_shown_and_can_be_revoked() -> None:
    scene = Scene()
    promotion_id = delegated(scene)
    async with browser(scene) as client:
        page = (await client.get("/credentials")).text

    assert f"/promotions/{promotion_id}" in page
    assert "Revoke now" in page
    assert await revoke(scene, promotion_id, by="ada") == 303
    (told,) = [m for method, m in scene.requests.told if method == "approval.revoke"]
    assert told == RevokeRequest(person=GRACE, promotion_id=promotion_id, delegations=True)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ForgeKind.GITHUB, "Revoke now"),
        (ForgeKind.GITLAB, "Revoke now"),
        (ForgeKind.GITEA, "Forget now"),
        (ForgeKind.FORGEJO, "Forget now"),
        (ForgeKind.BITBUCKET_CLOUD, "Forget now"),
        (ForgeKind.BITBUCKET_SERVER, "Forget now"),
        (ForgeKind.AZURE_DEVOPS, "Forget now"),
    ],
)
async def test_nobody_is_offered_to_revoke_what_the_forge_cannot_end(
    kind: ForgeKind, said: str
) -> None:
    scene = Scene()
    delegated(scene, kind)
    async with browser(scene) as client:
        page = (await client.get("/credentials")).text

    assert re.findall(r"\b(?:Revoke|Forget) now\b", page) == [said]


@pytest.mark.parametrize(("by", "status"), [("grace", 303), ("ada", 403)])
async def test_who_may_not_promote_can_revoke_only_their_own(by: str, status: int) -> None:
    scene = Scene(access=NobodyPromotes())

    assert await revoke(scene, delegated(scene), by=by) == status


async def test_delegation_that_is_over_is_not_alive() -> None:
    scene = Scene()
    promotion_id = delegated(scene)
    scene.clock.pass_by(hours=1)
    async with browser(scene) as client:
        page = (await client.get("/credentials")).text

    assert f"/promotions/{promotion_id}" not in page
    assert await revoke(scene, promotion_id, by="grace") == 403


async def test_sign_out_everywhere_ends_every_session_and_what_was_delegated() -> None:
    scene = Scene()
    async with browser(scene) as one, browser(scene) as other, browser(scene, person="ada") as ada:
        form = {"form_token": await token_of(one)}
        await one.post("/sign-out/everywhere", data=form)
        left = [(await c.get("/credentials")).status_code for c in (one, other, ada)]

    assert left == [303, 303, 200]
    ((method, told),) = scene.requests.told
    assert isinstance(told, RevokeRequest)
    assert (method, told.person.id, told.session) == ("approval.revoke", "grace", "")
    assert told.sessions_before == scene.clock.now
