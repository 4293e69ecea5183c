"""Changes that a chart tells of itself, in the annotation that Artifact Hub reads.

Helm pushes a chart's annotations as those of the manifest, and Flux keeps them beside the artifact.
Sources: https://artifacthub.io/docs/topics/annotations/helm,
https://github.com/helm/helm/blob/main/pkg/registry/chart.go
"""

import re
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ChangeKind, StatedChange
from countersign.kube.yaml_documents import documents

CHANGES: Final = "artifacthub.io/changes"
# A changelog for a page and a pull request; who wants all of it follows the link to the source.
CHANGES_MAX: Final = 10
DESCRIPTION_CHARACTERS_MAX: Final = 200
TEXT_CHARACTERS_MAX: Final = 16_384
PAGE_CHARACTERS_MAX: Final = 300
_PAGE: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9_.~/-]*)?")
_KINDS: Final = {kind.name.lower(): kind for kind in ChangeKind}


def page_in(url: str) -> str:
    """Return the address of a web page, or nothing of what is none."""
    return url if len(url) <= PAGE_CHARACTERS_MAX and _PAGE.fullmatch(url) else ""


def read_changes(text: str) -> tuple[StatedChange, ...]:
    """Read the annotation; nothing of it where it is no list, or too long to be one."""
    if not text or len(text) > TEXT_CHARACTERS_MAX:
        return ()
    try:
        listed = next(documents(text), None)
    except Rejected:
        return ()
    if not isinstance(listed, list):
        return ()
    found = (_change(entry) for entry in listed[:CHANGES_MAX])
    return tuple(change for change in found if change is not None)


def _change(entry: Any) -> StatedChange | None:
    """Read one entry: a sentence, or a kind, a description and links."""
    told = entry if isinstance(entry, dict) else {"description": entry}
    description = told.get("description")
    if not isinstance(description, str) or not description.strip():
        return None
    return StatedChange(
        kind=_KINDS.get(str(told.get("kind")), ChangeKind.UNSPECIFIED),
        description=" ".join(description.split())[:DESCRIPTION_CHARACTERS_MAX],
        page=_first_page(told.get("links")),
    )


def _first_page(links: Any) -> str:
    first = links[0] if isinstance(links, list) and links else None
    url = first.get("url") if isinstance(first, dict) else None
    return page_in(url) if isinstance(url, str) else ""
