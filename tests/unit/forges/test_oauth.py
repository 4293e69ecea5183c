"""GitHub's OAuth: what is sent, what is refused, and that nothing is told that is secret."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import vendor_api
from doubles.github_oauth import (
    CLIENT_ID,
    CLIENT_SECRET,
    ORIGIN,
    REDIRECT,
    GitHubDouble,
    github,
)

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.fitness import LIFETIME_S_MAX
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, challenge_of
from countersign.forges.oauth import OAuthClient

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
VERIFIER = Secret("made-up-verifier-of-more-than-forty-three-characters")


@pytest.fixture
def forge() -> GitHubDouble:
    return GitHubDouble(now=lambda: NOW)


@pytest.fixture
def oauth(forge: GitHubDouble) -> OAuthClient:
    return github(forge, now=lambda: NOW)


async def delegate(oauth: OAuthClient, forge: GitHubDouble, login: str = "ada") -> Delegated:
    url = oauth.authorize_url(Challenge(state="s", code_challenge=challenge_of(VERIFIER)))
    code = forge.sign_in(url, login)["code"]
    return await oauth.exchange(Grant(code=Secret(code), verifier=VERIFIER))


def test_challenge_is_the_one_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_authorize_url_has_pkce_state_and_the_fixed_redirect(oauth: OAuthClient) -> None:
    url = oauth.authorize_url(Challenge(state="r.abc=", code_challenge="c"))

    assert url.startswith(f"{ORIGIN}/login/oauth/authorize?")
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "state": "r.abc=",
        "code_challenge": "c",
        "code_challenge_method": "S256",
    }


async def test_exchange_gives_the_token_and_nothing_of_the_refresh_token(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)

    assert delegated.expires_in_s == 28_800
    assert delegated.token.reveal() in forge.living
    assert vars_of(delegated).isdisjoint(forge.refresh_tokens)
    oauth.refuse_unfit(delegated)


def vars_of(delegated: Delegated) -> set[object]:
    return {delegated.token.reveal(), *map(str, (delegated.expires_in_s,))}


async def test_exchange_with_another_verifier_is_refused(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    url = oauth.authorize_url(Challenge(state="s", code_challenge="other"))
    code = forge.sign_in(url, "ada")["code"]

    with pytest.raises(Rejected) as caught:
        await oauth.exchange(Grant(code=Secret(code), verifier=VERIFIER))

    assert caught.value.reason == "expired"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("bad_verification_code", "expired"),
        ("incorrect_client_credentials", "no_client"),
        ("redirect_uri_mismatch", "no_client"),
        ("unverified_user_email", "denied"),
        ("<script>", "denied"),
    ],
)
async def test_exchange_error_with_status_200_is_an_error(
    oauth: OAuthClient, forge: GitHubDouble, error: str, reason: str
) -> None:
    forge.odd.exchange_error = error

    with pytest.raises(Rejected) as caught:
        await delegate(oauth, forge)

    assert caught.value.reason == reason
    assert "<" not in caught.value.message


@pytest.mark.parametrize(
    ("prefix", "expires_in"),
    [
        ("ghu_", None),
        ("ghu_", LIFETIME_S_MAX + 1),
        ("ghu_", 0),
        ("ghu_", -5),
        ("gho_", None),
        ("gho_", 3600),
        ("ghp_", 3600),
        ("github_pat_", 3600),
        ("ghs_", 3600),
        ("", 3600),
    ],
)
async def test_token_that_lives_too_long_or_is_of_another_kind_is_refused(
    oauth: OAuthClient, forge: GitHubDouble, prefix: str, expires_in: int | None
) -> None:
    forge.odd.prefix, forge.odd.expires_in = prefix, expires_in
    delegated = await delegate(oauth, forge)

    with pytest.raises(Rejected) as caught:
        oauth.refuse_unfit(delegated)

    assert caught.value.reason == "token_too_long_lived"


async def test_whose_names_the_user_by_the_id_that_never_changes(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)

    user = await oauth.whose(delegated.token, owner="acme")

    assert (user.id, user.login) == ("11", "ada")


async def test_narrowed_token_reaches_the_one_repository_with_the_least_rights(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)

    child = await oauth.narrow(delegated.token, owner="shop", repository="deploy")

    kept = forge.tokens[child.token.reveal()]
    assert kept.repositories == ("shop/deploy",)
    assert kept.permissions == {
        "contents": "write",
        "pull_requests": "write",
        "metadata": "read",
    }
    assert child.expires_at == NOW + timedelta(hours=8)


def no_narrowing(answer: dict[str, Any]) -> None:
    del answer["installation"]


def more_permissions(answer: dict[str, Any]) -> None:
    answer["installation"]["permissions"]["administration"] = "write"


def all_repositories(answer: dict[str, Any]) -> None:
    answer["installation"]["repository_selection"] = "all"


def no_end(answer: dict[str, Any]) -> None:
    answer["expires_at"] = None


def fewer_permissions(answer: dict[str, Any]) -> None:
    del answer["installation"]["permissions"]["pull_requests"]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (no_narrowing, "token_too_strong"),
        (more_permissions, "token_too_strong"),
        (all_repositories, "token_too_strong"),
        (no_end, "token_too_long_lived"),
        (fewer_permissions, "cannot_write"),
    ],
)
async def test_narrowed_token_that_the_forge_describes_otherwise_is_refused(
    oauth: OAuthClient, forge: GitHubDouble, odd: Any, reason: str
) -> None:
    delegated = await delegate(oauth, forge)
    forge.odd.child = odd

    with pytest.raises(Rejected) as caught:
        await oauth.narrow(delegated.token, owner="shop", repository="deploy")

    assert caught.value.reason == reason


async def test_narrowed_token_that_in_truth_reaches_more_is_refused_and_revoked(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)
    forge.odd.also_reaches = ("shop/other",)

    with pytest.raises(Rejected) as caught:
        await oauth.narrow(delegated.token, owner="shop", repository="deploy")

    assert caught.value.reason == "token_too_strong"
    assert forge.living == [delegated.token.reveal()]


@pytest.mark.parametrize(
    ("login", "repository"), [("ada", "read-only"), ("grace", "other"), ("ada", "unknown")]
)
async def test_narrowing_for_somebody_who_cannot_write_says_so(
    oauth: OAuthClient, forge: GitHubDouble, login: str, repository: str
) -> None:
    delegated = await delegate(oauth, forge, login)

    with pytest.raises(Rejected) as caught:
        await oauth.narrow(delegated.token, owner="shop", repository=repository)

    assert caught.value.reason == "cannot_write"
    assert forge.living == [delegated.token.reveal()]


async def test_revoked_token_is_dead_and_revoking_it_again_is_no_error(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)

    await oauth.revoke(delegated.token)
    await oauth.revoke(delegated.token)

    assert forge.living == []


async def test_revocation_that_the_forge_cannot_do_now_is_retryable(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    delegated = await delegate(oauth, forge)
    forge.odd.fail_revocations = 1

    with pytest.raises(Retryable) as caught:
        await oauth.revoke(delegated.token)

    assert caught.value.reason == "forge_unavailable"


async def test_wrong_client_secret_is_told_as_the_administrators_business(
    forge: GitHubDouble,
) -> None:
    delegated = await delegate(github(forge, now=lambda: NOW), forge)

    with pytest.raises(Rejected) as caught:
        await github(forge, now=lambda: NOW, secret="wrong").narrow(
            delegated.token, owner="shop", repository="deploy"
        )

    assert caught.value.reason == "no_client"


async def test_page_instead_of_an_answer_is_told_as_the_forge_being_away(
    oauth: OAuthClient, forge: GitHubDouble
) -> None:
    forge.odd.html = True

    with pytest.raises(Rejected) as caught:
        await oauth.exchange(Grant(code=Secret("c"), verifier=VERIFIER))

    assert caught.value.reason == "forge_unavailable"


async def test_errors_never_hold_a_secret(oauth: OAuthClient, forge: GitHubDouble) -> None:
    delegated = await delegate(oauth, forge)
    told: list[str] = []
    for path in ("/user", f"/applications/{CLIENT_ID}/token/scoped"):
        for status in (401, 403, 404, 422, 429, 500):
            forge.odd.status = {path: status}
            try:
                await oauth.whose(delegated.token, owner="acme")
                await oauth.narrow(delegated.token, owner="shop", repository="deploy")
            except (Rejected, Retryable) as error:
                told += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]

    assert told
    assert not [text for text in told for secret in forge.secrets if secret in text]
    assert CLIENT_SECRET not in repr(forge.requests[0])


@pytest.mark.parametrize("vendor", ["github", "github-ghes-3.19"])
async def test_requests_and_answers_are_as_github_describes_them(
    oauth: OAuthClient, forge: GitHubDouble, vendor: str
) -> None:
    delegated = await delegate(oauth, forge)
    await oauth.whose(delegated.token, owner="acme")
    child = await oauth.narrow(delegated.token, owner="shop", repository="deploy")
    await oauth.revoke(child.token)

    checked = 0
    for request, answer in zip(forge.requests, forge.answers, strict=True):
        target = request.url.raw_path.decode().removeprefix("/api/v3")
        if target.startswith("/login/"):
            continue
        vendor_api.check_request(request.method, target, request.content, vendor=vendor)
        # The double gives much less of a repository than GitHub does.
        if not target.partition("?")[0].endswith("/repositories"):
            vendor_api.check_response(
                request.method,
                target,
                status=answer.status_code,
                response=answer.content,
                body=request.content,
                vendor=vendor,
            )
        assert request.headers["x-github-api-version"] == "2022-11-28"
        checked += 1
    assert checked == 5
