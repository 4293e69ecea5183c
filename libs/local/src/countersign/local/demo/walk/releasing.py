"""Releases a new version into the development environment, as a team's own pipeline would."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from dulwich.objects import Blob
from dulwich.repo import Repo

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.demo.layout import Layout
from countersign.local.demo.manifests import ENVIRONMENTS, NAMESPACE
from countersign.local.forge.git import objects
from countersign.local.forge.git.objects import Identity, NewCommit
from countersign.local.refusals import LocalRefusal

# Somebody may merge a pull request between our reading of the branch and our writing of it.
_TRIES_MAX: Final = 5
_VERSION: Final = re.compile(r"(?m)^(      version: )(\d+\.\d+\.)(\d+)")
_GREETING: Final = re.compile(r"<h1>(.*?)</h1>")
_FILES: Final = {
    "checkout": f"apps/checkout/{ENVIRONMENTS[0]}/release.yaml",
    "catalog": f"apps/catalog/{ENVIRONMENTS[0]}/release.yaml",
    "search": f"apps/search/{ENVIRONMENTS[0]}/search-{ENVIRONMENTS[0]}.yaml",
    "website": "deploy/website.yaml",
}


def release(layout: Layout, pipeline: str) -> str:
    """Commit something new for the first environment; returns the revision as the board says it.

    It is written into the forge's repository, past the protection of its branch.

    Raises:
        Rejected: `unknown_pipeline`.
        Retryable: `busy`.

    """
    repository = "website" if pipeline == "website" else "gitops"
    path = layout.forge / "repositories" / NAMESPACE / f"{repository}.git"
    if pipeline not in _FILES or not path.is_dir():
        known = ", ".join(_FILES)
        raise Rejected(
            LocalRefusal.UNKNOWN_PIPELINE, f"no {pipeline!r} in {layout.root}; known: {known}"
        )
    edit = next_greeting if pipeline == "website" else next_patch
    with Repo(str(path)) as repo:
        for _ in range(_TRIES_MAX):
            commit, version = _commit(repo, _FILES[pipeline], edit)
            if commit:
                return version or f"main@{commit[:7]}"
    raise Retryable(
        LocalRefusal.BUSY, f"{path}: main moved {_TRIES_MAX} times while it was written"
    )


def _commit(repo: Repo, file: str, edit: Callable[[str], tuple[str, str]]) -> tuple[str, str]:
    """The commit, empty if the branch moved meanwhile; and the version, if there is one."""
    head = objects.branch_sha(repo, "main")
    tree = objects.tree_of(repo, head) if head else None
    found = objects.entry_at(repo, tree, file) if tree else None
    blob = objects.lookup(repo, found[1]) if found else None
    if head is None or tree is None or not isinstance(blob, Blob):
        raise Rejected(LocalRefusal.UNKNOWN_PIPELINE, f"there is no {file} on main")
    text, version = edit(blob.as_raw_string().decode())
    changed = (objects.MODE_FILE, objects.write_blob(repo, text.encode()))
    who = Identity(name="Release", email="release@example.invalid", when=datetime.now(UTC))
    new = NewCommit(
        tree=objects.write_tree(repo, tree, {file: changed}),
        parents=[head],
        author=who,
        committer=who,
        message=f"Release {version or 'a new greeting'}",
    )
    sha = objects.write_commit(repo, new)
    moved = not objects.set_ref(repo, "refs/heads/main", old=head, new=sha)
    return ("" if moved else sha), version


def next_patch(manifest: str) -> tuple[str, str]:
    """The manifest with the next patch version, and that version."""
    match = _VERSION.search(manifest)
    if match is None:
        raise Rejected(LocalRefusal.NO_VERSION, "the manifest has no version like 6.9.0")
    version = f"{match[2]}{int(match[3]) + 1}"
    return _VERSION.sub(lambda m: f"{m[1]}{version}", manifest, count=1), version


def next_greeting(manifest: str) -> tuple[str, str]:
    """The manifest with another greeting; a website has no version."""
    return _GREETING.sub(lambda m: f"<h1>{m[1]} again</h1>", manifest, count=1), ""
