"""Publishing: a version of a distribution is put in place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.errors import BatchError, EntrepotError, UsageError
from entrepot.events import TreePublished
from entrepot.models import Distribution, Repository
from entrepot.progress import Progress, silent
from entrepot.publish.commit import Committer, PublishReport, StalePlanError
from entrepot.publish.plan import Planner, TreePlan
from entrepot.services.records import record
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


TRIES = 4
"""How often a publication is planned before it gives up against others that are always faster."""


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What a publication did, or would do. ``report`` is None where nothing had changed, or in a dry run."""

    distribution: Distribution
    repository: Repository
    version: int
    status: str
    """``published``, ``unchanged`` or ``dry_run``."""
    plan: TreePlan | None
    report: PublishReport | None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        document: dict[str, Any] = {
            "status": self.status,
            "distribution": self.distribution.path,
            "version": self.version,
            "publish_to": self.repository.publish_to,
            "public_url": self.repository.public_url,
            "written": self.report.written if self.report else 0,
            "bytes": self.report.bytes if self.report else 0,
            "kept": self.report.kept if self.report else 0,
            "superseded": self.report.superseded if self.report else 0,
        }
        if self.status == "dry_run" and self.plan:
            document["plan"] = [{"step": step, "path": path, "size": size} for step, path, size in self.plan.steps()]
        return document


def publish(
    workspace: Workspace,
    path: str,
    progress: Progress = silent,
    *,
    version: int | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> PublishResult:
    """Puts the newest version of a distribution in place, or the one that is asked for.

    Nothing is written, and no task is made, where that version is in place as it would be written now. Who is
    overtaken by another publisher starts over, some times.
    """
    for _ in range(TRIES - 1):
        with suppress(StalePlanError):
            return _publish(workspace, path, progress, version, dry_run=dry_run, force=force)
    return _publish(workspace, path, progress, version, dry_run=dry_run, force=force)


def _publish(
    workspace: Workspace, path: str, progress: Progress, version: int | None, *, dry_run: bool, force: bool
) -> PublishResult:
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    number = catalog.versions.latest(distribution).number if version is None else version
    chosen = catalog.versions.get(distribution, number)
    planner = Planner(
        catalog,
        workspace.format(repository.format),
        repository,
        workspace.signer(repository),
        workspace.cache_folder / "pieces",
        workspace.now(),
    )
    plan = planner.plan(distribution, chosen, force=force)
    if plan is None or dry_run:
        status = "unchanged" if plan is None else "dry_run"
        return PublishResult(distribution, repository, number, status, plan, None)
    target = workspace.storage(repository.publish_to)
    try:
        with running(workspace, "publish", distribution.path, progress) as task:
            committer = Committer(catalog, workspace.store, target, workspace.clock, task.progress)
            report = committer.commit(plan)
            task.created.append(f"{distribution.path} version {number}")
            with catalog.transaction():
                detail = {"version": number, "written": report.written, "bytes": report.bytes}
                record(workspace, "publish", distribution.path, detail)
    finally:
        target.close()
    workspace.plugins.tell(
        "tree_published", TreePublished(repository, distribution, number, report.written, report.changed)
    )
    return PublishResult(distribution, repository, number, "published", plan, report)


def publish_many(
    workspace: Workspace,
    names: Sequence[str],
    progress: Progress = silent,
    *,
    version: int | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> Sequence[PublishResult]:
    """Publishes distributions, and all of the repositories that are named; everything if nothing is.

    ``BatchError`` names those that failed; the others are in place.
    """
    paths = _paths(workspace, names)
    if version is not None and len(paths) != 1:
        raise UsageError("--version goes with one distribution")
    results, failures = [], []
    for path in paths:
        try:
            results.append(publish(workspace, path, progress, version=version, dry_run=dry_run, force=force))
        except EntrepotError as error:
            if len(paths) == 1:
                raise
            failures.append((path, error))
    if failures:
        raise BatchError(
            f"{len(failures)} of {len(paths)} distributions could not be published", failures, results=results
        )
    return results


def _paths(workspace: Workspace, names: Sequence[str]) -> Sequence[str]:
    repositories = workspace.catalog.repositories
    by_name = {repository.name: repository for repository in repositories.list()}
    chosen: list[Distribution] = []
    for name in names:
        if name in by_name:
            chosen += repositories.distributions(by_name[name])
        else:
            chosen.append(repositories.distribution(name))
    if not names:
        chosen = list(repositories.distributions())
    return list(dict.fromkeys(distribution.path for distribution in chosen))
