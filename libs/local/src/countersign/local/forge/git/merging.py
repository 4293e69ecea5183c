"""Three-way merges of trees, entry by entry; contents of files are never merged here."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from dulwich.objects import ObjectID, Tree
from dulwich.repo import Repo

MODE_TREE: Final = 0o040000


class Entry(NamedTuple):
    mode: int
    sha: ObjectID


class Conflict(Exception):
    """Both sides changed the same file."""


def merge_trees(repo: Repo, base: ObjectID, *, one: ObjectID, other: ObjectID) -> ObjectID:
    """Return the tree that has what either side changed since the base; it is written.

    Raises:
        Conflict: a file was changed on both sides, each in another way.

    """
    if one in {base, other}:
        return other
    if other == base:
        return one
    sides = [_entries(repo, tree) for tree in (base, one, other)]
    merged = Tree()
    for name in sorted(set().union(*sides)):
        kept = _merge(repo, *(side.get(name) for side in sides))
        if kept is not None:
            merged.add(name, kept.mode, kept.sha)
    repo.object_store.add_object(merged)
    return merged.id


def _merge(repo: Repo, base: Entry | None, one: Entry | None, other: Entry | None) -> Entry | None:
    if one in (base, other):
        return other
    if other == base:
        return one
    known = [entry for entry in (base, one, other) if entry is not None]
    if len(known) < len((base, one, other)) or any(e.mode != MODE_TREE for e in known):
        raise Conflict
    ours = merge_trees(repo, known[0].sha, one=known[1].sha, other=known[2].sha)
    return Entry(MODE_TREE, ours)


def _entries(repo: Repo, tree: ObjectID) -> dict[bytes, Entry]:
    found = repo[tree]
    return dict(_items(found)) if isinstance(found, Tree) else {}


def _items(tree: Tree) -> Iterator[tuple[bytes, Entry]]:
    for item in tree.items():
        yield item.path, Entry(item.mode, item.sha)
