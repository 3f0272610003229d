"""Tasks as those see them who asked for one and wait: quick looks that write nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from entrepot.services.event_log import events_path, read_events

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

PUBLIC = (
    "id",
    "kind",
    "subject",
    "state",
    "progress_reports",
    "created_resources",
    "error",
    "result",
    "actor",
    "retry_of",
    "job",
    "created_at",
    "started_at",
    "finished_at",
)


def look(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """A task as it is in the catalog now."""
    task = workspace.catalog.tasks.get(task_id)
    return {name: task[name] for name in PUBLIC}


def look_closely(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """The same with the progress that a running task has not written to the catalog yet."""
    return closely(workspace, look(workspace, task_id))[0]


def planned(workspace: Workspace, task_id: int) -> Mapping[str, Any] | None:
    """What a task was asked for that only worked out what a change of versions would do; None for any other."""
    request = workspace.catalog.tasks.get(task_id)["request"]
    return request if request and request.get("dry_run") else None


def closely(
    workspace: Workspace, task: dict[str, Any]
) -> tuple[dict[str, Any], Mapping[int, Mapping[str, Mapping[str, Any]]]]:
    """A task with the progress that it has not written to the catalog yet, while it runs; and what it told of single
    imports: the latest event of each code, by import.
    """
    latest: dict[str, Any] = {}
    of_imports: dict[int, dict[str, Any]] = {}
    offset, more = 0, task["state"] == "running"
    while more:
        events, offset = read_events(events_path(workspace, task["id"]), offset)
        for event in events:
            about = event.get("import_id")
            (latest if about is None else of_imports.setdefault(about, {}))[event["code"]] = event
        more = bool(events)
    return task | {"progress_reports": list(latest.values()) or task["progress_reports"]}, of_imports


def follow(workspace: Workspace, task_id: int, offset: int) -> tuple[dict[str, Any], Sequence[dict[str, Any]], int]:
    """One step of following a task: its row, its events after ``offset`` bytes, and the next offset.

    The row is from before the events: one that has ended has no events that come later.
    """
    task = look(workspace, task_id)
    events, offset = read_events(events_path(workspace, task_id), offset)
    return task, events, offset


def distribution_of(workspace: Workspace, name: str) -> str:
    """The path of a distribution that is named by path, id or, where that is enough, bare name."""
    return workspace.catalog.repositories.distribution(name).path
