"""The records of the forge: people, repositories, applications, tokens, pull requests."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class TokenKind(StrEnum):
    CLASSIC = "classic"
    FINE_GRAINED = "fine-grained"
    OAUTH = "oauth"
    APP_USER = "app-user"
    INSTALLATION = "installation"
    REFRESH = "refresh"


class AppKind(StrEnum):
    GITHUB_APP = "github-app"
    OAUTH_APP = "oauth-app"


class Role(StrEnum):
    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class Person:
    id: int
    login: str
    name: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Hook:
    id: int
    url: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    id: int
    owner: str
    name: str
    private: bool
    created_at: datetime
    default_branch: str = "main"
    admins: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    # Statuses without which nothing is merged by itself.
    required_checks: tuple[str, ...] = ()
    hooks: tuple[Hook, ...] = ()
    # By which it is still found where renames are followed.
    former_names: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class App:
    id: int
    kind: AppKind
    name: str
    slug: str
    client_id: str
    client_secret_sha256: str
    callbacks: tuple[str, ...]
    created_at: datetime
    permissions: dict[str, str] = field(default_factory=dict)
    public_key_pem: str = ""
    device_flow: bool = False

    @property
    def bot_login(self) -> str:
        return f"{self.slug}[bot]"


@dataclass(frozen=True, kw_only=True)
class Installation:
    id: int
    app_id: int
    account: str
    repositories: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it is kept: its hash and what it may do, never itself.

    `permissions` and `repositories` that are None mean: all that application and person have.
    """

    id: int
    sha256: str
    kind: TokenKind
    owner: str
    created_at: datetime
    expires_at: datetime | None = None
    app_id: int | None = None
    scopes: tuple[str, ...] = ()
    permissions: dict[str, str] | None = None
    repositories: tuple[str, ...] | None = None
    revoked: bool = False


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    id: int
    repository: str
    number: int
    title: str
    body: str
    author: str
    head_repository_id: int
    head_branch: str
    head_sha: str
    base_branch: str
    base_sha: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    labels: tuple[str, ...] = ()
    # Who had it merged once its checks pass.
    auto_merge_by: str = ""
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_sha: str | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def state_word(self) -> str:
        """Return the state as GraphQL says it: OPEN, CLOSED, MERGED."""
        if self.is_open:
            return "OPEN"
        return "MERGED" if self.merged_at else "CLOSED"


@dataclass(frozen=True, kw_only=True)
class Comment:
    id: int
    repository: str
    number: int
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Status:
    id: int
    repository: str
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser's session, by the hash of its cookie; nobody signed in while `login` is empty."""

    sha256: str
    login: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Consent:
    """A person allowed an application to act for them."""

    client_id: str
    login: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeviceAuthorization:
    """A device code by its hash, and the code that a person types for it."""

    sha256: str
    user_code: str
    client_id: str
    created_at: datetime
    interval_s: int
    polled_at: datetime | None = None
    login: str = ""
    denied: bool = False


@dataclass(frozen=True, kw_only=True)
class Code:
    """An authorization code by its hash, to be exchanged once."""

    sha256: str
    client_id: str
    login: str
    redirect_uri: str
    redirect_uri_sent: bool
    scopes: tuple[str, ...]
    challenge: str
    created_at: datetime
