"""A file with several documents is edited as if all of it were parsed, and little of it is."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.pr_writer.executor.manifests.scalars import apply
from countersign.pr_writer.jobs.markers import Markers, Misplacement
from countersign.pr_writer.parser.documents import NODES_MAX, documents, lines_in
from countersign.pr_writer.parser.marking import Document
from countersign.pr_writer.parser.scanning import find
from countersign.pr_writer.parser.verification import verify

KEY = "ns:app:prod"
M = '# {"$promotion": "ns:app:prod"}'


def parts(text: str) -> list[str]:
    return [part.decode() for part in documents(text.encode())]


@pytest.mark.parametrize(
    ("text", "divided"),
    [
        ("a: 1\n---\nb: 2\n", ["a: 1\n", "---\nb: 2\n"]),
        ("---\na: 1\n--- # c\nb: 2\n", ["---\na: 1\n", "--- # c\nb: 2\n"]),
        ("a: 1\r\n---\r\nb: 2\r\n", ["a: 1\r\n", "---\r\nb: 2\r\n"]),
        ("a: 1\n---", ["a: 1\n", "---"]),
        ("a: 1\n--- {b: 2}\n---\tc\n", ["a: 1\n", "--- {b: 2}\n", "---\tc\n"]),
        # In a block, in quotes and in brackets it is indented, or the file is no YAML.
        ("a: |\n  x\n  ---\n  y\n", ["a: |\n  x\n  ---\n  y\n"]),
        ("- |-\n ---\n", ["- |-\n ---\n"]),
        ('a: "x\n  ---\n  y"\n', ['a: "x\n  ---\n  y"\n']),
        # It begins none where something follows at once.
        ("a\n---b\n----\n---#\n", ["a\n---b\n----\n---#\n"]),
        # Less is divided than could be where line breaks are those of YAML 1.1 alone.
        ("a: 1\r---\rb: 2\r", ["a: 1\r---\rb: 2\r"]),
        ("a: 1\x85---\nb: 2\n", ["a: 1\x85---\nb: 2\n"]),
        ("a: 1\n---\x85b: 2\n", ["a: 1\n---\x85b: 2\n"]),
        # A directive stays with what it is for.
        ("%YAML 1.1\n---\na: 1\n---\nb: 2\n", ["%YAML 1.1\n---\na: 1\n", "---\nb: 2\n"]),
        (
            "a: 1\n---\nb: 1\n...\n# c\n%TAG !e! tag:x:\n---\nc: !e!d 1\n---\nd: 1\n",
            ["a: 1\n", "---\nb: 1\n...\n# c\n%TAG !e! tag:x:\n---\nc: !e!d 1\n", "---\nd: 1\n"],
        ),
        ("a: 1\n...\r%YAML 1.1\n---\nb: 1\n", ["a: 1\n...\r%YAML 1.1\n---\nb: 1\n"]),
        ("", [""]),
    ],
)
def test_file_is_divided_where_a_document_begins_for_certain(text: str, divided: list[str]) -> None:
    assert parts(text) == divided


def shapes(text: str) -> list[tuple[str, str, str]]:
    """The documents of a text, without where they are and where the text begins and ends."""
    return [
        (type(e).__name__, str(getattr(e, "value", "")), str(getattr(e, "tag", "")))
        for e in yaml.parse(text, Loader=yaml.CSafeLoader)
        if not isinstance(e, yaml.StreamStartEvent | yaml.StreamEndEvent)
    ]


_piece = st.sampled_from(
    ["---", "...", "%YAML 1.1", "%TAG !e! tag:x:", "\n", "\r\n", "\r", "\x85", "\u2028", " ", "\t",
     "a: ", "- ", "|", ">-", '"', "'", "[", "]", "{", "}", "&x ", "*x", "!e!t ", "#", ": ", "b",
     "\n---\n", "\n--- ", "\n---\r\n", "\n ---\n", "a: 1\n", "  ", "\ufeff", "sops", M, f" {M}\n"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(_piece, max_size=24).map("".join))
@example("a: 1\n---\x85%YAML 1.1\n---\nb: 1\n")
def test_parts_are_the_file_and_mean_what_it_means(text: str) -> None:
    """Whatever libyaml takes, it takes in parts too, and reads the same documents in them."""
    divided = parts(text)
    try:
        whole = shapes(text)
    except yaml.YAMLError:
        whole = None

    assert "".join(divided) == text
    if whole is not None and not text.startswith("\ufeff"):
        assert [s for part in divided for s in shapes(part)] == whole


@settings(max_examples=600, deadline=None)
@given(st.lists(_piece, max_size=24).map(lambda pieces: "".join([*pieces, "\nv: 1 ", M])))
def test_markers_of_a_file_are_those_that_parsing_all_of_it_finds(text: str) -> None:
    try:
        whole = Document(text, start=0, line=0, nodes_max=NODES_MAX)
    except (yaml.YAMLError, Rejected):
        return
    if text.startswith("\ufeff"):
        return
    found = find(text.encode())

    if any(m.reason is Misplacement.SEALED for m in found.misplaced):
        return
    assert found == whole.markers(sealed=False)


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    text = "a\r\nb\rc\nd\x85e\u2028f\u2029g\n\r"

    assert lines_in(text.encode()) == 8


def test_place_is_told_by_bytes_and_lines_of_the_whole_file() -> None:
    text = f"\ufeffé: 1\r\n---\r\nb: '😀'\r\n---\r\nv: 1.0.0 {M}\r\n---\r\n{M}\r\n"
    body = text.encode()

    found = find(body)

    (place,) = found.marked
    assert body[place.start : place.end] == b"1.0.0"
    assert place.line == 5
    assert [(m.line, m.reason) for m in found.misplaced] == [(7, Misplacement.ABOVE_NOTHING)]


def test_document_without_a_marker_is_not_looked_into() -> None:
    """It may be large, deep or no YAML at all; it is nothing to the others."""
    others = "a: [\n", "b: " + "[" * 200, "c: 1\n" * 60_000, "{{ if .x }}\n"

    text = f"v: 1.0.0 {M}\n---\n" + "\n---\n".join(others)

    assert len(find(text.encode()).marked) == 1


def test_documents_with_markers_share_the_bound_of_a_file() -> None:
    one = "---\n" + "a: 1\n" * 10_000 + f"v: 1 {M}\n"

    assert len(find((one * 2).encode()).marked) == 2
    with pytest.raises(Rejected, match="limit_exceeded"):
        find((one * 3).encode())


def test_no_yaml_in_a_document_with_a_marker_is_told_with_the_line_of_the_file() -> None:
    with pytest.raises(Rejected, match="not_yaml: line 4"):
        find(f"a: 1\n---\nb: 1\nc: ]\nd: 1 {M}\n".encode())


def edited(text: str) -> tuple[bytes, bytes, Markers]:
    body = text.encode()
    found = find(body)
    after, _ = apply(body, found.marked, key=KEY, values={"": "6.1.0"})
    return body, after, found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("b: 2", "b: 3", id="in another document"),
        pytest.param("# c", "# d", id="in a comment of another document"),
        pytest.param("---\nb: 2", "b: 2", id="a document less"),
        pytest.param("b: 2", "b: 2\n---\nx: 1", id="a document more"),
        pytest.param("\ufeff", "", id="the byte order mark"),
        pytest.param("w: 1", "w: 2", id="in the same document"),
    ],
)
def test_verify_refuses_a_change_elsewhere(old: str, new: str) -> None:
    body, after, found = edited(f"\ufeffa: 1\n---\nb: 2 # c\n---\nv: 1.0.0 {M}\nw: 1\n")
    verify(body, after, places=found.marked, key=KEY, values={"": "6.1.0"})

    changed = after.replace(old.encode(), new.encode(), 1)

    assert changed != after
    with pytest.raises(Rejected, match="not_promotable"):
        verify(body, changed, places=found.marked, key=KEY, values={"": "6.1.0"})


def test_values_in_several_documents_are_written_and_verified_together() -> None:
    body, after, found = edited(f"v: 1.0.0 {M}\n---\nb: 1\n---\nv: '1' {M}\nw: 6.1.0 {M}\n")

    assert after.decode() == f"v: 6.1.0 {M}\n---\nb: 1\n---\nv: '6.1.0' {M}\nw: 6.1.0 {M}\n"
    changed = found.marked[:2]
    verify(body, after, places=changed, key=KEY, values={"": "6.1.0"})
    with pytest.raises(Rejected, match="not_promotable"):
        verify(body, after, places=changed[:1], key=KEY, values={"": "6.1.0"})
