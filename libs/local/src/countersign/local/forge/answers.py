"""Requests and answers of handlers, and GitHub's error bodies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlencode

from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.permissions import Caller
from countersign.local.forge.state.service import Service

DOCUMENTATION = "https://docs.github.com/rest"
PER_PAGE = 30
PER_PAGE_MAX = 100


class Refused(Exception):
    """The answer is an error."""

    def __init__(
        self, status: int, message: str, *, errors: Sequence[Mapping[str, str] | str] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json; charset=utf-8"

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, with its caller known and its body read."""

    service: Service
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    url: str
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        if self.found is None:
            raise Refused(404, "Not Found")
        return self.found

    def text(self, name: str) -> str:
        """A string that the body must have."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            invalid(f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            invalid(f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value


def error_body(refused: Refused) -> dict[str, Any]:
    body: dict[str, Any] = {"message": refused.message}
    if refused.errors:
        body["errors"] = list(refused.errors)
    return body | {"documentation_url": DOCUMENTATION, "status": str(refused.status)}


def invalid(message: str) -> NoReturn:
    raise Refused(422, message)


def validation_failed(resource: str, message: str, *, field_name: str = "") -> NoReturn:
    """GitHub's 422 with one error that says what is wrong with which resource."""
    error = {"resource": resource, "code": "custom", "message": message}
    if field_name:
        error = {"resource": resource, "field": field_name, "code": "invalid"}
    raise Refused(422, "Validation Failed", errors=[error])


def page_of(call: Call, items: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """The page that was asked for, and the Link header that leads to the others.

    Source: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    per_page = min(max(_number(call.query.get("per_page"), PER_PAGE), 1), PER_PAGE_MAX)
    page = max(_number(call.query.get("page"), 1), 1)
    last = max(1, -(-len(items) // per_page))
    relations: dict[str, int] = {}
    if page > 1:
        relations |= {"prev": page - 1, "first": 1}
    if page < last:
        relations |= {"next": page + 1, "last": last}
    links = [
        f'<{call.url}?{urlencode(dict(call.query) | {"page": number})}>; rel="{relation}"'
        for relation, number in relations.items()
    ]
    start = (page - 1) * per_page
    return items[start : start + per_page], {"link": ", ".join(links)} if links else {}


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
