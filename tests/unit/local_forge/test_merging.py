"""Trees are merged as git merges them, file by file."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from dulwich.objects import ObjectID
from dulwich.repo import Repo

from countersign.local.forge.git import objects
from countersign.local.forge.git.merging import Conflict, merge_trees

BASE = {"a/one": "1", "a/two": "2", "b": "3"}


@pytest.fixture(name="repo")
def repo_fixture(tmp_path: Path) -> Repo:
    objects.create(tmp_path / "it.git", default_branch="main")
    return Repo(str(tmp_path / "it.git"))


def _tree(repo: Repo, files: Mapping[str, str]) -> ObjectID:
    changes: dict[str, tuple[int, str] | None] = {
        path: (objects.MODE_FILE, objects.write_blob(repo, text.encode()))
        for path, text in files.items()
    }
    return objects.oid(objects.write_tree(repo, None, changes))


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        ({**BASE, "a/one": "x"}, {**BASE, "a/two": "y"}, {**BASE, "a/one": "x", "a/two": "y"}),
        ({**BASE, "c/new": "x"}, {**BASE, "b": "y"}, {**BASE, "c/new": "x", "b": "y"}),
        ({"a/one": "1", "b": "3"}, {**BASE, "b": "y"}, {"a/one": "1", "b": "y"}),
        ({**BASE, "b": "x"}, {**BASE, "b": "x"}, {**BASE, "b": "x"}),
        (BASE, {**BASE, "b": "y"}, {**BASE, "b": "y"}),
    ],
    ids=["two-files", "new-file", "deleted-file", "same-change", "one-side"],
)
def test_changes_of_both_sides_are_kept(
    repo: Repo, one: dict[str, str], other: dict[str, str], merged: dict[str, str]
) -> None:
    base = _tree(repo, BASE)

    found = merge_trees(repo, base, one=_tree(repo, one), other=_tree(repo, other))

    assert found == _tree(repo, merged)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({**BASE, "b": "x"}, {**BASE, "b": "y"}),
        ({"a/one": "1", "a/two": "2"}, {**BASE, "b": "y"}),
        ({**BASE, "c": "x"}, {**BASE, "c": "y"}),
        ({"a": "file", "b": "3"}, {**BASE, "a/one": "x"}),
    ],
    ids=["changed-twice", "deleted-and-changed", "added-twice", "folder-and-file"],
)
def test_file_that_both_sides_changed_is_a_conflict(
    repo: Repo, one: dict[str, str], other: dict[str, str]
) -> None:
    with pytest.raises(Conflict):
        merge_trees(repo, _tree(repo, BASE), one=_tree(repo, one), other=_tree(repo, other))
