"""One task: how far it is, how it ended, what it made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.paging import cut, offset_field
from datasette_entrepot.pages.places import distribution_place
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from entrepot.services import listings, queue, task_views, watching

pages = Pages()

AT_ONCE = 50
STATES = ("waiting", "running", "completed", "failed", "canceled")

TITLES: Mapping[str, str] = {
    "sync": "Sync of {}",
    "import": "Import into {}",
    "upload": "Upload to {}",
    "publish": "Publication of {}",
    "approve": "Approval into {}",
    "reject": "Rejection in {}",
    "rollback": "Rollback of {}",
    "promote": "Promotion to {}",
    "remove": "Removal from {}",
    "retain": "What {} keeps",
    "snapshot": "Snapshot of {}",
    "remove-snapshot": "Removal of a snapshot of {}",
    "mirror": "Mirror into {}",
    "scan": "Scan of {}",
    "advisories": "Vulnerability data {}",
    "gc": "Collection of what nobody needs",
    "catalog": "Publication of the catalog to {}",
}
VERSION = re.compile(r"(?P<path>.+) version (?P<number>\d+)")


@pages.get(
    "/tasks",
    "task.read",
    query=(
        Field("state", about="State", choices=STATES),
        Field("kind", about="What is done", length=50),
        offset_field(),
    ),
)
async def show_all(call: PageCall) -> Page:
    """Tasks, newest first."""
    chosen = {name: call.query.get(name, "") for name in ("state", "kind")}
    offset = call.query.get("from", 0)
    rows = await call.run(listings.tasks, AT_ONCE + 1, offset, **chosen)
    shown, paging = cut(rows, offset, AT_ONCE, chosen)
    kinds = await call.run(listings.task_kinds)
    context = {"rows": shown, "paging": paging, "chosen": chosen, "states": STATES, "kinds": kinds}
    return Page("tasks.html", "Tasks", context)


@pages.get("/tasks/{task}", "task.read", query=(Field("then", choices=("import",)),))
async def show(call: PageCall) -> Page | Redirect:
    """The page; without scripts it comes again by itself until the task has ended."""
    task = await call.run(task_views.look_closely, call.number("task"))
    imports = await call.run(watching.imports_of, task["id"])
    if call.query.get("then") and len(imports) == 1:
        return Redirect(f"/imports/{imports[0][0]['id']}")
    title = TITLES.get(task["kind"], "{} " + task["kind"]).format(task["subject"])
    context = {
        "task": task,
        "ended": task["state"] in queue.ENDED,
        "retriable": task["state"] in queue.RETRIABLE and await call.run(queue.keeps_request, task["id"]),
        "results": _results(task),
        "imports": imports,
        "created": [_created(text) for text in dict.fromkeys(task["created_resources"])],
        "plan": await _plan(call, task),
        "events_url": call.datasette.urls.path(f"/import/tasks/{task['id']}/events"),
    }
    return Page("task.html", title, context, crumbs=[("Tasks", "/tasks")])


@pages.post("/tasks/{task}/cancel", "task.cancel", shown_on=show)
async def cancel(call: PageCall) -> Redirect:
    """Ends it."""
    task_id = call.number("task")
    await call.run(queue.cancel, task_id)
    return Redirect(f"/tasks/{task_id}", f"Task {task_id} is being ended", "warning")


@pages.post("/tasks/{task}/retry", "task.retry", shown_on=show)
async def retry(call: PageCall) -> Redirect:
    """Does it again, as a new task."""
    task_id = call.number("task")
    new_id = await call.run(queue.retry, task_id)
    return Redirect(f"/tasks/{new_id}", f"Task {task_id} is done again")


async def _plan(call: PageCall, task: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the form that goes on from a plan needs; None for a task that was not only to plan."""
    asked = await call.run(task_views.planned, task["id"])
    if asked is None or not task["result"]:
        return None
    target = (await call.run(listings.distribution_view, asked["distribution"])).distribution
    place = distribution_place(asked.get("from", target.path))
    values = {"version": asked["version"], "to": target.path} if "from" in asked else {"version": asked["to"]}
    return {
        "distribution": target,
        "place": place,
        "what": task["kind"],
        "action": f"{place}/-/{task['kind']}",
        "values": values,
        "may": call.may(f"version.{task['kind']}", target.path),
    }


def _results(task: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The results of a task that brought packages in, one for each."""
    result = task["result"] or {}
    if "results" in result:
        return list(result["results"])
    if "reviews" in result:
        # An import as a whole: a person refused it.
        return [result | {"import_id": result["id"], "package": result["name"], "status": result["state"]}]
    return [result] if "package" in result else []


def _created(text: str) -> Mapping[str, Any]:
    found = VERSION.fullmatch(text)
    return {"text": text, "distribution": found["path"] if found else "", "number": found["number"] if found else ""}
