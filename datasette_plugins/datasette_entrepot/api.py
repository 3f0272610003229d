"""All routes of the API."""

from __future__ import annotations

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
from datasette_entrepot.routing import Route

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

ROUTES: tuple[Route, ...] = tuple(route for group in GROUPS for route in group.routes.all)

UNKNOWN = r"^/(import|security|repositories|upload|auth)(/.*)?$"
"""Paths of the API that are none of its routes; of those under ``/-/entrepot`` the pages say so."""
