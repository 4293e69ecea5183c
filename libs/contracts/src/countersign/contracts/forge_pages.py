"""Addresses of pages at forges, for people.

They are built from origin, owner, repository and number, never taken from an answer.
"""

import re
from typing import Final
from urllib.parse import quote

from countersign.contracts.messages import Destination, ForgeKind, PullRequestRef

_ORIGIN = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?")
_PULL_REQUEST_PATHS: Final = {
    ForgeKind.GITHUB: "pull",
    ForgeKind.GITLAB: "-/merge_requests",
    ForgeKind.BITBUCKET_CLOUD: "pull-requests",
    ForgeKind.BITBUCKET_SERVER: "pull-requests",
    ForgeKind.AZURE_DEVOPS: "pullrequest",
    ForgeKind.GITEA: "pulls",
    ForgeKind.FORGEJO: "pulls",
}


def repository_page(destination: Destination) -> str:
    """The repository's page, or empty where its origin is none."""
    return _at(destination.origin, destination.owner, destination.repository)


def pull_request_page(ref: PullRequestRef) -> str:
    """The pull request's page, or empty where its parts make none."""
    base = _at(ref.origin, ref.owner, ref.repository)
    path = _PULL_REQUEST_PATHS.get(ref.kind, _PULL_REQUEST_PATHS[ForgeKind.GITHUB])
    return f"{base}/{path}/{ref.number}" if base and ref.number > 0 else ""


def _at(origin: str, owner: str, name: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        return ""
    return f"{origin}/{quote(owner, safe='/')}/{quote(name, safe='')}"
