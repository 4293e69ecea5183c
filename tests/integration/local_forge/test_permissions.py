"""Whose token may do what, and GitHub's words when it may not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import jwt_of_an_app
import pytest
from checked_forge import REPO, CheckedClient
from doubles.local_forge import RunningForge, running_forge

from countersign.contracts.secret import Secret

BLOB = {"content": "x", "encoding": "utf-8"}


def _token(forge: RunningForge, kind: str) -> Secret | None:
    app = forge.app(installations=[REPO])
    made: dict[str, Secret | None] = {
        "nobody": None,
        "unknown": Secret("ghp_neverissued"),
        "repo": forge.token("ada", scopes=["repo"]),
        "no-scope": forge.token("ada", scopes=["read:user"]),
        "reader": forge.token("bob", scopes=["repo"]),
        "stranger": forge.token("eve", scopes=["repo"]),
        "app-writer": forge.user_token(app, "ada").text,
        "app-reader": forge.user_token(app, "bob").text,
        "app-stranger": forge.user_token(app, "eve").text,
        "fine": forge.token(
            "ada", kind="fine-grained", permissions={"contents": "write"}, repositories=[REPO]
        ),
        "fine-read": forge.token(
            "ada", kind="fine-grained", permissions={"contents": "read"}, repositories=[REPO]
        ),
        "fine-elsewhere": forge.token(
            "ada", kind="fine-grained", permissions={"contents": "write"}, repositories=["a/b"]
        ),
    }
    return made[kind]


@pytest.mark.parametrize(
    ("kind", "statuses", "message"),
    [
        ("nobody", (404, 404), "Not Found"),
        ("unknown", (401, 401), "Bad credentials"),
        ("repo", (200, 201), ""),
        ("no-scope", (404, 404), "Not Found"),
        ("reader", (200, 403), "Must have push access to repository"),
        ("stranger", (404, 404), "Not Found"),
        ("app-writer", (200, 201), ""),
        ("app-reader", (200, 403), "Resource not accessible by integration"),
        ("app-stranger", (404, 404), "Not Found"),
        ("fine", (200, 201), ""),
        ("fine-read", (200, 403), "Resource not accessible by personal access token"),
        ("fine-elsewhere", (404, 404), "Not Found"),
    ],
)
async def test_a_private_repository_is_open_to(
    forge: RunningForge, rest: CheckedClient, kind: str, statuses: tuple[int, int], message: str
) -> None:
    token = _token(forge, kind)

    seen = await rest("GET", f"/repos/{REPO}", token=token)
    written = await rest("POST", f"/repos/{REPO}/git/blobs", token=token, json=BLOB)

    assert (seen.status_code, written.status_code) == statuses
    assert written.json().get("message", "") == message


async def test_a_public_repository_is_read_by_everybody_and_written_by_its_writers(
    forge: RunningForge, rest: CheckedClient
) -> None:
    forge.repository("acme/open", {"a": "b"}, private=False, writers=["ada"])
    path = "/repos/acme/open/git/blobs"

    nobody = await rest("GET", "/repos/acme/open")
    writing = await rest("POST", path, json=BLOB)
    public = await rest("POST", path, json=BLOB, token=forge.token("ada", scopes=["public_repo"]))
    stranger = await rest("POST", path, json=BLOB, token=forge.token("eve", scopes=["repo"]))

    assert nobody.status_code == 200
    assert "permissions" not in nobody.json()
    assert writing.status_code == 401
    assert public.status_code == 201
    assert stranger.status_code == 403


async def test_a_token_with_contents_alone_opens_no_pull_request(
    forge: RunningForge, rest: CheckedClient
) -> None:
    forge.commit(REPO, {"x": "1"}, branch="change")
    token = _token(forge, "fine")
    body = {"title": "t", "head": "change", "base": "main"}

    answer = await rest("POST", f"/repos/{REPO}/pulls", token=token, json=body)

    assert answer.status_code == 403
    assert answer.headers["x-accepted-github-permissions"] == "pull_requests=write"


async def test_headers_tell_scopes_and_the_end_of_a_personal_token(
    forge: RunningForge, rest: CheckedClient
) -> None:
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    classic = forge.token("ada", scopes=["repo", "workflow"], expires_at=until)
    fine = forge.token("ada", kind="fine-grained", permissions={}, expires_at=until)

    of_classic = (await rest("GET", "/user", token=classic)).headers
    of_fine = (await rest("GET", "/user", token=fine)).headers

    assert of_classic["x-oauth-scopes"] == "repo, workflow"
    assert of_classic["github-authentication-token-expiration"] == "2030-01-02 03:04:05 UTC"
    assert "x-oauth-scopes" not in of_fine
    assert of_fine["github-authentication-token-expiration"] == "2030-01-02 03:04:05 UTC"


async def test_an_expired_token_is_bad_credentials(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    moment = [datetime(2026, 3, 1, tzinfo=UTC)]
    async with running_forge(tmp_path / "clocked", clock=lambda: moment[0]) as forge:
        forge.person("ada")
        token = forge.token("ada", expires_at=moment[0] + timedelta(hours=1))
        headers = {"authorization": f"token {token.reveal()}"}
        before = await http.get(f"{forge.api}/user", headers=headers)
        moment[0] += timedelta(hours=1)
        after = await http.get(f"{forge.api}/user", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_an_app_with_a_key_mints_and_ends_installation_tokens(
    forge: RunningForge, rest: CheckedClient
) -> None:
    private_key, public_key = jwt_of_an_app.key_pair()
    app = forge.app(installations=[REPO, "acme/other"], public_key=public_key)
    forge.repository("acme/other", {"a": "b"})
    as_app = Secret(jwt_of_an_app.signed(private_key, app.client_id, forge.store.clock()))
    installation = await rest("GET", f"/repos/{REPO}/installation", token=as_app)
    path = f"/app/installations/{installation.json()['id']}/access_tokens"
    repository = await rest("GET", f"/repos/{REPO}", token=forge.token("ada", scopes=["repo"]))
    wish = {
        "repository_ids": [repository.json()["id"]],
        "permissions": {"contents": "write", "pull_requests": "write"},
    }

    about = await rest("GET", "/app", token=as_app)
    one = await rest("GET", f"/app/installations/{installation.json()['id']}", token=as_app)
    minted = await rest("POST", path, token=as_app, json=wish)
    token = Secret(minted.json()["token"])
    listed = await rest("GET", "/installation/repositories", token=token)
    user = await rest("GET", "/user", token=token)
    blob = await rest("POST", f"/repos/{REPO}/git/blobs", token=token, json=BLOB)
    other = await rest("GET", "/repos/acme/other", token=token)
    too_much = await rest(
        "POST", path, token=as_app, json={"permissions": {"administration": "write"}}
    )
    ended = await rest("DELETE", "/installation/token", token=token)
    after = await rest("GET", "/installation/repositories", token=token)

    assert about.json()["slug"] == app.slug
    assert one.json()["account"]["login"] == "acme"
    assert minted.status_code == 201
    assert token.reveal().startswith("ghs_")
    assert [r["full_name"] for r in listed.json()["repositories"]] == [REPO]
    assert user.status_code == 403
    assert blob.status_code == 201
    assert other.status_code == 404
    assert too_much.status_code == 422
    assert ended.status_code == 204
    assert after.status_code == 401


@pytest.mark.parametrize("wrong", ["key", "late", "far", "issuer", "nonsense"])
async def test_a_wrong_jwt_is_refused(forge: RunningForge, rest: CheckedClient, wrong: str) -> None:
    private_key, public_key = jwt_of_an_app.key_pair()
    app = forge.app(installations=[REPO], public_key=public_key)
    at = forge.store.clock()
    texts = {
        "key": jwt_of_an_app.signed(jwt_of_an_app.key_pair()[0], app.client_id, at),
        "late": jwt_of_an_app.signed(private_key, app.client_id, at - timedelta(hours=1)),
        "far": jwt_of_an_app.signed(private_key, app.client_id, at, lifetime_s=3_600),
        "issuer": jwt_of_an_app.signed(private_key, "nobody", at),
        "nonsense": "a.b.c",
    }

    answer = await rest("GET", f"/repos/{REPO}/installation", token=Secret(texts[wrong]))

    assert answer.status_code == 401


async def test_an_app_acts_as_its_bot(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    private_key, public_key = jwt_of_an_app.key_pair()
    app = forge.app(installations=[REPO], public_key=public_key)
    forge.commit(REPO, {"x": "1"}, branch="change")
    as_app = Secret(jwt_of_an_app.signed(private_key, app.client_id, forge.store.clock()))
    found = await rest("GET", f"/repos/{REPO}/installation", token=as_app)
    path = f"/app/installations/{found.json()['id']}/access_tokens"
    token = Secret((await rest("POST", path, token=as_app, json={})).json()["token"])
    body = {"title": "t", "head": "change", "base": "main"}

    answer = await rest("POST", f"/repos/{REPO}/pulls", token=token, json=body)

    assert answer.json()["user"]["login"] == app.bot_login
    assert answer.json()["user"]["type"] == "Bot"


async def test_user_installations_are_those_of_the_tokens_own_app(
    forge: RunningForge, rest: CheckedClient, writer: Secret
) -> None:
    app = forge.app(installations=[REPO])

    mine = await rest("GET", "/user/installations", token=forge.user_token(app, "ada").text)
    classic = await rest("GET", "/user/installations", token=writer)

    assert mine.json()["total_count"] == 1
    assert mine.json()["installations"][0]["permissions"]["contents"] == "write"
    assert classic.status_code == 403


async def test_a_token_lists_what_it_reaches_and_its_child_less(
    forge: RunningForge, rest: CheckedClient
) -> None:
    app = forge.app(installations=[REPO, "acme/other"])
    forge.repository("acme/other", {"a": "b"}, private=False, writers=["ada"])
    parent = forge.user_token(app, "ada").text
    client = (app.client_id, "made-up-secret")
    body = {"access_token": parent.reveal(), "target": "acme", "repositories": ["config"]}
    answer = await rest(
        "POST", f"/applications/{app.client_id}/token/scoped", json=body, auth=client
    )
    child = Secret(answer.json()["token"])
    listed = await rest("GET", "/user/installations", token=child)
    path = f"/user/installations/{listed.json()['installations'][0]['id']}/repositories"

    all_of_it = await rest("GET", path, token=parent)
    of_child = await rest("GET", path, token=child)
    first = await rest("GET", f"{path}?per_page=1", token=parent)

    assert all_of_it.json()["total_count"] == 2
    assert [one["full_name"] for one in of_child.json()["repositories"]] == [REPO]
    assert (len(first.json()["repositories"]), first.json()["total_count"]) == (1, 2)
