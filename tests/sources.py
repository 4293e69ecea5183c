"""The files of the project, as the tests of its structure read them."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

from reference import ROOT

GENERATED = frozenset({ROOT / "libs/contracts/src/countersign/contracts/messages.py"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def tracked(*patterns: str) -> list[Path]:
    """Files that belong to the repository, those not committed yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file()]


def python_files(*folders: str) -> list[Path]:
    found = tracked(*(f"{folder}/**/*.py" for folder in folders or ("libs", "services", "tests")))
    return [path for path in found if path not in GENERATED]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
