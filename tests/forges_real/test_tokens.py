"""Delegated and stored tokens, as a real Gitea gives them, tells of them and ends them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conformance.stages import OTHER, OWNER, PLACE, READER, WRITER
from forges_real.building import built, chosen
from forges_real.gitea_server import GiteaServer
from forges_real.signing_in import authorize
from forges_real.stage import RealStage, lay_stage

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import TokenOwnerStanding, TokenReason, TokenValidity
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import (
    Challenge,
    Delegated,
    Grant,
    Registration,
    challenge_of,
)
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.gitea.inspection import INSPECTION
from countersign.dialects.inspection import Inspection, Question
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.interface import LookScope
from countersign.forges.clients import repository_client
from countersign.forges.conversations import converse
from countersign.forges.http import ForgeHttp
from countersign.forges.oauth import OAuthClient

CALLBACK = "http://127.0.0.1:8080/oauth/callback/ours"
VERIFIER = Secret("made-up-verifier-0123456789-abcdefghij-0123456789")
# Since 1.27.
TELLS_TOKENS = chosen().name >= "v1.27"
SCOPE = LookScope(head_branch="countersign/shop/checkout/prod/abc")


class House:
    """Our application at a server, with or without labels on the forge list."""

    def __init__(self, server: GiteaServer) -> None:
        self.server = server
        self.app = server.application(CALLBACK)

    def forge(self, *labels: str) -> Forge:
        names = PullRequestNames(labels=labels)
        origin = self.server.origin
        return Forge(name="Ours", kind="gitea", origin=origin, pull_requests=names)

    def registration(self, *labels: str, secret: str = "") -> Registration:
        return Registration(
            forge=self.forge(*labels),
            client_id=self.app.id,
            secret=lambda: Secret(secret or self.app.secret),
            redirect_uri=CALLBACK,
        )

    async def code(self, http: ForgeHttp, *labels: str, login: str) -> Secret:
        client = self.client(http, *labels)
        challenge = Challenge(state="made-up", code_challenge=challenge_of(VERIFIER))
        back = await authorize(client.authorize_url(challenge), login=login)
        assert back["state"] == "made-up"
        return Secret(back["code"])

    def client(self, http: ForgeHttp, *labels: str, secret: str = "") -> OAuthClient:
        at = self.registration(*labels, secret=secret)
        return OAuthClient(http, at, now=lambda: datetime.now(UTC))

    async def delegated(self, http: ForgeHttp, *labels: str, login: str = WRITER) -> Delegated:
        code = await self.code(http, *labels, login=login)
        client = self.client(http, *labels)
        found = await client.exchange(Grant(code=code, verifier=VERIFIER))
        client.refuse_unfit(found)
        return found


@pytest.fixture
def house(server: GiteaServer) -> House:
    return House(server)


@pytest.fixture
async def http(house: House) -> AsyncIterator[ForgeHttp]:
    async with ForgeHttp(house.forge()) as client:
        yield client


async def test_person_delegates_for_an_hour_and_what_was_asked_for(
    house: House, http: ForgeHttp
) -> None:
    delegated = await house.delegated(http)
    client = house.client(http)

    assert delegated.expires_in_s == 3600
    assert delegated.scopes == frozenset({"read:user", "write:repository"})
    assert (await client.whose(delegated.token, owner=OWNER)).login == WRITER
    assert (client.revokes, client.narrows) == (False, False)


async def test_consent_keeps_the_scope_that_it_was_given_first(server: GiteaServer) -> None:
    house = House(server)
    async with ForgeHttp(house.forge("promotion")) as http:
        before = await house.delegated(http)
        after = await house.delegated(http, "promotion")
        other = await house.delegated(http, "promotion", login=OTHER)

    assert before.scopes == after.scopes == frozenset({"read:user", "write:repository"})
    assert other.scopes == frozenset({"read:issue", "read:user", "write:repository"})


async def test_code_is_good_once_and_with_its_verifier(house: House, http: ForgeHttp) -> None:
    client = house.client(http)
    code = await house.code(http, login=WRITER)
    reasons: list[str] = []
    for verifier in (Secret("another-verifier-0123456789-abcdefghij-01234567"), VERIFIER, VERIFIER):
        try:
            await client.exchange(Grant(code=code, verifier=verifier))
        except Rejected as error:
            reasons.append(error.reason)
        else:
            reasons.append("")

    assert reasons[-1] == DelegationRefusal.EXPIRED
    assert reasons[0] == DelegationRefusal.EXPIRED


@pytest.mark.parametrize("secret", ["", "gto_of-nobody"])
async def test_secret_is_proved_without_a_code(house: House, http: ForgeHttp, secret: str) -> None:
    client = house.client(http, secret=secret)

    if not secret:
        await client.prove()
        return
    with pytest.raises(Rejected) as caught:
        await client.prove()
    assert caught.value.reason == DelegationRefusal.NO_CLIENT


async def test_person_who_was_deactivated_delegates_nothing(
    server: GiteaServer, house: House, http: ForgeHttp
) -> None:
    server.person("ivan")
    code = await house.code(http, login="ivan")
    _set_active(server, "ivan", active=False)

    with pytest.raises(Rejected) as caught:
        await house.client(http).exchange(Grant(code=code, verifier=VERIFIER))

    assert caught.value.reason in set(DelegationRefusal)


def _set_active(server: GiteaServer, login: str, *, active: bool) -> None:
    body = {"active": active, "login_name": login, "source_id": 0}
    server.call("PATCH", f"/admin/users/{login}", body)


async def test_token_that_has_expired_is_unauthorized(tmp_path: Path, seed: Path) -> None:
    server = GiteaServer(static=built(), work=tmp_path / "gitea", token_s=2)
    server.start()
    try:
        for login in (WRITER, READER):
            server.person(login)
        server.organization(OWNER, writers=(WRITER,))
        lay_stage(server, seed)
        house = House(server)
        async with ForgeHttp(house.forge()) as http:
            delegated = await house.delegated(http)
            repository = repository_client(http, delegated.token)
            before = await repository.look(PLACE, SCOPE)
            await asyncio.sleep(3)
            with pytest.raises(Rejected) as caught:
                await repository.look(PLACE, SCOPE)
    finally:
        server.stop()

    assert before.viewer is not None
    assert before.viewer.login == WRITER
    assert caught.value.reason == ForgeRefusal.UNAUTHORIZED
    assert delegated.token.reveal() not in caught.value.message


async def inspected(stage: RealStage, token: str) -> Inspection:
    question = Question(
        credential=Secret(token), kind=INSPECTION.kind_of(Secret(token)), now=datetime.now(UTC)
    )
    return await converse(stage.http.send_one, INSPECTION.inspect(question))


@pytest.mark.parametrize(
    "scopes",
    [
        ("read:user", "write:repository"),
        ("read:issue", "read:user", "write:repository"),
        ("all",),
    ],
)
async def test_stored_token_tells_whose_it_is_and_what_it_may(
    stage: RealStage, scopes: tuple[str, ...]
) -> None:
    found = await inspected(stage, stage.server.personal_token(WRITER, *scopes))

    assert found.validity is TokenValidity.VALID
    assert found.scopes == (tuple(sorted(scopes)) if TELLS_TOKENS else None)
    assert found.owner is not None
    assert found.owner.login == WRITER
    assert (found.created_at is not None) is TELLS_TOKENS
    assert (found.expiry_known, found.expires_at, found.last_used_at) == (True, None, None)


async def test_stored_token_that_was_deleted_is_invalid(stage: RealStage) -> None:
    token = stage.server.personal_token(WRITER, "write:repository", name="deleted")
    stage.server.end_token(WRITER, "deleted")

    found = await inspected(stage, token)

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)


async def test_stored_token_of_a_deactivated_owner_says_so(stage: RealStage) -> None:
    stage.server.person("leaver")
    token = stage.server.personal_token("leaver", "read:user", "write:repository")
    _set_active(stage.server, "leaver", active=False)

    found = await inspected(stage, token)
    with pytest.raises(Rejected) as caught:
        await stage.client(token=token).look(PLACE, SCOPE)

    assert (found.validity, found.standing) == (
        TokenValidity.INVALID,
        TokenOwnerStanding.DEACTIVATED,
    )
    assert caught.value.reason == ForgeRefusal.FORBIDDEN
