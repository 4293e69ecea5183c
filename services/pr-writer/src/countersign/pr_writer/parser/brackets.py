"""Collections in brackets, among the tokens of a YAML file."""

from collections.abc import Sequence
from typing import Any

import yaml


def step(token: Any) -> int:
    """Return 1 for an opening bracket, -1 for a closing one, else 0."""
    opens = isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken)
    return opens - isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken)


def enclosing(tokens: Sequence[Any], n: int) -> Any:
    """Return the bracket that is open before a token, none outside of all."""
    depth = 0
    for token in reversed(tokens[:n]):
        depth += step(token)
        if depth > 0:
            return token
    return None


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
