"""YAML of others never ends the process that reads it."""

import pytest

from countersign.contracts.errors import Rejected
from countersign.kube.yaml_documents import DEPTH_MAX, PROBLEM_CHARACTERS_MAX, documents

# Of a file: as deep as it may be, and one more.
DEEP = "[" * DEPTH_MAX + "]" * DEPTH_MAX
BROKEN = {
    "cut off": "a: [",
    "deeper": f"[{DEEP}]",
    "far too deep": "[" * 500_000,
    "deep mappings": "{a: " * 500_000,
    "deep blocks": "- " * 100_000,
    "control character": "a: \x00",
    "half a character": b"a: \xff",
    "no number": "a: !!int x",
    "empty number": 'a: !!int ""',
    "no truth": "a: !!bool x",
    "no time": "a: !!timestamp x",
    "no day": "a: 2026-13-99",
    "endless number": "a: " + "9" * 5000,
    "unhashable key": "? {a: b}\n: c",
    "long tag": "a: !" + "x" * 100_000 + " y",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_yaml_is_refused_in_one_line(body: str | bytes) -> None:
    with pytest.raises(Rejected) as refused:
        list(documents(body))

    assert refused.value.reason == "bad_yaml"
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < PROBLEM_CHARACTERS_MAX + 100


def test_documents_as_deep_as_may_be_are_read_one_after_the_other() -> None:
    assert len(list(documents(f"{DEEP}\n---\n{DEEP}\n---\na: 1"))) == 3
