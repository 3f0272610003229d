"""The description of the API says what the API does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from datasette_entrepot.api import ROUTES
from datasette_entrepot.openapi import document
from datasette_entrepot.routing import pattern
from entrepot.services.permissions import ACTIONS
from support.populated import House
from support.web import Server

ROOT = Path(__file__).parents[2]
METHODS = {"get", "post", "patch", "delete", "put"}


def test_the_document_is_valid_openapi(server: Server) -> None:
    answer = server.ask("GET", "/-/entrepot/openapi.json")
    validate(answer.json())
    assert answer.json() == json.loads(json.dumps(document(ROUTES)))


def test_every_route_is_in_the_document_and_the_reverse() -> None:
    described = {
        (method.upper(), path)
        for path, item in document(ROUTES)["paths"].items()
        for method in item
        if method in METHODS
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    assert len(ROUTES) == len(described)


def test_every_path_of_the_document_answers_and_says_its_methods(server: Server) -> None:
    for path, item in document(ROUTES)["paths"].items():
        answer = server.ask("OPTIONS", re.sub(r"\{\w+\}", "1", path))
        assert answer.status_code == 204, path
        allowed = set(answer.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"}
        assert allowed == {method.upper() for method in item}, path


def test_every_action_of_a_route_has_a_role() -> None:
    assert {route.action for route in ROUTES if route.action} <= set(ACTIONS)


def test_every_route_is_documented() -> None:
    text = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    missing = [f"{route.method} {route.path}" for route in ROUTES if f"`{route.method} {route.path}`" not in text]
    assert not missing


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_path_matches_its_own_pattern(route: Any) -> None:
    assert re.match(pattern(route.path), re.sub(r"\{\w+\}", "a%20b", route.path))


# What stays open is tested by itself; here every call has to end.
SCHEMA = schemathesis.openapi.from_dict(document(ROUTES))
OPERATIONS = [
    operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok))
    if not operation.path.endswith(("/sync", "/events"))
]
MEANT = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
)


def cases() -> list[Any]:
    """Every operation with what fits its schema, and those that take something checked with what does not."""
    found = []
    for operation in OPERATIONS:
        path = f"{operation.method} {operation.path}"
        found.append(pytest.param(operation, GenerationMode.POSITIVE, id=path))
        if operation.query.items or operation.body.items:
            found.append(pytest.param(operation, GenerationMode.NEGATIVE, id=f"{path} wrong"))
    return found


@pytest.mark.parametrize(("operation", "mode"), cases())
def test_generated_calls_are_answered_as_the_document_says(
    server: Server, operation: Any, mode: GenerationMode
) -> None:
    load_all_checks()
    checks = [check for check in CHECKS.get_all() if check.__name__ in MEANT]
    assert len(checks) == len(MEANT)

    @settings(
        max_examples=4,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def check(case: Any) -> None:
        case.call_and_validate(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.tokens['admin']}"},
            checks=checks,
            timeout=60,
        )

    check()


def test_times_are_in_utc_and_say_so_with_a_z(house: House) -> None:
    found = []
    for path in (
        "/import/sources",
        "/import/catalog?q=nginx",
        "/import/tasks/1",
        "/security/review-queue",
        "/security/imports/1",
        "/repositories",
        "/repositories/apps/distributions/bookworm/versions",
    ):
        found += re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\"]*", house.server.ask("GET", path, token="reader").text)
    assert len(found) > 20
    assert [text for text in found if not re.fullmatch(r"[-\d]{10}T[:\d]{8}Z", text)] == []
