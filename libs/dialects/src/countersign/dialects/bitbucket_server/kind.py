"""Bitbucket Data Center among the kinds of forges.

Addresses of git say `/scm/PROJ/repo`, pages `/projects/PROJ/repos/repo`.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from countersign.contracts.messages import ForgeKind
from countersign.dialects.addresses import Addresses, are_plain, below, without_git
from countersign.dialects.bitbucket_server.inspection import INSPECTION
from countersign.dialects.bitbucket_server.oauth import OAUTH
from countersign.dialects.bitbucket_server.repository import BitbucketServerRepository
from countersign.dialects.bitbucket_server.webhooks import SCHEME
from countersign.dialects.bitbucket_server.words import ERRORS
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.kind import Kind

_OF_GIT: Final = "scm"
# In front of a person's own project.
_PERSONAL: Final = "~"


def _layout(_origin: str, segments: Sequence[str]) -> tuple[str, str] | None:
    *above, project, name = ("", "", *without_git(segments))
    plain = are_plain((project.removeprefix(_PERSONAL), name))
    fits = "".join(above) in {"", _OF_GIT} and project != _OF_GIT
    return (project, name) if plain and fits else None


def _repository_path(owner: str, repository: str) -> str:
    of_person = owner.startswith(_PERSONAL)
    room = f"users/{owner[1:]}" if of_person else f"projects/{owner}"
    return f"{quote(room, safe='/')}/repos/{quote(repository, safe='')}"


_ADDRESSES: Final = Addresses(
    api_base=below("/rest"),
    pull_path="pull-requests",
    compare_path="compare/commits?sourceBranch={new}&targetBranch={old}",
    repository_path=_repository_path,
    layout=_layout,
    example="https://host/scm/PROJECT/repository",
)
BITBUCKET_SERVER: Final = Kind(
    kind=ForgeKind.BITBUCKET_SERVER,
    title="Bitbucket Data Center",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        tells_expiry=True,
        tells_last_use=True,
        one_commit_many_files=False,
        reads_by_id=True,
        auto_merges=True,
    ),
    addresses=_ADDRESSES,
    webhooks=SCHEME,
    errors=ERRORS,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=BitbucketServerRepository,
)
