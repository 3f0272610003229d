"""The API as an OpenAPI 3.1 document, made from the routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.answers import JSON, PROBLEM
from datasette_entrepot.forms import object_schema
from datasette_entrepot.routing import PARAMETERS, Route
from datasette_entrepot.schemas import SCHEMAS
from entrepot import __version__
from entrepot.services.permissions import ACTIONS

PROBLEMS: Mapping[int, str] = {
    400: "The body is malformed",
    401: "No token, or one that is not good",
    403: "The token may not do this",
    404: "There is no such thing",
    409: "It contradicts what is there",
    413: "Too large",
    415: "Another content type is needed",
    422: "What was asked makes no sense",
    429: "Too many wrong tries",
    500: "The server failed",
    502: "A source failed",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document about these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Entrepôt",
            "version": __version__,
            "description": "Brings Linux packages in, inspects them, and publishes them as signed repositories.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def operation(route: Route) -> dict[str, Any]:
    """One route."""
    found: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.about,
        "parameters": [*_path(route), *_query(route), *_headers(route)],
        "responses": _responses(route),
        "security": [{"bearer": []}] if route.action else [],
    }
    if route.action:
        found["description"] = f"Least role: {ACTIONS[route.action]}."
        if ACTIONS[route.action].rank == 0:
            found["security"].append({})
    if (body := _body(route)) is not None:
        found["requestBody"] = body
    return found


def _path(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": dict(PARAMETERS[name][1])} for name in names]


def _query(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": field.name, "in": "query", "required": field.required, "schema": field.schema()}
        for field in route.query
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    # Accept is not for parameters (OpenAPI 3.1, 4.8.12.1); it shows in the content types of the answers.
    return [
        {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in route.headers.items()
        if name != "Accept"
    ]


def _body(route: Route) -> dict[str, Any] | None:
    if route.multipart is not None:
        return {"required": True, "content": {"multipart/form-data": {"schema": dict(route.multipart)}}}
    if route.body is None:
        return None
    content: dict[str, Any] = {JSON: {"schema": object_schema(route.body)}}
    if route.body_form:
        content["application/x-www-form-urlencoded"] = {"schema": object_schema(route.body)}
    return {"required": not route.body_optional, "content": content}


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, schema in route.answers.items():
        answer: dict[str, Any] = {"description": str(schema.get("description", "Done" if status < 400 else "Failed"))}
        if schema:
            answer["content"] = {route.media.get(status, JSON): {"schema": dict(schema)}}
        if status in (201, 202):
            answer["headers"] = {"Location": {"schema": {"type": "string"}}}
        responses[str(status)] = answer
    for status, about in PROBLEMS.items():
        responses.setdefault(
            str(status),
            {"description": about, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
    return responses
