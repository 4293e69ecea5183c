"""What is read of a repository, given what is known of it."""

import pytest

from countersign.contracts.errors import Rejected
from countersign.dialects.repositories.contents import EntryKind, Folder, Tip, TreeEntry
from countersign.dialects.repositories.interface import View
from countersign.pr_writer.executor.manifests import survey
from countersign.pr_writer.jobs.outcomes import Known

KEY = "ns:app:prod"
FULL = Known(markers={"a1": (KEY,), "b1": (), "d1": (KEY,), "e1": ()}, files={"prod/a.yaml": "a1"})


def file(path: str, oid: str, size_bytes: int = 10) -> TreeEntry:
    return TreeEntry(path=path, kind=EntryKind.FILE, object_id=oid, size_bytes=size_bytes)


def folder(path: str, oid: str) -> TreeEntry:
    return TreeEntry(path=path, kind=EntryKind.FOLDER, object_id=oid)


def view(*, root: Folder, prod: Folder) -> View:
    return View(
        repository_id="1",
        viewer=None,
        may_write=True,
        archived=False,
        base=Tip(commit="c", committed_at_s=0),
        head=None,
        pulls=(),
        previous=(),
        folders={"": root, "prod": prod},
        files={},
        read_at_s=0,
    )


ROOT = Folder(
    object_id="root", entries=(folder("prod", "d1"), folder("other", "e1"), file("README.md", "r"))
)
PROD = Folder(object_id="d1", entries=(file("prod/a.yaml", "a1"), file("prod/b.yaml", "b1")))


def test_known_repository_needs_only_the_files_that_hold_our_key() -> None:
    found = survey.walk(view(root=ROOT, prod=PROD), FULL, key=KEY, root="")

    assert found.complete
    assert [e.path for e in found.read] == ["prod/a.yaml"]


def test_file_that_changed_is_read_again() -> None:
    changed = Folder(object_id="d1", entries=(file("prod/a.yaml", "a1"), file("prod/b.yaml", "b2")))

    found = survey.walk(view(root=ROOT, prod=changed), FULL, key=KEY, root="")

    assert [e.path for e in found.read] == ["prod/a.yaml", "prod/b.yaml"]


@pytest.mark.parametrize(
    "seen",
    [
        view(
            root=Folder(object_id="root", entries=(*ROOT.entries, folder("new", "n1"))), prod=PROD
        ),
        view(root=ROOT, prod=Folder(object_id="other", entries=PROD.entries)),
    ],
    ids=["unknown folder", "folder of another id"],
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

    with pytest.raises(Rejected, match="a path"):
        survey.choose(many, Known(), key=KEY)


def test_large_files_are_set_aside_and_what_no_parser_takes_is_not_read() -> None:
    sizes = {"a.yaml": 5_000_000, "b.yaml": 9_000_000, "c.yaml": 200_000}

    found = survey.choose([file(p, p, size) for p, size in sizes.items()], Known(), key=KEY)

    assert [e.path for e in found.read] == ["c.yaml"]
    assert [e.path for e in found.large] == ["a.yaml"]
    assert found.skipped == ("b.yaml",)


def test_large_file_that_is_known_to_hold_no_marker_is_not_read_again() -> None:
    known = Known(markers={"a": (), "b": (KEY,)})
    listed = [file("a.yaml", "a", 5_000_000), file("b.yaml", "b", 5_000_000)]

    assert [e.path for e in survey.choose(listed, known, key=KEY).large] == ["b.yaml"]


def test_file_whose_size_only_reading_told_is_read_as_large_or_left() -> None:
    listed = [
        TreeEntry(path=path, kind=EntryKind.FILE, object_id=path) for path in ("a.yaml", "b.yaml")
    ]
    found = survey.choose(listed, Known(), key=KEY)
    assert [e.path for e in found.read] == ["a.yaml", "b.yaml"]

    told = [file("a.yaml", "a", 5_000_000), file("b.yaml", "b", 40_000_000)]
    sized = survey.with_sizes(found, told)

    assert [e.path for e in sized.large] == ["a.yaml"]
    assert sized.skipped == ("b.yaml",)


def test_large_files_of_ours_are_read_first_then_small_ones() -> None:
    known = Known(markers={"z": (KEY,), "y": ("ns:app:dev",)})
    listed = [file("a.yaml", "a", 3_000_000), file("b.yaml", "b", 1_000_000)]
    ours = file("z.yaml", "z", 5_000_000)

    ordered = survey.in_order([*listed, ours], known, key=KEY)

    assert [e.path for e in ordered] == ["z.yaml", "b.yaml", "a.yaml"]


def test_folders_to_see_lead_to_each_file_of_ours_and_to_the_root() -> None:
    known = Known(
        markers={"x": (KEY,), "y": ("ns:app:dev",)}, files={"a/b/c.yaml": "x", "d/e.yaml": "y"}
    )

    assert survey.folders_to_see(known, key=KEY, root="") == ("", "a", "a/b")
    assert survey.folders_to_see(Known(), key=KEY, root="a/b") == ("", "a", "a/b")
    assert survey.folders_to_see(Known(), key=KEY, root="") == ()


def test_forge_without_object_ids_has_every_file_read_again() -> None:
    """An empty id must not say of one file what is known of another."""
    listed = [file("prod/a.yaml", ""), file("prod/b.yaml", ""), folder("prod", "")]
    first = survey.choose(listed, Known(), key=KEY)

    learned = survey.learn(first, {"prod/a.yaml": (), "prod/b.yaml": (KEY,)}, Known())
    again = survey.choose(listed, learned, key=KEY)

    assert learned == Known()
    assert [e.path for e in again.read] == ["prod/a.yaml", "prod/b.yaml"]


def test_folder_without_object_ids_leads_nowhere() -> None:
    root = Folder(object_id="", entries=(folder("prod", ""),))
    prod = Folder(object_id="", entries=(file("prod/a.yaml", ""),))

    assert not survey.walk(view(root=root, prod=prod), FULL, key=KEY, root="").complete


def test_file_of_unknown_size_is_read() -> None:
    found = survey.choose(
        [TreeEntry(path="a.yaml", kind=EntryKind.FILE, object_id="a")], Known(), key=KEY
    )

    assert [e.path for e in found.read] == ["a.yaml"]


def test_file_that_flux_does_not_read_either_is_named() -> None:
    listed = (file("prod/a.YAML", "a1"), file("prod/b.yaml", "b1"), file("README.md", "r"))

    (note,) = survey.unread(survey.choose(listed, Known(), key=KEY))

    assert "prod/a.YAML" in note
