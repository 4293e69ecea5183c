"""Tests hold codes, types and fields; sentences are the page's, and may be written better."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import sources

# Three of them, or more.
WORDS = re.compile(r"[A-Za-z']+(?: +[A-Za-z']+){2,}")
# How a test comes by the words of an error, a finding or an event.
SPOKEN = re.compile(r"\.(?:message|reason|detail|problem)\b(?!\()|str\(|\.value\b")
# The pages and commands that people read are tested by what people read.
PAGES = ("tests/browser/", "tests/unit/gateway/", "tests/integration/gateway/", "tests/e2e/")


def _is_prose(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return WORDS.search(node.value) is not None
    return isinstance(node, ast.JoinedStr) and any(map(_is_prose, node.values))


def _assertions(path: Path) -> Iterator[ast.expr]:
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.keyword) and node.arg == "match" and _is_prose(node.value):
            yield node.value
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            spoken = any(SPOKEN.search(ast.unparse(side)) for side in sides if not _is_prose(side))
            if spoken and any(map(_is_prose, sides)):
                yield node


def test_assertion_holds_no_prose() -> None:
    found = [
        f"{sources.name(path)}:{node.lineno}: {ast.unparse(node)}"
        for path in sources.python_files("tests")
        if not sources.name(path).startswith(PAGES)
        for node in _assertions(path)
    ]

    assert found == []


def test_reason_is_compared_with_an_enumeration() -> None:
    """Those of Flux and Kubernetes, in camel case, and the forge's double's are not ours."""
    word = re.compile(r"[a-z][a-z_]*")
    found = [
        f"{sources.name(path)}:{node.lineno}: {ast.unparse(node)}"
        for path in sources.python_files("libs", "services")
        if not sources.name(path).startswith("libs/local/")
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Compare)
        for sides in [[node.left, *node.comparators]]
        if any(re.search(r"\breason$", ast.unparse(side)) for side in sides)
        if any(
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and word.fullmatch(part.value)
            for side in sides
            for part in ast.walk(side)
        )
    ]

    assert found == []
