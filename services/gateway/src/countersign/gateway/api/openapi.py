"""The OpenAPI description, made from the shapes.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import json
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from countersign.gateway.api import shapes
from countersign.gateway.api.examples import EXAMPLES

_REFERENCES: Final = "#/components/schemas/{model}"


class Operation(NamedTuple):
    """One operation; `query` are the parameters that narrow a list."""

    method: str
    path: str
    summary: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: tuple[str, ...] = ()


_BOARD: Final = ("show", "q", "namespace", "page")
_RECORD: Final = ("q", "since", "until", "environment", "person", "credential")
_NARROW: Final = ("state", "namespace", "pipeline", "environment")
_ONE: Final = "/api/v1/promotions/{promotion_id}"
OPERATIONS: Final = (
    Operation("get", "/api/v1/session", "Who is signed in", shapes.SessionShape),
    Operation("get", "/api/v1/pipelines", "Pipelines", shapes.PipelineList, query=_BOARD),
    Operation("get", "/api/v1/pipelines/{namespace}/{name}", "One pipeline", shapes.PipelineShape),
    Operation(
        "get",
        "/api/v1/pipelines/{namespace}/{name}/environments/{environment}/history",
        "What an environment ran",
        shapes.HistoryList,
        query=("at",),
    ),
    Operation("get", "/api/v1/promotions", "Promotions", shapes.PromotionList, query=_NARROW),
    Operation("get", _ONE, "One promotion", shapes.PromotionShape),
    Operation("post", f"{_ONE}/begin", "Promote as oneself", shapes.BeginShape, shapes.BeginBody),
    Operation(
        "post", f"{_ONE}/approve", "Use the stored credential", shapes.DoneShape, shapes.PromoteBody
    ),
    Operation("post", f"{_ONE}/reject", "Reject", shapes.DoneShape, shapes.ReasonBody),
    Operation("post", f"{_ONE}/retry", "Ask again", shapes.DoneShape),
    Operation("get", "/api/v1/credentials", "Stored credentials", shapes.CredentialList),
    Operation(
        "get",
        "/api/v1/credentials/{namespace}/{secret}",
        "One stored credential",
        shapes.CredentialShape,
    ),
    Operation("get", "/api/v1/record", "The record", shapes.RecordList, query=_RECORD),
)


@cache
def description() -> str:
    """The document, as it is served."""
    models: set[type[BaseModel]] = {o.answer for o in OPERATIONS} | {shapes.ProblemShape}
    models |= {o.body for o in OPERATIONS if o.body is not None}
    named = sorted(models, key=lambda m: m.__name__)
    _, schemas = models_json_schema(
        [(m, "serialization") for m in named], ref_template=_REFERENCES, by_alias=True
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": "1",
            "description": "What the pages show and do, for programs. Sign in with a browser; "
            "send the session's cookie, and its form token with every POST.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-countersign"}
            },
        },
    }
    return json.dumps(document, indent=2, sort_keys=True)


def _operation(operation: Operation) -> dict[str, Any]:
    in_path = [p[1:-1] for p in operation.path.split("/") if p.startswith("{")]
    parameters = [_parameter(name, "path") for name in in_path]
    parameters += [_parameter(name, "query") for name in operation.query]
    if operation.method == "post":
        parameters.append(_parameter("X-Countersign-Form", "header"))
    made: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.summary.lower().replace(" ", "_"),
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": _content(operation.answer)},
            "default": {
                "description": "Refused",
                "content": _content(shapes.ProblemShape, "application/problem+json"),
            },
        },
    }
    if operation.body is not None:
        made["requestBody"] = {"content": _content(operation.body)}
    return made


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place != "query",
        "schema": {"type": "string"},
    }


def _content(model: type[BaseModel], kind: str = "application/json") -> dict[str, Any]:
    schema = {"$ref": _REFERENCES.format(model=model.__name__)}
    return {kind: {"schema": schema, "example": EXAMPLES[model]}}
