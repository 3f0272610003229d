"""All that is known of a package by its name: what is offered, what is in, what scanners said, how it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.errors import NotFoundError
from entrepot.services.browse import PackageView, show_package
from entrepot.services.reviews import ImportView, show_import

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

HISTORY = 30
"""Imports of a package that its dossier goes back."""
MOST_HELD = 40
"""Places of a package whose verdicts are told; a name that is in more is told without those of the rest."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A version of the package that is in, with the import that brought it, where that is known."""

    distribution: str
    version: str
    architecture: str
    brought: ImportView | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """A package; ``offered`` is None where no source offers it any more, or somebody brought it as a file."""

    name: str
    offered: PackageView | None
    holdings: Sequence[Holding]
    history: Sequence[dict[str, Any]]


def dossier(
    workspace: Workspace, name: str, *, source: str | None = None, version: str = "", architecture: str = ""
) -> Dossier:
    """What is known of a package: of its newest version, or the one asked for, from one source or from all."""
    catalog = workspace.catalog
    history = catalog.imports.recent(HISTORY, name=name)
    holders = catalog.holdings.holders(name)
    spec = name + (f":{architecture}" if architecture else "") + (f"={version}" if version else "")
    try:
        offered = show_package(workspace, spec, source=source)
    except NotFoundError:
        if source is not None or version or not (holders or history):
            raise
        offered = None
    holdings = [
        Holding(path, held, arch, show_import(workspace, import_id) if import_id and at < MOST_HELD else None)
        for at, (path, held, arch, import_id) in enumerate(holders)
    ]
    return Dossier(name, offered, holdings, history)


def imports_page(
    workspace: Workspace, limit: int, offset: int = 0, *, state: str = "", name: str = "", distribution: str = ""
) -> Sequence[dict[str, Any]]:
    """Imports, newest first; ``limit`` of them after ``offset``."""
    chosen = workspace.catalog.repositories.distribution(distribution) if distribution else None
    return workspace.catalog.imports.recent(
        limit, offset, states=[state] if state else [], name=name, distribution_id=chosen.id if chosen else 0
    )


def offered(workspace: Workspace, source: str, package: str) -> tuple[Sequence[str], str]:
    """The versions that a source has of a package, newest first, and the format of the source; "" without a source."""
    if not source:
        return [], ""
    chosen = workspace.catalog.sources.get(source)
    rows = workspace.catalog.available.versions(package, [chosen]) if package else []
    return list(dict.fromkeys(row.version for row in rows)), chosen.format


def source_name(workspace: Workspace, source_id: int | None) -> str:
    """What the source of an import is called; empty for files that somebody brought."""
    return workspace.catalog.sources.get(str(source_id)).name if source_id is not None else ""
