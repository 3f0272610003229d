"""What Datasette's own pages say of the catalog: titles, descriptions, order, what is hidden, and usual questions.

All of it is set when Datasette starts, for the database that is the catalog; what its operator configured stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasette_entrepot.protocols import Database, Datasette
from datasette_entrepot.site import Site
from entrepot.catalog.described import QUERIES, TABLES, VIEWS, table_settings

PAGES_OF_ROWS: Mapping[str, tuple[str, str]] = {
    "imports": ("/imports/{}", "id"),
    "sources": ("/sources/{}", "name"),
    "tasks": ("/tasks/{}", "id"),
    "available": ("/package/{}", "name"),
    "packages": ("/package/{}", "name"),
    "verdicts": ("/imports/{}", "import_id"),
    "reviews": ("/imports/{}", "import_id"),
}
"""The page of ours that tells more of a row: its path, and the column that fills it."""

PAGES_OF_TABLES: Mapping[str, str] = {
    "imports": "/imports",
    "sources": "/sources",
    "available": "/catalog",
    "tasks": "/tasks",
    "repositories": "/repositories",
    "distributions": "/repositories",
    "reviews": "/review",
    "advisories": "/advisories",
    "audit": "/audit",
}

PAGES_OF_COLUMNS: Mapping[str, str] = {"import_id": "/imports/{}", "task_id": "/tasks/{}"}
"""Columns of usual questions whose values are links to pages of ours."""


def database_of(datasette: Datasette, site: Site) -> Database | None:
    """The database that is the catalog of the site."""
    wanted = site.catalog.absolute()
    for database in datasette.databases.values():
        if database.path is not None and Path(database.path).absolute() == wanted:
            return database
    return None


async def describe(datasette: Datasette, site: Site) -> None:
    """Sets all of it."""
    database = database_of(datasette, site)
    if database is None:
        return
    configure(datasette.config, database.name)
    await datasette.set_database_metadata(database.name, "description", "The catalog of an Entrepôt")
    for name, table in {**TABLES, **VIEWS}.items():
        await datasette.set_resource_metadata(database.name, name, "title", table.title)
        await datasette.set_resource_metadata(database.name, name, "description", table.about)
        for column, about in table.columns.items():
            await datasette.set_column_metadata(database.name, name, column, "description", about)
    for name, query in QUERIES.items():
        await datasette.add_query(
            database.name,
            name,
            "\n".join(line.strip() for line in query.sql.strip().splitlines()),
            title=query.title,
            description=query.about or None,
            is_trusted=True,
        )


def configure(configuration: Any, database: str) -> None:
    """Order, facets, labels and what is hidden; keys that are there stay as they are."""
    tables = configuration.setdefault("databases", {}).setdefault(database, {}).setdefault("tables", {})
    for name, settings in table_settings().items():
        held = tables.setdefault(name, {})
        sorted_already = "sort" in held or "sort_desc" in held
        for key, value in settings.items():
            if not (sorted_already and key in ("sort", "sort_desc")):
                held.setdefault(key, value)
