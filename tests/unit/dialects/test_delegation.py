"""Which tokens are taken, on which terms, and where people may be sent for them."""

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.capabilities import Reach, Revoker
from countersign.dialects.delegation.fitness import (
    LIFETIME_S_MAX,
    lifetime_s,
    refuse_unaccepted,
    refuse_unfit,
)
from countersign.dialects.delegation.oauth import Delegated, OAuthDialect
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Basic
from countersign.dialects.github.oauth import OAUTH
from countersign.dialects.kind import Kind
from countersign.dialects.kinds import KINDS, presented, sign_in_origins

ORIGIN = "https://forge.example"
TOKEN = Secret("made-up-token")
SCOPED = OAuthDialect(
    issuers=OAUTH.issuers,
    authorize_url=OAUTH.authorize_url,
    exchange=OAUTH.exchange,
    whose=OAUTH.whose,
    scopes=lambda _: frozenset({"read:user", "write:repository"}),
)


def entry(kind: str = "github", **changes: object) -> Forge:
    values = {"name": "Forge", "kind": kind, "origin": ORIGIN, "client_id": "c", **changes}
    return Forge.model_validate(values)


@pytest.mark.parametrize(
    ("seconds", "scopes", "reason"),
    [
        (None, {"write:repository"}, DelegationRefusal.TOO_LONG_LIVED),
        (0, {"write:repository"}, DelegationRefusal.TOO_LONG_LIVED),
        (-1, {"write:repository"}, DelegationRefusal.TOO_LONG_LIVED),
        (LIFETIME_S_MAX + 1, {"write:repository"}, DelegationRefusal.TOO_LONG_LIVED),
        (3600, None, DelegationRefusal.TOO_STRONG),
        (3600, set(), DelegationRefusal.TOO_STRONG),
        (3600, {"write:repository", "write:issue"}, DelegationRefusal.TOO_STRONG),
    ],
)
def test_token_that_is_endless_or_beyond_its_scopes_is_refused(
    seconds: int | None, scopes: set[str] | None, reason: DelegationRefusal
) -> None:
    told = None if scopes is None else frozenset(scopes)
    delegated = Delegated(token=TOKEN, expires_in_s=seconds, scopes=told)

    with pytest.raises(Rejected) as caught:
        refuse_unfit(delegated, SCOPED, forge=entry())

    assert caught.value.reason == reason


def test_token_within_its_scopes_is_taken() -> None:
    scopes = frozenset({"read:user", "write:repository"})

    refuse_unfit(Delegated(token=TOKEN, expires_in_s=3600, scopes=scopes), SCOPED, forge=entry())


@pytest.mark.parametrize(("told_s", "kept_s"), [(60, 60), (28_800, 900), (None, 900)])
def test_token_is_kept_no_longer_than_the_administrator_says(
    told_s: int | None, kept_s: int
) -> None:
    assert lifetime_s(Delegated(token=TOKEN, expires_in_s=told_s), minutes=15) == kept_s


@pytest.mark.parametrize("broad", ["refuse", "accept"])
def test_reach_is_only_asked_for_where_it_was_accepted(broad: str) -> None:
    wide = KINDS[ForgeKind.GITLAB].capabilities
    forge = entry("gitlab", broadTokens=broad)

    if broad == "accept":
        refuse_unaccepted(wide, forge)
    else:
        with pytest.raises(Rejected, match="token_too_strong"):
            refuse_unaccepted(wide, forge)
    refuse_unaccepted(KINDS[ForgeKind.GITHUB].capabilities, forge)


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.title)
def test_capabilities_say_what_the_dialect_can(row: Kind) -> None:
    assert row.capabilities.narrows is (row.oauth.narrow is not None)
    assert (row.capabilities.revoked_by is not Revoker.NOBODY) is (row.oauth.revoke is not None)
    assert row.capabilities.narrows is (row.capabilities.reach is Reach.ONE_REPOSITORY)


def test_sign_in_leads_to_the_forge_its_kind_and_what_the_administrator_adds() -> None:
    own = sign_in_origins(entry("azure-devops", signInOrigins=["https://sso.example"]))

    assert own[0] == ORIGIN
    assert own[-1] == "https://sso.example"
    assert len(own) == 3
    assert sign_in_origins(entry("github")) == (ORIGIN,)


def test_stored_token_is_presented_as_its_forge_wants_it() -> None:
    named = presented(entry("bitbucket-cloud"), TOKEN, username="ada@example.com")

    assert isinstance(named, Basic)
    assert named.user == "ada@example.com"
    assert presented(entry("github"), TOKEN, username="ada") is TOKEN
