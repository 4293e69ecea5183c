"""Requests to a forge and its answers, as values: no I/O here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypedDict, Unpack

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.dialects.refusals import ForgeRefusal

BODY_BYTES_MAX: Final = 2 * 1024 * 1024  # an answer larger than this is not one we asked for
TIMEOUT_S: Final = 10.0
OK: Final = 200


@dataclass(frozen=True, kw_only=True)
class Basic:
    """A name and a secret: an application's own, or a token where a forge wants it so."""

    user: str
    password: Secret


# As a bearer token, or with a name where a forge wants it so.
Token = Secret | Basic


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    Args:
        name: what it is for, in spans and errors: `read the repository`.
        url: a path below the API base (`/user`), or a whole URL at one of the forge's origins.
        json: sent as JSON; `form` as a form. At most one of them. Secrets may stand in a form and
            directly in a JSON object; they are revealed as they leave.
        content: bytes sent as they are, of that `content_type`, instead of either.
        accept: the media type asked for. An answer that is no JSON although JSON was asked for is
            an error.
        cuts: an answer larger than `body_bytes_max` is no error, and comes without its body.
        passes: statuses from 300 on that the caller reads by itself instead of an error.

    """

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    json: Any = None
    form: Mapping[str, str | Secret] | None = None
    content: bytes | None = field(repr=False, default=None)
    content_type: str = ""
    accept: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    basic: Basic | None = None
    passes: frozenset[int] = frozenset({304, 409, 422})
    body_bytes_max: int = BODY_BYTES_MAX
    cuts: bool = False
    timeout_s: float = TIMEOUT_S

    @property
    def wants_json(self) -> bool:
        return "json" in self.accept and "raw" not in self.accept

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that it carries and nobody may see."""
        body = self.json if isinstance(self.json, dict) else (self.form or {})
        own = tuple(value for value in body.values() if isinstance(value, Secret))
        return (*own, self.basic.password) if self.basic else own


class Limits(TypedDict, total=False):
    """The bounds of an answer that is not as most are."""

    accept: str
    body_bytes_max: int
    cuts: bool


def get(
    name: str, url: str, passes: frozenset[int] = frozenset(), **limits: Unpack[Limits]
) -> Request:
    """Read something; statuses that are not named are errors."""
    return Request(name=name, method="GET", url=url, passes=passes, **limits)


def send(
    name: str,
    method: Literal["POST", "PUT", "PATCH", "DELETE"],
    url: str,
    body: Any,
    *,
    passes: frozenset[int] = frozenset(),
) -> Request:
    """Change something, with a body in JSON; statuses that are not named are errors."""
    return Request(name=name, method=method, url=url, json=body, passes=passes)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request and the token that it is sent with, none where it is anonymous.

    A secret goes as a bearer token; `Basic` is a token that a forge wants with a name.
    """

    request: Request
    token: Token | None = None

    @property
    def token_secret(self) -> Secret:
        """The token itself, empty where there is none."""
        if isinstance(self.token, Basic):
            return self.token.password
        return self.token or Secret("")

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that it carries and nobody may see."""
        return (*self.request.secrets, *([self.token_secret] if self.token else []))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. Names of headers are lower case; `is_cut` where there was more than is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")
    is_cut: bool = False

    @property
    def date_s(self) -> float:
        """The time at which it was answered by the forge's clock; zero where it does not tell."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return 0.0

    @property
    def accepted(self) -> dict[str, Any] | None:
        """The object that came with 200; none for anything else."""
        try:
            body = self.json() if self.status == OK else None
        except Rejected:
            return None
        return body if isinstance(body, dict) else None

    def json(self) -> Any:
        """The body as JSON; none for an empty one.

        Raises:
            Rejected: `bad_answer`.

        """
        return self.json_of("the request")

    def json_of(self, call: str) -> Any:
        """The same; a refusal names the call that was answered so."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Rejected(
                ForgeRefusal.BAD_ANSWER, f"{call}: the forge's answer is not JSON"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Call:
    """The record of one call, for spans and counts. `status` is 0 when nothing was answered."""

    name: str
    method: str
    host: str
    status: int
    start_ns: int
    end_ns: int
