"""Decides what a caller may do to a repository, and what GitHub says when they may not.

Sources:
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
"""

from dataclasses import dataclass
from enum import IntEnum

from countersign.local.forge.state.model import App, Person, Repository, Role, Token, TokenKind


class Level(IntEnum):
    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True)
class Need:
    """A right as GitHub names it, for instance `contents` and `write`."""

    resource: str
    level: Level = Level.READ

    @property
    def words(self) -> str:
        return f"{self.resource}={self.level.name.lower()}"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller: nobody, a person with a token, or an application's installation."""

    person: Person | None = None
    token: Token | None = None
    app: App | None = None
    installed: frozenset[str] = frozenset()

    @property
    def login(self) -> str:
        if self.person:
            return self.person.login
        return self.app.bot_login if self.app else ""

    @property
    def by_app(self) -> bool:
        kinds = (TokenKind.APP_USER, TokenKind.INSTALLATION)
        return self.token is not None and self.token.kind in kinds


@dataclass(frozen=True)
class Refusal:
    status: int
    message: str


def level(word: str) -> Level:
    return Level[word.upper()]


def role(repository: Repository, login: str | None) -> Role:
    """Return a person's rights by the repository's lists; everybody reads what is public."""
    lists = (
        (Role.ADMIN, (*repository.admins, repository.owner)),
        (Role.WRITE, repository.writers),
        (Role.READ, repository.readers),
    )
    for found, logins in lists:
        if login and login.lower() in {one.lower() for one in logins}:
            return found
    return Role.NONE if repository.private else Role.READ


def _role_level(found: Role, resource: str) -> Level:
    reached = level(found.value)
    if resource in {"administration", "repository_hooks"}:
        return reached if reached is Level.ADMIN else Level.NONE
    return min(reached, Level.WRITE)


def _from_permissions(permissions: dict[str, str], resource: str) -> Level:
    if resource == "metadata":
        # Any permission on a repository brings this one.
        return Level.READ
    return level(permissions.get(resource, "none"))


def _scope_level(token: Token, repository: Repository) -> Level:
    if "repo" in token.scopes or ("public_repo" in token.scopes and not repository.private):
        return Level.ADMIN
    return Level.NONE if repository.private else Level.READ


def granted(caller: Caller, repository: Repository, resource: str) -> Level:
    """The most that the token carries, whoever holds it."""
    token, name = caller.token, repository.full_name.lower()
    public = Level.NONE if repository.private else Level.READ
    if token is None:
        return public
    if token.kind in (TokenKind.CLASSIC, TokenKind.OAUTH):
        return _scope_level(token, repository)
    chosen = token.repositories
    if chosen is not None and name not in {one.lower() for one in chosen}:
        return public
    if not caller.by_app:
        return max(public, _from_permissions(token.permissions or {}, resource))
    if caller.app is None or name not in caller.installed:
        return public
    own = _from_permissions(caller.app.permissions, resource)
    if token.permissions is not None:
        own = min(own, _from_permissions(token.permissions, resource))
    return max(public, own)


def effective(caller: Caller, repository: Repository, resource: str) -> Level:
    """Return the caller's rights: those of the token, and never more than its person's."""
    carried = granted(caller, repository, resource)
    if caller.token and caller.token.kind is TokenKind.INSTALLATION:
        return carried
    login = caller.person.login if caller.person else None
    return min(carried, _role_level(role(repository, login), resource))


def refusal(caller: Caller, repository: Repository, need: Need) -> Refusal | None:
    """Why the caller may not, as GitHub would say it; None when they may."""
    if effective(caller, repository, "metadata") < Level.READ:
        return Refusal(404, "Not Found")
    if effective(caller, repository, need.resource) >= need.level:
        return None
    if caller.token is None:
        return Refusal(401, "Requires authentication")
    named = "integration" if caller.by_app else "personal access token"
    if caller.by_app or caller.token.kind is TokenKind.FINE_GRAINED:
        return Refusal(403, f"Resource not accessible by {named}")
    if granted(caller, repository, need.resource) < need.level:
        return Refusal(404, "Not Found")
    return Refusal(403, "Must have push access to repository")
