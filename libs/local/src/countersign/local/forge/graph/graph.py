"""GitHub's GraphQL endpoint: one POST, answers with 200 and `errors`.

Source: https://docs.github.com/en/graphql/guides/forming-calls-with-graphql
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from countersign.local.forge.answers import Refused, error_body
from countersign.local.forge.graph.git_data import Node
from countersign.local.forge.graph.mutations import MUTATIONS, Mutation
from countersign.local.forge.graph.views import View, fail
from countersign.local.forge.limits import RateLimits
from countersign.local.forge.rest.rest import caller_of, read_body, token_headers
from countersign.local.forge.state.permissions import Caller, Need, refusal
from countersign.local.forge.state.service import Service
from countersign.local.forge.wire import stamp


@cache
def schema() -> GraphQLSchema:
    """Ours: a subset of GitHub's, by name and by type."""
    text = files("countersign.local.forge").joinpath("schema.graphql").read_text("utf-8")
    return build_schema(text)


class Graph:
    """Executes documents for callers."""

    def __init__(self, service: Service, limits: RateLimits) -> None:
        self._service = service
        self._limits = limits
        self._schema = schema()

    async def answer(self, request: Request) -> Response:
        caller = Caller()
        try:
            body = await read_body(request)
            caller = caller_of(self._service, request.headers.get("authorization", ""))
            _refuse_nobody(caller)
            content, status = self._execute(caller, _document(body)), 200
        except Refused as refused:
            content, status = error_body(refused), refused.status
        headers = {
            **token_headers(caller.token),
            **self._limits.headers(caller, "graphql", count=True),
            "x-github-media-type": "github.v4; format=json",
            "x-github-request-id": self._service.store.new_secret(16).upper(),
        }
        return JSONResponse(content, status_code=status, headers=headers)

    def _execute(self, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            document = parse(str(given.get("query") or ""))
        except GraphQLError as error:
            return {"errors": [_error(error)]}
        errors = validate(self._schema, document)
        if errors:
            return {"errors": [_error(error) for error in errors]}
        result: ExecutionResult = execute_sync(
            self._schema,
            document,
            root_value=self._root(View(self._service, caller)),
            variable_values=given.get("variables") or {},
            operation_name=given.get("operationName"),
        )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_error(error) for error in result.errors]
        return answer

    def _root(self, view: View) -> Node:
        return {
            "viewer": lambda _: view.account(view.caller.login) | {"__typename": "User"},
            "repository": partial(_repository, view),
            "rateLimit": lambda _, **__: self._rate_limit(view.caller),
            **{name: partial(_mutate, mutation, view) for name, mutation in MUTATIONS.items()},
        }

    def _rate_limit(self, caller: Caller) -> Node:
        state = self._limits.state(caller, "graphql")
        names = ("limit", "remaining", "used")
        at = stamp(datetime.fromtimestamp(state["reset"], UTC))
        return {name: state[name] for name in names} | {"cost": 1, "nodeCount": 0, "resetAt": at}


def _refuse_nobody(caller: Caller) -> None:
    if caller.token is None:
        raise Refused(401, "This endpoint requires you to be authenticated.")


def _mutate(mutation: Mutation, view: View, _: object, *, input: dict[str, Any]) -> Node:  # noqa: A002 - GraphQL's name
    return mutation(view, input)


def _repository(
    view: View,
    _: object,
    *,
    owner: str,
    name: str,
    followRenames: bool = True,  # noqa: N803 - GitHub's name and form
) -> Node:
    store, called = view.service.store, f"{owner}/{name}".lower()
    found = store.repository(owner, name)
    if found is None and followRenames:
        found = next((r for r in store.repositories if called in r.former_names), None)
    if found is None or refusal(view.caller, found, Need("metadata")):
        fail("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
    return view.repository(found)


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise Refused(400, "Problems parsing JSON") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("variables") or {}, dict):
        raise Refused(400, "A query attribute must be specified and must be a string.")
    return parsed


def _error(error: GraphQLError) -> dict[str, Any]:
    """GitHub writes its `type` beside message and path, not below extensions."""
    formatted: dict[str, Any] = dict(error.formatted)
    extensions = dict(formatted.pop("extensions", {}) or {})
    kind = extensions.pop("type", None)
    return {
        **({"type": kind} if kind else {}),
        **formatted,
        **({"extensions": extensions} if extensions else {}),
    }
