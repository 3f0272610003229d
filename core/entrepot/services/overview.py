"""A workspace at one glance: what the first page of the web interface shows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.services.schedule import JobView, jobs
from entrepot.services.sources import SourceView, list_sources

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

RECENT = 10
SOON = dt.timedelta(days=30)
"""How far ahead the overview looks for waivers that end."""
VERSIONS = 60
"""Versions of a distribution that the plot of sizes goes back."""


@dataclass(frozen=True, slots=True)
class LastTask:
    """How the last task about something ended, or that it runs."""

    id: int
    state: str
    error: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SizePoint:
    """How large a version of a distribution is."""

    version: int
    created_at: str
    packages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is and what happens. ``sizes`` are by path of the distribution, oldest version first."""

    sources: Sequence[SourceView]
    syncs: Mapping[str, LastTask]
    waiting: Sequence[Mapping[str, Any]]
    imports: Sequence[Mapping[str, Any]]
    publications: Sequence[Mapping[str, Any]]
    tasks: Sequence[Mapping[str, Any]]
    sizes: Mapping[str, Sequence[SizePoint]]
    waivers: Sequence[Mapping[str, Any]]
    """Those that end soon."""
    jobs: Sequence[JobView]


def counts(workspace: Workspace) -> Mapping[str, int]:
    """What waits or runs now, by the name of its page: ``review`` and ``tasks``."""
    figures = workspace.catalog.figures
    return {"review": figures.waiting(), "tasks": figures.under_way()}


def last_syncs(workspace: Workspace) -> Mapping[str, LastTask]:
    """The last sync of each source that was ever synced by a task, by its name."""
    found = workspace.catalog.figures.last_tasks("sync")
    return {subject: LastTask(task_id, state, json.loads(error)) for subject, task_id, state, error in found}


def overview(workspace: Workspace) -> Overview:
    """All of it."""
    catalog = workspace.catalog
    sizes: dict[str, list[SizePoint]] = {}
    for path, version, created_at, packages, size in catalog.figures.sizes(VERSIONS):
        sizes.setdefault(path, []).append(SizePoint(version, created_at, packages, size))
    running = [task for task in catalog.tasks.list(50) if task["state"] in ("waiting", "running")]
    return Overview(
        sources=list_sources(workspace),
        syncs=last_syncs(workspace),
        waiting=catalog.reviews.waiting(),
        imports=catalog.imports.recent(RECENT),
        publications=catalog.figures.published(),
        tasks=running,
        sizes=sizes,
        waivers=catalog.reviews.ending(workspace.now(), workspace.now() + SOON),
        jobs=jobs(workspace),
    )
