"""A docstring begins with a plain sentence: what a thing is, or what it does."""

import ast
from collections.abc import Iterator
from pathlib import Path

import sources

QUESTIONS = frozenset({"What", "Who", "Whose", "Which", "Whether", "How", "Where", "When"})
# They begin parts of sentences, of which the name would be the beginning.
PARTS = frozenset(
    {"Of", "Until", "From", "As", "With", "Within", "On", "None", "Without", "While", "Only"}
)
SECTIONS = frozenset({"Args:", "Returns:", "Raises:"})
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def _notes_on_fields(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(sources.tree(path)):
        for part in node.body[1:] if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                yield part.lineno, str(part.value.value)


def _found(lines: Iterator[tuple[int, str]], path: Path, *, words: frozenset[str]) -> list[str]:
    return [
        f"{sources.name(path)}:{line}: {text.splitlines()[0]}"
        for line, text in lines
        if text.split()[0].rstrip(",:") in words
    ]


FILES = (*sources.python_files("libs", "services"), *sources.GENERATED)


def test_docstring_begins_with_a_summary() -> None:
    words = QUESTIONS | PARTS | SECTIONS

    assert [line for path in FILES for line in _found(_docstrings(path), path, words=words)] == []


def test_note_on_a_field_begins_with_no_question() -> None:
    found = [
        line for path in FILES for line in _found(_notes_on_fields(path), path, words=QUESTIONS)
    ]

    assert found == []
