"""What is refused in review, refused here."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import sources
from reference import ROOT

# Written apart, so that this file does not find itself.
NAKED_TODO = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b(?!\(#\d+\))")
SKIPS = re.compile(r"pytest\.mark\.(?:skip|skipif|x" r"fail)\b|pytest\.x" r"fail\(|@unittest\.skip")
PATCHES = re.compile(r"\bmock\.p" r"atch\b|unittest(?:\.| import )mo" r"ck")
ELSEWHERE = re.compile(r"(?<![\w.])/wor" r"k/(?!\*)")
TEXT = (
    "*.py", "*.md", "*.proto", "*.toml", "*.yaml", "*.yml", "*.html", "*.css", "*.js", "Makefile",
    ".ci/*", "*.json",
)  # fmt: skip


def matches(pattern: re.Pattern[str], *globs: str) -> list[str]:
    return [
        f"{sources.name(path)}:{number}"
        for path in sources.tracked(*globs)
        if "/static/vendor/" not in str(path)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_program_says_how_it_logs() -> None:
    """By default structlog prints tracebacks with the values of variables: tokens among them."""
    programs = [
        path
        for path in sources.python_files("libs", "services")
        if '__name__ == "__main__"' in path.read_text() or path.name in {"__main__.py", "cli.py"}
    ]
    called = ("configure_logs(", "telemetry(")

    silent = [p for p in programs if not any(call in p.read_text() for call in called)]

    assert programs
    assert [sources.name(path) for path in silent] == []


def test_every_task_left_names_its_issue() -> None:
    assert matches(NAKED_TODO, "*.py", "*.proto", "Makefile", "*.html", "*.css") == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    assert matches(SKIPS, "tests/*.py", "tests/**/*.py") == []


def test_nobody_patches_our_own_code() -> None:
    assert matches(PATCHES, "*.py") == []


def test_project_names_no_path_of_a_machine() -> None:
    assert matches(ELSEWHERE, *TEXT) == []


def test_reference_material_is_asked_for_in_one_place() -> None:
    """Tests skip for the want of it with the reason, and CI turns skips into failures."""
    users = [
        path
        for path in sources.python_files("tests")
        if "COUNTERSIGN_REFERENCE" in path.read_text() and path.name != "reference.py"
    ]

    assert [sources.name(path) for path in users] == ["tests/architecture/test_manners.py"]


def test_every_module_says_what_it_owns() -> None:
    silent = [
        sources.name(path)
        for path in sources.python_files("libs", "services")
        if path.read_text().strip() and not path.read_text().lstrip().startswith(('"""', "#!"))
    ]

    assert silent == []


def test_no_module_has_a_name_that_admits_anything() -> None:
    landfill = {"utils", "common", "helpers", "base", "manager", "misc"}
    found = [
        sources.name(path)
        for path in sources.python_files("libs", "services")
        if path.stem in landfill
    ]

    assert found == []


def test_log_line_names_no_field_after_its_first_argument() -> None:
    """Structlog calls that `event`; a second one is an error where an error was to be logged."""
    found = [
        f"{sources.name(path)}:{node.lineno}"
        for path in sources.python_files("libs", "services")
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"one_entry|log\.\w+", ast.unparse(node.func))
        and any(keyword.arg == "event" for keyword in node.keywords)
    ]

    assert found == []


def test_root_has_the_usual_files() -> None:
    expected = {
        "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE",
        "Makefile", ".ci/run", "docs/adr", "docs/tokens.md",
    }  # fmt: skip

    assert {name for name in expected if not (ROOT / name).exists()} == set()


def test_who_takes_a_clock_or_dice_is_listed_as_long_as_it_does() -> None:
    """A module that has them handed in by now is to lose its line in `pyproject.toml`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    ignored = settings["per-file-ignores"]
    listed = {path for path, rules in ignored.items() if rules == ["TID251"] and "*" not in path}
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "check", "--select=TID251", "--output-format=json", "--exit-zero"]
    everywhere = "lint.per-file-ignores={}"

    done = subprocess.run(
        [*command, "--config", everywhere, "libs", "services"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    found = {str(Path(one["filename"]).relative_to(ROOT)) for one in json.loads(done.stdout)}
    assert listed - found == set()
