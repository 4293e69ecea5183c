"""GitHub as far as a delegation needs it, in memory, at the wire.

Its answers have GitHub's shape (checked in tests/unit/forges/test_oauth.py). Tokens are made up.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2

from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.oauth import Registration
from countersign.forges.http import ForgeHttp
from countersign.forges.oauth import OAuthClient

ORIGIN = "https://forge.example"
CLIENT_ID = "Iv1.madeup"
CLIENT_SECRET = "x7-of-nobody-q9-made-up"
REDIRECT = "https://countersign.example/oauth/callback/forge"
FORGE = Forge(
    name="Forge",
    kind="github",
    origin=ORIGIN,
    client_id=CLIENT_ID,
    client_secret_file="/dev/null",
    device_flow=True,
)
USER_ID = {"ada": 11, "grace": 12}


@dataclass
class Kept:
    """A token that the forge gave out."""

    login: str
    expires_at: datetime | None
    repositories: tuple[str, ...] | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    revoked: bool = False


@dataclass
class TypedCode:
    """A code that somebody is to type, and the one that is polled with."""

    device_code: str
    user_code: str
    # Who typed it; none yet, or never.
    login: str = ""
    # GitHub's word instead, each time.
    word: str = "authorization_pending"
    interval: int | None = None


@dataclass
class Odd:
    """What this forge does unlike a well configured one."""

    prefix: str = "ghu_"
    expires_in: int | None = 28_800
    exchange_error: str = ""
    child: Callable[[dict[str, Any]], None] = lambda _: None
    also_reaches: tuple[str, ...] = ()
    fail_revocations: int = 0
    status: dict[str, int] = field(default_factory=dict)
    html: bool = False


class GitHubDouble(httpx2.AsyncBaseTransport):
    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.writers: dict[str, set[str]] = {
            "shop/deploy": {"ada", "grace"},
            "shop/other": {"ada"},
        }
        self.readers: dict[str, set[str]] = {"shop/read-only": {"ada"}}
        self.tokens: dict[str, Kept] = {}
        self.refresh_tokens: list[str] = []
        self.verifiers: list[str] = []
        self.codes: dict[str, tuple[str, str]] = {}
        self.devices: list[TypedCode] = []
        self.calls: list[tuple[str, str]] = []
        self.requests: list[httpx2.Request] = []
        self.answers: list[httpx2.Response] = []
        self.odd = Odd()
        self._count = 0

    @property
    def living(self) -> list[str]:
        return [text for text, kept in self.tokens.items() if not kept.revoked]

    @property
    def secrets(self) -> list[str]:
        """All that must never be seen anywhere."""
        devices = [code for d in self.devices for code in (d.device_code, d.user_code)]
        return [*self.tokens, *self.refresh_tokens, *self.verifiers, *devices, CLIENT_SECRET]

    def sign_in(self, authorize_url: str, login: str) -> dict[str, str]:
        """What a browser brings back: `code` and `state`."""
        query = dict(parse_qsl(urlsplit(authorize_url).query))
        assert query["code_challenge_method"] == "S256"
        code = self._next()
        self.codes[code] = (login, query["code_challenge"])
        return {"code": code, "state": query["state"]}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        path = request.url.path.removeprefix("/api/v3")
        self.calls.append((request.method, path))
        self.requests.append(request)
        if forced := self.odd.status.get(path):
            answer = _json(forced, {"message": "forced"})
        elif self.odd.html:
            answer = httpx2.Response(200, content=b"<html>", headers={"content-type": "text/html"})
        elif path == "/login/device/code":
            answer = self._begin_device()
        elif path == "/login/oauth/access_token":
            form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
            answer = self._poll(form) if "device_code" in form else self._exchange(form)
        elif path.startswith("/applications/"):
            answer = self._application(request, path, json.loads(body))
        else:
            answer = self._holder(request, path)
        self.answers.append(answer)
        return answer

    def _begin_device(self) -> httpx2.Response:
        code = self._next()
        letters = [c for c in code.upper() if c.isalpha()] + list("BCDFGHJK")
        made = TypedCode(device_code=code, user_code=f"{''.join(letters[:4])}-{code[:4].upper()}")
        self.devices.append(made)
        return _json(
            200,
            {
                "device_code": made.device_code,
                "user_code": made.user_code,
                "verification_uri": f"{ORIGIN}/login/device",
                "expires_in": 900,
                "interval": 5,
            },
        )

    def _poll(self, form: Mapping[str, str]) -> httpx2.Response:
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
        assert form["client_id"] == CLIENT_ID
        found = next(d for d in self.devices if d.device_code == form["device_code"])
        if not found.login:
            slower = {"interval": found.interval} if found.interval else {}
            return _json(200, {"error": found.word, "error_description": "no", **slower})
        login, found.login, found.word = found.login, "", "incorrect_device_code"
        return self._granted(login)

    def _exchange(self, form: Mapping[str, str]) -> httpx2.Response:
        self.verifiers.append(form["code_verifier"])
        login, challenge = self.codes.pop(form["code"], ("", ""))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        error = self.odd.exchange_error
        if form["client_secret"] != CLIENT_SECRET:
            error = "incorrect_client_credentials"
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
            error = error or "bad_verification_code"
        if error:
            return _json(200, {"error": error, "error_description": "no", "error_uri": "x"})
        return self._granted(login)

    def _granted(self, login: str) -> httpx2.Response:
        seconds = self.odd.expires_in
        text = self._issue(login, seconds)
        refresh = f"ghr_{self._next()}"
        self.refresh_tokens.append(refresh)
        body: dict[str, Any] = {"access_token": text, "token_type": "bearer", "scope": ""}
        if seconds is not None:
            body |= {"expires_in": seconds, "refresh_token": refresh}
        return _json(200, body)

    def _issue(self, login: str, seconds: int | None, **rest: Any) -> str:
        text = f"{self.odd.prefix}{self._next()}"
        until = None if seconds is None else self._now() + timedelta(seconds=seconds)
        self.tokens[text] = Kept(login, until, **rest)
        return text

    def _application(
        self, request: httpx2.Request, path: str, body: dict[str, Any]
    ) -> httpx2.Response:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return _json(401, {"message": "Bad credentials"})
        kept = self.tokens.get(body["access_token"])
        alive = kept is not None and not kept.revoked
        if request.method == "DELETE":
            return self._revoke(kept if alive else None)
        if not alive or kept is None:
            return _json(404, {"message": "Not Found"})
        if path.endswith("/scoped"):
            return self._scope(kept, body)
        return _json(200, self._authorization(body["access_token"], kept))

    def _revoke(self, kept: Kept | None) -> httpx2.Response:
        if self.odd.fail_revocations:
            self.odd.fail_revocations -= 1
            return _json(503, {"message": "unavailable"})
        if kept is None:
            return _json(422, {"message": "Validation Failed"})
        kept.revoked = True
        return httpx2.Response(204)

    def _scope(self, parent: Kept, body: dict[str, Any]) -> httpx2.Response:
        names = tuple(f"{body['target']}/{name}" for name in body["repositories"])
        if any(name not in self.writers | self.readers for name in names):
            return _json(422, {"message": "There is at least one repository that is unknown"})
        text = self._issue(parent.login, None, repositories=(*names, *self.odd.also_reaches))
        self.tokens[text].expires_at = parent.expires_at
        self.tokens[text].permissions = body["permissions"]
        answer = self._authorization(text, self.tokens[text])
        self.odd.child(answer)
        return _json(200, answer)

    def _authorization(self, text: str, kept: Kept) -> dict[str, Any]:
        body = {
            "id": 1,
            "url": f"{ORIGIN}/api/v3/authorizations/1",
            "scopes": [],
            "token": text,
            "token_last_eight": text[-8:],
            "hashed_token": hashlib.sha256(text.encode()).hexdigest(),
            "app": {"client_id": CLIENT_ID, "name": "countersign", "url": ORIGIN},
            "note": None,
            "note_url": None,
            "fingerprint": None,
            "created_at": _stamp(self._now()),
            "updated_at": _stamp(self._now()),
            "expires_at": kept.expires_at and _stamp(kept.expires_at),
            "user": _account(kept.login),
        }
        if kept.repositories is not None:
            body["installation"] = {
                "permissions": dict(kept.permissions),
                "repository_selection": "selected",
                "single_file_name": None,
                "repositories_url": f"{ORIGIN}/api/v3/user/repos",
                "account": _account("shop"),
            }
        return body

    def _holder(self, request: httpx2.Request, path: str) -> httpx2.Response:
        text = request.headers.get("authorization", "").removeprefix("Bearer ")
        kept = self.tokens.get(text)
        if kept is None or kept.revoked:
            return _json(401, {"message": "Bad credentials"})
        if path == "/user":
            return _json(200, _person(kept.login))
        if path == "/user/installations":
            return _json(200, {"total_count": 1, "installations": [_installation()]})
        if path == "/user/installations/5/repositories":
            names = kept.repositories or tuple(self.writers)
            found = [
                _repository(name, push=kept.login in self.writers.get(name, ()))
                for name in names
                if kept.login in self.writers.get(name, set()) | self.readers.get(name, set())
            ]
            return _json(200, {"total_count": len(found), "repositories": found})
        return _json(404, {"message": "Not Found"})

    def _next(self) -> str:
        """Unlike anything else, so that a piece of it can be looked for."""
        self._count += 1
        return hashlib.sha256(f"made up {self._count}".encode()).hexdigest()[:36]


def github(
    double: GitHubDouble, *, now: Callable[[], datetime], secret: str = CLIENT_SECRET
) -> OAuthClient:
    """Our client, talking to the double."""
    registration = Registration(
        forge=FORGE,
        client_id=CLIENT_ID,
        secret=lambda: Secret(secret),
        redirect_uri=REDIRECT,
    )
    return OAuthClient(ForgeHttp(FORGE, transport=double), registration, now=now)


def _json(status: int, body: object) -> httpx2.Response:
    content = json.dumps(body).encode()
    return httpx2.Response(status, content=content, headers={"content-type": "application/json"})


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _account(login: str) -> dict[str, Any]:
    api = f"{ORIGIN}/api/v3/users/{login}"
    links = ("followers", "following", "gists", "starred", "subscriptions", "organizations")
    more = ("repos", "events", "received_events")
    return {
        "login": login,
        "id": USER_ID.get(login, 90),
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": f"{ORIGIN}/{login}.png",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{ORIGIN}/{login}",
        **{f"{name}_url": f"{api}/{name}" for name in (*links, *more)},
        "type": "User",
        "site_admin": False,
    }


def _person(login: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("company", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    times = {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}
    return {**_account(login), "name": login, "blog": "", **nothing, **counts, **times}


def _installation() -> dict[str, Any]:
    return {
        "id": 5,
        "account": _account("shop"),
        "repository_selection": "selected",
        "access_tokens_url": f"{ORIGIN}/api/v3/app/installations/5/access_tokens",
        "repositories_url": f"{ORIGIN}/api/v3/installation/repositories",
        "html_url": f"{ORIGIN}/organizations/shop/settings/installations/5",
        "app_id": 7,
        "target_id": 90,
        "target_type": "Organization",
        "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
        "events": [],
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        "single_file_name": None,
        "app_slug": "countersign",
        "suspended_by": None,
        "suspended_at": None,
    }


def _repository(name: str, *, push: bool) -> dict[str, Any]:
    """Far less than GitHub gives; enough for what is read of it."""
    rights = {"admin": False, "push": push, "pull": True}
    return {"id": 3, "name": name.partition("/")[2], "full_name": name, "permissions": rights}
