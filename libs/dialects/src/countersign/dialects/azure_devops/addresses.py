"""Azure DevOps' addresses: `organization/project/_git/repository`, whose names may have spaces.

Source: https://learn.microsoft.com/en-us/azure/devops/organizations/settings/naming-restrictions
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

from countersign.dialects.addresses import Addresses, below

_GIT: Final = "_git"
_SERVICES: Final = "https://dev.azure.com"
# As it stands in an address; what a name may not hold is looked for when it is decoded.
_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~!&'()@-]|%[0-9A-Fa-f]{2})+")
_FORBIDDEN: Final = frozenset('\\/:*?"<>|;#${},+=[]%')
# Azure writes the organization in front of the host, where others have a user.
_WITH_ORGANIZATION: Final = re.compile(r"https://([^/@:]+)@(dev\.azure\.com/([^/]+)/.*)")


def _plain_url(url: str) -> str:
    match = _WITH_ORGANIZATION.fullmatch(url)
    return f"https://{match[2]}" if match and match[1] == match[3] else url


def _layout(origin: str, segments: Sequence[str]) -> tuple[str, str] | None:
    if segments.count(_GIT) != 1 or segments[-2] != _GIT:
        return None
    above = [_name(segment) for segment in segments[:-2]]
    repository = _name(segments[-1])
    if not above or not repository or not all(above):
        return None
    if origin == _SERVICES and len(above) == 1:
        # The repository that a project begins with has its name, which is left out then.
        above.append(repository)
    return "/".join(above), repository


def _name(segment: str) -> str:
    """Return the decoded name, empty for what is none."""
    if not _ENCODED.fullmatch(segment):
        return ""
    try:
        name = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return ""
    sound = name.isprintable() and not _FORBIDDEN & set(name) and ".." not in name
    return name if sound and name.strip() == name and name[0] not in "._" else ""


def _repository_path(owner: str, repository: str) -> str:
    return f"{quote(owner, safe='/')}/{_GIT}/{quote(repository, safe='')}"


ADDRESSES: Final = Addresses(
    api_base=below(""),
    pull_path="pullrequest",
    compare_path="branchCompare?baseVersion=GC{old}&targetVersion=GC{new}",
    repository_path=_repository_path,
    # `#12` is a work item there.
    reference="!{number}",
    # Source: https://learn.microsoft.com/en-us/azure/devops/integrate/get-started/authentication/entra-oauth
    sign_in_origins=("https://login.microsoftonline.com",),
    layout=_layout,
    plain_url=_plain_url,
    example="https://dev.azure.com/organization/project/_git/repository",
)
