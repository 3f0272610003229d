"""Reviews: a person decides about imports that wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.errors import ConflictError, EntrepotError, UsageError
from entrepot.events import PackageImported, VersionCreated, findings_json, ruling_json
from entrepot.models import Distribution, ImportState, Version
from entrepot.pipeline.admit import Admission, fitting_component
from entrepot.pipeline.explain import actions_of
from entrepot.progress import Progress, silent
from entrepot.services.imports import BatchResult, stored_result
from entrepot.services.publishing import publish
from entrepot.services.records import record
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import with what every scanner said and what persons decided."""

    row: dict[str, Any]
    distribution: Distribution
    verdicts: Sequence[dict[str, Any]]
    reviews: Sequence[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return self.row | {
            "rulings": [ruling_json(ruling) for ruling in self.row["rulings"]],
            "distribution": self.distribution.path,
            "verdicts": list(self.verdicts),
            "reviews": list(self.reviews),
        }


def waiting(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """The imports that wait for a decision, oldest first."""
    return workspace.catalog.reviews.waiting()


def show_import(workspace: Workspace, import_id: int) -> ImportView:
    """One import, in whatever state."""
    catalog = workspace.catalog
    row = catalog.imports.get(import_id)
    verdicts = [
        {
            "scanner": stored.scanner,
            "answers": stored.answers,
            "status": stored.verdict.status.value,
            "reason": stored.verdict.reason,
            "message": stored.verdict.message,
            "evidence": dict(stored.verdict.evidence),
            "findings": findings_json(stored.verdict.findings, actions_of([stored], row["rulings"])),
        }
        for stored in catalog.imports.verdicts(import_id)
    ]
    distribution = catalog.repositories.distribution(str(row["distribution_id"]))
    return ImportView(row, distribution, verdicts, catalog.reviews.of_import(import_id))


def approve(
    workspace: Workspace,
    import_id: int,
    justification: str,
    progress: Progress = silent,
    *,
    publish_after: bool = True,
) -> BatchResult:
    """Lets exactly the package that waits into a new version, and publishes it."""
    view = _waiting(workspace, import_id, justification)
    distribution = view.distribution
    with running(workspace, "approve", distribution.path, progress) as task:
        with workspace.catalog.transaction():
            version = _admit(workspace, view)
            _decide(workspace, view, "approve", justification)
        result = stored_result(workspace, import_id)
        workspace.plugins.tell("package_imported", PackageImported(result, distribution))
        if version is not None:
            task.created.append(f"{distribution.path} version {version.number}")
            workspace.plugins.tell("version_created", VersionCreated(distribution, version))
        publication, failure = None, None
        if publish_after:
            try:
                publication = publish(workspace, distribution.path, task.progress)
            except EntrepotError as error:
                failure = error
    return BatchResult([result], version, publication, failure)


def reject(workspace: Workspace, import_id: int, justification: str) -> ImportView:
    """Refuses the package that waits. Other versions of it, and other distributions, are not touched."""
    view = _waiting(workspace, import_id, justification)
    with workspace.catalog.transaction():
        message = f"rejected by {workspace.actor}: {justification}"
        workspace.catalog.imports.advance(import_id, ImportState.REJECTED, message=message)
        _decide(workspace, view, "reject", justification)
    return show_import(workspace, import_id)


def _waiting(workspace: Workspace, import_id: int, justification: str) -> ImportView:
    if not justification.strip():
        raise UsageError("a decision needs a justification", hint="say why with --justification")
    view = show_import(workspace, import_id)
    if view.row["state"] != ImportState.PENDING_REVIEW.value:
        raise ConflictError(f"import {import_id} does not wait for review: it is {view.row['state']}")
    return view


def _admit(workspace: Workspace, view: ImportView) -> Version | None:
    catalog, now = workspace.catalog, workspace.now()
    import_id, distribution = view.row["id"], view.distribution
    # Looked at again, alone among writers: two persons may decide at the same moment.
    if catalog.imports.get(import_id)["state"] != ImportState.PENDING_REVIEW.value:
        raise ConflictError(f"import {import_id} was decided at this moment")
    info = catalog.packages.get(view.row["package_id"])
    repository = catalog.repositories.get(distribution.repository)
    admission = Admission(catalog, workspace.format(repository.format), repository, distribution)
    component = fitting_component(distribution, view.row["component"] or None, ())
    admission.admit(info, component, now)
    version = admission.commit(f"approve {info.name} {info.version}", now)
    number = version.number if version else catalog.versions.latest(distribution).number
    message = f"approved by {workspace.actor}, in version {number}"
    catalog.imports.advance(
        import_id, ImportState.PUBLISHED, message=message, component=component, repository_version=number
    )
    if version is not None:
        detail = {"version": version.number, "message": version.message}
        record(workspace, "version.create", distribution.path, detail)
    return version


def _decide(workspace: Workspace, view: ImportView, decision: str, justification: str) -> None:
    import_id = view.row["id"]
    workspace.catalog.reviews.add(import_id, decision, justification, workspace.actor, workspace.now())
    package = f"{view.row['name']} {view.row['version']}"
    record(workspace, f"review.{decision}", f"import {import_id}", {"package": package, "justification": justification})
