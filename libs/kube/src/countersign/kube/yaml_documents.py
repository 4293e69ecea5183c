"""YAML that somebody else wrote.

libyaml composes a document by calling itself: one that is nested forty thousand times, which fits
into a Secret, would end the process without a word.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from countersign.contracts.errors import Rejected
from countersign.kube.refusals import ClusterRefusal

# Schemas of CRDs, the deepest that people write, have about fifty.
DEPTH_MAX: Final = 200
# What is wrong may quote a tag, which may be as long as the file.
PROBLEM_CHARACTERS_MAX: Final = 200
# The last three come from values that a tag says to be something else: `!!bool x`.
_NO_YAML: Final = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError)


class _Loader(yaml.CSafeLoader):
    """Goes down and up once for each node that it composes."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self._depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise yaml.MarkedYAMLError(problem=f"nested more than {DEPTH_MAX} deep")
        super().descend_resolver(current_node, current_index)

    def ascend_resolver(self) -> None:
        self._depth -= 1
        super().ascend_resolver()


def documents(body: str | bytes) -> Iterator[Any]:
    """Parse the documents of a YAML stream one after the other.

    Raises:
        Rejected: `bad_yaml`; the message is one line, names the place, and never the content.

    """
    try:
        yield from yaml.load_all(body, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = (error.problem or "")[:PROBLEM_CHARACTERS_MAX]
        raise Rejected(ClusterRefusal.BAD_YAML, f"is no YAML{place}: {problem}") from None
    except _NO_YAML as error:
        raise Rejected(ClusterRefusal.BAD_YAML, f"is no YAML: {type(error).__name__}") from None


def written(document: Any) -> str:
    """One document as YAML, in the order of its keys, in ASCII."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=False)
    return text
