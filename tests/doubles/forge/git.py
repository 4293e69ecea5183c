"""Git's objects in memory: just enough that ids are git's own, and a commit is a commit."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

FILE, EXECUTABLE, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "040000"
Files = Mapping[str, tuple[str, bytes]]


def object_id(kind: str, body: bytes) -> str:
    head = f"{kind} {len(body)}\x00".encode()
    return hashlib.sha1(head + body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Commit:
    """`entries` are path → mode and id, of folders too."""

    oid: str
    files: Files
    entries: Mapping[str, tuple[str, str]]
    parents: tuple[str, ...]
    message: str
    author: str
    at: datetime

    def listed(self, folder: str = "", *, recursive: bool) -> list[tuple[str, str, str]]:
        """Path, mode and id of what is in a folder, in the order of their paths."""
        prefix = f"{folder}/" if folder else ""
        return [
            (path, mode, oid)
            for path, (mode, oid) in sorted(self.entries.items())
            if path.startswith(prefix) and (recursive or "/" not in path.removeprefix(prefix))
        ]


@dataclass
class Git:
    """Blobs and commits by id, branches by name."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(
        self, files: Files, *, parents: tuple[str, ...], message: str, author: str, at: datetime
    ) -> Commit:
        entries: dict[str, tuple[str, str]] = {}
        tree = self._tree(files, entries)
        who = f"{author} <{author}@example.com> {int(at.timestamp())} +0000"
        lines = [f"tree {tree}", *(f"parent {p}" for p in parents), f"author {who}"]
        body = "\n".join([*lines, f"committer {who}", "", message]).encode()
        made = Commit(
            oid=object_id("commit", body),
            files=dict(files),
            entries=entries,
            parents=parents,
            message=message,
            author=author,
            at=at,
        )
        self.commits[made.oid] = made
        return made

    def _tree(self, files: Files, entries: dict[str, tuple[str, str]], above: str = "") -> str:
        """Write a folder and what is below; paths of files are from there."""
        below: dict[str, dict[str, tuple[str, bytes]]] = {}
        found: dict[str, tuple[str, str]] = {}
        for path, (mode, body) in files.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = (mode, body)
            else:
                found[name] = (mode, self.blob(mode, body))
        for name, inner in below.items():
            found[name] = (FOLDER, self._tree(inner, entries, f"{above}{name}/"))
        entries |= {above + name: entry for name, entry in found.items()}
        # Git sorts folders as if their names ended in a slash.
        lines = sorted((f"{n}/" if m == FOLDER else n, n, m, o) for n, (m, o) in found.items())
        body = b"".join(
            f"{mode.lstrip('0')} {name}".encode() + b"\x00" + bytes.fromhex(oid)
            for _, name, mode, oid in lines
        )
        return object_id("tree", body)

    def blob(self, mode: str, body: bytes) -> str:
        if mode == SUBMODULE:
            return body.decode()
        oid = object_id("blob", body)
        self.blobs[oid] = body
        return oid

    def find(self, name: str) -> Commit | None:
        """A commit by its id or by a branch's name."""
        return self.commits.get(self.branches.get(name, name))

    def folder(self, oid: str) -> tuple[Commit, str] | None:
        """Some commit that has a folder of that id, and where."""
        for commit in self.commits.values():
            for path, entry in commit.entries.items():
                if entry == (FOLDER, oid):
                    return commit, path
        return None

    def beyond(self, base: str, head: str) -> list[Commit]:
        """What the head has and the base has not, newest first; first parents only."""
        known: set[str] = set()
        oid: str | None = base
        while oid:
            known.add(oid)
            oid = next(iter(self.commits[oid].parents), None)
        found = []
        oid = head
        while oid and oid not in known:
            found.append(self.commits[oid])
            oid = next(iter(self.commits[oid].parents), None)
        return found
