"""Addresses of pages at forges, for people.

They are built from origin, owner, repository and number, never taken from an answer.
"""

import re

from countersign.contracts.messages import Destination, ForgeKind, PullRequestRef
from countersign.dialects.addresses import plain_repository_path
from countersign.dialects.kinds import KINDS

_ORIGIN = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?")


def repository_page(destination: Destination) -> str:
    """Return the repository's page, or empty where its origin is none."""
    to = destination
    return _at(to.kind, to.origin, to.owner, to.repository)


def pull_request_page(ref: PullRequestRef) -> str:
    """Return the pull request's page, or empty where its parts make none."""
    row = KINDS.get(ref.kind)
    base = _at(ref.kind, ref.origin, ref.owner, ref.repository)
    if not row or not base or ref.number <= 0:
        return ""
    return f"{base}/{row.addresses.pull_path}/{ref.number}"


def _at(kind: ForgeKind, origin: str, owner: str, name: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        return ""
    row = KINDS.get(kind)
    path_of = row.addresses.repository_path if row else plain_repository_path
    return f"{origin}/{path_of(owner, name)}"
