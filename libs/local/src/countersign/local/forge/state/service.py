"""The core that REST, GraphQL, pages and git share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from countersign.local.forge.git.objects import Identity
from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.store import Store
from countersign.local.forge.wire import Account, Wire

# Owners that are no person here; GitHub has organisations and "ghost".
ORGANISATION_ID_FIRST = 9_000_000


class Denied(Exception):
    """An operation was understood and is not done.

    Args:
        reason: `exists`, `stale`, `invalid`, `protected`, `conflict`, `missing`, `forbidden`.
        message: as GitHub words it.

    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass
class Switches:
    """Behaviour that can be changed while the forge runs."""

    # Real forges make a second pull request when two are asked for at the same instant.
    allow_duplicates: bool = False


Emit = Callable[[Repository, str, dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Service:
    store: Store
    wire: Wire
    emit: Emit
    switches: Switches = field(default_factory=Switches)

    def account(self, login: str) -> Account:
        """Anybody who may own or author something."""
        person = self.store.person(login)
        if person:
            return Account(person.id, person.login, "User")
        app = self.store.app_by_login(login)
        if app:
            return Account(app.id, app.bot_login, "Bot")
        stable = sum(login.lower().encode())
        return Account(ORGANISATION_ID_FIRST + stable, login, "Organization")

    def owner(self, repository: Repository) -> Account:
        return self.account(repository.owner)

    def identity(self, login: str) -> Identity:
        """Return the name and address of a person or a bot for commits."""
        account, person = self.account(login), self.store.person(login)
        return Identity(
            name=person.name if person else login,
            email=f"{account.id}+{account.login}@users.noreply.localhost",
            when=self.store.clock(),
        )

    def committer(self) -> Identity:
        """GitHub itself commits what is committed through its API and its pages."""
        return Identity(name="Local forge", email="noreply@localhost", when=self.store.clock())

    def repository_json(self, repository: Repository) -> dict[str, Any]:
        return self.wire.repository(repository, self.owner(repository))
