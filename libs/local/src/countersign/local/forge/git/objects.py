"""Reads and writes a bare repository: objects by dulwich, in the process."""

import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

from dulwich.graph import can_fast_forward, find_merge_base
from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.patch import write_tree_diff
from dulwich.refs import Ref, check_ref_format
from dulwich.repo import Repo

from countersign.local.forge.git.merging import Conflict, merge_trees

MERGE_TIMEOUT_S = 30.0
MODE_FILE = 0o100644
# A push over HTTP names the protected refs; a push past the forge, by path, may do everything.
UPDATE_HOOK = """#!/bin/sh
case " $FORGE_PROTECTED_REFS " in
*" $1 "*)
  echo "error: GH006: Protected branch update failed for $1." >&2
  exit 1
  ;;
esac
"""
MODE_TREE = 0o040000
OID_CHARACTERS = 40


@dataclass(frozen=True, kw_only=True)
class Entry:
    path: str
    mode: int
    sha: str
    type: str
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Identity:
    name: str
    email: str
    when: datetime

    @property
    def line(self) -> bytes:
        return f"{self.name} <{self.email}>".encode()


def oid(sha: str) -> ObjectID:
    return ObjectID(sha.encode())


def create(path: Path, *, default_branch: str) -> None:
    path.mkdir(parents=True)
    repo = Repo.init_bare(path, default_branch=default_branch.encode())
    config = repo.get_config()
    # The process holds packed refs in memory, so nothing may pack them behind its back.
    config.set((b"gc",), b"auto", b"0")
    config.set((b"receive",), b"autogc", b"false")
    config.set((b"http",), b"receivepack", b"true")
    config.set((b"uploadpack",), b"allowFilter", b"true")
    config.write_to_path()
    hook = path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(UPDATE_HOOK, "ascii")
    hook.chmod(0o755)
    repo.close()


def ref_sha(repo: Repo, name: str) -> str | None:
    try:
        return repo.refs[Ref(name.encode())].decode()
    except KeyError:
        return None


def branch_sha(repo: Repo, branch: str) -> str | None:
    return ref_sha(repo, f"refs/heads/{branch}")


def branches(repo: Repo) -> dict[str, str]:
    prefix = b"refs/heads/"
    return {
        name.decode(): sha.decode() for name, sha in repo.refs.as_dict(Ref(prefix)).items() if sha
    }


def all_refs(repo: Repo) -> dict[str, str]:
    return {name.decode(): sha.decode() for name, sha in repo.refs.as_dict().items()}


def valid_ref(name: str) -> bool:
    return name.startswith("refs/") and check_ref_format(Ref(name.encode()))


def set_ref(repo: Repo, name: str, *, old: str | None, new: str) -> bool:
    """Move a ref if it still is where the caller saw it; `old=None` creates it."""
    ref = Ref(name.encode())
    try:
        if old is None:
            return repo.refs.add_if_new(ref, oid(new))
        return repo.refs.set_if_equals(ref, oid(old), oid(new))
    except OSError:
        # "a" and "a/b" cannot both be branches: one is a file, the other its directory.
        return False


def delete_ref(repo: Repo, name: str, *, old: str) -> bool:
    return repo.refs.remove_if_equals(Ref(name.encode()), oid(old))


def lookup(repo: Repo, sha: str) -> ShaFile | None:
    if len(sha) != OID_CHARACTERS:
        return None
    try:
        return repo[oid(sha)]
    except (KeyError, ValueError):
        return None


def commit_of(repo: Repo, revision: str) -> Commit | None:
    """A commit by its id, its full ref, or the name of a branch or tag."""
    for name in (revision, f"refs/{revision}", f"refs/heads/{revision}", f"refs/tags/{revision}"):
        sha = ref_sha(repo, name) if name.startswith("refs/") or name == "HEAD" else None
        if sha:
            found = lookup(repo, sha)
            return found if isinstance(found, Commit) else None
    found = lookup(repo, revision)
    return found if isinstance(found, Commit) else None


def tree_of(repo: Repo, revision: str) -> Tree | None:
    """The tree of a commit-ish, or the tree itself by id."""
    commit = commit_of(repo, revision)
    found = lookup(repo, commit.tree.decode() if commit else revision)
    return found if isinstance(found, Tree) else None


def entry_at(repo: Repo, tree: Tree, path: str) -> tuple[int, str] | None:
    """Mode and id of what lies at a path; the tree itself for an empty path."""
    if not path:
        return MODE_TREE, tree.id.decode()
    try:
        mode, sha = tree.lookup_path(repo.object_store.__getitem__, path.encode())
    except (KeyError, ValueError, NotADirectoryError):
        return None
    return mode, sha.decode()


