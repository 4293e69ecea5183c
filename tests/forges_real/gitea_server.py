"""A real Gitea on loopback, with a folder and a database of its own."""

import os
import secrets
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from countersign.local.demo.layout import free_port

START_S: Final = 60.0
STOP_S: Final = 20.0
LOOK_S: Final = 0.05
ROOT: Final = "root-admin"
PASSWORD: Final = "made-up-Password-1"
_CONFIGURATION: Final = """\
APP_NAME = Gitea
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {work}
; A container has no other user; it is on loopback, and gone in minutes.
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true

[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {origin}/
DISABLE_SSH = true
OFFLINE_MODE = true
STATIC_ROOT_PATH = {static}

[database]
DB_TYPE = sqlite3
PATH = {work}/gitea.db

[repository]
ROOT = {repositories}

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_COMPLEXITY = off
; Of webhooks; before 1.27 it is that below.
ALLOWED_HOST_LIST = loopback
PASSWORD_HASH_ALGO = pbkdf2$1$10

[oauth2]
JWT_SECRET = {jwt}
ACCESS_TOKEN_EXPIRATION_TIME = {token_s}

[service]
DISABLE_REGISTRATION = true

[mailer]
ENABLED = false

[webhook]
ALLOWED_HOST_LIST = loopback

[actions]
ENABLED = false

[packages]
ENABLED = false

[indexer]
ISSUE_INDEXER_TYPE = db

[cron]
ENABLED = false

[log]
MODE = file
LEVEL = Info
ROOT_PATH = {work}/log
"""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Application:
    """An OAuth application of the site."""

    id: str
    secret: str


