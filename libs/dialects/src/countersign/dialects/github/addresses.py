"""GitHub's addresses: the API is elsewhere at github.com, and below the pages otherwise."""

from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.dialects.addresses import Addresses

_GITHUB_COM: Final = "https://github.com"
_GITHUB_COM_API: Final = "https://api.github.com"


def _api_base(origin: str) -> str:
    """Return the base of the REST API.

    Source: https://docs.github.com/en/enterprise-server@3.19/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    return _GITHUB_COM_API if origin == _GITHUB_COM else f"{origin}/api/v3"


ADDRESSES: Final = Addresses(api_base=_api_base, pull_path="pull")


def graphql_url(forge: Forge) -> str:
    """Return where GraphQL documents go: `/graphql` at github.com, beside `/v3` elsewhere.

    Source: https://docs.github.com/en/enterprise-server@3.19/graphql/guides/forming-calls-with-graphql
    """
    return f"{ADDRESSES.api_of(forge).removesuffix('/v3')}/graphql"
