"""An import stage by stage, while it happens and afterwards: from the catalog, and before it is there from events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.models import ImportState
from entrepot.pipeline.telling import FETCH, MOST_WATCHED, SCAN
from entrepot.services.queue import ENDED
from entrepot.services.reviews import ImportView, show_import
from entrepot.services.task_views import closely, look

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Row = Mapping[str, Any]

UNDER_WAY = frozenset((ImportState.FETCHING.value, ImportState.INSPECTING.value))
DECISIONS = {
    ImportState.PUBLISHED.value: "publish",
    ImportState.PENDING_REVIEW.value: "review",
    ImportState.REJECTED.value: "reject",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: ``state`` is a word of progress, of a verdict or of a decision. ``parts`` are the scanners."""

    name: str
    state: str
    detail: str = ""
    done: int = 0
    total: int | None = None
    parts: Sequence[Stage] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """An import with its stages; ``task`` is what it is part of, while that goes on."""

    view: ImportView
    stages: Sequence[Stage]
    task: Row | None


def watch(workspace: Workspace, import_id: int) -> Watched:
    """An import as it is now, compared with the version that is in."""
    task_id = workspace.catalog.imports.get(import_id)["task_id"]
    task = look(workspace, task_id) if task_id else None
    # After the task: what one that has ended did is in the catalog.
    view = show_import(workspace, import_id, comparing=True)
    if task is None or task["state"] in ENDED:
        return Watched(view, _stages(workspace, view, {}, None), None)
    reports, told = closely(workspace, task)
    return Watched(view, _stages(workspace, view, told.get(import_id, {}), reports), reports)


def imports_of(workspace: Workspace, task_id: int) -> Sequence[tuple[Row, Sequence[Row]]]:
    """The imports of a task, each with what was told of its stages; the first ``MOST_WATCHED``."""
    found = workspace.catalog.imports.of_task(task_id, MOST_WATCHED)
    _, told = closely(workspace, look(workspace, task_id)) if found else ({}, {})
    return [(row, list(told.get(row["id"], {}).values())) for row in found]


def _stages(workspace: Workspace, view: ImportView, told: Mapping[str, Row], task: Row | None) -> Sequence[Stage]:
    row, state = view.row, view.row["state"]
    scanners = _scanners(view, told)
    stages = [] if row["source_id"] is None else [_fetched(row, told.get(FETCH))]
    if state == ImportState.ALREADY_PUBLISHED.value and not scanners:
        stages = [Stage("Fetched", "skipped", "the newest version has this very file")]
    elif scanners or state in UNDER_WAY:
        stages.append(_inspected(state, scanners, told))
    if state in UNDER_WAY:
        return [*stages, Stage("Decided", "waiting"), Stage("In a version", "waiting"), Stage("Published", "waiting")]
    if state in DECISIONS:
        policy = f"by the policy {row['policy']}" if row["policy"] else ""
        # What a person decided since has a stage of its own.
        decided = "review" if view.reviews else DECISIONS[state]
        stages.append(Stage("Decided", decided, policy))
    if view.reviews:
        last = view.reviews[-1]
        stages.append(Stage("Reviewed", last["decision"], f"by {last['actor']}"))
    elif state == ImportState.PENDING_REVIEW.value:
        stages.append(Stage("Reviewed", "waiting", "a person decides"))
    if row["repository_version"] is not None:
        stages += [
            Stage("In a version", "completed", f"version {row['repository_version']}"),
            _published(workspace, view, task),
        ]
    return stages


def _fetched(row: Row, event: Row | None) -> Stage:
    if row["sha256"] or (event and event["state"] == "completed"):
        return Stage("Fetched", "completed")
    if row["state"] not in UNDER_WAY:
        return Stage("Fetched", "failed", row["message"] or "")
    if event is None:
        return Stage("Fetched", "waiting")
    return Stage("Fetched", "running", "", event["done"], event["total"])


def _scanners(view: ImportView, told: Mapping[str, Row]) -> Sequence[Stage]:
    """What each scanner said; while that is not in the catalog yet, what was told of them."""
    if view.verdicts:
        return [Stage(item["scanner"], item["status"], _words(item["reason"])) for item in view.verdicts]
    events = {code.removeprefix(SCAN): event for code, event in told.items() if code.startswith(SCAN)}
    return [
        Stage(name, event["outcome"] or event["state"], _words(event["message"]) if event["outcome"] else "")
        for name, event in sorted(events.items())
    ]


def _inspected(state: str, scanners: Sequence[Stage], told: Mapping[str, Row]) -> Stage:
    said = sum(1 for stage in scanners if stage.state != "running")
    if state in UNDER_WAY:
        under_way = bool(told) and bool(scanners)
        detail = f"{said} of {len(scanners)} scanners" if scanners else ""
        return Stage("Inspected", "running" if under_way else "waiting", detail, parts=scanners)
    doubtful = sum(1 for stage in scanners if stage.state not in ("pass", "skipped"))
    detail = f"{said} scanners" + (f"; not passed: {doubtful}" if doubtful else "")
    return Stage("Inspected", "completed", detail, parts=scanners)


def _published(workspace: Workspace, view: ImportView, task: Row | None) -> Stage:
    at = workspace.catalog.publications.first_with(view.distribution, view.row["repository_version"])
    if at is not None:
        return Stage("Published", "completed", f"{at:%Y-%m-%d %H:%M}")
    if task is None:
        return Stage("Published", "waiting", "nothing puts it in place by itself: publish the distribution")
    reports = {report["code"]: report for report in task["progress_reports"]}
    report = reports.get("publish.write")
    if report is None:
        return Stage("Published", "waiting")
    return Stage("Published", "running", f"{report['done']} of {report['total']} files")


def _words(reason: str) -> str:
    return reason.replace("_", " ")
