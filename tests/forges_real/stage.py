"""A repository at a real Gitea, for the suite of behaviours, and what others do there beside us."""

import base64
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from conformance.checking import CheckingTransport
from conformance.doubles import DOUBLES
from conformance.stages import (
    FILES,
    FULL_NAME,
    LINKED,
    NAME,
    OTHER,
    OWNER,
    READER,
    SCRIPT,
    WRITER,
    Content,
    PullSeen,
)
from doubles.forge.double import Wire
from forges_real.gitea_server import ROOT, GiteaServer

from countersign.contracts.secret import Secret
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.interface import Repository
from countersign.forges.clients import repository_client
from countersign.forges.http import ForgeHttp

PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.05
_NOT_FOUND: Final = (404,)
_NOT_YET: Final = 405
_SCHEDULED: Final = {"pull_scheduled_merge": True, "pull_cancel_scheduled_merge": False}


def git(*arguments: str) -> bytes:
    """Run git as nobody in particular."""
    quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "HOME": "/nonexistent"}
    named = {f"GIT_{who}_{what}": "seed@example.com" for who in ("AUTHOR", "COMMITTER")
             for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(
        ("git", *arguments), env={**os.environ, **quiet, **named}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def prepare(folder: Path, contents: Mapping[str, Content]) -> Path:
    """Make a repository of one commit, to be pushed."""
    git("init", "--quiet", "--initial-branch=main", str(folder))
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    git("-C", str(folder), "add", "--all")
    git("-C", str(folder), "commit", "--quiet", "--message", "Begin")
    return folder


def prepare_stage(folder: Path) -> Path:
    """The same files as every stage has, an executable one and a symbolic link among them."""
    prepare(folder, {**FILES, SCRIPT: "version: 6.8.0\n"})
    (folder / SCRIPT).chmod(0o755)
    (folder / LINKED).symlink_to("release.yaml")
    git("-C", str(folder), "add", "--all")
    git("-C", str(folder), "commit", "--quiet", "--amend", "--no-edit")
    return folder


def push_to(server: GiteaServer, full_name: str, folder: Path) -> None:
    token = server._token_of(ROOT)
    address = f"http://{ROOT}:{token}@localhost:{server.port}/{full_name}.git"
    git("-C", str(folder), "push", "--quiet", address, "main")


@dataclass
class RealStage:
    """`acme/fleet` at a server that nobody here wrote."""

    kind: str
    server: GiteaServer
    transport: CheckingTransport
    http: ForgeHttp
    tokens: Mapping[str, str]
    tells_modes: bool = True
    _merging: set[int] = field(default_factory=set)

    @property
    def wire(self) -> Wire:
        return DOUBLES[self.kind].wire

    def client(self, *, who: str = WRITER, token: str = "") -> Repository:
        return repository_client(self.http, Secret(token or self.tokens[who]))

    @property
    def _bare(self) -> Path:
        return self.server.repositories / f"{FULL_NAME}.git"

    def _git(self, *arguments: str) -> bytes:
        return git("--git-dir", str(self._bare), "-c", "safe.directory=*", *arguments)

    def _call(self, method: str, below: str, body: Any = None, **how: Any) -> Any:
        return self.server.call(method, f"/repos/{FULL_NAME}{below}", body, **how)

    def push(self, branch: str, files: Mapping[str, Content | None], *, by: str = OTHER) -> str:
        exists = bool(self.head(branch))
        there = self.files(branch if exists else "main")
        changes = []
        for path, content in files.items():
            _, before = there.get(path, ("", b""))
            change: dict[str, Any] = {"path": path}
            if content is None:
                change["operation"] = "delete"
            else:
                change["operation"] = "update" if path in there else "create"
                body = content if isinstance(content, bytes) else content.encode()
                change["content"] = base64.b64encode(body).decode()
            if path in there:
                change["sha"] = git_blob(before)
            changes.append(change)
        where = {"branch": branch} if exists else {"branch": "main", "new_branch": branch}
        made = self._call(
            "POST", "/contents", {**where, "files": changes, "message": "Change"}, by=by
        )
        return str(made["commit"]["sha"])

    def point(self, branch: str, commit: str) -> None:
        self._call("POST", "/branches", {"new_branch_name": branch, "old_ref_name": commit})

    def make_empty(self) -> Place:
        self.server.call("POST", f"/orgs/{OWNER}/repos", {"name": "empty", "private": True})
        return Place(owner=OWNER, repository="empty", base_branch="main")

    def archive(self) -> None:
        self._call("PATCH", "", {"archived": True})

    def head(self, branch: str) -> str:
        ref = f"refs/heads/{branch}"
        # What is below a folder of that name is listed as well.
        named = self._git("for-each-ref", "--format=%(objectname) %(refname)", ref).decode()
        pairs = (line.split() for line in named.splitlines())
        return next((oid for oid, name in pairs if name == ref), "")

    def files(self, revision: str) -> Mapping[str, tuple[str, bytes]]:
        listed = self._git("ls-tree", "-r", "-z", revision).split(b"\0")
        found = {}
        for line in filter(None, listed):
            told, _, path = line.partition(b"\t")
            mode, _, oid = told.decode().split()
            found[path.decode()] = (mode, self._git("cat-file", "blob", oid))
        return found

    def author(self, revision: str) -> str:
        return self._git("log", "-1", "--format=%ae", revision).decode().partition("@")[0]

    def message(self, revision: str) -> str:
        return self._git("log", "-1", "--format=%B", revision).decode()

    def open(self, head: str, *, base: str = "main", by: str = OTHER) -> int:
        body = {"head": head, "base": base, "title": "Change"}
        return int(self._call("POST", "/pulls", body, by=by)["number"])

    def open_from_fork(self, head: str) -> int:
        self._call("POST", "/forks", {}, by=READER)
        content = base64.b64encode(b"# ours now\n").decode()
        change = {"operation": "update", "path": "README.md", "content": content,
                  "sha": git_blob(FILES["README.md"].encode())}  # fmt: skip
        body = {"branch": "main", "new_branch": head, "files": [change], "message": "Ours"}
        self.server.call("POST", f"/repos/{READER}/{NAME}/contents", body, by=READER)
        return self.open(f"{READER}:{head}", by=READER)

    def merge(self, number: int, *, by: str = OTHER) -> None:
        self._until_looked_at(number)
        body = {"Do": "merge", "delete_branch_after_merge": True}
        self._call("POST", f"/pulls/{number}/merge", body, by=by)

    def close(self, number: int, *, by: str = OTHER) -> None:
        self._call("PATCH", f"/pulls/{number}", {"state": "closed"}, by=by)

    def pull(self, number: int) -> PullSeen:
        found = self._call("GET", f"/pulls/{number}")
        said = self._call("GET", f"/issues/{number}/comments")
        by = found["merged_by"]
        return PullSeen(
            state=found["state"],
            title=found["title"],
            body=found["body"],
            comments=tuple(comment["body"] for comment in said),
            author=found["user"]["login"],
            labels=tuple(label["name"] for label in found["labels"]),
            draft=found["draft"],
            auto_merge_by=self._scheduled_by(number),
            merged_by=by["login"] if by else "",
        )

    def _scheduled_by(self, number: int) -> str:
        """Return who asked for it to be merged by itself, which only its history tells."""
        told = self._call("GET", f"/issues/{number}/timeline?limit=50") or []
        last = [row for row in told if row["type"] in _SCHEDULED][-1:]
        return last[0]["user"]["login"] if last and _SCHEDULED[last[0]["type"]] else ""

    def require(self, check: str) -> None:
        self.server.protect(FULL_NAME, check)

    async def report(self, commit: str, check: str, state: str) -> None:
        """Report it, and wait until the server has done what follows of itself."""
        body = {"context": check, "state": state}
        self._call("POST", f"/statuses/{commit}", body, by=OTHER)
        for pull in self._call("GET", "/pulls?state=open"):
            if pull["head"]["sha"] == commit:
                self._until_looked_at(pull["number"])
                if state == "success" and self._scheduled_by(pull["number"]):
                    until(lambda n=pull["number"]: self.pull(n).state == "closed", self.server)

    def label(self, *names: str) -> None:
        for name in names:
            self._call("POST", "/labels", {"name": name, "color": "#00aabb"})

    def _until_looked_at(self, number: int) -> None:
        """It looks for conflicts by and by, and merges nothing before."""
        until(lambda: self._call("GET", f"/pulls/{number}")["mergeable"], self.server)


def until(fits: Callable[[], object], server: GiteaServer) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fits():
        assert time.monotonic() < deadline, server.log()
        time.sleep(LOOK_S)


def git_blob(body: bytes) -> str:
    done = subprocess.run(
        ("git", "hash-object", "--stdin"), input=body, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def lay_stage(server: GiteaServer, seed: Path) -> None:
    """Make `acme/fleet` anew, with nothing that an earlier test left."""
    for name in (FULL_NAME, f"{OWNER}/empty", f"{READER}/{NAME}"):
        server.call("DELETE", f"/repos/{quote(name)}", passes=_NOT_FOUND)
    server.repository(OWNER, NAME)
    server.call("PUT", f"/repos/{FULL_NAME}/collaborators/{READER}", {"permission": "read"})
    push_to(server, FULL_NAME, seed)
    # It notes by and by that something was pushed.
    until(lambda: not server.call("GET", f"/repos/{FULL_NAME}")["empty"], server)
