"""Where a forge's API is, from the administrator's entry alone."""

from typing import Final
from urllib.parse import urlsplit

from countersign.contracts.forge_list import Forge

_GITHUB_COM: Final = "https://github.com"
_GITHUB_COM_API: Final = "https://api.github.com"


def api_base(forge: Forge) -> str:
    """Base of the REST API, without a trailing slash.

    Source: https://docs.github.com/en/enterprise-server@3.19/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    if forge.api:
        return forge.api.rstrip("/")
    if forge.origin == _GITHUB_COM:
        return _GITHUB_COM_API
    return f"{forge.origin}/api/v3"


def graphql_url(forge: Forge) -> str:
    """Where GraphQL documents go: `/graphql` at github.com, beside `/v3` elsewhere.

    Source: https://docs.github.com/en/enterprise-server@3.19/graphql/guides/forming-calls-with-graphql
    """
    base = api_base(forge)
    return f"{base.removesuffix('/v3')}/graphql"


def origin_of(url: str) -> str:
    """Scheme, host and port, as they are written."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
