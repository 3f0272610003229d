"""Upkeep: collect what nobody needs any more, check that trees are what the catalog says."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Storage
from entrepot.errors import BatchError, ConflictError, EntrepotError, StorageError
from entrepot.models import Phase, Repository, Target
from entrepot.progress import Progress, ProgressEvent, silent
from entrepot.publish.check import Fault, check_manifest, check_store, check_tree, sha256_at
from entrepot.publish.collect import Collection, TreeCollector
from entrepot.publish.pieces import PieceCache
from entrepot.services.homes import sweep_generations
from entrepot.services.publishing import PublishRequest, publish
from entrepot.services.records import record
from entrepot.services.snapshots import write_again
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

FEW = 20
"""Files that may always be removed, whatever share of a small tree they are."""
IN_USE = dt.timedelta(days=1)
"""How long a command that is running may need what is there only for it, however short the grace is."""
PRIVATE_STORE = "private store"
BATCH = 500
"""Files of the private store that the catalog is asked for at a time."""


@dataclass(frozen=True, slots=True)
class GcResult:
    """What was, or would be, removed."""

    dry_run: bool
    trees: Sequence[Collection]
    artifacts: int
    artifact_bytes: int
    cache_bytes: int
    generation_objects: int = 0
    """Of a workspace on a storage: what only generations had that are not kept."""

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
            "generation_objects": self.generation_objects,
        }


def collect(
    workspace: Workspace,
    progress: Progress = silent,
    *,
    dry_run: bool = False,
    yes: bool = False,
    withdrawn: bool = False,
) -> GcResult:
    """Removes superseded files of all trees, artifacts that nothing names, and what can be made again.

    With ``withdrawn`` package files that no version in place names, and that wait or were refused, go without a grace.
    ``ConflictError`` where that is more of a tree than the settings allow without ``yes``; nothing is removed then.
    ``BatchError`` names the trees that could not be collected; all else was.
    """
    settings = workspace.settings.publish
    looked = []
    for repository, target in _targets(workspace):
        collector = TreeCollector(workspace.catalog, repository, settings, workspace.clock, withdrawn=withdrawn)
        found = collector.look(target)
        if found.share > settings.gc_share and len(found.files) > FEW and not yes and not dry_run:
            raise ConflictError(
                f"{len(found.files)} of {found.of} files of {target.url} would be removed",
                hint="look at `entrepot gc --dry-run`, then confirm with --yes",
            )
        looked.append((collector, found))
    before = workspace.now() - dt.timedelta(days=settings.grace_days)
    if dry_run:
        useless = [*workspace.catalog.packages.unused_artifacts(before), *_strays(workspace, before)]
        return GcResult(dry_run, [found for _, found in looked], len(useless), sum(size for _, size in useless), 0)
    failures: list[tuple[str, EntrepotError]] = []
    with running(workspace, "gc", "workspace", progress) as task:
        trees = []
        for number, (collector, found) in enumerate(looked, 1):
            try:
                trees.append(_collect_tree(workspace, collector, found))
            except EntrepotError as error:
                failures.append((found.target.url, error))
            task.progress(ProgressEvent("gc.trees", "Collecting", "running", number, len(looked), "trees"))
        unused = _drop_artifacts(workspace, before)
        with workspace.catalog.transaction():
            files = sum(len(tree.files) for tree in trees)
            detail = {"files": files, "artifacts": len(unused), "withdrawn": withdrawn}
            record(workspace, "gc", "workspace", detail)
        cache_bytes = _sweep_cache(workspace, min(before, workspace.now() - IN_USE))
        task.progress(ProgressEvent("gc.trees", "Collected", "completed", len(looked), len(looked), "trees"))
    swept = sweep_generations(workspace)
    result = GcResult(dry_run, trees, len(unused), sum(size for _, size in unused), cache_bytes, swept)
    if failures:
        message = f"{len(failures)} of {len(looked)} trees could not be collected"
        raise BatchError(message, failures, results=[result])
    return result


def _collect_tree(workspace: Workspace, collector: TreeCollector, found: Collection) -> Collection:
    if not found.files:
        return found
    # Whoever has the lease of a tree may wait for that of the workspace, and so nobody the other way around.
    workspace.pause()
    with _opened(workspace, found.target) as storage:
        return collector.remove(found.target, storage)


def _drop_artifacts(workspace: Workspace, before: dt.datetime) -> Sequence[tuple[str, int]]:
    """Removes files of the private store. No import can settle meanwhile, and so none can count on one of them."""
    strays = _strays(workspace, before)
    packages = workspace.catalog.packages
    with workspace.catalog.transaction():
        unused = packages.unused_artifacts(before)
        packages.drop_artifacts([sha256 for sha256, _ in unused], workspace.now())
        # An import may have settled since they were looked for.
        still = set(packages.unknown_artifacts([sha256 for sha256, _ in strays]))
        unused = [*unused, *(stray for stray in strays if stray[0] in still)]
        for sha256, _ in unused:
            workspace.store.remove(sha256)
    return unused


def _strays(workspace: Workspace, before: dt.datetime) -> Sequence[tuple[str, int]]:
    """Digest and size of old files of the private store that the catalog does not know: their import was killed."""
    found = []
    files = (info for info in workspace.store.files() if info.modified <= before)
    while batch := {info.key.rpartition("/")[2]: info.size for info in islice(files, BATCH)}:
        found += [(sha256, batch[sha256]) for sha256 in workspace.catalog.packages.unknown_artifacts(list(batch))]
    return found


def _sweep_cache(workspace: Workspace, before: dt.datetime) -> int:
    """Pieces of indexes and abandoned downloads that were not touched since; answers the bytes of the pieces."""
    freed = PieceCache(workspace.cache_folder / "pieces").collect(before)
    for folder in workspace.fetch_folder.iterdir():
        with suppress(FileNotFoundError):  # an import that ends removes its own
            if max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < before.timestamp():
                shutil.rmtree(folder, ignore_errors=True)
    return freed


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The faults of one tree, or of the private store, and whether all of them were repaired.

    ``lost`` are those that could not be.
    """

    url: str
    checked: int
    faults: Sequence[Fault]
    repaired: bool
    lost: Sequence[Fault] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "url": self.url,
            "checked": self.checked,
            "faults": [{"path": fault.path, "kind": fault.kind} for fault in self.faults],
            "repaired": self.repaired,
            "lost": [fault.path for fault in self.lost],
        }


