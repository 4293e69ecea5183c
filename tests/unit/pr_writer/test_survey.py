"""What is read of a repository, given what is known of it."""

import pytest

from countersign.contracts.errors import Rejected
from countersign.dialects.interface import Entry, Folder, Tip, View
from countersign.pr_writer.executor import survey
from countersign.pr_writer.jobs.model import Known

KEY = "ns:app:prod"
FULL = Known(markers={"a1": (KEY,), "b1": (), "d1": (KEY,), "e1": ()}, files={"prod/a.yaml": "a1"})


def file(path: str, oid: str, size_bytes: int = 10) -> Entry:
    return Entry(path=path, oid=oid, is_folder=False, is_file=True, size_bytes=size_bytes)


def folder(path: str, oid: str) -> Entry:
    return Entry(path=path, oid=oid, is_folder=True, is_file=False)


def view(*, root: Folder, prod: Folder, tree: str = "root") -> View:
    return View(
        repository_id="1",
        handle="R",
        viewer=None,
        may_write=True,
        archived=False,
        base=Tip(commit="c", tree=tree, parents=(), committed_at_s=0),
        head=None,
        pulls=(),
        previous=(),
        folders={"": root, "prod": prod},
        files={},
        read_at_s=0,
    )


ROOT = Folder(
    oid="root", entries=(folder("prod", "d1"), folder("other", "e1"), file("README.md", "r"))
)
PROD = Folder(oid="d1", entries=(file("prod/a.yaml", "a1"), file("prod/b.yaml", "b1")))


def test_known_repository_needs_only_the_files_that_hold_our_key() -> None:
    found = survey.walk(view(root=ROOT, prod=PROD), FULL, key=KEY, root="")

    assert found.complete
    assert [e.path for e in found.read] == ["prod/a.yaml"]


def test_file_that_changed_is_read_again() -> None:
    changed = Folder(oid="d1", entries=(file("prod/a.yaml", "a1"), file("prod/b.yaml", "b2")))

    found = survey.walk(view(root=ROOT, prod=changed), FULL, key=KEY, root="")

    assert [e.path for e in found.read] == ["prod/a.yaml", "prod/b.yaml"]


@pytest.mark.parametrize(
    "seen",
    [
        view(root=Folder(oid="root", entries=(*ROOT.entries, folder("new", "n1"))), prod=PROD),
        view(root=ROOT, prod=Folder(oid="other", entries=PROD.entries)),
        view(root=ROOT, prod=PROD, tree="moved"),
    ],
    ids=["unknown folder", "folder of another id", "base moved meanwhile"],
)
def test_survey_is_incomplete_where_ids_do_not_chain(seen: View) -> None:
    assert not survey.walk(seen, FULL, key=KEY, root="").complete


def test_learning_says_of_folders_what_is_below_them() -> None:
    listed = (
        folder("prod", "d9"),
        folder("prod/x", "x9"),
        file("prod/a.yaml", "a9"),
        file("prod/x/b.yaml", "b9"),
    )
    chosen = survey.choose(listed, Known(), key=KEY)

    learned = survey.learn(chosen, {"prod/a.yaml": (KEY,), "prod/x/b.yaml": ()}, Known())

    assert learned.markers == {"a9": (KEY,), "b9": (), "d9": (KEY,), "x9": ()}
    assert learned.files == {"prod/a.yaml": "a9"}


def test_folder_with_an_unread_file_is_not_called_known() -> None:
    listed = (folder("prod", "d9"), file("prod/a.yaml", "a9"))

    learned = survey.learn(survey.choose(listed, Known(), key=KEY), {}, Known())

    assert learned.markers == {}


def test_too_many_candidates_are_refused_with_what_to_do() -> None:
    many = [file(f"{n}.yaml", str(n)) for n in range(survey.CANDIDATES_MAX + 1)]

    with pytest.raises(Rejected, match="set a path"):
        survey.choose(many, Known(), key=KEY)


def test_large_file_is_set_aside() -> None:
    found = survey.choose([file("a.yaml", "a", 5_000_000)], Known(), key=KEY)

    assert found.read == ()
    assert [e.path for e in found.too_large] == ["a.yaml"]


def test_folders_to_see_lead_to_each_file_of_ours_and_to_the_root() -> None:
    known = Known(
        markers={"x": (KEY,), "y": ("ns:app:dev",)}, files={"a/b/c.yaml": "x", "d/e.yaml": "y"}
    )

    assert survey.folders_to_see(known, key=KEY, root="") == ("", "a", "a/b")
    assert survey.folders_to_see(Known(), key=KEY, root="a/b") == ("", "a", "a/b")
    assert survey.folders_to_see(Known(), key=KEY, root="") == ()
