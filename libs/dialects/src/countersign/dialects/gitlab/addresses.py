"""GitLab's addresses: a project lies in a group, which may lie in others."""

from collections.abc import Sequence
from typing import Final

from countersign.dialects.addresses import Addresses, are_plain, below, without_git


def _layout(_origin: str, segments: Sequence[str]) -> tuple[str, str] | None:
    *groups, name = without_git(segments)
    # `/-/` stands between a project and what is in it.
    if not groups or "-" in segments or not are_plain((*groups, name)):
        return None
    return "/".join(groups), name


ADDRESSES: Final = Addresses(
    api_base=below("/api/v4"),
    pull_path="-/merge_requests",
    compare_path="-/compare/{old}...{new}",
    reference="!{number}",
    layout=_layout,
    example="https://host/group/project",
)
