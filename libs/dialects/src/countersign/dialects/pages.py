"""Addresses of pages at forges, for people.

They are built from origin, owner, repository and number, never taken from an answer.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    Destination,
    ForgeKind,
    PromotionRequested,
    PullRequestRef,
)
from countersign.dialects.addresses import plain_repository_path
from countersign.dialects.kinds import KINDS, kind_of

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
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


def pull_request_reference(ref: PullRequestRef) -> str:
    """Return what people call the pull request at its forge: `#12`, or `!12`."""
    row = KINDS.get(ref.kind)
    return row.addresses.refer_to(ref.number) if row else f"#{ref.number}"


def comparison_page(forge: Forge, request: PromotionRequested) -> str:
    """Return the page of what lies between two commits, or empty where that is not known."""
    span, row = commits_between(forge, request), kind_of(forge)
    if span is None:
        return ""
    base = _at(row.kind, forge.origin, span.owner, span.repository)
    path = row.addresses.compare_path.format(old=span.old, new=span.new)
    return f"{base}/{path}" if base else ""


class Span(NamedTuple):
    """Two commits of one repository, of which the new one is promoted."""

    owner: str
    repository: str
    old: str
    new: str


def commits_between(forge: Forge, request: PromotionRequested) -> Span | None:
    """Return the commits that a promotion goes from and to, or none where that is not known.

    The repository is the one that the source of what is promoted names, if it is at this forge.
    """
    old = request.current.commit if request.current else ""
    new, vcs_url = request.content.revision.commit, _vcs_url(request.promotion.purl)
    parts, here = urlsplit(vcs_url), urlsplit(forge.origin)
    same_place = parts.hostname == here.hostname and parts.port in {None, here.port}
    if not (same_place and _COMMIT.fullmatch(old) and _COMMIT.fullmatch(new)):
        return None
    try:
        place = kind_of(forge).addresses.place_of(f"{forge.origin}{parts.path}")
    except Rejected:
        return None
    _, owner, name = place
    return Span(owner, name, old, new)


def _vcs_url(purl: str) -> str:
    """Return the repository that a package URL names, without tool and commit.

    Source: https://github.com/package-url/purl-spec/blob/main/types-doc/generic-definition.md
    """
    named = parse_qs(urlsplit(purl).query).get("vcs_url", [""])[0]
    return named.removeprefix("git+").rpartition("@")[0]


def _at(kind: ForgeKind, origin: str, owner: str, name: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        return ""
    row = KINDS.get(kind)
    path_of = row.addresses.repository_path if row else plain_repository_path
    return f"{origin}/{path_of(owner, name)}"
