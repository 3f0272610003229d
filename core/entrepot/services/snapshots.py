"""Snapshots: versions that stay reachable under ``snapshots/<name>/`` and share the packages of the distribution."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_json, to_text
from entrepot.contracts import TreeFile
from entrepot.errors import BatchError, ConflictError, EntrepotError, UsageError
from entrepot.models import Distribution, Phase, Repository, Snapshot, Target, Version
from entrepot.progress import Progress, silent
from entrepot.publish.bodies import BytesBody
from entrepot.publish.plan import Planner
from entrepot.publish.tree import Tree, TreeMaker, snapshot_builder
from entrepot.services.names import check_name
from entrepot.services.publishing import (
    Job,
    PublishRequest,
    PublishResult,
    TargetResult,
    publish,
    publish_many,
    refuse_withdrawn,
)
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

LISTING = "snapshots/index.json"
TIME = "%Y%m%dT%H%M%SZ"
"""How a snapshot is called that was given no name, and what apt asks for: a name of this form is its time."""


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A snapshot, and what was done, or would be, at every target of its repository."""

    snapshot: Snapshot
    targets: Sequence[TargetResult]
    removed: bool = False

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return snapshot_json(self.snapshot) | {
            "removed": self.removed,
            "targets": [target.as_json() for target in self.targets],
        }


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """How a snapshot is called (None: by the time), whether one of that name may be moved, and whether only to plan."""

    name: str | None = None
    move: bool = False
    dry_run: bool = False
    allow_withdrawn: bool = False


DEFAULT = SnapshotRequest()


def create(
    workspace: Workspace,
    path: str,
    number: int | None = None,
    progress: Progress = silent,
    request: SnapshotRequest = DEFAULT,
) -> SnapshotResult:
    """Makes a version (None: the one in place, else the newest) reachable under a name until that is removed.

    What is in place is published again where it did not say yet that there are snapshots. Whoever repeats the command
    with the same name and version finishes what was begun. ``ConflictError`` where the name is another version's.
    """
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    snapshot_builder(workspace.format(repository.format))
    version = _version(workspace, distribution, repository, number)
    name = request.name or workspace.now().astimezone(dt.UTC).strftime(TIME)
    check_name("snapshot", name)
    if f"snapshots/{name}" == LISTING:
        raise UsageError(f"{name} is the list of snapshots", hint="choose another name")
    before = catalog.snapshots.find(distribution, name)
    if before is not None and before.version != version.number and not request.move:
        raise ConflictError(
            f"{distribution.path} has a snapshot {name} already, of version {before.version}",
            hint="choose another name, or have it name this version with --move",
        )
    publish_request = PublishRequest(version.number, dry_run=request.dry_run, allow_withdrawn=request.allow_withdrawn)
    if not request.allow_withdrawn:
        refuse_withdrawn(workspace, distribution, version.number)
    if request.dry_run:
        made = Snapshot(0, distribution.id, distribution.path, name, version.number, workspace.now())
    else:
        with catalog.transaction():
            made = catalog.snapshots.save(distribution, name, version.number, _time(name) or workspace.now())
            detail = {"name": name, "version": version.number, "before": before.version if before else None}
            record(workspace, "snapshot.create", distribution.path, detail)
        _say_so(workspace, distribution, repository, progress)
    jobs = [
        SnapshotJob(workspace, repository, target, distribution, publish_request, made) for target in repository.targets
    ]
    return SnapshotResult(made, _run(jobs, progress))


def publish_with_snapshots(
    workspace: Workspace,
    names: Sequence[str],
    progress: Progress,
    request: PublishRequest,
    wanted: SnapshotRequest,
) -> tuple[Sequence[PublishResult], Sequence[SnapshotResult]]:
    """Publishes, and makes a snapshot of every distribution that was published, all of one name."""
    wanted = replace(wanted, name=wanted.name or workspace.now().astimezone(dt.UTC).strftime(TIME))
    results = publish_many(workspace, names, progress, request)
    made = [create(workspace, result.distribution.path, result.version, progress, wanted) for result in results]
    return results, made


def publish_all(
    workspace: Workspace, names: Sequence[str], progress: Progress, request: PublishRequest
) -> tuple[Sequence[PublishResult], Sequence[SnapshotResult]]:
    """Publishes, and writes the snapshots of what was published where they are not yet: at places that were added.

    The snapshots are those that were missing somewhere.
    """
    results = publish_many(workspace, names, progress, request)
    if request.dry_run or request.refresh:
        return results, ()
    made = []
    for result in results:
        distribution, repository = result.distribution, result.repository
        missing: dict[Snapshot, list[Target]] = {}
        for target in repository.targets:
            there = set(workspace.catalog.snapshots.published(target))
            for snapshot in workspace.catalog.snapshots.list(distribution):
                if snapshot not in there:
                    missing.setdefault(snapshot, []).append(target)
        for snapshot, targets in missing.items():
            again = PublishRequest(snapshot.version)
            jobs = [SnapshotJob(workspace, repository, target, distribution, again, snapshot) for target in targets]
            made.append(SnapshotResult(snapshot, _run(jobs, progress)))
    return results, made


