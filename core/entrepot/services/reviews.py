"""Reviews: a person decides about imports that wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_text
from entrepot.catalog.reviews import Review
from entrepot.errors import ConflictError, EntrepotError, UsageError
from entrepot.events import PackageImported, VersionCreated, findings_json, ruling_json
from entrepot.models import Distribution, ImportState, Version
from entrepot.pipeline.admit import Admission, fitting_component
from entrepot.pipeline.covering import Coverage, coverage
from entrepot.pipeline.explain import actions_of
from entrepot.pipeline.policy import Case, decide
from entrepot.pipeline.reopen import in_place, remove
from entrepot.progress import Progress, silent
from entrepot.services.comparing import Comparison, compare
from entrepot.services.imports import BatchResult, stored_result
from entrepot.services.notices import tell
from entrepot.services.publishing import PublishResult, publish
from entrepot.services.records import record
from entrepot.services.reopening import lapse
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

LONGEST = 3650
"""Days that a waiver may hold."""


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import with what every scanner said and what persons decided."""

    row: dict[str, Any]
    distribution: Distribution
    verdicts: Sequence[dict[str, Any]]
    reviews: Sequence[dict[str, Any]]
    comparison: Comparison | None = None
    """With the version that is in now; None where that is not asked for, or the package could not be read."""
    source: str = ""
    """Name of the source that it came from; empty for a file that somebody brought."""
    told: Sequence[dict[str, Any]] = ()
    """What the sender's scanners said of it, if it came in a bundle. Nothing is decided by that."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return self.row | {
            "rulings": [ruling_json(ruling) for ruling in self.row["rulings"]],
            "distribution": self.distribution.path,
            "source": self.source or None,
            "verdicts": list(self.verdicts),
            "reviews": list(self.reviews),
            "told": list(self.told),
            "compared_with": self.comparison.as_json() if self.comparison else None,
        }


@dataclass(frozen=True, slots=True)
class Rejection:
    """An import that was refused; the version without its package, if that was in, and its publication."""

    view: ImportView
    version: Version | None = None
    publication: PublishResult | None = None
    publish_error: EntrepotError | None = None

    @property
    def row(self) -> dict[str, Any]:
        """Of the import, as it is now."""
        return self.view.row

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return self.view.as_json() | {
            "new_version": self.version.number if self.version else None,
            "publication": self.publication.as_json() if self.publication else None,
            "publish_error": str(self.publish_error) if self.publish_error else None,
        }


@dataclass(frozen=True, slots=True)
class Approval:
    """How an import is approved: why, for how many days (None: for good), and for which CVEs only (none: for all)."""

    justification: str
    expires_in_days: int | None = None
    cve_ids: Sequence[str] = field(default=())


def waiting(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """The imports that wait for a decision, oldest first; those whose waiver has expired are among them."""
    return queue(workspace)


def queue(
    workspace: Workspace,
    *,
    to: str | None = None,
    states: Collection[str] = (ImportState.PENDING_REVIEW.value,),
    expired: bool = False,
) -> Sequence[dict[str, Any]]:
    """Imports in some states, oldest first; to one distribution, or those only that a waiver once let in."""
    lapse(workspace)
    chosen = workspace.catalog.repositories.distribution(to) if to else None
    rows = workspace.catalog.reviews.queue(states, chosen.id if chosen else None)
    now = to_text(workspace.now())
    return [row for row in rows if not expired or (row["expires_at"] and row["expires_at"] <= now)]


def show_import(workspace: Workspace, import_id: int, *, comparing: bool = False) -> ImportView:
    """One import, in whatever state; ``comparing`` it with the version that is in now."""
    catalog = workspace.catalog
    row = catalog.imports.get(import_id)
    verdicts = [
        {
            "scanner": stored.scanner,
            "answers": stored.answers,
            "status": stored.verdict.status.value,
            "reason": stored.verdict.reason,
            "message": stored.verdict.message,
            "tool": stored.verdict.tool,
            "tool_version": stored.verdict.tool_version,
            "database_version": stored.verdict.database_version,
            "evidence": dict(stored.verdict.evidence),
            "findings": findings_json(stored.verdict.findings, actions_of([stored], row["rulings"])),
        }
        for stored in catalog.imports.verdicts(import_id)
    ]
    distribution = catalog.repositories.distribution(str(row["distribution_id"]))
    comparison = None
    if comparing and row["package_id"]:
        comparison = compare(workspace, distribution, row["package_id"], row["repository_version"])
    source = catalog.sources.get(str(row["source_id"])).name if row["source_id"] is not None else ""
    return ImportView(row, distribution, verdicts, _reviews(workspace, row), comparison, source, _told(workspace, row))


def _told(workspace: Workspace, row: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """What the sender of a bundle had scanners say of a package."""
    if row["available_id"] is None:
        return ()
    offered = workspace.catalog.available.get(row["available_id"])
    return workspace.catalog.carried.told(offered.source_id, offered.sha256)


def _reviews(workspace: Workspace, row: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """What was decided about this artifact in this distribution, whichever import brought it."""
    if not row["package_id"]:
        return workspace.catalog.reviews.of_import(row["id"])
    came_as = workspace.catalog.packages.get(row["package_id"]).came_as
    return workspace.catalog.reviews.of_artifact(row["distribution_id"], came_as)


def approve(
    workspace: Workspace,
    import_id: int,
    justification: str,
    progress: Progress = silent,
    *,
    expires_in_days: int | None = None,
    cve_ids: Sequence[str] = (),
    publish_after: bool = True,
) -> BatchResult:
    """Lets exactly the package that waits into a new version, and publishes it.

    The approval is a waiver for what holds it now: what is found later is not covered. With ``cve_ids`` it covers
    those alone; ``ConflictError`` names what else would hold it. ``ConflictError`` also where the policy wants four
    eyes, and it was the same person who brought it in.
    """
    approval = Approval(justification, expires_in_days, tuple(cve_ids))
    view = _waiting(workspace, import_id, justification)
    if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST:
        raise UsageError(f"a waiver cannot end in {expires_in_days} days", hint=f"from 1 to {LONGEST}")
    distribution = view.distribution
    _four_eyes(workspace, view)
    with running(workspace, "approve", distribution.path, progress) as task:
        with workspace.catalog.transaction():
            covered = _covered(workspace, view, approval)
            version = _admit(workspace, view)
            _decide(workspace, view, "approve", approval, covered.covers)
            _decide_again(workspace, view)
            result = stored_result(workspace, import_id)
            tell(workspace, "package_imported", PackageImported(result, distribution))
            if version is not None:
                tell(workspace, "version_created", VersionCreated(distribution, version))
        if version is not None:
            task.created.append(f"{distribution.path} version {version.number}")
        publication, failure = None, None
        if publish_after:
            try:
                publication = publish(workspace, distribution.path, task.progress)
            except EntrepotError as error:
                failure = error
    return BatchResult([result], version, publication, failure)


def require_approvable(workspace: Workspace, import_id: int) -> None:
    """``ConflictError`` where the import does not wait, or who asks may not approve it: the policy wants four eyes."""
    view = show_import(workspace, import_id)
    if view.row["state"] != ImportState.PENDING_REVIEW.value:
        raise ConflictError(f"import {import_id} does not wait for review: it is {view.row['state']}")
    _four_eyes(workspace, view)


def reject(
    workspace: Workspace,
    import_id: int,
    justification: str,
    progress: Progress = silent,
    *,
    publish_after: bool = True,
) -> Rejection:
    """Refuses the package that waits. Other versions of it, and other distributions, are not touched.

    One that is in, because it came in before and was opened again, leaves the next version of its distribution.
    """
    view = _waiting(workspace, import_id, justification)
    distribution = view.distribution
    with running(workspace, "reject", distribution.path, progress) as task:
        with workspace.catalog.transaction():
            row = _still_waits(workspace, import_id)
            version = None
            came_as = workspace.catalog.packages.get(row["package_id"]).came_as
            if row["reopened_at"] and (held := in_place(workspace.catalog, distribution, came_as)):
                version = remove(workspace.catalog, distribution, held, "reject", workspace.now())
                _record_version(workspace, distribution, version)
            message = f"rejected by {workspace.actor}: {justification}"
            workspace.catalog.imports.advance(import_id, ImportState.REJECTED, message=message)
            _decide(workspace, view, "reject", Approval(justification), ())
            if version is not None:
                tell(workspace, "version_created", VersionCreated(distribution, version))
        rejected = Rejection(show_import(workspace, import_id), version)
        if version is None:
            return rejected
        task.created.append(f"{distribution.path} version {version.number}")
        if publish_after:
            try:
                return replace(rejected, publication=publish(workspace, distribution.path, task.progress))
            except EntrepotError as error:
                return replace(rejected, publish_error=error)
    return rejected


def _waiting(workspace: Workspace, import_id: int, justification: str) -> ImportView:
    if not justification.strip():
        raise UsageError("a decision needs a justification", hint="say why with --justification")
    view = show_import(workspace, import_id)
    if view.row["state"] != ImportState.PENDING_REVIEW.value:
        raise ConflictError(f"import {import_id} does not wait for review: it is {view.row['state']}")
    return view


def _still_waits(workspace: Workspace, import_id: int) -> dict[str, Any]:
    """Looked at again, alone among writers: two persons may decide at the same moment."""
    row = workspace.catalog.imports.get(import_id)
    if row["state"] != ImportState.PENDING_REVIEW.value:
        raise ConflictError(f"import {import_id} was decided at this moment: it is {row['state']}, {row['message']}")
    return row


def _four_eyes(workspace: Workspace, view: ImportView) -> None:
    policy = workspace.settings.policy(view.distribution.policy)
    if policy.four_eyes and view.row["actor"] == workspace.actor:
        raise ConflictError(
            f"import {view.row['id']} was brought in by {view.row['actor']}, and {workspace.actor} may not approve it: "
            f"policy {policy.name!r} wants four eyes",
            hint="somebody else has to decide",
            imported_by=view.row["actor"],
            approved_by=workspace.actor,
        )


def _covered(workspace: Workspace, view: ImportView, approval: Approval) -> Coverage:
    """What the approval lets through, by the policy as it is now."""
    return coverage(workspace.settings.policy(view.distribution.policy), _case(workspace, view), approval.cve_ids)


def _case(workspace: Workspace, view: ImportView) -> Case:
    """What there is to decide about, with the waivers that there are now."""
    catalog, distribution, row = workspace.catalog, view.distribution, view.row
    source = catalog.imports.origin(distribution, row["package_id"]).source
    info = catalog.packages.get(row["package_id"])
    waivers = catalog.reviews.waivers(distribution.id, [info.came_as]).get(info.came_as, ())
    return Case(catalog.imports.verdicts(row["id"]), info, source, workspace.now(), waivers)


def _decide_again(workspace: Workspace, view: ImportView) -> None:
    """Notes what the policy says now that there is a waiver: what the result tells is what was let in, and by whom."""
    row = workspace.catalog.imports.get(view.row["id"])
    decision = decide(workspace.settings.policy(view.distribution.policy), _case(workspace, view))
    workspace.catalog.imports.redecide(row["id"], ImportState(row["state"]), row["message"], decision)


def _admit(workspace: Workspace, view: ImportView) -> Version | None:
    catalog, now = workspace.catalog, workspace.now()
    import_id, distribution = view.row["id"], view.distribution
    _still_waits(workspace, import_id)
    info = catalog.packages.get(view.row["package_id"])
    repository = catalog.repositories.get(distribution.repository)
    admission = Admission(catalog, workspace.format(repository.format), repository, distribution)
    component = fitting_component(distribution, view.row["component"] or None, ())
    admission.admit(info, component, now)
    version = admission.commit(f"approve {info.name} {info.version}", now)
    number = version.number if version else catalog.versions.latest(distribution).number
    message = f"approved by {workspace.actor}, in version {number}"
    catalog.imports.advance(
        import_id,
        ImportState.PUBLISHED,
        message=message,
        component=component,
        repository_version=number,
        reopened_at=None,
    )
    if version is not None:
        _record_version(workspace, distribution, version)
    return version


def _record_version(workspace: Workspace, distribution: Distribution, version: Version) -> None:
    detail = {"version": version.number, "message": version.message}
    record(workspace, "version.create", distribution.path, detail)


def _decide(workspace: Workspace, view: ImportView, decision: str, approval: Approval, covers: Collection[str]) -> None:
    row, now = view.row, workspace.now()
    days = approval.expires_in_days
    review = Review(
        import_id=row["id"],
        distribution_id=view.distribution.id,
        sha256=row["sha256"],
        original_sha256=workspace.catalog.packages.get(row["package_id"]).came_as,
        decision=decision,
        justification=approval.justification,
        actor=workspace.actor,
        origin=workspace.origin,
        covers=sorted(covers),
        cve_ids=approval.cve_ids,
        expires_at=now + dt.timedelta(days=days) if days is not None else None,
    )
    workspace.catalog.reviews.add(review, now)
    after = workspace.catalog.imports.get(row["id"])["state"]
    detail = {
        "package": f"{row['name']} {row['version']} {row['architecture']}",
        "distribution": view.distribution.path,
        "sha256": row["sha256"],
        "justification": approval.justification,
        "covers": list(review.covers),
        "expires_at": to_text(review.expires_at) if review.expires_at else None,
        "before": {"state": row["state"]},
        "after": {"state": after},
    }
    record(workspace, f"review.{decision}", f"import {row['id']}", detail)
