"""Whether a workspace works, and its figures in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from entrepot import __version__

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Sample = tuple[Mapping[str, str], float]


def check(workspace: Workspace) -> None:
    """Reads a little of the catalog; raises what keeps it from being read."""
    workspace.catalog.sources.list()


def prometheus(workspace: Workspace, *, named: bool) -> str:
    """All figures. Without ``named`` those that would tell the names of sources and distributions are left out."""
    catalog = workspace.catalog
    figures = catalog.figures
    parts = [
        _metric("entrepot_info", "gauge", "The program", [({"version": __version__}, 1)]),
        _metric("entrepot_imports", "gauge", "Imports by state", [({"state": s}, n) for s, n in figures.imports()]),
        _metric(
            "entrepot_tasks",
            "gauge",
            "Tasks by kind and state",
            [({"kind": kind, "state": state}, count) for kind, state, count in figures.tasks()],
        ),
        _metric("entrepot_reviews_waiting", "gauge", "Imports that wait", [({}, len(catalog.reviews.waiting()))]),
    ]
    if named:
        states = [(source.name, catalog.sources.state(source)) for source in catalog.sources.list()]
        parts += [
            _metric(
                "entrepot_source_packages",
                "gauge",
                "Packages that a source offers",
                [({"source": name}, state.packages) for name, state in states],
            ),
            _metric(
                "entrepot_source_synced_timestamp_seconds",
                "gauge",
                "When a source was synced last",
                [({"source": n}, state.checked_at.timestamp()) for n, state in states if state.checked_at],
            ),
            _metric(
                "entrepot_distribution_version",
                "gauge",
                "The newest version of a distribution",
                [({"distribution": path}, version) for path, version, _ in figures.distributions()],
            ),
            _metric(
                "entrepot_distribution_packages",
                "gauge",
                "Packages of that version",
                [({"distribution": path}, packages) for path, _, packages in figures.distributions()],
            ),
        ]
    return "".join(parts)


def _metric(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        text = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        number = repr(value) if isinstance(value, float) and not value.is_integer() else str(int(value))
        lines.append(f"{name}{{{text}}} {number}" if text else f"{name} {number}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
