"""The administrator's list of forges: the only origins that ever get a token."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from countersign.contracts.bounds.texts import Form, FormError, written
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeKind
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.contracts.refusals import ContractRefusal

# No user info, no path, no trailing dot: one spelling for each origin, so that equality of strings
# is equality of origins.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ORIGIN = rf"https?://(?:{_LABEL}\.)*{_LABEL}(?::[1-9][0-9]{{0,4}})?"
_ORIGIN_FORM: Final = re.compile(_ORIGIN)


def _as_origin(text: str) -> str:
    if not _ORIGIN_FORM.fullmatch(text):
        # Its own words for what people write; none repeats the text, which may hold a password.
        if _ORIGIN_FORM.fullmatch(text.rstrip("/")):
            raise FormError(Form.SLASH_AT_END, "is to be written without a slash at its end")
        if _ORIGIN_FORM.fullmatch(text.lower()):
            raise FormError(Form.UPPER_CASE, "is to be written in lower case")
        raise FormError(
            Form.NO_ORIGIN,
            "is not like https://git.example.com: scheme, host and port alone",
        )
    return text


Origin = Annotated[str, StringConstraints(max_length=255), AfterValidator(_as_origin)]
OriginOrNone = Annotated[
    str, StringConstraints(max_length=255), AfterValidator(lambda text: text and _as_origin(text))
]
# Segments begin with a letter or digit: no `//`, no `..`, and neither query nor fragment.
_API = re.compile(rf"({_ORIGIN})(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*/?")
_URL = re.compile(rf"({_ORIGIN})/(.+)")
# A host whose last label is a number is an address, however it is written (`2130706433`, `127.1`,
# `0x7f000001`). Source: https://url.spec.whatwg.org/#ends-in-a-number-checker
_ADDRESS = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1)(?::[0-9]+)?(?:/.*)?")
KIND_BY_NAME: Final = {
    k.name.lower().replace("_", "-"): k for k in ForgeKind if k is not ForgeKind.UNSPECIFIED
}
URL_CHARACTERS_MAX: Final = 1024
ORIGINS_MAX: Final = 8  # each stands in the head of every page
PORT_MAX: Final = 65535
WEBHOOKS_MAX: Final = 500


class RepositoryWebhook(BaseModel):
    """A webhook of some repositories, with a secret that proves nothing of others."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Annotated[
        str,
        written(
            "[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?",
            words="in lower case letters, digits and -",
        ),
    ] = Field(description="In its address.")
    secret_file: str = Field(
        alias="secretFile", min_length=1, description="What proves it; as `webhookSecretFile`."
    )
    repositories: tuple[str, ...] = Field(
        min_length=1, description="`owner/pattern` of what it tells of; no `*` reaches over a `/`."
    )

    def covers(self, repository: str) -> bool:
        """Say if it tells of a repository, whatever the case, which most forges do not mind."""
        name = repository.casefold()
        return any(_matches(name, pattern.casefold()) for pattern in self.repositories)


