"""Tests hold codes, types and fields; sentences are the page's, and may be written better."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import sources

# Three of them, or more.
WORDS = re.compile(r"[A-Za-z']+(?: +[A-Za-z']+){2,}")
# How a test comes by the words of an error, a finding or an event.
SPOKEN = re.compile(r"\.(?:message|reason|detail|problem)\b(?!\()|str\(|\.value\b")
# The pages and commands that people read are tested by what people read.
PAGES = ("tests/browser/", "tests/unit/gateway/", "tests/integration/gateway/", "tests/e2e/")
# So many are left to write anew, by folder; a number only ever gets smaller.
LEFT: dict[str, int] = {
    "tests/integration/approval": 1,
    "tests/integration/kubernetes": 7,
    "tests/integration/messaging": 1,
    "tests/integration/pr_writer": 2,
    "tests/integration/watcher": 1,
    "tests/unit/approval": 16,
    "tests/unit/forges": 1,
    "tests/unit/kube": 2,
    "tests/unit/watcher": 6,
}


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

    counted = Counter("/".join(line.split("/")[:3]) for line in found)
    beyond = {folder for folder, count in counted.items() if count > LEFT.get(folder, 0)}
    assert [line for line in found if "/".join(line.split("/")[:3]) in beyond] == []
