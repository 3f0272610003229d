"""Publishing: a version of a distribution is put in place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Storage
from entrepot.errors import BatchError, ConflictError, EntrepotError, UsageError
from entrepot.events import TreePublished
from entrepot.models import Distribution, Repository, Target, Version
from entrepot.pipeline.reopen import Worsening
from entrepot.policies.records import OnChange
from entrepot.progress import Progress, Task, silent
from entrepot.publish.collect import TreeCollector
from entrepot.publish.commit import Committer, PublishReport, StalePlanError
from entrepot.publish.encoders import Levels
from entrepot.publish.file_lists import read_file_lists
from entrepot.publish.plan import Planner, TreePlan
from entrepot.publish.tree import Tree, TreeMaker
from entrepot.services.notices import tell
from entrepot.services.records import record
from entrepot.services.reopening import lapse
from entrepot.services.retaining import retain
from entrepot.services.tasks import running
from entrepot.services.verbatim import refuse_incomplete

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
    withdrawn: Sequence[str] = ()
    """Paths of package files that were removed, because they wait for review again or were refused."""

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
            "withdrawn": list(self.withdrawn),
            "stops_clients": list(self.plan.stops) if self.plan else [],
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
    lapsed: Sequence[str] = ()
    """Imports that wait again because their waivers have expired, one sentence each."""

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
            "lapsed": list(self.lapsed),
            "targets": [target.as_json() for target in self.targets],
        }


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """How to publish: which version (None: the newest), whether only to plan, whether to write what is there already.

    ``force`` signs and writes again what depends on the clock; ``missing`` writes every package that the tree is not
    known to have, not only what changed; ``full`` writes everything, packages included. ``only`` is the URL of the one
    target to publish to. ``refresh`` publishes nothing new: what is in place and would expire soon is signed again.
    """

    version: int | None = None
    dry_run: bool = False
    force: bool = False
    full: bool = False
    missing: bool = False
    only: str | None = None
    allow_withdrawn: bool = False
    """Whether an older version may bring back what was withdrawn, or refused, since."""
    refresh: bool = False
    accept_release_change: bool = False
    """Whether the distribution may say of itself what stops clients until somebody there agrees."""


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
    lapsed: Sequence[str] = ()
    if request.version is not None:
        catalog.versions.get(distribution, request.version)
        if not request.allow_withdrawn:
            refuse_withdrawn(workspace, distribution, request.version)
    elif not request.dry_run and not request.refresh:
        lapsed = [_told(worsening) for worsening in lapse(workspace, distribution)]
        if not distribution.keeps_everything:
            retain(workspace, distribution)
    results, failures = [], []
    number = 0
    targets = [target for target in repository.targets if request.only in (None, target.url)]
    for target in targets:
        try:
            number, result = Job(workspace, repository, target, distribution, request).run(progress)
            results.append(result)
        except EntrepotError as error:
            if len(targets) == 1:
                raise
            failures.append((target.url, error))
    published = PublishResult(distribution, repository, number, results, lapsed)
    if failures:
        message = f"{path}: {len(failures)} of {len(targets)} targets failed"
        raise BatchError(message, failures, results=[published] if results else [])
    return published


def refuse_withdrawn(workspace: Workspace, distribution: Distribution, number: int) -> None:
    """``ConflictError`` if a version has what was withdrawn, or refused, since."""
    found = workspace.catalog.reviews.withdrawn(distribution.id, number)
    if found:
        names = [f"{name} {version} (import {row}: {state})" for name, version, row, state in found[:5]]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ConflictError(
            f"version {number} of {distribution.path} has what was taken out since: {', '.join(names)}{more}",
            hint="publish a version without it, or, if it must be this one, with --allow-withdrawn",
            withdrawn=[row for _, _, row, _ in found],
        )


def _told(worsening: Worsening) -> str:
    info = worsening.holding.info
    withdrawn = worsening.action is OnChange.WITHDRAW
    where = "it is left out" if withdrawn else "it stays in until somebody decides"
    return f"the waiver of {info.name} {info.version} has expired: it waits for review again, {where}"


@dataclass(frozen=True, slots=True)
class Job:
    """One distribution at one target."""

    workspace: Workspace
    repository: Repository
    target: Target
    distribution: Distribution
    request: PublishRequest

    def run(self, progress: Progress) -> tuple[int, TargetResult]:
        """Publishes, and answers which version it was and what was done.

        Package files that no version in place names any more, and that wait for review again or were refused, go at
        once: who still has an older index may not get them.
        """
        number, result = self._put_in_place(progress)
        return number, result if self.request.dry_run else replace(result, withdrawn=self.take_away(number))

    def _put_in_place(self, progress: Progress) -> tuple[int, TargetResult]:
        number, plan = self.plan()
        if plan is None or self.request.dry_run:
            return number, TargetResult(self.target.url, "dry_run" if plan else "unchanged", plan)
        self._check_stops(plan)
        storage = self.workspace.storage(self.target.url)
        try:
            with running(self.workspace, "publish", self.distribution.path, progress) as task:
                for attempt in range(1, TRIES + 1):
                    try:
                        report = self._commit(plan, storage, task)
                        break
                    except StalePlanError:
                        if attempt == TRIES:
                            raise
                    number, plan = self.plan()
                    if plan is None:
                        return number, TargetResult(self.target.url, "unchanged")
                    self._check_stops(plan)
        finally:
            storage.close()
        return number, TargetResult(self.target.url, "published", plan, report)

    def take_away(self, number: int) -> Sequence[str]:
        """Removes what no version in place names any more and must not be had; answers the paths."""
        workspace = self.workspace
        if not workspace.catalog.publications.may_be_withdrawn(self.target, self.repository.id):
            return ()
        settings, clock = workspace.settings.publish, workspace.clock
        collector = TreeCollector(workspace.catalog, self.repository, settings, clock, superseded=False, withdrawn=True)
        if not collector.look(self.target).files:
            return ()
        workspace.pause()
        with closing(workspace.storage(self.target.url)) as storage:
            paths = [file.path for file in collector.remove(self.target, storage).files]
        with workspace.catalog.transaction():
            record(workspace, "publish.withdraw", self.distribution.path, {"target": self.target.url, "files": paths})
            if paths:
                self._tell(number, 0, paths)
        return paths

    def _tell(self, number: int, written: int, changed: Sequence[str]) -> None:
        event = TreePublished(self.repository, self.target, self.distribution, number, written, changed)
        tell(self.workspace, "tree_published", event)

    def plan(self) -> tuple[int, TreePlan | None]:
        """Which version it is, and what putting it in place takes; None if it is in place."""
        workspace, catalog, settings = self.workspace, self.workspace.catalog, self.workspace.settings.publish
        format_ = workspace.format(self.repository.format)
        maker = TreeMaker(
            catalog,
            workspace.store,
            format_,
            self.repository,
            partial(workspace.signer, self.repository),
            workspace.cache_folder / "pieces",
            Levels(settings.gz, settings.xz, settings.zst),
            workspace.now(),
        )
        planner = Planner(catalog, maker, self.repository, self.target)
        # First of all: a newer version that is published while this one is chosen must make the plan void.
        basis = planner.basis(self.distribution)
        number = self.request.version
        if self.request.refresh:
            last = catalog.publications.latest(self.target, self.distribution)
            if last is None or not maker.expired(self.distribution, last.created_at):
                return last.version if last else 0, None
            number = last.version
        version = (
            catalog.versions.latest(self.distribution)
            if number is None
            else catalog.versions.get(self.distribution, number)
        )
        if self.distribution.verbatim:
            refuse_incomplete(workspace, self.distribution, version.number)
        again = self.request.force or self.request.full
        if not again and self.in_place(planner, version):
            return version.number, None
        read_file_lists(catalog, workspace.store, format_, self.distribution, version.number, workspace.scratch)
        tree = self.tree(maker, version)
        return version.number, planner.plan(tree, basis, full=self.request.full, missing=self.request.missing)

    def in_place(self, planner: Planner, version: Version) -> bool:
        """Whether there is nothing to do."""
        return planner.in_place(self.distribution, version)

    def tree(self, maker: TreeMaker, version: Version) -> Tree:
        """What is to be in place."""
        return maker.make(self.distribution, version)

    def _check_stops(self, plan: TreePlan) -> None:
        if plan.stops and not self.request.accept_release_change:
            raise ConflictError(
                f"clients of {self.distribution.path} would stop at their next update: {'; '.join(plan.stops)}",
                hint="take the change back, or, if it is meant, tell them and publish with --accept-release-change",
                stops=list(plan.stops),
            )

    def _commit(self, plan: TreePlan, storage: Storage, task: Task) -> PublishReport:
        workspace, number = self.workspace, plan.version.number
        settings, clock = workspace.settings.publish, workspace.clock
        last = workspace.catalog.publications.latest(self.target, self.distribution, plan.snapshot)

        def noted(report: PublishReport) -> None:
            detail = {"target": self.target.url, "version": number, "requests": dict(report.requests)}
            if plan.snapshot is not None:
                detail["snapshot"] = plan.snapshot.name
            record(workspace, "publish", self.distribution.path, detail | {"before": last.version if last else None})
            self._tell(number, report.written, report.changed)

        committer = Committer(
            *(workspace.catalog, workspace.store, storage, settings, clock, task.progress, noted),
            keep=workspace.pause,
        )
        report = committer.commit(plan)
        task.created.append(f"{self.distribution.path} version {number}")
        return report


def publish_many(
    workspace: Workspace, names: Sequence[str], progress: Progress = silent, request: PublishRequest = DEFAULT
) -> Sequence[PublishResult]:
    """Publishes distributions, and all of the repositories that are named; everything if nothing is.

    ``BatchError`` names those that failed; the others are in place.
    """
    paths = distribution_paths(workspace, names)
    if request.version is not None and len(paths) != 1:
        raise UsageError("--version goes with one distribution")
    if request.refresh and (request.version is not None or request.force or request.full):
        raise UsageError("--refresh goes with neither --version nor --force nor --full")
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


def distribution_paths(workspace: Workspace, names: Sequence[str]) -> Sequence[str]:
    """The paths of distributions, and of all those of the repositories that are named; all there are if nothing is."""
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