def check(
    workspace: Workspace,
    progress: Progress = silent,
    *,
    repository: str | None = None,
    content: bool = False,
    repair: bool = False,
) -> Sequence[CheckResult]:
    """Compares trees with the manifest; with ``content`` every byte. ``repair`` writes again what is not right.

    Unless it is about one repository, the private store comes first: trees are repaired with what it has.

    ``BatchError`` names what could not be looked at, and what could not be repaired; its results are of all else.
    """
    results: list[CheckResult] = []
    failures: list[tuple[str, EntrepotError]] = []
    chosen = workspace.catalog.repositories.get(repository).id if repository else None
    if chosen is None:
        results.append(_check_store(workspace, progress, content=content, repair=repair))
        failures += [(f"{PRIVATE_STORE}: {fault.path}", _lost(fault)) for fault in results[0].lost]
    for owner, target in _targets(workspace):
        if chosen not in (None, owner.id):
            continue
        try:
            result = _check(workspace, owner, target, progress, content=content)
            if result.faults and repair:
                result = _repair(workspace, owner, target, result, progress)
        except EntrepotError as error:
            failures.append((target.url, error))
            continue
        results.append(result)
        failures += [(f"{target.url}: {fault.path}", _lost(fault)) for fault in result.lost]
    if failures:
        raise BatchError(f"{len(failures)} failures while checking", failures, results=results)
    return results


def _check(
    workspace: Workspace, repository: Repository, target: Target, progress: Progress, *, content: bool
) -> CheckResult:
    catalog = workspace.catalog
    with running(workspace, "check", target.url, progress) as task, _opened(workspace, target) as storage:
        count = _FileCount(task.progress, catalog.publications.count(target, current=True))
        workspace.pause()
        faults = list(check_tree(catalog, target, storage, content=content, on_file=count))
        faults += check_manifest(catalog, target, catalog.repositories.distributions(repository))
        count.finish()
    return CheckResult(target.url, count.done, faults, repaired=False)


