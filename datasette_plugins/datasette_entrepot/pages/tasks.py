"""One task: how far it is, how it ended, what it made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from entrepot.services import queue, task_views

pages = Pages()

TITLES: Mapping[str, str] = {
    "sync": "Sync of {}",
    "import": "Import into {}",
    "upload": "Upload to {}",
    "publish": "Publication of {}",
    "approve": "Approval into {}",
}
VERSION = re.compile(r"(?P<path>.+) version (?P<number>\d+)")


@pages.get("/tasks/{task}", "task.read")
async def show(call: PageCall) -> Page:
    """The page; without scripts it comes again by itself until the task has ended."""
    task = await call.run(task_views.look_closely, call.number("task"))
    title = TITLES.get(task["kind"], "{} " + task["kind"]).format(task["subject"])
    context = {
        "task": task,
        "ended": task["state"] in queue.ENDED,
        "results": _results(task),
        "created": [_created(text) for text in task["created_resources"]],
        "events_url": call.datasette.urls.path(f"/import/tasks/{task['id']}/events"),
    }
    return Page("task.html", title, context, crumbs=[("Tasks", "/tasks")])


@pages.post("/tasks/{task}/cancel", "task.cancel", shown_on=show)
async def cancel(call: PageCall) -> Redirect:
    """Ends it."""
    task_id = call.number("task")
    await call.run(queue.cancel, task_id)
    return Redirect(f"/tasks/{task_id}", f"Task {task_id} is being ended", "warning")


def _results(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The results of a task that brought packages in, one for each."""
    result = task["result"] or {}
    if "results" in result:
        return list(result["results"])
    return [result] if "package" in result else []


def _created(text: str) -> Mapping[str, Any]:
    found = VERSION.fullmatch(text)
    return {"text": text, "distribution": found["path"] if found else "", "number": found["number"] if found else ""}
