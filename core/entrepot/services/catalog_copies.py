"""The catalog for everybody: a copy without what is nobody's business, published like a tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.catalog.described import QUERIES, TABLES, table_settings
from entrepot.catalog.described import VIEWS as VIEWS_TOLD
from entrepot.catalog.public import EMPTY, HOLLOW_VIEWS, LEFT_OUT, PUBLIC, VIEWS, copy_public
from entrepot.contracts import ObjectMeta
from entrepot.errors import UsageError
from entrepot.progress import Progress, ProgressEvent, silent
from entrepot.services.records import record
from entrepot.services.tasks import running
from entrepot.transfer.urls import redact
from entrepot.workspace import CATALOG_FILE

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

METADATA_FILE = "metadata.json"
DATABASE = "catalog"
"""What Datasette calls the database: the name of its file."""
CACHE = "no-cache"
"""Whoever keeps a copy asks whether it is still the one: the name stays, the content does not."""


@dataclass(frozen=True, slots=True)
class CatalogCopy:
    """A copy that was, or would be, published. ``rows`` are by table."""

    url: str
    size: int
    rows: Mapping[str, int]
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "status": "dry_run" if self.dry_run else "published",
            "url": self.url,
            "bytes": self.size,
            "rows": dict(self.rows),
        }


def publish_catalog(
    workspace: Workspace, url: str | None = None, progress: Progress = silent, *, dry_run: bool = False
) -> CatalogCopy:
    """Writes the copy and what Datasette is told of it to a folder or bucket; to that of the settings unless named.

    Each file is replaced as a whole, the database last: who reads has the one before or this one.
    """
    chosen = url or workspace.settings.publish.catalog
    if not chosen:
        raise UsageError(
            "nobody said where the catalog is to be published",
            hint='name a folder or s3:// URL with --to, or set catalog = "..." in [publish] of entrepot.toml',
        )
    if dry_run:
        with workspace.scratch() as folder:
            return _made(workspace, folder, chosen, dry_run=True)
    storage = workspace.storage(chosen)
    try:
        with running(workspace, "catalog", redact(chosen), progress) as task, workspace.scratch() as folder:
            workspace.pause()
            task.progress(ProgressEvent("catalog.copy", "Copying the catalog"))
            made = _made(workspace, folder, chosen, dry_run=False)
            task.progress(ProgressEvent("catalog.copy", "Copied the catalog", "completed"))
            task.progress(ProgressEvent("catalog.write", "Writing", total=made.size, unit="bytes"))
            told = json.dumps(datasette_metadata(), indent=2).encode()
            storage.write(METADATA_FILE, told, meta=ObjectMeta("application/json", CACHE))
            storage.write(CATALOG_FILE, folder / CATALOG_FILE, meta=ObjectMeta("application/vnd.sqlite3", CACHE))
            with workspace.catalog.transaction():
                record(workspace, "publish.catalog", made.url, {"bytes": made.size})
            task.created.append(made.url)
            task.progress(ProgressEvent("catalog.write", "Written", "completed", made.size, made.size, "bytes"))
    finally:
        storage.close()
    return made


def _made(workspace: Workspace, folder: Path, url: str, *, dry_run: bool) -> CatalogCopy:
    path = folder / CATALOG_FILE
    rows = copy_public(workspace.catalog.path, path, shown_url)
    return CatalogCopy(redact(url), path.stat().st_size, rows, dry_run)


def shown_url(url: str | None) -> str | None:
    """A URL as everybody may see it: no user, no secrets in its query, and nothing of files of this machine."""
    if url is None or url.startswith(("http://", "https://")):
        return None if url is None else redact(url)
    return ""


def datasette_metadata() -> dict[str, Any]:
    """What Datasette is told of the copy: titles, descriptions, order, facets, what is hidden, usual questions."""
    settings = table_settings()
    tables: dict[str, dict[str, Any]] = {}
    for name, told in {**TABLES, **VIEWS_TOLD}.items():
        if name in PUBLIC or name in VIEWS:
            told_of = {"title": told.title, "description": told.about, "columns": dict(told.columns)}
            tables[name] = told_of | settings[name]
    unseen = {*EMPTY, *HOLLOW_VIEWS, *(name for name in settings if settings[name].get("hidden"))} - {*LEFT_OUT}
    tables |= {name: {"hidden": True} for name in sorted(unseen)}
    hollow = (*HOLLOW_VIEWS, *EMPTY)
    queries = {
        name: {"title": query.title, "sql": query.sql.strip(), "description": query.about}
        for name, query in QUERIES.items()
        if not any(word in hollow for word in query.sql.split())
    }
    described = {
        "description": "Packages that are offered and published, with what is known of them",
        "tables": tables,
        "queries": queries,
    }
    return {"title": "Catalog", "databases": {DATABASE: described}}