class Forge(BaseModel):
    """One git host, as the administrator declares it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(min_length=1, description="What people call it, for instance `GitHub`.")
    kind: Literal[
        "github",
        "gitlab",
        "bitbucket-cloud",
        "bitbucket-server",
        "azure-devops",
        "gitea",
        "forgejo",
    ] = Field(description="`github`, `gitlab`, `gitea` and so on; docs/forges has a page of each.")
    origin: Origin = Field(description="Where people and git go.")
    api: str = Field(
        default="",
        max_length=255,
        description="Base of the REST API, an origin and a path; empty means the vendor's own.",
    )
    sign_in: str = Field(
        default="",
        alias="signIn",
        max_length=255,
        description="Base of the sign-in, where people sign in elsewhere: of Entra ID, for one "
        "tenant, `https://login.microsoftonline.com/` and its id.",
    )
    sign_in_origins: tuple[Origin, ...] = Field(
        default=(),
        alias="signInOrigins",
        max_length=ORIGINS_MAX,
        description="Further origins that a sign-in there leads a browser through.",
    )
    client_id: str = Field(
        default="",
        alias="clientId",
        description="Of our application there; without one nobody can promote as themselves.",
    )
    client_secret_file: str = Field(
        default="", alias="clientSecretFile", description="File with the application's secret."
    )
    webhook_secret_file: str = Field(
        default="",
        alias="webhookSecretFile",
        description="What proves its webhooks: a secret, GitLab's token, or Azure's user:password.",
    )
    webhooks: tuple[RepositoryWebhook, ...] = Field(
        default=(),
        max_length=WEBHOOKS_MAX,
        description="Of single repositories, at addresses of their own. What one of them covers is "
        "told with the forge's own secret no more.",
    )
    ca_file: str = Field(
        default="",
        alias="caFile",
        description="PEM file with who vouches for it, if not the usual.",
    )
    proxy: OriginOrNone = Field(
        default="",
        description="What connections to it go through (CONNECT); never taken from variables.",
    )
    minutes: int = Field(default=15, ge=1, le=480, description="A delegation's longest stay, min.")
    repositories: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Namespace to `owner/pattern` of what it may use; no `*` reaches over a `/`.",
    )
    pull_requests: PullRequestNames = Field(
        default=PullRequestNames(),
        alias="pullRequests",
        description="Names and marks of its pull requests, below; see the page on marked "
        "repositories.",
    )
    broad_tokens: Literal["refuse", "accept"] = Field(
        default="refuse",
        alias="broadTokens",
        description="Whether a token may reach further than one repository, where the forge gives "
        "nothing narrower.",
    )
    device_flow: bool = Field(
        default=False,
        alias="deviceFlow",
        description="Whether people may also sign in by typing a code there, where the forge has "
        "that. Off unless a browser cannot be led back to Countersign: codes can be phished.",
    )
    app_id: str = Field(
        default="", alias="appId", description="Of a GitHub App that opens pull requests itself."
    )
    app_key_file: str = Field(
        default="", alias="appKeyFile", description="File with that App's private key."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        for name, base in (("api", self.api), ("signIn", self.sign_in)):
            parts = _API.fullmatch(base)
            if base and not (parts and _may_get_a_token(parts[1])):
                raise ValueError(
                    f"{name} {base!r} is not like https://api.example.com/v3, in lower case; "
                    "a token is only sent over https, to a name and not an address"
                )
        if not _may_get_a_token(self.origin):
            raise ValueError(
                f"{self.origin}: a token is only sent over https, to a name and not an address"
            )
        names = [webhook.name for webhook in self.webhooks]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two webhooks have one name")
        addresses = (
            self.origin,
            self.api or self.origin,
            self.sign_in or self.origin,
            *self.sign_in_origins,
        )
        if self.proxy and not all(url.startswith("https://") for url in addresses):
            raise ValueError(f"{self.name}: a proxy would see what goes to it without https")
        for origin in self.sign_in_origins:
            if not _may_get_a_token(origin):
                raise ValueError(f"{origin}: people only sign in over https, at a name")
        return self

    @property
    def slug(self) -> str:
        """Its name in paths of ours: lower case, anything but letters and digits as `-`."""
        return re.sub(r"[^a-z0-9]", "-", self.name.lower()).strip("-") or "forge"

    @property
    def forge_kind(self) -> ForgeKind:
        return KIND_BY_NAME[self.kind]

    def allows(self, *, namespace: str, owner: str, repository: str) -> bool:
        """Tell whether a Pipeline of that namespace may use that repository with a stored token."""
        name = f"{owner}/{repository}"
        return any(_matches(name, pattern) for pattern in self.repositories.get(namespace, ()))


class ForgeList(BaseModel):
    """All of them; an origin is listed once, and so is a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forges: tuple[Forge, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        origins = [f.origin for f in self.forges]
        if len(set(origins)) != len(origins):
            raise ValueError("an origin is listed twice")
        # Callbacks and webhooks are told apart by it.
        slugs = [f.slug for f in self.forges]
        if len(set(slugs)) != len(slugs):
            raise ValueError("a name is listed twice, or two that differ in signs or case alone")
        return self

    def find(self, origin: str) -> Forge:
        """Return the entry of an origin.

        Raises:
            Rejected: `forge_not_listed`; nothing may be sent to that origin.

        """
        for forge in self.forges:
            if forge.origin == origin:
                return forge
        raise Rejected(
            ContractRefusal.FORGE_NOT_LISTED,
            f"forge {origin!r} is not on the forge list; ask the administrator to add it",
        )


def split_origin(url: str) -> tuple[str, str]:
    """Return the origin of an URL that a token may be sent to, and what is behind its slash.

    Both are empty for any other text.
    """
    match = _URL.fullmatch(url) if len(url) <= URL_CHARACTERS_MAX else None
    return (match[1], match[2]) if match and _may_get_a_token(match[1]) else ("", "")


def _matches(name: str, pattern: str) -> bool:
    """Segment by segment: `acme/*` is not what lies in the groups below `acme`."""
    names, patterns = name.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _may_get_a_token(origin: str) -> bool:
    """Tell whether a well-formed origin is encrypted, and a name rather than an address."""
    if _LOOPBACK.fullmatch(origin):
        return True
    host, _, port = origin.partition("://")[2].partition(":")
    named = not _ADDRESS.fullmatch(host) and int(port or 443) <= PORT_MAX
    return named and origin.startswith("https://")
