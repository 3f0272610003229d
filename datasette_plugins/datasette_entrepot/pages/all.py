"""All pages."""

from __future__ import annotations

from datasette_entrepot.pages import (
    access,
    advisories,
    audit,
    catalog,
    changes,
    distributions,
    imports,
    login,
    overview,
    policies,
    repositories,
    review,
    setup,
    source_forms,
    sources,
    tasks,
)
from datasette_entrepot.pages.routing import PageRoute

GROUPS = (
    overview,
    login,
    catalog,
    imports,
    sources,
    source_forms,
    tasks,
    review,
    repositories,
    distributions,
    changes,
    advisories,
    audit,
    setup,
    policies,
    access,
)

PAGES: tuple[PageRoute, ...] = tuple(route for group in GROUPS for route in group.pages.all)

PATHS = frozenset(route.path for route in PAGES if route.method == "GET")
