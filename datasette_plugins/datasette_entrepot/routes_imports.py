"""``POST /import/packages`` and ``POST /upload/``."""

from __future__ import annotations

from typing import Any

from datasette_entrepot.forms import Field, parse_texts
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import ref
from datasette_entrepot.tasking import PREFER, perform
from datasette_entrepot.uploads import receive
from entrepot.errors import UsageError
from entrepot.services import imports, mirroring, requests, sources, task_views

routes = Routes()

UPLOAD = (
    Field("distribution", required=True, about="Where it goes", length=300),
    Field("component", about="Component; the first unless given", length=300),
)


@routes.post(
    "/import/packages",
    "package.import",
    "Bring packages of a source into a distribution: fetched, inspected, decided about and published",
    body=(
        Field("source_id", "name", "Id or name of the source", required=True, length=100),
        Field("package", "texts", "Name, or several", required=True, length=500),
        Field("version", about="Version; the newest unless given", length=500, nullable=True),
        Field("arch", about="Architecture; all that fit unless given", length=100, nullable=True),
        Field("distribution", required=True, about="Where it goes: path, or name where only one has it", length=300),
        Field("component", about="Component; that of the source unless given", length=300, nullable=True),
        Field("with_dependencies", "flag", "Bring in what it needs as well"),
        Field("recommends", "flag", "... and what it recommends"),
        Field("dry_run", "flag", "Say what would come in; fetch nothing"),
    ),
    answers={
        200: {"anyOf": [ref("ImportResult"), ref("ImportPlan"), ref("Batch")]},
        202: ref("Task"),
        207: {"anyOf": [ref("ImportResult"), ref("Batch")], "description": "In, but not published"},
    },
    headers=PREFER,
)
async def import_packages(call: Call) -> object:
    body = call.body
    distribution = await call.run(task_views.distribution_of, body["distribution"])
    call.require("package.import", distribution)
    view = await call.run(sources.show_source, body["source_id"])
    several = not isinstance(body["package"], str)
    names = body["package"] if several else [body["package"]]
    if several and (body.get("version") or body.get("arch")):
        raise UsageError("version and arch go with one package", hint="write NAME:ARCH=VERSION in the list")
    if body.get("recommends") and not body.get("with_dependencies"):
        raise UsageError("recommends goes with with_dependencies")
    values: dict[str, Any] = {
        "source": view.source.name,
        "packages": [spec_of(name, body.get("version"), body.get("arch")) for name in names],
        "distribution": distribution,
        "component": body.get("component"),
        "with_dependencies": body.get("with_dependencies", False),
        "recommends": body.get("recommends", False),
    }
    if body.get("dry_run"):
        return await _plan(call, values)
    return await perform(call, "import", distribution, values, later=several)


@routes.post(
    "/import/mirror",
    "version.mirror",
    "Bring a whole source, or what a query means of it, into a distribution, as one version; always a task",
    body=(
        Field("source_id", "name", "Id or name of the source", required=True, length=100),
        Field("distribution", required=True, about="Where it goes: path, or name where only one has it", length=300),
        Field("include", "list", "Packages to take: NAME, NAME:ARCH or NAME=VERSION, with globs", length=500),
        Field("exclude", "list", "Packages never to take, needed or not", length=500),
        Field("where", about="A query that says which packages to take", length=100_000),
        Field("latest", "integer", "Take the newest so many versions of each package only", least=1, most=1 << 30),
        Field("with_dependencies", "flag", "Take what they need as well"),
        Field("recommends", "flag", "... and what they recommend"),
        Field("component", about="Component; that of the source unless given", length=300, nullable=True),
        Field("exact", "flag", "Take away what mirrors of the source brought and that is not meant any more"),
        Field("sync", "flag", "Bring what the source offers now into the catalog first"),
        Field("again", "flag", "Try again what the policy kept out before"),
        Field("on_failure", about="When a package cannot be had (default: skip)", choices=mirroring.ON_FAILURE),
        Field("publish", "flag", "Publish the new version at once (default: yes)"),
        Field("dry_run", "flag", "Say what would come and go; fetch nothing"),
    ),
    answers={200: ref("MirrorPlan"), 202: ref("Task")},
)
async def mirror(call: Call) -> object:
    body = dict(call.body)
    distribution = await call.run(task_views.distribution_of, body["distribution"])
    call.require("version.mirror", distribution)
    if body.get("sync"):
        call.require("source.sync")
    view = await call.run(sources.show_source, body.pop("source_id"))
    values = {**body, "source": view.source.name, "distribution": distribution}
    request = requests.mirror_request(values)
    # What cannot be understood is told at once, not by a task.
    mirroring.query_of(request)
    if values.pop("dry_run", False):
        return (await call.run(mirroring.plan_mirror, request)).as_json()
    return await perform(call, "mirror", distribution, values, later=True)


@routes.post(
    "/upload/",
    "package.upload",
    "Bring files in, the same way; files that one of them names (of a source package) go along",
    multipart={
        "type": "object",
        "properties": {
            "file": {"type": "string", "contentMediaType": "application/octet-stream", "description": "One or more"},
            "distribution": {"type": "string", "description": "Where it goes"},
            "component": {"type": "string", "description": "Component; the first unless given"},
        },
        "required": ["file", "distribution"],
    },
    answers={
        200: {"anyOf": [ref("ImportResult"), ref("Batch")]},
        202: ref("Task"),
        207: {"anyOf": [ref("ImportResult"), ref("Batch")], "description": "In, but not published"},
    },
    headers=PREFER,
)
async def upload(call: Call) -> Answer:
    async with receive(call) as spool:
        values = parse_texts(UPLOAD, spool.fields)
        distribution = await call.run(task_views.distribution_of, values["distribution"])
        call.require("package.upload", distribution)
        if not spool.files:
            raise UsageError("there is no file", hint="send it as the field `file`")
        request = {
            "folder": spool.folder.name,
            "files": spool.files,
            "distribution": distribution,
            "component": values.get("component"),
        }
        spool.keep()
    return await perform(call, "upload", distribution, request)


async def _plan(call: Call, values: dict[str, Any]) -> dict[str, Any]:
    request = imports.ImportRequest(
        values["source"],
        values["packages"],
        values["distribution"],
        values["component"],
        values["with_dependencies"],
        values["recommends"],
    )
    plan = await call.run(imports.plan_import, request)
    if len(request.packages) == 1 and plan.unresolved:
        raise plan.unresolved[0][1]
    return plan.as_json()


def spec_of(name: str, version: str | None, architecture: str | None) -> str:
    """A package as on a command line; ``name`` may be written so already."""
    if not version and not architecture:
        return name
    if ":" in name or "=" in name:
        raise UsageError(f"{name!r} has an architecture or a version already")
    return name + (f":{architecture}" if architecture else "") + (f"={version}" if version else "")
