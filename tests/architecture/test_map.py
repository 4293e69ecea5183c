"""The map and the recipes name what is there, and the map names every room."""

import re
from pathlib import Path

import pytest
import sources
from reference import ROOT

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
RECIPES = ("Add an event", "Add a page", "Add a check of the auditor", "Add a forge")
PATH = re.compile(r"`((?:libs|services|tests|proto|docs|k8s|\.ci)/[^`\s]*)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
ROW = re.compile(r"^\| (\S+) \| ((?:`\w+`(?:, )?)+)(?:, …)? \|", re.MULTILINE)
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir())


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def _rooms(member: Path) -> set[str]:
    package = member / "src/countersign" / member.name.replace("-", "_")
    names = {sources.name(path) for path in sources.tracked("*/__init__.py")}
    return {
        path.name
        for path in package.iterdir()
        if path.is_dir() and f"{sources.name(path)}/__init__.py" in names
    }


def _mapped() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for member, rooms in ROW.findall(_text("ARCHITECTURE.md")):
        found.setdefault(member, set()).update(re.findall(r"\w+", rooms))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_path_that_a_document_names_is_there(name: str) -> None:
    named = PATH.findall(_text(name))
    absent = [path for path in named if not list(ROOT.glob(re.sub(r"<[^>]+>", "*", path)))]

    assert absent == []


def test_link_of_a_document_leads_somewhere() -> None:
    documents = sources.tracked("*.md")
    absent = [
        f"{sources.name(document)}: {link}"
        for document in documents
        for link in LINK.findall(document.read_text())
        if not (document.parent / link).exists()
    ]

    assert absent == []


@pytest.mark.parametrize("service", SERVICES)
def test_map_shows_every_room_of_a_service(service: str) -> None:
    assert _mapped().get(service, set()) == _rooms(ROOT / "services" / service)


@pytest.mark.parametrize("member", sorted({*_mapped()} - {*SERVICES}))
def test_map_shows_no_room_that_a_library_lacks(member: str) -> None:
    assert _mapped()[member] - _rooms(ROOT / "libs" / member) == set()


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_names_rooms(recipe: str) -> None:
    section = _text("CONTRIBUTING.md").partition(f"## {recipe}\n")[2].partition("\n## ")[0]

    assert any(path.startswith(("libs/", "services/")) for path in PATH.findall(section))
