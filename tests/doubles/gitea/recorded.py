"""Answers of a real Gitea and a real Forgejo, as forms to fill in."""

import copy
import json
from functools import cache
from typing import Any

import reference


@cache
def _cases(kind: str, file: str) -> dict[str, Any]:
    path = reference.skip_without(f"recordings/{kind}/{file}.jsonl")
    rows = (json.loads(line) for line in path.read_text().splitlines())
    return {row["case"]: row["response"].get("json") for row in rows if "response" in row}


def answer(kind: str, file: str, case: str) -> Any:
    """The JSON that the real one answered; the caller may change it."""
    return _with_addresses(copy.deepcopy(_cases(kind, file)[case]))


def _with_addresses(node: Any) -> Any:
    """An organization's empty e-mail, which both send, is none to their own descriptions."""
    if isinstance(node, dict):
        return {
            name: "somebody@example.com"
            if name == "email" and not value
            else _with_addresses(value)
            for name, value in node.items()
        }
    return [_with_addresses(item) for item in node] if isinstance(node, list) else node
