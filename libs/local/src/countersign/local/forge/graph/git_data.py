"""GraphQL's view of git: commits, trees, blobs, as dictionaries with lazy fields."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dulwich.objects import Blob, Commit, Tree

from countersign.local.forge.git import objects
from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.service import Service
from countersign.local.forge.wire import stamp

Node = dict[str, Any]
# The text of larger blobs is cut: https://docs.github.com/en/graphql/reference/objects#blob
TEXT_BYTES_MAX = 512_000
BINARY_SNIFF_BYTES = 8_000


@dataclass(frozen=True)
class GitNodes:
    """Objects of one repository; it is given how repositories and accounts look."""

    service: Service
    repository: Repository
    repository_node: Callable[[Repository], Node]
    account: Callable[[str], Node]

    def node(self, sha: str) -> Node | None:
        found = objects.lookup(self.service.store.git(self.repository), sha)
        node = {
            "id": f"O_{self.repository.id}_{sha}",
            "oid": sha,
            "abbreviatedOid": sha[:7],
            "repository": lambda _: self.repository_node(self.repository),
        }
        if isinstance(found, Blob):
            return node | _blob(found.as_raw_string())
        if isinstance(found, Tree):
            return node | {
                "__typename": "Tree",
                "entries": partial(self._entries, found),
            }
        return node | self._commit(found) if isinstance(found, Commit) else None

    def _entries(self, tree: Tree, _: object) -> list[Node]:
        rows = objects.entries(self.service.store.git(self.repository), tree)
        return [self._entry(row) for row in rows]

    def _entry(self, row: objects.Entry) -> Node:
        return {
            "name": row.path.rpartition("/")[2],
            "path": row.path,
            "mode": row.mode,
            "type": row.type,
            "oid": row.sha,
            "size": row.size or 0,
            "object": lambda _: self.node(row.sha),
        }

    def _commit(self, commit: Commit) -> Node:
        message, sha = commit.message.decode("utf-8", "replace"), commit.id.decode()
        page = f"{self.service.wire.origin}/{self.repository.full_name}/commit/{sha}"
        return {
            "__typename": "Commit",
            "message": message,
            "messageHeadline": message.partition("\n")[0],
            "author": self._git_actor(commit.author),
            "committer": self._git_actor(commit.committer),
            "authoredDate": stamp(datetime.fromtimestamp(commit.author_time, UTC)),
            "committedDate": stamp(datetime.fromtimestamp(commit.commit_time, UTC)),
            "tree": lambda _: self.node(commit.tree.decode()),
            "parents": lambda _, **__: self._parents(commit),
            "file": lambda _, *, path: self._file(commit, path),
            "url": page,
        }

    def _file(self, commit: Commit, path: str) -> Node | None:
        repo = self.service.store.git(self.repository)
        tree = objects.tree_of(repo, commit.id.decode())
        found = objects.entry_at(repo, tree, path) if tree else None
        if found is None:
            return None
        kind = "tree" if found[0] == objects.MODE_TREE else "blob"
        row = objects.Entry(path=path, mode=found[0], sha=found[1], type=kind, size=None)
        return self._entry(row)

    def _parents(self, commit: Commit) -> Node:
        nodes = [self.node(parent.decode()) for parent in commit.parents]
        return {"nodes": nodes, "totalCount": len(nodes), "pageInfo": page_info([], more=False)}

    def _git_actor(self, line: bytes) -> Node:
        name, _, email = line.decode("utf-8", "replace").partition(" <")
        login = email.partition("+")[2].partition("@")[0]
        known = self.service.store.person(login) is not None
        user = self.account(login) if known else None
        return {"name": name, "email": email.rstrip(">"), "user": user}


def _blob(data: bytes) -> Node:
    binary = b"\0" in data[:BINARY_SNIFF_BYTES]
    text = None if binary else data[:TEXT_BYTES_MAX].decode("utf-8", "replace")
    return {
        "__typename": "Blob",
        "byteSize": len(data),
        "isBinary": binary,
        "isTruncated": not binary and len(data) > TEXT_BYTES_MAX,
        "text": text,
    }


def page_info(cursors: list[str], *, more: bool) -> Node:
    return {
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
        "hasNextPage": more,
        "hasPreviousPage": False,
    }
