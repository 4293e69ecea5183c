"""Keeps what the forge knows: in memory for reading, in one SQLite file for the next start."""

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from dulwich.repo import Repo
from pydantic import TypeAdapter

from countersign.local.forge.state.model import (
    App,
    Code,
    Comment,
    Consent,
    DeviceAuthorization,
    Installation,
    Person,
    PullRequest,
    Repository,
    Session,
    Status,
    Token,
)

Record = TypeVar("Record")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
)
# Ids of people, repositories and the rest come from one counter; the first ones are recognisable.
FIRST_ID = 1001
CANARY_CHARACTERS = 16


def now() -> datetime:
    """GitHub's times have whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _adapter(record: Any) -> TypeAdapter[Any]:
    """Building one takes milliseconds, and tests open many stores."""
    return TypeAdapter(record)


class Table(Generic[Record]):
    """Records of one kind, by key."""

    def __init__(self, connection: sqlite3.Connection, kind: str, record: type[Record]) -> None:
        self._connection = connection
        self._kind = kind
        self._adapter: TypeAdapter[Record] = _adapter(record)  # type: ignore[arg-type]
        rows = connection.execute("SELECT key, body FROM records WHERE kind = ?", (kind,))
        self._records = {key: self._adapter.validate_json(body) for key, body in rows}

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def put(self, key: str, record: Record) -> Record:
        body = self._adapter.dump_json(record).decode()
        self._connection.execute(
            "INSERT INTO records VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (self._kind, key, body),
        )
        self._records[key] = record
        return record

    def delete(self, key: str) -> None:
        self._connection.execute(
            "DELETE FROM records WHERE kind = ? AND key = ?", (self._kind, key)
        )
        self._records.pop(key, None)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)


@dataclass(frozen=True, kw_only=True)
class Counter:
    value: int


class Store:
    """All tables, the place of the repositories, the clock and the source of new secrets."""

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.directory = directory
        self.repositories_dir = directory / "repositories"
        self.clock = clock
        # In every token that is issued, so that who looks for tokens need not know one.
        self.canary = self.new_secret(CANARY_CHARACTERS)
        self.issued = 0
        self._open: dict[Path, Repo] = {}
        self._counters = Table(connection, "counter", Counter)
        self.people = Table(connection, "person", Person)
        self.repositories = Table(connection, "repository", Repository)
        self.apps = Table(connection, "app", App)
        self.installations = Table(connection, "installation", Installation)
        self.tokens = Table(connection, "token", Token)
        self.pulls = Table(connection, "pull", PullRequest)
        self.comments = Table(connection, "comment", Comment)
        self.statuses = Table(connection, "status", Status)
        self.sessions = Table(connection, "session", Session)
        self.consents = Table(connection, "consent", Consent)
        self.codes = Table(connection, "code", Code)
        self.devices = Table(connection, "device", DeviceAuthorization)

    def new_id(self) -> int:
        counter = self._counters.get("id") or Counter(value=FIRST_ID - 1)
        return self._counters.put("id", replace(counter, value=counter.value + 1)).value

    def new_secret(self, length: int = 36) -> str:
        """Letters and digits as GitHub's tokens have, from the system's source."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(secrets.choice(alphabet) for _ in range(length))

    def repository(self, owner: str, name: str) -> Repository | None:
        return self.repositories.get(f"{owner}/{name}".lower())

    def repository_by_id(self, repository_id: int) -> Repository | None:
        return next((r for r in self.repositories if r.id == repository_id), None)

    def save_repository(self, repository: Repository) -> Repository:
        return self.repositories.put(repository.full_name.lower(), repository)

    def git_dir(self, repository: Repository) -> Path:
        return self.repositories_dir / repository.owner / f"{repository.name}.git"

    def git(self, repository: Repository) -> Repo:
        path = self.git_dir(repository)
        if path not in self._open:
            self._open[path] = Repo(str(path))
        return self._open[path]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def person(self, login: str) -> Person | None:
        return self.people.get(login.lower())

    def app_by_id(self, app_id: int | None) -> App | None:
        return next((a for a in self.apps if a.id == app_id), None)

    def app_by_login(self, login: str) -> App | None:
        return next((a for a in self.apps if a.bot_login == login), None)

    def installed(self, app: App) -> frozenset[str]:
        """Lower-cased full names of the repositories that an application is installed on."""
        return frozenset(
            name.lower()
            for installation in self.installations
            if installation.app_id == app.id
            for name in installation.repositories
        )

    def pull(self, repository: Repository, number: int) -> PullRequest | None:
        return self.pulls.get(f"{repository.id}#{number}")

    def save_pull(self, repository: Repository, pull: PullRequest) -> PullRequest:
        return self.pulls.put(f"{repository.id}#{pull.number}", pull)

    def pulls_of(self, repository: Repository) -> list[PullRequest]:
        """Newest first, as GitHub lists them."""
        mine = [p for p in self.pulls if p.repository == repository.full_name]
        return sorted(mine, key=lambda p: p.number, reverse=True)


@contextmanager
def open_store(directory: Path, *, clock: Callable[[], datetime] = now) -> Iterator[Store]:
    """Open what an earlier run left in the directory, or begin."""
    directory.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(directory / "forge.sqlite3", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(SCHEMA)
        store = Store(directory, connection, clock=clock)
        try:
            yield store
        finally:
            store.close()
    finally:
        connection.close()
