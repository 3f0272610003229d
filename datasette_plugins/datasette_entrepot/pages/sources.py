"""Sources: the list, one of them, and syncs."""

from __future__ import annotations

from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from datasette_entrepot.pages.work import begin
from entrepot.services import overview, sources, task_views
from entrepot.services.operations import tasks_about

pages = Pages()

CRUMBS = [("Sources", "/sources")]
SYNCS = 10
"""Syncs of a source that its page tells of."""


@pages.get("/sources", "source.read")
async def show_all(call: PageCall) -> Page:
    """Every source with how its last sync ended."""
    context = {"views": await call.run(sources.list_sources), "syncs": await call.run(overview.last_syncs)}
    return Page("sources.html", "Sources", context)


@pages.get("/sources/{source}", "source.read")
async def show(call: PageCall) -> Page:
    """One source: what is read from it, whom it is trusted from, how its last syncs ended."""
    view = await call.run(sources.show_source, call.parameters["source"])
    syncs = await call.run(tasks_about, "sync", view.source.name, SYNCS)
    running = next((task for task in syncs if task["state"] in ("waiting", "running")), None)
    chosen = next((item for item in await call.run(sources.formats) if item.name == view.source.format), None)
    context = {
        "view": view,
        "source": view.source,
        "format": chosen,
        "syncs": syncs,
        "task": await call.run(task_views.look_closely, running["id"]) if running else None,
        "events_url": call.datasette.urls.path(f"/import/tasks/{running['id']}/events") if running else "",
    }
    return Page("source.html", view.source.name, context, crumbs=CRUMBS)


@pages.post("/sources/{source}/sync", "source.sync", shown_on=show)
async def sync(call: PageCall) -> Redirect:
    """Begins a sync, or follows the one that is under way; the page of the source shows how far it is."""
    view = await call.run(sources.show_source, call.parameters["source"])
    name = view.source.name
    values = {"source": name, "force": call.form.flag("force")}
    return await begin(call, "sync", name, values, follow=True, page="/sources/{}", part=name)


@pages.post("/sources/{source}/remove", "source.change", shown_on=show)
async def remove(call: PageCall) -> Redirect:
    """Removes it, once that was confirmed on its page."""
    source = await call.run(sources.remove_source, call.parameters["source"])
    return Redirect("/sources", f"{source.name} is removed; packages that came from it stay")
