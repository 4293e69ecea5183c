"""Bitbucket Server's addresses: git's say `/scm/PROJ/repo`, pages `/projects/PROJ/repos/repo`."""

from typing import Final
from urllib.parse import quote

from countersign.dialects.addresses import Addresses, below


def _repository_path(owner: str, repository: str) -> str:
    project = quote(owner.removeprefix("scm/"), safe="")
    return f"projects/{project}/repos/{quote(repository, safe='')}"


ADDRESSES: Final = Addresses(
    api_base=below("/rest/api/latest"),
    pull_path="pull-requests",
    repository_path=_repository_path,
)
