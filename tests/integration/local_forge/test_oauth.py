"""The web application flow as a browser and an application see it."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from checked_forge import REPO, CheckedClient
from doubles.local_forge import RunningForge, running_forge

from countersign.contracts.secret import Secret
from countersign.local.forge.state.model import TokenKind

CALLBACK = "http://127.0.0.1:8080/oauth/callback/forge"
CLIENT = ("Iv1.made-up", "made-up-secret")
VERIFIER = "a-made-up-verifier-of-forty-three-characters"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)


@pytest.fixture
def forge(forge: RunningForge) -> RunningForge:
    forge.app(installations=[REPO])
    forge.app(kind="oauth-app", client_id="oauth-made-up", callbacks=[CALLBACK])
    return forge


def _address(forge: RunningForge, **changed: str) -> str:
    query = {
        "client_id": CLIENT[0],
        "redirect_uri": CALLBACK,
        "state": "a state/with odd&characters",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{forge.origin}/login/oauth/authorize?{urlencode(query | changed)}"


def _answer(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def _exchange(
    forge: RunningForge, http: httpx2.AsyncClient, code: str, **changed: str
) -> dict[str, object]:
    form = {
        "client_id": CLIENT[0],
        "client_secret": CLIENT[1],
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }
    answer = await http.post(
        f"{forge.origin}/login/oauth/access_token",
        data=form | changed,
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 200
    parsed: dict[str, object] = answer.json()
    return parsed


async def _code(forge: RunningForge, **changed: str) -> str:
    return _answer(await forge.authorize(_address(forge, **changed), "ada"))["code"]


async def test_a_github_app_gets_a_token_for_eight_hours(
    forge: RunningForge, http: httpx2.AsyncClient, rest: CheckedClient
) -> None:
    location = await forge.authorize(_address(forge), "ada")
    tokens = await _exchange(forge, http, _answer(location)["code"])
    user = await rest("GET", "/user", token=Secret(str(tokens["access_token"])))

    assert location.startswith(CALLBACK)
    assert _answer(location)["state"] == "a state/with odd&characters"
    assert str(tokens["access_token"]).startswith("ghu_")
    assert str(tokens["refresh_token"]).startswith("ghr_")
    assert tokens["expires_in"] == 28_800
    assert tokens["scope"] == ""
    assert user.json()["login"] == "ada"
    assert "x-oauth-scopes" not in user.headers


async def test_an_oauth_app_gets_a_token_without_end(
    forge: RunningForge, http: httpx2.AsyncClient, rest: CheckedClient
) -> None:
    code = await _code(forge, client_id="oauth-made-up", scope="repo read:org")
    tokens = await _exchange(forge, http, code, client_id="oauth-made-up")
    user = await rest("GET", "/user", token=Secret(str(tokens["access_token"])))

    assert str(tokens["access_token"]).startswith("gho_")
    assert "expires_in" not in tokens
    assert "refresh_token" not in tokens
    assert user.headers["x-oauth-scopes"] == "read:org, repo"


async def test_the_answer_is_a_form_unless_json_is_asked_for(
    forge: RunningForge, http: httpx2.AsyncClient
) -> None:
    form = {"client_id": CLIENT[0], "client_secret": CLIENT[1], "code": "none"}

    answer = await http.post(f"{forge.origin}/login/oauth/access_token", data=form)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(answer.text)["error"] == ["bad_verification_code"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "another"}, "bad_verification_code"),
        ({"code_verifier": ""}, "bad_verification_code"),
        ({"redirect_uri": CALLBACK + "/"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"client_id": "nobody"}, "incorrect_client_credentials"),
        ({"client_id": "oauth-made-up"}, "bad_verification_code"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": "invented"}, "bad_verification_code"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
async def test_exchange_is_refused(
    forge: RunningForge, http: httpx2.AsyncClient, changed: dict[str, str], error: str
) -> None:
    code = await _code(forge)

    answer = await _exchange(forge, http, **({"code": code} | changed))

    assert answer["error"] == error
    assert "access_token" not in answer


async def test_a_code_works_once(forge: RunningForge, http: httpx2.AsyncClient) -> None:
    code = await _code(forge)
    await _exchange(forge, http, code)

    again = await _exchange(forge, http, code)

    assert again["error"] == "bad_verification_code"


async def test_a_code_tried_with_a_wrong_verifier_is_spent(
    forge: RunningForge, http: httpx2.AsyncClient
) -> None:
    code = await _code(forge)
    await _exchange(forge, http, code, code_verifier="guess")

    again = await _exchange(forge, http, code)

    assert again["error"] == "bad_verification_code"


async def test_a_code_ends_after_ten_minutes(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    moment = [datetime(2026, 3, 1, tzinfo=UTC)]
    async with running_forge(tmp_path / "clocked", clock=lambda: moment[0]) as forge:
        forge.person("ada")
        forge.app()
        code = await _code(forge)
        moment[0] += timedelta(seconds=600)

        answer = await _exchange(forge, http, code)

    assert answer["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:8080/oauth/callback/forge/x"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://evil.example/"}, "redirect_uri_mismatch"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
    ids=["longer-path", "other-host", "plain", "short-challenge"],
)
async def test_authorize_sends_the_error_to_the_registered_address(
    forge: RunningForge, changed: dict[str, str], error: str
) -> None:
    location = await forge.authorize(_address(forge, **changed), "ada")

    assert location.startswith(CALLBACK + "?")
    assert _answer(location)["error"] == error


async def test_authorize_of_an_unknown_application_goes_nowhere(
    forge: RunningForge, http: httpx2.AsyncClient
) -> None:
    answer = await http.get(_address(forge, client_id="nobody"))

    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_cancel_says_access_denied(forge: RunningForge) -> None:
    location = await forge.authorize(_address(forge), "ada", deny=True)

    assert _answer(location)["error"] == "access_denied"
    assert _answer(location)["state"] == "a state/with odd&characters"


async def test_a_refresh_token_ends_the_old_pair(
    forge: RunningForge, http: httpx2.AsyncClient
) -> None:
    old = await _exchange(forge, http, await _code(forge))

    new = await _exchange(
        forge, http, "", grant_type="refresh_token", refresh_token=str(old["refresh_token"])
    )

    assert forge.token_lives(Secret(str(new["access_token"])))
    assert not forge.token_lives(Secret(str(old["access_token"])))
    assert not forge.token_lives(Secret(str(old["refresh_token"])))


async def test_a_user_token_reaches_only_where_the_app_is_installed(
    forge: RunningForge, http: httpx2.AsyncClient, rest: CheckedClient
) -> None:
    forge.repository("acme/elsewhere", {"a": "b"}, writers=["ada"])
    tokens = await _exchange(forge, http, await _code(forge))
    token = Secret(str(tokens["access_token"]))

    here = await rest("GET", f"/repos/{REPO}", token=token)
    elsewhere = await rest("GET", "/repos/acme/elsewhere", token=token)

    assert here.json()["permissions"]["push"] is True
    assert elsewhere.status_code == 404


async def test_a_scoped_child_is_narrower_and_ends_with_its_parent(
    forge: RunningForge, rest: CheckedClient
) -> None:
    app = forge.app(installations=[REPO, "acme/other"])
    forge.repository("acme/other", {"a": "b"}, writers=["ada"])
    parent = forge.user_token(app, "ada")
    body = {
        "access_token": parent.text.reveal(),
        "target": "acme",
        "repositories": ["config"],
        "permissions": {"contents": "read"},
    }

    answer = await rest("POST", f"/applications/{CLIENT[0]}/token/scoped", json=body, auth=CLIENT)
    child = Secret(answer.json()["token"])
    other = await rest("GET", "/repos/acme/other", token=child)
    write = await rest(
        "POST", f"/repos/{REPO}/git/blobs", token=child, json={"content": "x", "encoding": "utf-8"}
    )
    read = await rest("GET", f"/repos/{REPO}/git/trees/main", token=child)

    assert answer.status_code == 200
    assert answer.json()["installation"]["permissions"] == {"metadata": "read", "contents": "read"}
    assert answer.json()["installation"]["repository_selection"] == "selected"
    assert answer.json()["expires_at"] == parent.token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert other.status_code == 404
    assert write.status_code == 403
    assert write.json()["message"] == "Resource not accessible by integration"
    assert write.headers["x-accepted-github-permissions"] == "contents=write"
    assert read.status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"permissions": {"administration": "write"}},
        {"permissions": {"contents": "admin"}},
        {"repositories": ["elsewhere"]},
        {"target": ""},
    ],
    ids=["other-permission", "higher", "not-installed", "no-target"],
)
async def test_a_scoped_child_cannot_be_wider(
    forge: RunningForge, rest: CheckedClient, changed: dict[str, object]
) -> None:
    forge.repository("acme/elsewhere", {"a": "b"}, writers=["ada"])
    parent = forge.user_token(forge.app(installations=[REPO]), "ada")
    body = {
        "access_token": parent.text.reveal(),
        "target": "acme",
        "repositories": ["config"],
        "permissions": {"contents": "write"},
    }

    path = f"/applications/{CLIENT[0]}/token/scoped"
    answer = await rest("POST", path, json=body | changed, auth=CLIENT)

    assert answer.status_code == 422


async def test_a_token_can_be_checked_and_deleted_by_its_application(
    forge: RunningForge, rest: CheckedClient
) -> None:
    token = forge.user_token(forge.app(installations=[REPO]), "ada").text
    path, body = f"/applications/{CLIENT[0]}/token", {"access_token": token.reveal()}

    checked = await rest("POST", path, json=body, auth=CLIENT)
    stranger = await rest("POST", path, json=body, auth=(CLIENT[0], "wrong"))
    deleted = await rest("DELETE", path, json=body, auth=CLIENT)
    again = await rest("DELETE", path, json=body, auth=CLIENT)
    gone = await rest("POST", path, json=body, auth=CLIENT)
    used = await rest("GET", "/user", token=token)

    assert checked.json()["user"]["login"] == "ada"
    assert checked.json()["token_last_eight"] == token.reveal()[-8:]
    assert stranger.status_code == 404
    assert deleted.status_code == 204
    assert again.status_code == 422
    assert gone.status_code == 404
    assert used.status_code == 401
    assert used.json()["message"] == "Bad credentials"


async def test_deleting_the_grant_ends_all_tokens_and_the_consent(
    forge: RunningForge, http: httpx2.AsyncClient, rest: CheckedClient
) -> None:
    first = await _exchange(forge, http, await _code(forge))
    await _exchange(forge, http, await _code(forge))
    body = {"access_token": first["access_token"]}

    answer = await rest("DELETE", f"/applications/{CLIENT[0]}/grant", json=body, auth=CLIENT)

    assert answer.status_code == 204
    assert forge.living_tokens("ada") == []
    assert len(forge.store.consents) == 0


async def test_reset_replaces_a_token(forge: RunningForge, rest: CheckedClient) -> None:
    token = forge.user_token(forge.app(installations=[REPO]), "ada").text
    body = {"access_token": token.reveal()}

    answer = await rest("PATCH", f"/applications/{CLIENT[0]}/token", json=body, auth=CLIENT)

    assert not forge.token_lives(token)
    assert forge.token_lives(Secret(answer.json()["token"]))


async def test_anybody_may_revoke_a_found_token_but_nobody_signed_in(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    body = {"credentials": [writer.reveal(), "ghp_unknown"]}

    signed_in = await rest("POST", "/credentials/revoke", json=body, token=writer)
    nobody = await rest("POST", "/credentials/revoke", json=body)

    assert signed_in.status_code == 403
    assert nobody.status_code == 202
    assert TokenKind.CLASSIC not in forge.living_tokens("ada")
