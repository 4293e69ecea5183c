"""Addresses of a forge's API, pages and repositories, and the repository a clone URL names.

All of it comes from the administrator's entry and from Pipelines, never from an answer.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, split_origin
from countersign.contracts.refusals import ContractRefusal

# What a git host calls a repository of somebody's: owner and name, or none for what is no such.
Layout = Callable[[str, Sequence[str]], tuple[str, str] | None]
SEGMENTS_MAX: Final = 6
# No percent sign: `o%2Fr` would be one name to the forge and two to us.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+")


def owner_and_name(_origin: str, segments: Sequence[str]) -> tuple[str, str] | None:
    """Read `owner/name`."""
    owner, *rest = without_git(segments)
    return (owner, rest[0]) if len(rest) == 1 and are_plain((owner, *rest)) else None


def without_git(segments: Sequence[str]) -> tuple[str, ...]:
    """Take git's own ending from the last one."""
    return (*segments[:-1], segments[-1].removesuffix(".git"))


def are_plain(segments: Sequence[str]) -> bool:
    """Check that they mean what they say: nothing hidden, nothing escaped, and no way up."""
    return all(
        _SEGMENT.fullmatch(segment) and not segment.startswith(".") and ".." not in segment
        for segment in segments
    )


def plain_repository_path(owner: str, repository: str) -> str:
    """Return the path of a repository's page where it is that of the repository."""
    return f"{quote(owner, safe='/')}/{quote(repository, safe='')}"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses of one kind of forge.

    Args:
        api_base: of an entry that names none; without a trailing slash.
        pull_path: what stands between a repository's page and a pull request's number.
        compare_path: of what lies between two commits, below the repository's page.
        repository_path: of a repository's page, below the origin.
        reference: how texts at this forge refer to a pull request.
        sign_in_origins: where people sign in beside the forge itself.
        layout: reads what a clone URL has behind the origin.
        plain_url: takes from a clone URL what its vendor writes into it beside.
        example: a clone URL, for whoever wrote one that is none.

    """

    api_base: Callable[[str], str]
    pull_path: str
    compare_path: str = "compare/{old}...{new}"
    repository_path: Callable[[str, str], str] = plain_repository_path
    reference: str = "#{number}"
    sign_in_origins: tuple[str, ...] = ()
    layout: Layout = owner_and_name
    plain_url: Callable[[str], str] = lambda url: url
    example: str = "https://host/owner/repository"

    def place_of(self, clone_url: str) -> tuple[str, str, str]:
        """Return origin, owner and repository of an https clone URL.

        Raises:
            Rejected: `bad_repository_url`.

        """
        origin, path = split_origin(self.plain_url(clone_url))
        segments = path.removesuffix("/").split("/")
        found = self.layout(origin, segments) if origin and len(segments) <= SEGMENTS_MAX else None
        if found is None:
            raise Rejected(
                ContractRefusal.BAD_REPOSITORY_URL,
                f"repository URL {clone_url!r} is not like {self.example}",
            )
        return origin, *found

    def api_of(self, forge: Forge) -> str:
        """Return the base of the REST API, without a trailing slash."""
        return forge.api.rstrip("/") or self.api_base(forge.origin)

    def refer_to(self, number: int) -> str:
        return self.reference.format(number=number)


def below(path: str) -> Callable[[str], str]:
    """Return the API's base where it is at the forge's own origin."""
    return lambda origin: f"{origin}{path}"


def origin_of(url: str) -> str:
    """Scheme, host and port, as they are written."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