def entries(repo: Repo, tree: Tree, *, recursive: bool = False) -> Iterator[Entry]:
    yield from _entries(repo.object_store, tree, "", recursive=recursive)


def _entries(
    objects: BaseObjectStore, tree: Tree, prefix: str, *, recursive: bool
) -> Iterator[Entry]:
    for item in tree.items():
        path = prefix + item.path.decode("utf-8", "surrogateescape")
        kind = "tree" if stat.S_ISDIR(item.mode) else "blob"
        if item.mode & 0o170000 == 0o160000:  # noqa: PLR2004 - git's mode of a submodule
            kind = "commit"
        found = objects[item.sha] if kind == "blob" or (kind == "tree" and recursive) else None
        size = found.raw_length() if isinstance(found, Blob) else None
        yield Entry(path=path, mode=item.mode, sha=item.sha.decode(), type=kind, size=size)
        if recursive and isinstance(found, Tree):
            yield from _entries(objects, found, path + "/", recursive=True)


def write_blob(repo: Repo, content: bytes) -> str:
    blob = Blob.from_string(content)
    repo.object_store.add_object(blob)
    return blob.id.decode()


def write_tree(repo: Repo, base: Tree | None, changes: Mapping[str, tuple[int, str] | None]) -> str:
    """A tree like `base` with entries at paths replaced, added, or (None) taken away."""
    tree = Tree()
    for item in base.items() if base else ():
        tree.add(item.path, item.mode, item.sha)
    below: dict[str, dict[str, tuple[int, str] | None]] = {}
    for path, change in changes.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = change
        elif change is None:
            if name.encode() in tree:
                del tree[name.encode()]
        else:
            tree.add(name.encode(), change[0], oid(change[1]))
    for name, inner in below.items():
        _write_subtree(repo, tree, name.encode(), inner)
    repo.object_store.add_object(tree)
    return tree.id.decode()


def _write_subtree(
    repo: Repo, tree: Tree, name: bytes, changes: Mapping[str, tuple[int, str] | None]
) -> None:
    old = repo[tree[name][1]] if name in tree else None
    sha = write_tree(repo, old if isinstance(old, Tree) else None, changes)
    if len(repo[oid(sha)].as_raw_string()) == 0:
        # git has no empty directories.
        if name in tree:
            del tree[name]
        return
    tree.add(name, MODE_TREE, oid(sha))


@dataclass(frozen=True, kw_only=True)
class NewCommit:
    tree: str
    parents: list[str]
    author: Identity
    committer: Identity
    message: str


def write_commit(repo: Repo, new: NewCommit) -> str:
    commit = Commit()
    commit.tree = oid(new.tree)
    commit.parents = [oid(parent) for parent in new.parents]
    commit.author, commit.committer = new.author.line, new.committer.line
    commit.author_time = int(new.author.when.timestamp())
    commit.commit_time = int(new.committer.when.timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = new.message.encode()
    repo.object_store.add_object(commit)
    return commit.id.decode()


def merge_base(repo: Repo, one: str, other: str) -> str | None:
    found = find_merge_base(repo, [oid(one), oid(other)])
    return found[0].decode() if found else None


def is_ancestor(repo: Repo, old: str, new: str) -> bool:
    return can_fast_forward(repo, oid(old), oid(new))


def merged_tree(repo: Repo, base: str, head: str) -> str | None:
    """The tree of both merged, or None where a person would have to resolve a conflict."""
    if is_ancestor(repo, base, head):
        found = tree_of(repo, head)
        return found.id.decode() if found else None
    fork = merge_base(repo, base, head)
    sides = [tree_of(repo, sha) for sha in (fork, base, head) if sha is not None]
    if None in sides or len(sides) < len(("fork", "base", "head")):
        return _merged_by_git(repo, base, head)
    old, one, other = (tree.id for tree in sides if tree is not None)
    try:
        return merge_trees(repo, old, one=one, other=other).decode()
    except Conflict:
        return _merged_by_git(repo, base, head)


def _merged_by_git(repo: Repo, base: str, head: str) -> str | None:
    """Merge the contents of files too; where there is no git, that is a conflict."""
    try:
        done = subprocess.run(
            ["git", "-C", repo.path, "merge-tree", "--write-tree", base, head],
            capture_output=True,
            check=False,
            timeout=MERGE_TIMEOUT_S,
        )
    except FileNotFoundError:
        return None
    if done.returncode != 0:
        return None
    return done.stdout.decode().split()[0]


def diff(repo: Repo, old_tree: str | None, new_tree: str) -> str:
    out = BytesIO()
    write_tree_diff(out, repo.object_store, oid(old_tree) if old_tree else None, oid(new_tree))
    return out.getvalue().decode("utf-8", "replace")
