"""What can be asked for now and done later, by a process of its own: each is one call of a service.

A request is a JSON object without secrets. So is the document that it is answered with, which is kept with the task.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from entrepot.errors import UsageError
from entrepot.services import (
    advisories,
    catalog_copies,
    imports,
    incoming,
    mirroring,
    publishing,
    retention,
    reviews,
    scanning,
    snapshots,
    sources,
    upkeep,
    versions,
)
from entrepot.services.retention import RetentionResult
from entrepot.services.selecting import MirrorRequest
from entrepot.services.version_changes import ChangeRequest, VersionResult

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Values = Mapping[str, Any]
Document = dict[str, Any]

MOST_CHANGES = 1000
"""Changes between versions that are kept with a task; `diff` has all."""
UPLOADS = "uploads"
"""Folder of the workspace where files are until their task takes them."""


def _sync(workspace: Workspace, values: Values) -> Document:
    return sources.sync_source(workspace, values["source"], force=values.get("force", False)).as_json()


def _import(workspace: Workspace, values: Values) -> Document:
    request = imports.ImportRequest(
        source=values["source"],
        packages=values["packages"],
        distribution=values["distribution"],
        component=values.get("component"),
        dependencies=values.get("with_dependencies", False),
        recommends=values.get("recommends", False),
        resign=values.get("resign", False),
    )
    single = len(request.packages) == 1
    if single and not request.dependencies:
        # Of one package nothing is left to report beside why there is none.
        plan = imports.plan_import(workspace, request)
        if plan.unresolved:
            raise plan.unresolved[0][1]
    batch = imports.import_packages(workspace, request, publish_after=values.get("publish", True))
    return batch_document(batch, single=single)


def _upload(workspace: Workspace, values: Values) -> Document:
    folder = workspace.local / UPLOADS / values["folder"]
    try:
        batch = imports.upload(
            workspace,
            [folder / name for name in values["files"]],
            values["distribution"],
            component=values.get("component"),
            publish_after=values.get("publish", True),
            resign=values.get("resign", False),
        )
        return batch_document(batch, single=len(batch.results) == 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(workspace: Workspace, values: Values) -> Document:
    request = publishing.PublishRequest(
        version=values.get("version"),
        force=values.get("force", False),
        only=values.get("target"),
        refresh=values.get("refresh", False),
        accept_release_change=values.get("accept_release_change", False),
    )
    return publishing.publish(workspace, values["distribution"], request=request).as_json()


def _approve(workspace: Workspace, values: Values) -> Document:
    options = {name: values[name] for name in ("expires_in_days", "cve_ids") if values.get(name)}
    batch = reviews.approve(workspace, values["import_id"], values["justification"], **options)
    return batch_document(batch, single=True)


def _reject(workspace: Workspace, values: Values) -> Document:
    return reviews.reject(workspace, values["import_id"], values["justification"]).as_json()


def _rollback(workspace: Workspace, values: Values) -> Document:
    return _bounded(versions.rollback(workspace, values["distribution"], values["to"], request=_change(values)))


def _snapshot(workspace: Workspace, values: Values) -> Document:
    request = snapshots.SnapshotRequest(values.get("name"), move=values.get("move", False))
    return snapshots.create(workspace, values["distribution"], values.get("version"), request=request).as_json()


def _remove_snapshot(workspace: Workspace, values: Values) -> Document:
    return snapshots.remove(workspace, values["distribution"], values["name"]).as_json()


def _retain(workspace: Workspace, values: Values) -> Document:
    return _bounded(retention.apply_retention(workspace, values["distribution"], request=_change(values)))


def _promote(workspace: Workspace, values: Values) -> Document:
    source, target = values["from"], values["distribution"]
    return _bounded(versions.promote(workspace, source, target, values.get("version"), request=_change(values)))


def _remove(workspace: Workspace, values: Values) -> Document:
    return _bounded(
        versions.remove_packages(workspace, values["distribution"], values["packages"], request=_change(values))
    )


def _mirror(workspace: Workspace, values: Values) -> Document:
    request = mirror_request(values)
    if values.get("sync"):
        sources.sync_source(workspace, request.source)
    return mirroring.mirror(workspace, request, publish_after=values.get("publish", True)).as_json()


def mirror_request(values: Values) -> MirrorRequest:
    """What is to be mirrored, by the names that the HTTP API has for it."""
    return MirrorRequest(
        source=values["source"],
        distribution=values["distribution"],
        include=values.get("include", ()),
        exclude=values.get("exclude", ()),
        where=values.get("where", ""),
        latest=values.get("latest"),
        dependencies=values.get("with_dependencies", False),
        recommends=values.get("recommends", False),
        exact=values.get("exact", False),
        component=values.get("component"),
        again=values.get("again", False),
        on_failure=values.get("on_failure", "skip"),
    )


def _change(values: Values) -> ChangeRequest:
    return ChangeRequest(
        values.get("dry_run", False),
        publish_after=values.get("publish", True),
        hold_refused=values.get("hold_refused", False),
    )


def _bounded(result: VersionResult | RetentionResult) -> Document:
    """What became of a change of versions, which is kept with its task: of very many changes the first ones."""
    return result.as_json(most=MOST_CHANGES)


def _scan(workspace: Workspace, values: Values) -> Document:
    return scanning.scan(workspace, scanning.ScanRequest([values["distribution"]])).as_json()


def _advisories(workspace: Workspace, values: Values) -> Document:
    if location := values.get("location"):
        return advisories.add_feed(
            workspace, values["name"], location, format_name=values.get("format") or None
        ).as_json()
    return advisories.update_feed(workspace, values["name"], force=values.get("force", False)).as_json()


def _gc(workspace: Workspace, _: Values) -> Document:
    document = upkeep.collect(workspace).as_json()
    # A plan names every file; what was done is kept with its task as figures.
    return document | {"trees": [{**tree, "paths": []} for tree in document["trees"]]}


def _catalog(workspace: Workspace, values: Values) -> Document:
    return catalog_copies.publish_catalog(workspace, values.get("url")).as_json()


def _incoming(workspace: Workspace, _: Values) -> Document:
    return incoming.take(workspace).as_json()


def batch_document(batch: imports.BatchResult, *, single: bool) -> Document:
    """What became of a batch; of one package, its own result, with those that came along under ``results``."""
    document = batch.as_json()
    if single and batch.results:
        results = document.pop("results")
        # What was asked for is what nothing else brought in: the first in the order of resolving.
        document = results[0] | {
            "publication": document["publication"],
            "publish_error": document["publish_error"],
            **({"results": results} if len(results) > 1 else {}),
        }
    return document


KINDS: Mapping[str, Callable[[Workspace, Values], Document]] = {
    "sync": _sync,
    "import": _import,
    "mirror": _mirror,
    "upload": _upload,
    "publish": _publish,
    "approve": _approve,
    "reject": _reject,
    "rollback": _rollback,
    "promote": _promote,
    "snapshot": _snapshot,
    "remove-snapshot": _remove_snapshot,
    "remove": _remove,
    "retain": _retain,
    "scan": _scan,
    "advisories": _advisories,
    "gc": _gc,
    "incoming": _incoming,
    "catalog": _catalog,
}


def perform(workspace: Workspace, kind: str, values: Values) -> Document:
    """Does what a request asks for."""
    if kind not in KINDS:
        raise UsageError(f"nothing is known that is called {kind!r}", hint=f"known: {', '.join(KINDS)}")
    return KINDS[kind](workspace, values)
