"""Upkeep: collect what nobody needs any more, check that trees are what the catalog says."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Storage
from entrepot.errors import ConflictError
from entrepot.models import Repository, Target
from entrepot.progress import Progress, ProgressEvent, silent
from entrepot.publish.check import Fault, check_tree
from entrepot.publish.collect import Collection, TreeCollector
from entrepot.publish.pieces import PieceCache
from entrepot.services.publishing import PublishRequest, publish
from entrepot.services.records import record
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

FEW = 20
"""Files that may always be removed, whatever share of a small tree they are."""


@dataclass(frozen=True, slots=True)
class GcResult:
    """What was, or would be, removed."""

    dry_run: bool
    trees: Sequence[Collection]
    artifacts: int
    artifact_bytes: int
    cache_bytes: int

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "dry_run": self.dry_run,
            "trees": [
                {
                    "url": tree.target.url,
                    "files": len(tree.files),
                    "bytes": tree.size,
                    "of": tree.of,
                    "paths": [file.path for file in tree.files],
                }
                for tree in self.trees
            ],
            "artifacts": self.artifacts,
            "artifact_bytes": self.artifact_bytes,
            "cache_bytes": self.cache_bytes,
        }


def collect(workspace: Workspace, progress: Progress = silent, *, dry_run: bool = False, yes: bool = False) -> GcResult:
    """Removes superseded files of all trees, artifacts that nothing names, and what can be made again.

    ``ConflictError`` where that is more of a tree than the settings allow without ``yes``; nothing is removed then.
    """
    settings = workspace.settings.publish
    looked = []
    for repository, target in _targets(workspace):
        found = TreeCollector(workspace.catalog, repository, settings, workspace.clock).look(target)
        if found.share > settings.gc_share and len(found.files) > FEW and not yes and not dry_run:
            raise ConflictError(
                f"{len(found.files)} of {found.of} files of {target.url} would be removed",
                hint="look at `entrepot gc --dry-run`, then confirm with --yes",
            )
        looked.append((repository, found))
    before = workspace.now() - dt.timedelta(days=settings.grace_days)
    if dry_run:
        unused = workspace.catalog.packages.unused_artifacts(before)
        size = sum(size for _, size in unused)
        return GcResult(dry_run, [found for _, found in looked], len(unused), size, 0)
    with running(workspace, "gc", "workspace", progress) as task:
        trees = []
        for number, (repository, found) in enumerate(looked, 1):
            collector = TreeCollector(workspace.catalog, repository, settings, workspace.clock)
            with _opened(workspace, found.target) as storage:
                trees.append(collector.remove(found.target, storage) if found.files else found)
            task.progress(ProgressEvent("gc.trees", "Collecting", "running", number, len(looked), "trees"))
        unused = _drop_artifacts(workspace, before)
        with workspace.catalog.transaction():
            detail = {"files": sum(len(tree.files) for tree in trees), "artifacts": len(unused)}
            record(workspace, "gc", "workspace", detail)
        cache_bytes = _sweep_cache(workspace, before)
        task.progress(ProgressEvent("gc.trees", "Collected", "completed", len(looked), len(looked), "trees"))
    return GcResult(dry_run, trees, len(unused), sum(size for _, size in unused), cache_bytes)


def _drop_artifacts(workspace: Workspace, before: dt.datetime) -> Sequence[tuple[str, int]]:
    """Removes files of the private store. No import can settle meanwhile, and so none can count on one of them."""
    with workspace.catalog.transaction():
        unused = workspace.catalog.packages.unused_artifacts(before)
        workspace.catalog.packages.drop_artifacts([sha256 for sha256, _ in unused], workspace.now())
        for sha256, _ in unused:
            workspace.store.remove(sha256)
    return unused


def _sweep_cache(workspace: Workspace, before: dt.datetime) -> int:
    """Pieces of indexes and abandoned downloads that were not touched since; answers the bytes of the pieces."""
    freed = PieceCache(workspace.cache_folder / "pieces").collect(before)
    for folder in workspace.fetch_folder.iterdir():
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)
    return freed


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The faults of one tree, and whether they were repaired."""

    url: str
    checked: int
    faults: Sequence[Fault]
    repaired: bool

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "url": self.url,
            "checked": self.checked,
            "faults": [{"path": fault.path, "kind": fault.kind} for fault in self.faults],
            "repaired": self.repaired,
        }


def check(
    workspace: Workspace,
    progress: Progress = silent,
    *,
    repository: str | None = None,
    content: bool = False,
    repair: bool = False,
) -> Sequence[CheckResult]:
    """Compares trees with the manifest; with ``content`` every byte. ``repair`` writes again what is not right."""
    results = []
    chosen = workspace.catalog.repositories.get(repository).id if repository else None
    for owner, target in _targets(workspace):
        if chosen not in (None, owner.id):
            continue
        with running(workspace, "check", target.url, progress) as task, _opened(workspace, target) as storage:
            count = _FileCount(task.progress, workspace.catalog.publications.count(target))
            faults = list(check_tree(workspace.catalog, target, storage, content=content, on_file=count))
            count.finish()
        if faults and repair:
            _repair(workspace, owner, target, faults, progress)
        results.append(CheckResult(target.url, count.done, faults, bool(faults) and repair))
    return results


def _repair(
    workspace: Workspace, repository: Repository, target: Target, faults: Sequence[Fault], progress: Progress
) -> None:
    """Forgets what is not right, and publishes the versions that are in place again: it is written as if new."""
    publications = workspace.catalog.publications
    versions = {}
    for distribution in workspace.catalog.repositories.distributions(repository):
        if last := publications.latest(target, distribution):
            versions[distribution.path] = last.version
    with workspace.catalog.transaction():
        publications.forget_files(target, [fault.path for fault in faults])
        record(workspace, "check.repair", target.url, {"faults": len(faults)})
    for path, version in versions.items():
        publish(workspace, path, progress, PublishRequest(version, force=True, missing=True))


class _FileCount:
    def __init__(self, progress: Progress, total: int) -> None:
        self.done = 0
        self._progress, self._total = progress, total

    def __call__(self) -> None:
        self.done += 1
        self._progress(ProgressEvent("check.files", "Checking", "running", self.done, self._total, "files"))

    def finish(self) -> None:
        """Tells that all were looked at."""
        self._progress(ProgressEvent("check.files", "Checked", "completed", self.done, self._total, "files"))


def _targets(workspace: Workspace) -> Iterator[tuple[Repository, Target]]:
    for repository in workspace.catalog.repositories.list():
        for target in repository.targets:
            yield repository, target


@contextmanager
def _opened(workspace: Workspace, target: Target) -> Iterator[Storage]:
    storage = workspace.storage(target.url)
    try:
        yield storage
    finally:
        storage.close()