def _check_store(workspace: Workspace, progress: Progress, *, content: bool, repair: bool) -> CheckResult:
    with running(workspace, "check", PRIVATE_STORE, progress) as task:
        count = _FileCount(task.progress, None)
        faults = list(check_store(workspace.catalog, workspace.store, content=content, on_file=count))
        count.finish()
    found = CheckResult(PRIVATE_STORE, count.done, faults, repaired=False)
    return _repair_store(workspace, found) if faults and repair else found


def _repair_store(workspace: Workspace, found: CheckResult) -> CheckResult:
    """Takes from trees what they have. All else is noted as gone, so that a mirror or an import fetches it again."""
    catalog, store = workspace.catalog, workspace.store
    gone = {fault.sha256: fault for fault in found.faults}
    for fault in found.faults:
        if fault.kind != "missing":
            store.remove(fault.sha256)
    holders = list(catalog.publications.holders(list(gone)))
    for _, target in _targets(workspace):
        places = [(path, sha256) for number, path, sha256 in holders if number == target.id and sha256 in gone]
        if not places:
            continue
        with _opened(workspace, target) as storage:
            for path, sha256 in places:
                if sha256 in gone and sha256_at(storage, path) == sha256:
                    store.take(storage, path, sha256)
                    del gone[sha256]
    with workspace.catalog.transaction():
        catalog.packages.drop_artifacts(list(gone), workspace.now())
        catalog.packages.regain_artifacts([item.sha256 for item in found.faults if item.sha256 not in gone])
        record(workspace, "check.repair", PRIVATE_STORE, {"faults": len(found.faults), "lost": len(gone)})
    return replace(found, repaired=not gone, lost=list(gone.values()))


def _repair(
    workspace: Workspace, repository: Repository, target: Target, found: CheckResult, progress: Progress
) -> CheckResult:
    """Forgets what is not right, and publishes the versions that are in place again: it is written as if new.

    A package whose artifact is damaged, too, is lost: a tree on this machine may share its files with the private
    store. Its artifact is removed, so that bringing the package in again replaces it.
    """
    publications, store = workspace.catalog.publications, workspace.store
    lost = [fault for fault in found.faults if fault.phase == Phase.PAYLOAD and not store.intact(fault.sha256)]
    for fault in lost:
        store.remove(fault.sha256)
    versions = {}
    for distribution in workspace.catalog.repositories.distributions(repository):
        if last := publications.latest(target, distribution):
            versions[distribution.path] = last.version
    with workspace.catalog.transaction():
        workspace.catalog.packages.drop_artifacts([fault.sha256 for fault in lost], workspace.now())
        publications.forget_files(target, [fault.path for fault in found.faults if fault not in lost])
        record(workspace, "check.repair", target.url, {"faults": len(found.faults), "lost": len(lost)})
    for path, version in versions.items():
        request = PublishRequest(version, force=True, missing=True, only=target.url, allow_withdrawn=True)
        publish(workspace, path, progress, request)
    write_again(workspace, target, progress)
    return replace(found, repaired=not lost, lost=lost)


def _lost(fault: Fault) -> EntrepotError:
    again = "mirror, import or upload it again" if fault.phase == Phase.PAYLOAD else "`entrepot sync SOURCE --force`"
    return StorageError(
        "neither the private store nor a tree has it as it should be",
        hint=f"{again}, then run `entrepot check --repair` once more",
        sha256=fault.sha256,
    )


class _FileCount:
    def __init__(self, progress: Progress, total: int | None) -> None:
        self.done = 0
        self._progress, self._total = progress, total

    def __call__(self) -> None:
        self.done += 1
        self._progress(ProgressEvent("check.files", "Checking", "running", self.done, self._total, "files"))

    def finish(self) -> None:
        """Tells that all were looked at."""
        self._progress(ProgressEvent("check.files", "Checked", "completed", self.done, self.done, "files"))


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
