"""Imports: asking for one, bringing files, the list, and one of them stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datasette_entrepot.forms import Field, parse_texts
from datasette_entrepot.pages.paging import cut, offset_field
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from datasette_entrepot.pages.work import UNTIL_IMPORT, begin
from datasette_entrepot.routes_imports import UPLOAD, spec_of
from datasette_entrepot.uploads import receive
from entrepot.errors import EntrepotError, UsageError
from entrepot.models import ImportState
from entrepot.services import browse, dossiers, policies, task_views, watching
from entrepot.services.imports import ImportRequest, plan_import

pages = Pages()

CRUMBS = [("Imports", "/imports")]
PAGE = 50
WANTED = (
    Field("source", length=100),
    Field("package", length=500),
    Field("version", length=500),
    Field("arch", length=100),
    Field("distribution", length=300),
    Field("component", length=300),
    Field("with_dependencies", "flag"),
    Field("recommends", "flag"),
    Field("preview", "flag"),
)


@pages.get(
    "/imports",
    "review.read",
    query=(
        Field("state", choices=tuple(state.value for state in ImportState)),
        Field("name", length=500),
        Field("distribution", length=300),
        offset_field(),
    ),
)
async def show_all(call: PageCall) -> Page:
    """Every import, newest first."""
    query, offset = dict(call.query), call.query.get("from", 0)
    query.pop("from", None)
    found = await call.run(dossiers.imports_page, PAGE + 1, offset, **query)
    rows, paging = cut(found, offset, PAGE, query)
    context = {
        "rows": rows,
        "paging": paging,
        "here": "/imports",
        "asked": query,
        "states": [state.value for state in ImportState],
        "choices": await call.run(browse.choices),
    }
    return Page("imports.html", "Imports", context)


@pages.get("/imports/{import}", "review.read")
async def show(call: PageCall) -> Page:
    """One import: its stages, what every scanner said, what the policy made of it, what persons decided."""
    watched = await call.run(watching.watch, call.number("import"))
    row = watched.view.row
    context = {
        "view": watched.view,
        "row": row,
        "stages": watched.stages,
        "task": watched.task,
        "events_url": call.datasette.urls.path(f"/import/tasks/{row['task_id']}/events"),
        "source": await call.run(dossiers.source_name, row["source_id"]),
    }
    return Page("import.html", f"{row['name']} {row['version'] or ''}".strip(), context, crumbs=CRUMBS)


@pages.get("/import", "package.import", query=WANTED)
async def form(call: PageCall) -> Page:
    """The form to bring a package in; with ``preview`` what would come in, and what the policy would decide."""
    values: dict[str, Any] = dict(call.query)
    if call.form:
        values = {name: text for name, text in call.form.pairs if text}
    choices = await call.run(browse.choices)
    versions, fits = await call.run(dossiers.offered, values.get("source", ""), values.get("package", ""))
    context: dict[str, Any] = {
        "values": values,
        "choices": choices,
        "versions": versions,
        "distributions": [
            item
            for item in choices.distributions
            if (not fits or item.format == fits) and call.may("package.import", item.path)
        ],
        "plan": None,
    }
    if values.get("preview") and call.error is None:
        try:
            plan, tests = await call.run(policies.foresee_import, _request(values))
            context |= {"plan": plan, "tests": tests}
        except EntrepotError as error:
            call.error = error
    return Page("import_form.html", "Import a package", context, crumbs=CRUMBS)


@pages.post("/import", "package.import", shown_on=form)
async def import_package(call: PageCall) -> Redirect:
    """Begins the import; its page shows each stage, or that of its task where there are several packages."""
    for name, message in (("source", "choose a source"), ("package", "name a package")):
        require_text(call, name, message)
    wanted = require_text(call, "distribution", "choose where it goes")
    distribution = await call.run(task_views.distribution_of, wanted)
    call.require("package.import", distribution)
    request = _request({**dict(call.form.pairs), "distribution": distribution})
    # Looked up here already, so that who mistypes a name learns so on the form.
    plan = await call.run(plan_import, replace(request, dependencies=False))
    if plan.unresolved:
        raise plan.unresolved[0][1]
    values = {
        "source": request.source,
        "packages": list(request.packages),
        "distribution": distribution,
        "component": request.component,
        "with_dependencies": request.dependencies,
        "recommends": request.recommends,
    }
    return await begin(call, "import", distribution, values, page=UNTIL_IMPORT)


@pages.get("/upload", "package.upload")
async def upload_form(call: PageCall) -> Page:
    """The form for files: how packages come to a place without a network."""
    choices = await call.run(browse.choices)
    allowed = [item for item in choices.distributions if call.may("package.upload", item.path)]
    return Page("upload.html", "Upload packages", {"distributions": allowed}, crumbs=CRUMBS)


@pages.post("/upload", "package.upload", shown_on=upload_form, streamed=True)
async def upload(call: PageCall) -> Redirect:
    """Takes the files and begins to bring them in."""
    async with receive(call) as spool:
        values = parse_texts(UPLOAD, [(name, text) for name, text in spool.fields if text])
        distribution = await call.run(task_views.distribution_of, values["distribution"])
        call.require("package.upload", distribution)
        if not spool.files:
            raise UsageError("choose a file")
        request = {
            "folder": spool.folder.name,
            "files": spool.files,
            "distribution": distribution,
            "component": values.get("component"),
        }
        spool.keep()
    return await begin(call, "upload", distribution, request, page=UNTIL_IMPORT)


def _request(values: Mapping[str, Any]) -> ImportRequest:
    names = str(values.get("package") or "").split()
    version, architecture = values.get("version") or None, values.get("arch") or None
    if len(names) > 1 and (version or architecture):
        raise UsageError("version and architecture go with one package", hint="write NAME:ARCH=VERSION in the list")
    recommends = bool(values.get("recommends"))
    return ImportRequest(
        source=str(values.get("source") or ""),
        packages=[spec_of(name, version, architecture) for name in names],
        distribution=str(values.get("distribution") or ""),
        component=values.get("component") or None,
        dependencies=bool(values.get("with_dependencies")) or recommends,
        recommends=recommends,
    )
