"""Collections in brackets, among the tokens of a YAML file."""

from collections.abc import Sequence
from typing import Any

import yaml


def step(token: Any) -> int:
    """Return 1 for an opening bracket, -1 for a closing one, else 0."""
    opens = isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken)
    return opens - isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken)


def enclosing(tokens: Sequence[Any]) -> list[int | None]:
    """Return for each token, and for the end, the index of the bracket that is open before it."""
    found: list[int | None] = []
    opened: list[int] = []
    for n, token in enumerate(tokens):
        found.append(opened[-1] if opened else None)
        turn = step(token)
        if turn > 0:
            opened.append(n)
        elif turn < 0:
            opened.pop()
    return [*found, None]


def end(tokens: Sequence[Any], n: int) -> int:
    """Return the index of the bracket that closes the one at an index."""
    depth = 0
    for m in range(n, len(tokens)):
        depth += step(tokens[m])
        if depth == 0:
            return m
    raise AssertionError("the parser closes every flow collection")


def start(tokens: Sequence[Any], n: int) -> int:
    """Return the index of the bracket that opens what the one at an index closes."""
    depth = 0
    for m in range(n, -1, -1):
        depth += step(tokens[m])
        if depth == 0:
            return m
    raise AssertionError("the parser opens every flow collection")
