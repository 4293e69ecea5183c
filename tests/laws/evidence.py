"""The traces that a run leaves outside of our services: the stream, the forge's pull requests, git.

Nothing here, nor in the laws, imports our code: a mistake in it must not hide itself.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]
PREFIX = "countersign/"


@dataclass(frozen=True, kw_only=True)
class Event:
    """A stored message; `kind` is that of its CloudEvent, without prefix and version."""

    sequence: int
    kind: str
    body: Json
    message_id: str = ""

    @property
    def promotion_id(self) -> str:
        return str(self.body.get("promotion", {}).get("promotionId", ""))

    @property
    def attempt(self) -> int:
        return max(1, int(self.body.get("promotion", {}).get("attempt", 1)))

    def __str__(self) -> str:
        return f"{self.kind} of {self.promotion_id} (message {self.sequence})"


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A pull request as the forge tells of it; times are seconds, zero where it has not ended."""

    number: int
    branch: str
    author: str
    state: str
    merged: bool
    opened_s: float
    ended_s: float
    head_commit: str

    @property
    def is_ours(self) -> bool:
        return self.branch.startswith(PREFIX)

    @property
    def promotion_id(self) -> str:
        return self.branch.rpartition("/")[2].partition("-")[0]

    @property
    def gate(self) -> str:
        """Pipeline and environment, as the branch names them."""
        return self.branch.rpartition("/")[0]

    @property
    def is_alive(self) -> bool:
        return self.merged or self.state == "open"

    def __str__(self) -> str:
        return f"pull request {self.number} ({self.branch}, {self.state}, merged {self.merged})"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A bare repository of the forge, read by git itself."""

    path: Path
    branch: str = "main"

    def git(self, *arguments: str) -> bytes:
        command = ["git", "--git-dir", str(self.path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    @cache  # noqa: B019 - commits do not change, and there are few repositories
    def parents(self, commit: str) -> tuple[str, ...]:
        return tuple(self.git("rev-list", "--parents", "-n1", commit).decode().split()[1:])

    def changes(self, commit: str) -> dict[str, tuple[bytes, bytes]]:
        """Path to bytes before and after, against the first parent."""
        return {
            path: (self._blob(fields[2]), self._blob(fields[3]))
            for path, fields in self._differences(commit)
        }

    def modes(self, commit: str) -> dict[str, tuple[bytes, bytes]]:
        """Path to mode before and after."""
        return {path: (fields[0], fields[1]) for path, fields in self._differences(commit)}

    def _differences(self, commit: str) -> Iterator[tuple[str, list[bytes]]]:
        """Path, and both modes and both ids, as git lists them."""
        listed = self.git("diff-tree", "-r", "-z", "--no-renames", f"{commit}^", commit)
        parts = listed.split(b"\0")
        for fields, path in zip(parts[::2], parts[1::2], strict=False):
            yield path.decode(), fields.lstrip(b":").split()

    def _blob(self, oid: bytes) -> bytes:
        return b"" if not oid.strip(b"0") else self.git("cat-file", "blob", oid.decode())


@dataclass(frozen=True, kw_only=True)
class Evidence:
    events: tuple[Event, ...]
    pulls: tuple[Pull, ...]
    repository: Repository

    @property
    def ours(self) -> tuple[Pull, ...]:
        return tuple(pull for pull in self.pulls if pull.is_ours)

    def by_promotion(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in sorted(self.events, key=lambda e: e.sequence):
            if event.promotion_id:
                found.setdefault(event.promotion_id, []).append(event)
        return found


def event_of(headers: Mapping[str, str], body: bytes, sequence: int) -> Event:
    """Read a message as any tool does: a CloudEvent in binary mode."""
    kind = headers["ce-type"].removeprefix("dev.countersign.").rpartition(".")[0]
    message_id = headers.get("Nats-Msg-Id", "")
    return Event(sequence=sequence, kind=kind, body=json.loads(body), message_id=message_id)
