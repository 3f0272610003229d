"""All routes of the API."""

from __future__ import annotations

from typing import Any

from datasette_entrepot import (
    routes_auth,
    routes_catalog,
    routes_imports,
    routes_repositories,
    routes_reviews,
    routes_sources,
    routes_system,
    routes_tasks,
)
from datasette_entrepot.openapi import document
from datasette_entrepot.routing import Call, Route, Routes
from datasette_entrepot.schemas import OBJECT

GROUPS = (
    routes_auth,
    routes_sources,
    routes_catalog,
    routes_imports,
    routes_tasks,
    routes_reviews,
    routes_repositories,
    routes_system,
)

routes = Routes()


@routes.get("/-/entrepot/openapi.json", "", "This description (OpenAPI 3.1)", answers={200: OBJECT})
async def openapi(_: Call) -> dict[str, Any]:
    """The description of all routes, this one among them."""
    return document(ROUTES)


ROUTES: tuple[Route, ...] = (*(route for group in GROUPS for route in group.routes.all), *routes.all)

UNKNOWN = r"^/(import|security|repositories|upload|auth)(/.*)?$"
"""Paths of the API that are none of its routes; of those under ``/-/entrepot`` the pages say so."""
