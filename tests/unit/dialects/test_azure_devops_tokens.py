"""Tokens of Azure DevOps and Entra ID, by what their pages say that they answer."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    ForgeUser,
    TokenKind,
    TokenOwnerStanding,
    TokenReason,
    TokenValidity,
)
from countersign.contracts.secret import Secret
from countersign.dialects.azure_devops.inspection import INSPECTION
from countersign.dialects.azure_devops.oauth import CODE_PAGES, OAUTH, RESOURCE, WRITE
from countersign.dialects.azure_devops.scopes import SCOPES
from countersign.dialects.conversation import Conversation
from countersign.dialects.delegation import fitness
from countersign.dialects.delegation.device import DeviceCode, Pending
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Answer, Basic, Sent
from countersign.dialects.inspection import Inspection, Question
from countersign.dialects.kinds import KINDS, presented, sign_in_origins, takes_codes

TENANT = "7f3c1f8e-0b6d-4a52-9a35-3f1f1c5f9d10"
SIGN_IN = f"https://login.microsoftonline.com/{TENANT}"
FORGE = Forge(name="Azure", kind="azure-devops", origin="https://dev.azure.com", sign_in=SIGN_IN)
GRANT = Grant(code=Secret("example-code"), verifier=Secret("example-verifier-0123456789"))
CHALLENGE = Challenge(state="s", code_challenge="c")
ADA_ID = "d6245f20-2af8-44f4-9451-8107cb2767db"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
_Result = TypeVar("_Result")


def at(forge: Forge = FORGE) -> Registration:
    return Registration(
        forge=forge,
        client_id="0e1f0000-example",
        secret=lambda: Secret("example-client-secret"),
        redirect_uri="http://127.0.0.1:8080/callback",
    )


def web_token(**claims: Any) -> Secret:
    """A token of Entra ID, as long as it can be read."""

    def part(told: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()

    return Secret(f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.made-up-signature")


CLAIMS = {"aud": RESOURCE, "tid": TENANT, "scp": WRITE, "exp": 1795000000, "iat": 1794996400}
ENCRYPTED = Secret("eyJhbGciOiJSU0EtT0FFUCJ9.made.up.and.encrypted")
PERSONAL = Secret("a" * 76 + "AZDO" + "bcde")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    told = {"content-type": "application/json", **(headers or {})}
    return Answer(status=status, headers=told, body=json.dumps(body).encode())


def account(subject: str = "aad.made-up", **changes: Any) -> Answer:
    told = {
        "id": ADA_ID,
        "subjectDescriptor": subject,
        "providerDisplayName": "Ada Lovelace",
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": "ada@example.com"}},
    }
    return answer({"authenticatedUser": {**told, **changes}, "instanceId": TENANT})


def result(conversation: Conversation[_Result], told: Answer) -> _Result:
    """Hold a conversation of one question."""
    next(conversation)
    try:
        conversation.send((told,))
    except StopIteration as done:
        found: _Result = done.value
        return found
    raise AssertionError("it asks for more")


def exchanged(token: Secret = ENCRYPTED, **fields: Any) -> Delegated:
    body = {
        "access_token": token.reveal(),
        "token_type": "Bearer",
        "expires_in": 4000,
        "refresh_token": "example-refresh-token",
        "scope": f"{RESOURCE}/{WRITE}",
    }
    return result(OAUTH.exchange(at(), GRANT), answer({**body, **fields}))


def asked(token: Secret, owners: tuple[str, ...] = ("contoso/Web Shop",)) -> Question:
    credential = presented(FORGE, token)
    return Question(credential=credential, kind=INSPECTION.kind_of(token), now=NOW, owners=owners)


def inspected(token: Secret, told: Answer) -> Inspection:
    return result(INSPECTION.inspect(asked(token)), told)


def test_people_of_one_tenant_sign_in_at_its_own_address_with_a_challenge() -> None:
    url = urlsplit(OAUTH.authorize_url(at(), CHALLENGE))
    query = parse_qs(url.query)

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{SIGN_IN}/oauth2/v2.0/authorize"
    assert query["scope"] == [f"{RESOURCE}/{WRITE}"]
    assert (query["state"], query["code_challenge_method"]) == (["s"], ["S256"])


@pytest.mark.parametrize(
    "sign_in",
    [
        "",
        "https://login.microsoftonline.com/common",
        "https://login.microsoftonline.com/organizations",
        "https://login.microsoftonline.com/contoso.onmicrosoft.com",
        f"{SIGN_IN}/v2.0",
    ],
)
def test_sign_in_of_more_than_one_tenant_is_never_begun(sign_in: str) -> None:
    with pytest.raises(Rejected) as caught:
        OAUTH.authorize_url(at(FORGE.model_copy(update={"sign_in": sign_in})), CHALLENGE)

    assert caught.value.reason == DelegationRefusal.NO_CLIENT
    assert "signIn" in caught.value.message


def test_origin_of_the_sign_in_is_one_that_a_browser_may_be_sent_to() -> None:
    elsewhere = FORGE.model_copy(update={"sign_in": f"https://login.partner.example/{TENANT}"})

    assert sign_in_origins(FORGE) == ("https://dev.azure.com", "https://login.microsoftonline.com")
    assert "https://login.partner.example" in sign_in_origins(elsewhere)


def test_issuer_is_the_tenants() -> None:
    assert OAUTH.issuers(FORGE) == {f"{SIGN_IN}/v2.0"}
    assert OAUTH.issuers(FORGE.model_copy(update={"sign_in": ""})) == frozenset()


def test_code_is_given_with_secret_and_verifier_where_people_signed_in() -> None:
    (sent,) = next(OAUTH.exchange(at(), GRANT))

    assert sent.request.url == f"{SIGN_IN}/oauth2/v2.0/token"
    assert sent.token is None
    assert set(sent.request.form or {}) == {
        "grant_type",
        "code",
        "code_verifier",
        "redirect_uri",
        "client_id",
        "client_secret",
    }


@pytest.mark.parametrize("token", [ENCRYPTED, web_token(**CLAIMS)], ids=["encrypted", "readable"])
def test_token_for_code_alone_is_taken_whether_it_can_be_read_or_not(token: Secret) -> None:
    delegated = exchanged(token)

    assert delegated.scopes == frozenset({WRITE})
    fitness.refuse_unfit(delegated, OAUTH, forge=FORGE)


@pytest.mark.parametrize(
    "scope",
    [
        "",
        f"{RESOURCE}/user_impersonation",
        f"{RESOURCE}/{WRITE} {RESOURCE}/vso.build_execute",
        # Of Microsoft Graph.
        f"00000003-0000-0000-c000-000000000000/{WRITE}",
        f"{RESOURCE}/{WRITE} https://graph.microsoft.com/User.Read",
    ],
)
def test_token_for_more_or_for_something_else_is_too_strong(scope: str) -> None:
    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(exchanged(scope=scope), OAUTH, forge=FORGE)

    assert caught.value.reason == DelegationRefusal.TOO_STRONG


def test_token_that_says_more_of_itself_than_its_answer_is_too_strong() -> None:
    delegated = exchanged(web_token(**CLAIMS | {"scp": f"{WRITE} vso.work_full"}))

    with pytest.raises(Rejected, match="token_too_strong"):
        fitness.refuse_unfit(delegated, OAUTH, forge=FORGE)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://graph.microsoft.com"},
        {"aud": None},
        {"aud": [RESOURCE]},
        {"tid": "00000000-0000-0000-0000-000000000000"},
        {"tid": None},
    ],
)
def test_token_of_another_audience_or_tenant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        exchanged(web_token(**CLAIMS | changes))

    assert caught.value.reason == DelegationRefusal.NO_CLIENT


def test_token_that_lives_for_a_day_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        fitness.refuse_unfit(exchanged(expires_in=86_399), OAUTH, forge=FORGE)

    assert caught.value.reason == DelegationRefusal.TOO_LONG_LIVED


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("invalid_grant", DelegationRefusal.EXPIRED),
        ("invalid_client", DelegationRefusal.NO_CLIENT),
        ("interaction_required", DelegationRefusal.DENIED),
    ],
)
def test_refused_exchange_has_its_reason(word: str, reason: str) -> None:
    told = {"error": word, "error_description": "AADSTS70008: made up", "error_codes": [70008]}

    with pytest.raises(Rejected) as caught:
        result(OAUTH.exchange(at(), GRANT), answer(told, 400))

    assert caught.value.reason == reason


# As Entra ID's page has it; it says this in a sentence, too, which nobody reads.
BEGUN = {
    "user_code": "YZMYLD4K",
    "device_code": f"HAQABAAEAAAD--{'x-_' * 300}",
    "verification_uri": "https://microsoft.com/devicelogin",
    "expires_in": 900,
    "interval": 5,
    "message": "To sign in, use a web browser to open the page and enter the code.",
}
DEVICE_CODE = Secret(str(BEGUN["device_code"]))


def begin_device(at: Registration) -> Conversation[DeviceCode]:
    assert OAUTH.by_code is not None
    return OAUTH.by_code.begin(at)


def poll_device() -> Conversation[Delegated | Pending]:
    assert OAUTH.by_code is not None
    return OAUTH.by_code.poll(at(), DEVICE_CODE)


def test_code_to_be_typed_is_begun_without_secret_for_one_tenant() -> None:
    (sent,) = next(begin_device(at()))
    begun = result(begin_device(at()), answer(BEGUN))

    assert sent.request.url == f"{SIGN_IN}/oauth2/v2.0/devicecode"
    assert sent.request.form == {
        "client_id": "0e1f0000-example",
        "scope": f"{RESOURCE}/{WRITE}",
    }
    assert (begun.shown.text, begun.shown.url) == ("YZMYLD4K", BEGUN["verification_uri"])
    assert begun.secret.reveal() == BEGUN["device_code"]


@pytest.mark.parametrize(
    "page", [*sorted(CODE_PAGES), "https://login.microsoftonline.com/common/deviceauth"]
)
def test_code_is_typed_at_a_page_of_microsoft(page: str) -> None:
    begun = result(begin_device(at()), answer(BEGUN | {"verification_uri": page}))

    assert begun.shown.url == page
    assert takes_codes(FORGE, page)


@pytest.mark.parametrize(
    "page",
    [
        "https://microsoft.com.evil.example/devicelogin",
        "https://microsoft.com/devicelogin?otc=YZMYLD4K",
        "https://sites.microsoft.com/evil",
        "http://microsoft.com/devicelogin",
    ],
)
def test_code_is_typed_nowhere_else(page: str) -> None:
    with pytest.raises(Rejected) as caught:
        result(begin_device(at()), answer(BEGUN | {"verification_uri": page}))

    assert caught.value.reason == DelegationRefusal.FORGE_UNAVAILABLE
    assert not takes_codes(FORGE, page)


def test_code_for_more_than_one_tenant_is_never_begun() -> None:
    anybody = "https://login.microsoftonline.com/organizations"

    with pytest.raises(Rejected) as caught:
        next(begin_device(at(FORGE.model_copy(update={"sign_in": anybody}))))

    assert caught.value.reason == DelegationRefusal.NO_CLIENT


def test_question_about_a_code_proves_who_asks() -> None:
    (sent,) = next(poll_device())

    assert sent.request.url == f"{SIGN_IN}/oauth2/v2.0/token"
    assert set(sent.request.form or {}) == {
        "grant_type",
        "client_id",
        "client_secret",
        "device_code",
    }


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("authorization_declined", DelegationRefusal.DENIED),
        ("bad_verification_code", DelegationRefusal.EXPIRED),
        ("expired_token", DelegationRefusal.EXPIRED),
        # "Client is public", where its settings say so.
        ("invalid_client", DelegationRefusal.NO_CLIENT),
    ],
)
def test_sign_in_by_code_that_ends_without_a_token_has_its_reason(word: str, reason: str) -> None:
    told = {"error": word, "error_description": "AADSTS70000: made up", "error_codes": [70000]}

    with pytest.raises(Rejected) as caught:
        result(poll_device(), answer(told, 400))

    assert caught.value.reason == reason
    assert DEVICE_CODE.reveal() not in caught.value.message


def test_code_that_is_not_typed_yet_is_waited_for() -> None:
    assert result(poll_device(), answer({"error": "authorization_pending"}, 400)) == Pending()


@pytest.mark.parametrize("claims", [{}, {"aud": "https://graph.microsoft.com"}, {"tid": "other"}])
def test_token_of_a_typed_code_is_checked_as_any_other(claims: dict[str, Any]) -> None:
    body = {
        "access_token": web_token(**CLAIMS | claims).reveal(),
        "token_type": "Bearer",
        "expires_in": 4000,
        "scope": f"{RESOURCE}/{WRITE}",
    }

    if not claims:
        delegated = result(poll_device(), answer(body))
        assert isinstance(delegated, Delegated)
        assert delegated.scopes == frozenset({WRITE})
        return
    with pytest.raises(Rejected) as caught:
        result(poll_device(), answer(body))
    assert caught.value.reason == DelegationRefusal.NO_CLIENT


@pytest.mark.parametrize(
    ("owner", "path"),
    [
        ("contoso/Web Shop", "/contoso/_apis/connectionData"),
        # Where the host is the organization's.
        ("Web Shop", "/_apis/connectionData"),
    ],
)
def test_person_is_asked_for_in_the_organization_of_the_repository(owner: str, path: str) -> None:
    (sent,) = next(OAUTH.whose(at(), ENCRYPTED, owner))

    assert urlsplit(sent.request.url).path == path


def test_person_is_known_by_the_account_and_not_by_a_name() -> None:
    assert result(OAUTH.whose(at(), ENCRYPTED, "contoso/x"), account()) == ForgeUser(
        id=ADA_ID, login="ada@example.com"
    )


@pytest.mark.parametrize("user_id", ["", "ada", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"])
def test_who_is_nobody_there_is_denied(user_id: str) -> None:
    with pytest.raises(Rejected) as caught:
        result(OAUTH.whose(at(), ENCRYPTED, "contoso/x"), account(id=user_id))

    assert caught.value.reason == DelegationRefusal.DENIED


def test_nobody_narrows_or_ends_a_token_there() -> None:
    assert (OAUTH.narrow, OAUTH.revoke) == (None, None)


def test_personal_token_goes_as_a_password_and_one_of_entra_id_as_it_is() -> None:
    personal = presented(FORGE, PERSONAL)
    assert isinstance(personal, Basic)
    assert (personal.user, personal.password) == ("", PERSONAL)
    for token in (ENCRYPTED, web_token(**CLAIMS)):
        assert presented(FORGE, token) is token


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (PERSONAL, TokenKind.PERSONAL),
        (Secret("a" * 52), TokenKind.PERSONAL),
        (web_token(**CLAIMS), TokenKind.OAUTH_APP),
        (ENCRYPTED, TokenKind.OAUTH_APP),
    ],
)
def test_kind_of_a_token_is_told_by_its_form(token: Secret, kind: TokenKind) -> None:
    assert INSPECTION.kind_of(token) is kind


def test_personal_token_tells_its_owner_and_nothing_of_itself() -> None:
    assert inspected(PERSONAL, account()) == Inspection(
        kind=TokenKind.PERSONAL,
        validity=TokenValidity.VALID,
        owner=ForgeUser(id=ADA_ID, login="ada@example.com"),
        is_person=True,
        standing=TokenOwnerStanding.ACTIVE,
    )


def test_token_of_a_service_principal_is_no_persons_and_tells_its_end() -> None:
    claims = {"aud": RESOURCE, "tid": TENANT, "exp": 1795000000, "iat": 1794996400}

    assert inspected(web_token(**claims), account("aadsp.made-up")) == Inspection(
        kind=TokenKind.OAUTH_APP,
        validity=TokenValidity.VALID,
        owner=ForgeUser(id=ADA_ID, login="ada@example.com"),
        is_person=False,
        standing=TokenOwnerStanding.ACTIVE,
        expires_at=datetime.fromtimestamp(1795000000, UTC),
        expiry_known=True,
        created_at=datetime.fromtimestamp(1794996400, UTC),
    )


def test_encrypted_token_of_a_service_principal_leaves_its_end_unknown() -> None:
    assert inspected(ENCRYPTED, account("aadsp.made-up", isActive=None)) == Inspection(
        kind=TokenKind.OAUTH_APP,
        validity=TokenValidity.VALID,
        owner=ForgeUser(id=ADA_ID, login="ada@example.com"),
        is_person=False,
    )


def test_stored_token_of_a_person_tells_its_scopes_and_what_they_can() -> None:
    found = inspected(web_token(**CLAIMS | {"scp": f"{WRITE} vso.tokens"}), account())

    assert found.scopes == (WRITE, "vso.tokens")
    assert SCOPES.sufficient & set(found.scopes)
    assert SCOPES.powerful & set(found.scopes) == {"vso.tokens"}
    assert set(found.scopes) <= SCOPES.meanings.keys()


@pytest.mark.parametrize("told", [{"exp": "soon"}, {"exp": 10**20}, {"exp": True}, {"scp": 5}])
def test_odd_claims_tell_nothing(told: dict[str, Any]) -> None:
    found = inspected(web_token(**told), account())

    assert (found.validity, found.expiry_known, found.scopes) == (TokenValidity.VALID, False, None)


NOT_ACCEPTED = {
    "refused": answer({"message": "TF400813: not authorized"}, 401),
    "sign-in page": Answer(status=203, headers={"content-type": "text/html"}, body=b"<html>"),
    "moved to it": answer(None, 302, {"location": "https://x.vssps.visualstudio.com/_signin"}),
    "nobody": account(id="aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"),
}


@pytest.mark.parametrize("case", NOT_ACCEPTED)
@pytest.mark.parametrize("token", [PERSONAL, web_token(**CLAIMS)], ids=["personal", "Entra"])
def test_token_that_the_forge_does_not_know_is_invalid(case: str, token: Secret) -> None:
    found = inspected(token, NOT_ACCEPTED[case])

    assert (found.validity, found.why) == (TokenValidity.INVALID, TokenReason.REFUSED)
    assert not found.expiry_known


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (answer({"message": "TF400813: no"}, 403), TokenReason.FORBIDDEN),
        (answer({"message": "VS403463: conditional access"}, 403), TokenReason.SIGN_ON_WANTED),
        (answer({"message": "no such organization"}, 404), TokenReason.NOT_UNDERSTOOD),
        (answer({"authenticatedUser": None}), TokenReason.NOT_UNDERSTOOD),
        (answer([]), TokenReason.NOT_UNDERSTOOD),
    ],
)
def test_answer_that_tells_nothing_leaves_it_unknown(told: Answer, why: TokenReason) -> None:
    found = inspected(PERSONAL, told)

    assert (found.validity, found.why) == (TokenValidity.UNKNOWN, why)


def test_token_that_may_be_used_nowhere_is_not_asked_about() -> None:
    """There is nowhere to ask: only an organization knows whose it is."""
    conversation = INSPECTION.inspect(asked(PERSONAL, owners=()))

    with pytest.raises(StopIteration) as done:
        next(conversation)

    found: Inspection = done.value.value
    assert (found.validity, found.why) == (TokenValidity.UNKNOWN, TokenReason.NOT_INSPECTED)


def test_limit_is_read_of_every_answer() -> None:
    headers = {
        "x-ratelimit-limit": "200",
        "x-ratelimit-remaining": "40",
        "x-ratelimit-reset": "1795000000",
    }

    found = KINDS[FORGE.forge_kind].limits.quota(headers, 1794999990.0)

    assert found is not None
    assert (found.limit, found.remaining, found.resets_at_s) == (200, 40, 1795000000.0)


def test_question_goes_as_the_token_is_presented() -> None:
    (sent,) = next(INSPECTION.inspect(asked(PERSONAL)))

    assert isinstance(sent, Sent)
    assert isinstance(sent.token, Basic)
    assert (sent.token.user, sent.token.password) == ("", PERSONAL)
