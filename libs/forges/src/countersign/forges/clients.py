"""The table of clients: how each kind of forge is written to.

A kind whose dialect is conversations needs no line here.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.exchange import Token
from countersign.dialects.kinds import KINDS
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.dialect import RepositoryDialect
from countersign.dialects.repositories.interface import Repository
from countersign.forges.dialect_repository import DialectRepository
from countersign.forges.github.app_token import installation_token
from countersign.forges.github.client import GitHub
from countersign.forges.http import ForgeHttp


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Clients of one kind of forge; `app_token` is none where it has no applications."""

    repository: Callable[[ForgeHttp, Token], Repository]
    app_token: Callable[[ForgeHttp, Place], AbstractAsyncContextManager[Secret]] | None = None


def _of(dialect: Callable[[Token], RepositoryDialect]) -> Clients:
    """Return the clients of a kind whose dialect is conversations."""
    return Clients(repository=lambda http, token: DialectRepository(http, dialect(token)))


CLIENTS: Final[Mapping[ForgeKind, Clients]] = {
    **{row.kind: _of(row.repository) for row in KINDS.values() if row.repository},
    ForgeKind.GITHUB: Clients(repository=GitHub, app_token=installation_token),
}


def repository_client(http: ForgeHttp, token: Token) -> Repository:
    """Return the client of the forge's kind, for one token."""
    return CLIENTS[http.forge.forge_kind].repository(http, token)


def app_token(http: ForgeHttp, place: Place) -> AbstractAsyncContextManager[Secret]:
    """Return a context in which there is a token of the forge's application for one repository.

    Raises:
        Rejected: `not_supported`.

    """
    made = CLIENTS[http.forge.forge_kind].app_token
    if made is None:
        raise Rejected(
            ForgeRefusal.NOT_SUPPORTED, f"forge {http.forge.name!r} has no applications' tokens"
        )
    return made(http, place)