@dataclass
class GiteaServer:
    """
    Args:
        static: the folder with the program, and what it reads.
        work: its data.
        token_s: how long a delegated token lives.
        repositories: the folder of its repositories.

    """

    static: Path
    work: Path
    token_s: int = 3600
    port: int = field(default_factory=free_port)
    repositories: Path = Path()
    _process: "subprocess.Popen[bytes] | None" = None
    _client: httpx2.Client | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.repositories == Path():
            self.repositories = self.work / "repositories"

    @property
    def origin(self) -> str:
        # Not 127.0.0.1: browsers keep cookies by host, whatever the port.
        return f"http://localhost:{self.port}"

    @property
    def api(self) -> str:
        return f"{self.origin}/api/v1"

    @property
    def _configuration(self) -> Path:
        return self.work / "app.ini"

    def start(self) -> None:
        """Also again, after a stop; what was stored is still there."""
        self.work.mkdir(parents=True, exist_ok=True)
        first = not self._configuration.is_file()
        if first:
            self._configure()
            self._command("migrate")
            made = ("--username", ROOT, "--password", PASSWORD, "--email", f"{ROOT}@example.com")
            self._command(
                "admin", "user", "create", "--admin", *made, "--must-change-password=false"
            )
        with (self.work / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                (self.static / "gitea", "web", "--config", self._configuration),
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        self._client = httpx2.Client(trust_env=False, timeout=30)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(LOOK_S)
        if first:
            self._tokens[ROOT] = self.personal_token(ROOT, "all")

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self) -> str:
        return (self.work / "output.log").read_text()[-4000:]

    def _answers(self) -> bool:
        assert self._client is not None
        try:
            return self._client.get(f"{self.origin}/api/healthz").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def _configure(self) -> None:
        text = _CONFIGURATION.format(
            user=os.environ.get("USER") or "root",
            work=self.work,
            port=self.port,
            origin=self.origin,
            static=self.static,
            secret=secrets.token_hex(32),
            jwt=secrets.token_urlsafe(32),
            token_s=self.token_s,
            repositories=self.repositories,
        )
        self._configuration.write_text(text)

    @property
    def _environment(self) -> dict[str, str]:
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "USER": os.environ.get("USER", "root"),
        }

    def _command(self, *arguments: str) -> None:
        done = subprocess.run(
            (self.static / "gitea", "--config", self._configuration, *arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str = ROOT,
        passes: tuple[int, ...] = (),
    ) -> Any:
        """Ask the API with somebody's own token; null where there is no JSON."""
        answer = self.ask(method, path, body, by=by)
        assert answer.status_code < httpx2.codes.BAD_REQUEST or answer.status_code in passes, (
            f"{method} {path} as {by}: {answer.status_code} {answer.text}"
        )
        return answer.json() if answer.content.startswith((b"{", b"[")) else None

    def ask(self, method: str, path: str, body: Any = None, *, by: str = ROOT) -> httpx2.Response:
        assert self._client is not None
        headers = {"authorization": f"token {self._token_of(by)}"}
        return self._client.request(method, self.api + path, json=body, headers=headers)

    def _token_of(self, login: str) -> str:
        if login not in self._tokens:
            self._tokens[login] = self.personal_token(login, "all")
        return self._tokens[login]

    def personal_token(self, login: str, *scopes: str, name: str = "") -> str:
        """Make one, which only the password does."""
        assert self._client is not None
        answer = self._client.post(
            f"{self.api}/users/{login}/tokens",
            json={"name": name or secrets.token_hex(8), "scopes": list(scopes)},
            auth=(login, PASSWORD),
        )
        assert answer.status_code == httpx2.codes.CREATED, answer.text
        return str(answer.json()["sha1"])

    def end_token(self, login: str, name: str) -> None:
        assert self._client is not None
        url = f"{self.api}/users/{login}/tokens/{name}"
        answer = self._client.delete(url, auth=(login, PASSWORD))
        assert answer.status_code == httpx2.codes.NO_CONTENT, answer.text

    def person(self, login: str) -> None:
        body = {
            "username": login,
            "email": f"{login}@example.com",
            "full_name": login.capitalize(),
            "password": PASSWORD,
            "must_change_password": False,
        }
        self.call("POST", "/admin/users", body)

    def organization(self, name: str, *, writers: tuple[str, ...] = ()) -> None:
        """Make one whose team `writers` may write to all its repositories."""
        # Without an address it answers an empty one, which is none to its own description.
        body = {"username": name, "visibility": "private", "email": f"{name}@example.com"}
        self.call("POST", "/orgs", body)
        units = ("repo.code", "repo.pulls", "repo.issues", "repo.releases")
        team = self.call(
            "POST",
            f"/orgs/{name}/teams",
            {
                "name": "writers",
                "permission": "write",
                "includes_all_repositories": True,
                "units_map": dict.fromkeys(units, "write"),
            },
        )
        for login in writers:
            self.call("PUT", f"/teams/{team['id']}/members/{login}")

    def repository(self, owner: str, name: str) -> None:
        body = {"name": name, "private": True, "default_branch": "main"}
        self.call("POST", f"/orgs/{owner}/repos", body)

    def protect(self, full_name: str, *checks: str, rule: str = "main", push: bool = True) -> None:
        """Let nobody merge before these checks, and nobody push if that is said."""
        body = {
            "rule_name": rule,
            "enable_push": push,
            "enable_status_check": bool(checks),
            "status_check_contexts": list(checks),
        }
        self.call("POST", f"/repos/{full_name}/branch_protections", body)

    def webhook(self, full_name: str, url: str, *, secret: str) -> None:
        sent = {"url": url, "content_type": "json", "secret": secret}
        body = {"type": "gitea", "active": True, "events": ["pull_request"], "config": sent}
        self.call("POST", f"/repos/{full_name}/hooks", body)

    def application(self, redirect_uri: str) -> Application:
        body = {
            "name": "Countersign",
            "redirect_uris": [redirect_uri],
            "confidential_client": True,
        }
        made = self.call("POST", "/user/applications/oauth2", body)
        return Application(id=made["client_id"], secret=made["client_secret"])
