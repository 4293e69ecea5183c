"""Every requirement has a test that exists, or says why it has none."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from reference import ROOT

PAGE = ROOT / "docs" / "security-requirements.md"
ROW = re.compile(r"^\| ((?:SR|RR)-\d+) \| (.+?) \| (.*?) \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
WANTED = [f"SR-{n}" for n in range(1, 63)] + [f"RR-{n}" for n in range(1, 27)]
COUNT = re.compile(r"(\d+) (met|partly|not met|not applicable)[,.]")
PROVEN, UNPROVEN = {"met", "partly"}, {"not met", "not applicable"}
# In all documents: what is named there as seen, is there to be seen.
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
PATH = re.compile(r"`(tests/[\w/.]+)(?:::(test_\w+))?`")


class Row(NamedTuple):
    id: str
    requirement: str
    state: str
    proof: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        return TEST.findall(self.proof)

    @property
    def reason(self) -> str:
        return TEST.sub("", self.proof).replace("<br>", "").strip()


def rows() -> Iterator[Row]:
    return (Row(*found) for found in ROW.findall(PAGE.read_text()))


def flaw(row: Row) -> str:
    """Say what is wrong with a row; empty where nothing is."""
    if row.state not in PROVEN | UNPROVEN:
        return "has no state"
    if row.state in PROVEN and not row.tests:
        return "names no test"
    if row.state != "met" and not row.reason:
        return "gives no reason"
    return ""


def test_every_requirement_has_its_row() -> None:
    assert [row.id for row in rows()] == WANTED


def test_states_are_as_many_as_the_page_says() -> None:
    told = [
        {state: int(count) for count, state in COUNT.findall(line)}
        for line in PAGE.read_text().splitlines()
        if COUNT.match(line)
    ]
    found = [
        Counter(row.state for row in rows() if row.id.startswith(kind)) for kind in ("SR", "RR")
    ]

    assert told == found


def test_every_row_has_a_test_or_a_reason() -> None:
    assert {row.id: said for row in rows() if (said := flaw(row))} == {}


@pytest.mark.parametrize(
    "row",
    [
        Row("SR-1", "x", "met", "it is well"),
        Row("SR-1", "x", "partly", "`tests/a/test_b.py::test_c`"),
        Row("SR-1", "x", "not met", ""),
        Row("SR-1", "x", "", "`tests/a/test_b.py::test_c`<br>because"),
    ],
    ids=["no test", "no reason", "nothing", "no state"],
)
def test_row_with_neither_is_found(row: Row) -> None:
    assert flaw(row) != ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_a_document_names_exist(document: Path) -> None:
    missing = []
    for path, name in PATH.findall(document.read_text()):
        place = ROOT / path
        here = place.exists() and (not name or re.search(rf"def {name}\(", place.read_text()))
        if not here:
            missing.append(f"{path}::{name}")

    assert missing == []
