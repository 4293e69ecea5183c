"""Checks requests and answers against the vendors' own descriptions; GitHub's where none is named.

What the descriptions do not say (headers, 401, 5xx) is checked by hand in the tests.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import reference
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

BASE = "http://forge.test"
NO_CONTENT = frozenset({204, 304})
# Real, but in no description: authentication, absence, limits and failures (api/README.md).
UNDESCRIBED = frozenset({401, 403, 404, 429, 500, 502, 503})
# Recorded, and in neither description.
UNDESCRIBED_ELSEWHERE = frozenset({400, 409, 412, 422, 423})
# Below which the API is at the vendor, and is not in the description.
PREFIXES = {
    "github": r"/api/v3(?=/)",
    "github-ghes-3.19": r"/api/v3(?=/)",
    "gitea": r"/api/v1(?=/)",
    "forgejo": r"/api/v1(?=/)",
    "bitbucket-cloud": r"/2\.0(?=/)",
    "bitbucket-dc": r"/rest(?=/)",
}
# Operations that a vendor describes beside, or nowhere: they are by hand there.
BESIDE = {"azure-devops": {"azure-devops-identity": "/{organization}/_apis/connectionData"}}
# Operations that an excerpt of a description leaves out, with the one whose answer they have.
_LABELS = {"/repos/{owner}/{repo}/labels": "/repos/{owner}/{repo}/issues/{index}/labels"}
LEFT_OUT = {"gitea": _LABELS, "forgejo": _LABELS}
# Recorded without a body, and in neither description: a merge that is scheduled.
_SCHEDULED = {("POST", "/repos/{owner}/{repo}/pulls/{index}/merge", 201)}
RECORDED = {"gitea": _SCHEDULED, "forgejo": _SCHEDULED}
# Recorded of a repository that was moved, and in neither description.
_MOVED = frozenset({301})
MOVED = {"gitea": _MOVED, "forgejo": _MOVED}
# Of an operation that is newer, or another vendor's.
_NO_ROUTE = b"404 page not found\n"
NO_ROUTE = {"gitea": _NO_ROUTE, "forgejo": _NO_ROUTE}
# With which a page comes where people sign in, instead of an answer.
SIGN_IN_PAGES = {"azure-devops": frozenset({203, 302})}
# Where a refusal that no description lists has its words.
MESSAGES = {
    "gitlab": {"message", "error"},
    "bitbucket-cloud": {"error"},
    "bitbucket-dc": {"errors"},
}
JSON = "application/json"


@cache
def _document(vendor: str) -> dict[str, Any]:
    text = (reference.skip_without("api") / f"{vendor}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    document["servers"] = [{"url": BASE}]
    for other, path in BESIDE.get(vendor, {}).items():
        text = (reference.skip_without("api") / f"{other}.json").read_text(encoding="utf-8")
        item = json.loads(text)["paths"][path]
        item.pop("servers", None)
        document["paths"][path] = item
    for path, like in LEFT_OUT.get(vendor, {}).items():
        setting = document["paths"][like]["post"]
        named = [p for p in setting["parameters"] if f"{{{p['name']}}}" in path]
        reading = {"parameters": named, "responses": setting["responses"]}
        document["paths"][path] = {"get": reading}
    _drop_oauth(document)
    return document


def _drop_oauth(document: dict[str, Any]) -> None:
    """Take OAuth out of what is checked, of which openapi-core knows nothing but to warn."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    unknown = {name for name, scheme in schemes.items() if scheme["type"] == "oauth2"}
    operations = [o for item in document["paths"].values() for o in item.values()]
    for node in (document, *(o for o in operations if isinstance(o, dict))):
        if any(unknown & set(way) for way in node.get("security", ())):
            del node["security"]


@cache
def _api(vendor: str) -> OpenAPI:
    return OpenAPI.from_dict(_document(vendor), config=Config(spec_validator_cls=None))


@cache
def github_schema() -> GraphQLSchema:
    """GitHub's own GraphQL schema, the part that the reference material holds."""
    path = reference.skip_without("api") / "github-graphql.graphql"
    return build_schema(path.read_text(encoding="utf-8"))


