"""Publishing: a version of a distribution is put in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from entrepot.errors import BatchError, EntrepotError, UsageError
from entrepot.events import TreePublished
from entrepot.models import Distribution, Repository, Target
from entrepot.progress import Progress, silent
from entrepot.publish.commit import Committer, PublishReport, StalePlanError
from entrepot.publish.encoders import Levels
from entrepot.publish.plan import Planner, TreePlan
from entrepot.publish.tree import TreeMaker
from entrepot.services.records import record
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


TRIES = 4
"""How often a publication is planned before it gives up against others that are always faster."""


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What a publication did, or would do, at one target. ``report`` is None where nothing was written."""

    url: str
    status: str
    """``published``, ``unchanged`` or ``dry_run``."""
    plan: TreePlan | None = None
    report: PublishReport | None = None

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        done = self.report
        document: dict[str, Any] = {
            "url": self.url,
            "status": self.status,
            "written": done.written if done else 0,
            "bytes": done.bytes if done else 0,
            "kept": done.kept if done else 0,
            "superseded": done.superseded if done else 0,
            "requests": dict(done.requests) if done else {},
        }
        if self.status == "dry_run" and self.plan:
            document["plan"] = [{"step": step, "path": path, "size": size} for step, path, size in self.plan.steps()]
            document["requests"] = dict(self.plan.requests())
        return document


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What a publication did, or would do, at every target of a repository."""

    distribution: Distribution
    repository: Repository
    version: int
    targets: Sequence[TargetResult]

    @property
    def status(self) -> str:
        """``published`` or ``dry_run`` if anything changes anywhere, else ``unchanged``."""
        return next((target.status for target in self.targets if target.status != "unchanged"), "unchanged")

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "status": self.status,
            "distribution": self.distribution.path,
            "version": self.version,
            "public_url": self.repository.public_url,
            "targets": [target.as_json() for target in self.targets],
        }


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """How to publish: which version (None: the newest), whether only to plan, whether to write what is there already.

    ``force`` signs and writes again what depends on the clock; ``missing`` writes every package that the tree is not
    known to have, not only what changed; ``full`` writes everything, packages included. ``only`` is the URL of the one
    target to publish to.
    """

    version: int | None = None
    dry_run: bool = False
    force: bool = False
    full: bool = False
    missing: bool = False
    only: str | None = None


DEFAULT = PublishRequest()


def publish(
    workspace: Workspace, path: str, progress: Progress = silent, request: PublishRequest = DEFAULT
) -> PublishResult:
    """Puts the newest version of a distribution in place, or the one that is asked for, at every target.

    Nothing is written, and no task is made, where that version is in place as it would be written now. Who is
    overtaken by another publisher starts over, some times. Where there are several targets, ``BatchError`` names those
    that failed; the others have the version.
    """
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    if request.version is not None:
        catalog.versions.get(distribution, request.version)
    results, failures = [], []
    number = 0
    targets = [target for target in repository.targets if request.only in (None, target.url)]
    for target in targets:
        try:
            number, result = _publish_to(workspace, repository, target, distribution, progress, request)
            results.append(result)
        except EntrepotError as error:
            if len(targets) == 1:
                raise
            failures.append((target.url, error))
    published = PublishResult(distribution, repository, number, results)
    if failures:
        message = f"{path}: {len(failures)} of {len(targets)} targets failed"
        raise BatchError(message, failures, results=[published] if results else [])
    return published


def _publish_to(
    workspace: Workspace,
    repository: Repository,
    target: Target,
    distribution: Distribution,
    progress: Progress,
    request: PublishRequest,
) -> tuple[int, TargetResult]:
    for attempt in range(1, TRIES + 1):
        newest = workspace.catalog.versions.latest(distribution).number
        number = newest if request.version is None else request.version
        plan = _plan(workspace, repository, target, distribution, number, request)
        if plan is None or request.dry_run:
            return number, TargetResult(target.url, "dry_run" if plan else "unchanged", plan)
        try:
            return number, TargetResult(target.url, "published", plan, _commit(workspace, plan, progress))
        except StalePlanError:
            if attempt == TRIES:
                raise
    raise AssertionError("a publication ends or fails")


def _plan(
    workspace: Workspace,
    repository: Repository,
    target: Target,
    distribution: Distribution,
    number: int,
    request: PublishRequest,
) -> TreePlan | None:
    catalog, settings = workspace.catalog, workspace.settings.publish
    maker = TreeMaker(
        catalog,
        workspace.format(repository.format),
        repository,
        partial(workspace.signer, repository),
        workspace.cache_folder / "pieces",
        Levels(settings.gz, settings.xz, settings.zst),
        workspace.now(),
    )
    planner = Planner(catalog, maker, repository, target)
    version = catalog.versions.get(distribution, number)
    if not request.force and not request.full and planner.in_place(distribution, version):
        return None
    basis = planner.basis(distribution)
    return planner.plan(maker.make(distribution, version), basis, full=request.full, missing=request.missing)


def _commit(workspace: Workspace, plan: TreePlan, progress: Progress) -> PublishReport:
    storage = workspace.storage(plan.target.url)
    try:
        with running(workspace, "publish", plan.distribution.path, progress) as task:
            committer = Committer(
                workspace.catalog,
                workspace.store,
                storage,
                workspace.settings.publish,
                workspace.clock,
                task.progress,
            )
            report = committer.commit(plan)
            task.created.append(f"{plan.distribution.path} version {plan.version.number}")
            with workspace.catalog.transaction():
                detail = {"version": plan.version.number, "target": plan.target.url, "requests": dict(report.requests)}
                record(workspace, "publish", plan.distribution.path, detail)
    finally:
        storage.close()
    event = TreePublished(
        plan.repository, plan.target, plan.distribution, plan.version.number, report.written, report.changed
    )
    workspace.plugins.tell("tree_published", event)
    return report


def publish_many(
    workspace: Workspace, names: Sequence[str], progress: Progress = silent, request: PublishRequest = DEFAULT
) -> Sequence[PublishResult]:
    """Publishes distributions, and all of the repositories that are named; everything if nothing is.

    ``BatchError`` names those that failed; the others are in place.
    """
    paths = _paths(workspace, names)
    if request.version is not None and len(paths) != 1:
        raise UsageError("--version goes with one distribution")
    results: list[PublishResult] = []
    failures: list[tuple[str, EntrepotError]] = []
    failed = 0
    for path in paths:
        try:
            results.append(publish(workspace, path, progress, request))
        except EntrepotError as error:
            if len(paths) == 1:
                raise
            failed += 1
            if isinstance(error, BatchError):
                results += [result for result in error.results if isinstance(result, PublishResult)]
                failures += [(f"{path}: {url}", failure) for url, failure in error.failures]
            else:
                failures.append((path, error))
    if failures:
        message = f"{failed} of {len(paths)} distributions could not be published"
        raise BatchError(message, failures, results=results)
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
