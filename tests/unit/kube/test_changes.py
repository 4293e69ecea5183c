"""Changes that a chart tells, in an annotation that anybody may write anything into."""

import pytest

from countersign.contracts.messages import ChangeKind, StatedChange
from countersign.kube.flux.changes import (
    CHANGES_MAX,
    DESCRIPTION_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    read_changes,
)
from countersign.kube.flux.sources import read_source

STRUCTURED = """\
- kind: added
  description: Cool feature
  links:
    - name: GitHub Issue
      url: https://github.com/issue-url
- kind: security
  description: >
    Update Go,
    and more
- kind: wishful
  description: Something
  links: [{name: bad, url: "javascript:alert(1)"}]
"""


def test_changes_are_read_with_kind_description_and_first_page() -> None:
    assert read_changes(STRUCTURED) == (
        StatedChange(
            kind=ChangeKind.ADDED,
            description="Cool feature",
            page="https://github.com/issue-url",
        ),
        StatedChange(kind=ChangeKind.SECURITY, description="Update Go, and more"),
        StatedChange(description="Something"),
    )


def test_plain_sentences_are_changes_too() -> None:
    assert read_changes("- Added cool feature\n- Fixed minor bug\n") == (
        StatedChange(description="Added cool feature"),
        StatedChange(description="Fixed minor bug"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no list",
        "{kind: added}",
        "[",
        "- 7\n- ' '\n- {description: 3}\n- [x]\n",
        "&a [*a]",
        "[" * 10_000,
        "- x\n" * TEXT_CHARACTERS_MAX,
    ],
    ids=["none", "text", "map", "broken", "others", "recursive", "deep", "long"],
)
def test_what_is_no_list_of_changes_is_left_out(text: str) -> None:
    assert read_changes(text) == ()


def test_changes_are_bounded_in_number_and_length() -> None:
    found = read_changes(f"- {'x' * 900}\n" * (CHANGES_MAX + 5))

    assert len(found) == CHANGES_MAX
    assert {len(change.description) for change in found} == {DESCRIPTION_CHARACTERS_MAX}


def test_source_keeps_the_changes_of_its_artifact() -> None:
    read = read_source(
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "OCIRepository",
            "metadata": {"name": "podinfo", "namespace": "shop", "generation": 1},
            "status": {"artifact": {"metadata": {"artifacthub.io/changes": STRUCTURED}}},
        }
    )

    assert [change.kind.name for change in read.stated_changes] == [
        "ADDED",
        "SECURITY",
        "UNSPECIFIED",
    ]
