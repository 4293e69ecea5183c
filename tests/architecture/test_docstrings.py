"""A docstring begins with a plain sentence: what a thing is, or what it does."""

import ast
from collections.abc import Iterator
from pathlib import Path

import sources

QUESTIONS = frozenset({"What", "Who", "Whose", "Which", "Whether", "How", "Where", "When"})
SECTIONS = frozenset({"Args:", "Returns:", "Raises:"})
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text
        if isinstance(node, ast.ClassDef):
            yield from ((part.lineno, text) for part in node.body if (text := _below_field(part)))


def _below_field(part: ast.stmt) -> str:
    if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
        return part.value.value if isinstance(part.value.value, str) else ""
    return ""


def test_docstring_begins_with_a_summary() -> None:
    found = [
        f"{sources.name(path)}:{line}: {text.splitlines()[0]}"
        for path in (*sources.python_files("libs", "services"), *sources.GENERATED)
        for line, text in _docstrings(path)
        if text.split()[0].rstrip(",") in QUESTIONS | SECTIONS
    ]

    assert found == []