def _template(vendor: str, method: str, path: str) -> tuple[str, str]:
    """The described path that fits best, and ours with slashes inside parameters escaped."""
    best: tuple[int, str, str] = (-1, "", path)
    for template, item in _document(vendor)["paths"].items():
        if method not in item:
            continue
        operation = item[method]
        slashed = {p.get("name") for p in operation.get("parameters", []) if p.get("x-slash")}
        parts = re.split(r"\{(\w+)\}", template)
        pattern = "".join(
            re.escape(part) if index % 2 == 0 else "(.*)" if part in slashed else "([^/]+)"
            for index, part in enumerate(parts)
        )
        match = re.fullmatch(pattern, path)
        fixed = len(re.sub(r"\{\w+\}", "", template))
        if match and fixed > best[0]:
            values = iter(match.groups())
            # Of a path that is the root nothing is left; the description's reader wants a name.
            filled = re.sub(
                r"\{\w+\}", lambda _, v=values: quote(next(v), safe="%") or "%2E", template
            )
            best = (fixed, template, filled)
    return best[1], best[2]


def _path(vendor: str, target: str) -> str:
    return re.sub(f"^{PREFIXES.get(vendor, '$')}", "", urlsplit(target).path)


def _request(
    vendor: str, method: str, target: str, body: bytes, *, content_type: str = JSON
) -> MockRequest:
    split = urlsplit(target)
    template, filled = _template(vendor, method.lower(), _path(vendor, target))
    if not template:
        raise AssertionError(f"{method} {target}: {vendor}'s description has no such operation")
    return MockRequest(
        BASE,
        method.lower(),
        filled,
        args=dict(parse_qsl(split.query, keep_blank_values=True)),
        data=body or None,
        content_type=content_type,
        # Some descriptions want to know that there is a token.
        headers={"Authorization": "Bearer example"},
    )


def check_request(
    method: str,
    target: str,
    body: bytes = b"",
    *,
    vendor: str = "github",
    content_type: str = JSON,
) -> None:
    """Fail when the vendor's description does not know this request.

    Args:
        method: `GET`, `POST`, …
        target: path and query; what the vendor's API begins with is taken off.
        body: as sent.
        vendor: whose description, by its file.
        content_type: of the body.

    """
    request = _request(vendor, method, target, body, content_type=content_type)
    _explained(lambda: _api(vendor).validate_request(request), f"request {method} {target}")


def check_response(
    method: str,
    target: str,
    *,
    status: int,
    response: bytes,
    body: bytes = b"",
    content_type: str = "application/json",
    vendor: str = "github",
) -> None:
    """Fail when the vendor's description does not allow this answer to this request.

    Statuses that no description lists but forges send pass as long as they carry a message.
    """
    if status in SIGN_IN_PAGES.get(vendor, ()) and content_type == "text/html":
        return
    if status in MOVED.get(vendor, ()) or response == NO_ROUTE.get(vendor):
        return
    request = _request(vendor, method, target, body)
    template, _ = _template(vendor, method.lower(), _path(vendor, target))
    if (method, template, status) in RECORDED.get(vendor, set()):
        assert response == b"", f"{method} {target} {status}: must be empty"
        return
    described = _document(vendor)["paths"][template][method.lower()]["responses"]
    undescribed = UNDESCRIBED | (
        frozenset() if vendor.startswith("github") else UNDESCRIBED_ELSEWHERE
    )
    if status in undescribed and str(status) not in described:
        told = MESSAGES.get(vendor, {"message"}) & json.loads(response).keys()
        assert told, f"{method} {target} {status}: no message"
        return
    if status in NO_CONTENT:
        assert response == b"", f"{method} {target} {status}: must be empty"
        assert str(status) in described, f"{method} {target} {status}: not described"
        return
    answer = MockResponse(response, status_code=status, content_type=content_type)
    _explained(
        lambda: _api(vendor).validate_response(request, answer),
        f"response {method} {target} {status}",
    )


def _explained(check: Any, what: str) -> None:
    try:
        check()
    except Exception as error:  # openapi-core has no base class for what it raises
        cause = error.__cause__
        details = [
            f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
            for e in getattr(cause, "schema_errors", [])
        ]
        raise AssertionError(f"{what}: {error} {cause or ''} {details}") from error


def check_graphql(document: str, variables: Mapping[str, Any] | None = None) -> None:
    """Fail when GitHub's GraphQL schema does not allow this document or these variables."""
    schema = github_schema()
    parsed = parse(document)
    errors = validate(schema, parsed)
    assert not errors, f"GitHub would refuse the document: {[e.message for e in errors]}"
    for definition in parsed.definitions:
        if isinstance(definition, OperationDefinitionNode):
            values = get_variable_values(
                schema, definition.variable_definitions or (), dict(variables or {})
            )
            problems = values if isinstance(values, list) else []
            assert not problems, f"GitHub would refuse the variables: {problems}"
