"""Where a forge's API and pages are, from the administrator's entry alone, never from an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from countersign.contracts.forge_list import Forge


def plain_repository_path(owner: str, repository: str) -> str:
    """Return the path of a repository's page where it is that of the repository."""
    return f"{quote(owner, safe='/')}/{quote(repository, safe='')}"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses of one kind of forge.

    Args:
        api_base: of an entry that names none; without a trailing slash.
        pull_path: what stands between a repository's page and a pull request's number.
        repository_path: of a repository's page, below the origin.
        reference: how texts at this forge refer to a pull request.
        sign_in_origins: where people sign in beside the forge itself.

    """

    api_base: Callable[[str], str]
    pull_path: str
    repository_path: Callable[[str, str], str] = plain_repository_path
    reference: str = "#{number}"
    sign_in_origins: tuple[str, ...] = ()

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