def list_snapshots(workspace: Workspace, path: str | None = None, at: dt.datetime | None = None) -> Sequence[Snapshot]:
    """Snapshots of a distribution, or of all; with ``at`` the newest of each that is not younger than that."""
    distribution = workspace.catalog.repositories.distribution(path) if path else None
    found = workspace.catalog.snapshots.list(distribution)
    if at is None:
        return found
    return list({snapshot.distribution: snapshot for snapshot in found if snapshot.created_at <= at}.values())


def documents(workspace: Workspace, path: str) -> Sequence[dict[str, Any]]:
    """The snapshots of a distribution, for the HTTP API."""
    return [snapshot_json(snapshot) for snapshot in list_snapshots(workspace, path)]


def remove(
    workspace: Workspace, path: str, name: str, progress: Progress = silent, *, dry_run: bool = False
) -> SnapshotResult:
    """Removes a snapshot: what clients read first at once, all else when it is collected, after the grace."""
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    snapshot = catalog.snapshots.get(distribution, name)
    request = PublishRequest(snapshot.version, dry_run=dry_run)
    jobs = [RemovalJob(workspace, repository, target, distribution, request, snapshot) for target in repository.targets]
    targets = _run(jobs, progress)
    if not dry_run:
        with catalog.transaction():
            catalog.snapshots.remove(snapshot)
            record(workspace, "snapshot.remove", distribution.path, {"name": name, "version": snapshot.version})
        # What it alone had, and what was withdrawn or refused meanwhile, has no grace.
        taken = [job.take_away(snapshot.version) for job in jobs]
        targets = [replace(target, withdrawn=paths) for target, paths in zip(targets, taken, strict=True)]
    return SnapshotResult(snapshot, targets, removed=not dry_run)


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """For ``--json``, the HTTP API and the list that is published."""
    return {
        "distribution": snapshot.distribution,
        "name": snapshot.name,
        "version": snapshot.version,
        "created_at": to_text(snapshot.created_at),
        "path": f"snapshots/{snapshot.name}/",
    }


def write_again(workspace: Workspace, target: Target, progress: Progress) -> None:
    """Writes what is missing of the snapshots that are at a target."""
    repositories = workspace.catalog.repositories
    for snapshot in workspace.catalog.snapshots.published(target):
        distribution = repositories.distribution(snapshot.distribution)
        repository = repositories.get(distribution.repository)
        request = PublishRequest(snapshot.version, force=True, missing=True)
        SnapshotJob(workspace, repository, target, distribution, request, snapshot).run(progress)


@dataclass(frozen=True, slots=True)
class SnapshotJob(Job):
    """One snapshot at one target."""

    snapshot: Snapshot

    def in_place(self, planner: Planner, version: Version) -> bool:
        """Whether there is nothing to do."""
        return self.snapshot.id != 0 and planner.in_place(self.distribution, version, self.snapshot)

    def tree(self, maker: TreeMaker, version: Version) -> Tree:
        """The files of the snapshot, and the list of all."""
        tree = maker.make(self.distribution, version, self.snapshot)
        return replace(tree, shared=[self._listing(self.snapshot)])

    def _listing(self, *own: Snapshot) -> TreeFile:
        there = self.workspace.catalog.snapshots.published(self.target)
        others = [snapshot for snapshot in there if snapshot.id != self.snapshot.id]
        listed = sorted([*others, *own], key=lambda snapshot: (snapshot.distribution, snapshot.created_at, snapshot.id))
        text = to_json({"snapshots": [snapshot_json(snapshot) for snapshot in listed]}).encode() + b"\n"
        digest = hashlib.sha256(text).hexdigest()
        return TreeFile(LISTING, Phase.ENTRY, len(text), digest, BytesBody(text), "application/json")


@dataclass(frozen=True, slots=True)
class RemovalJob(SnapshotJob):
    """One snapshot that is to be gone from one target."""

    def in_place(self, planner: Planner, version: Version) -> bool:
        """It is not known before the plan is made."""
        return False

    def tree(self, maker: TreeMaker, version: Version) -> Tree:
        """No file of its own, and the list without it."""
        return Tree(self.distribution, version, (), [self._listing()], None, maker.now, self.snapshot)


def _run(jobs: Sequence[SnapshotJob], progress: Progress) -> Sequence[TargetResult]:
    """Every target; ``BatchError`` names those that failed, where there are several."""
    results, failures = [], []
    for job in jobs:
        try:
            results.append(job.run(progress)[1])
        except EntrepotError as error:
            if len(jobs) == 1:
                raise
            failures.append((job.target.url, error))
    if failures:
        raise BatchError(f"{len(failures)} of {len(jobs)} targets failed", failures, results=results)
    return results


def _version(workspace: Workspace, distribution: Distribution, repository: Repository, number: int | None) -> Version:
    catalog = workspace.catalog
    if number is not None:
        return catalog.versions.get(distribution, number)
    published = [catalog.publications.latest(target, distribution) for target in repository.targets]
    numbers = [item.version for item in published if item]
    return catalog.versions.get(distribution, min(numbers)) if numbers else catalog.versions.latest(distribution)


def _time(name: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(name, TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _say_so(workspace: Workspace, distribution: Distribution, repository: Repository, progress: Progress) -> None:
    """Has what is in place name the address of snapshots, if it does not yet."""
    for target in repository.targets:
        if last := workspace.catalog.publications.latest(target, distribution):
            request = PublishRequest(last.version, only=target.url, allow_withdrawn=True)
            publish(workspace, distribution.path, progress, request)
