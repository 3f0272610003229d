"""Mirrors: a whole source, or the part of it that a query means, into a distribution. One run is one version.

A mirror is a selection and an import of what is not in yet; packages go through the same inspection and policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from entrepot.catalog.versions import Member
from entrepot.contracts import Transfer
from entrepot.errors import BatchError, EntrepotError, UsageError
from entrepot.events import ImportDecided, ImportResult, PackageImported, VersionCreated
from entrepot.models import Distribution, ImportState, Version
from entrepot.pipeline.bulk import Bulk
from entrepot.pipeline.fetch import Fetching
from entrepot.pipeline.settle import Job
from entrepot.progress import Progress, Task, silent
from entrepot.query import Query
from entrepot.services.batches import BatchOptions, open_batch
from entrepot.services.imports import stored_result
from entrepot.services.notices import listens, tell
from entrepot.services.publishing import PublishResult, publish
from entrepot.services.records import record
from entrepot.services.selecting import MirrorPlan, MirrorRequest, changes, select
from entrepot.services.sources import sync_source
from entrepot.services.tasks import running
from entrepot.services.verbatim import refuse_switch

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

ON_FAILURE = ("skip", "retry", "fail")
RETRIES = 2
"""How often ``retry`` tries again what failed, after everything else."""


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """What became of a mirror. ``not_in`` has a result for each package that failed, was refused or waits for review.

    ``plan`` is that of the last selection: a second one was made if ``synced_again``, as upstream had moved on.
    """

    plan: MirrorPlan
    added: int = 0
    removed: int = 0
    kept: int = 0
    """Packages that should have gone, and stay until what takes their place is in."""
    not_in: Sequence[ImportResult] = ()
    version: Version | None = None
    publication: PublishResult | None = None
    publish_error: EntrepotError | None = None
    synced_again: bool = False
    dry_run: bool = False
    changes: Sequence[Mapping[str, Any]] = field(default_factory=list)
    """Of a dry run."""

    @property
    def failed(self) -> Sequence[ImportResult]:
        """Those that could not be had, and those that the policy refuses."""
        return [result for result in self.not_in if result.is_out]

    @property
    def waiting(self) -> Sequence[ImportResult]:
        """Those that wait for review."""
        return [result for result in self.not_in if result.waits]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        document = {"status": "dry_run" if self.dry_run else "changed" if self.version else "unchanged"}
        document |= self.plan.as_json()
        if self.dry_run:
            return document | {"changes": [dict(row) for row in self.changes]}
        return document | {
            "added": self.added,
            "removed": self.removed,
            "kept": self.kept,
            "synced_again": self.synced_again,
            "results": [result.as_json() for result in self.not_in],
            "version": self.version.number if self.version else None,
            "publication": self.publication.as_json() if self.publication else None,
            "publish_error": str(self.publish_error) if self.publish_error else None,
        }


def plan_mirror(workspace: Workspace, request: MirrorRequest, *, files: bool = False) -> MirrorResult:
    """What a mirror would bring and take away. Nothing is fetched."""
    plan = select(workspace, request, query_of(request, files=files))
    return MirrorResult(plan, dry_run=True, changes=list(changes(workspace, plan)))


def mirror(
    workspace: Workspace,
    request: MirrorRequest,
    progress: Progress = silent,
    *,
    publish_after: bool = True,
    files: bool = False,
) -> MirrorResult:
    """Brings in what is meant and not in yet, and with ``exact`` takes away what is not meant any more.

    One version, one line in the audit log, one publication. A package that cannot be had does not hold up the others,
    unless ``on_failure`` says so: then ``BatchError`` names all that failed, and nothing is changed.
    """
    query = query_of(request, files=files)
    plan = select(workspace, request, query)
    with running(workspace, "mirror", plan.distribution.path, progress) as task:
        run = _Run(workspace, request, plan, task)
        with workspace.transfer(plan.source) as transfer:
            result = run.result(transfer)
        return _finished(workspace, result, task, publish_after=publish_after)


def query_of(request: MirrorRequest, *, files: bool = False) -> Query:
    """What is asked for as one query; with ``files`` it may name lists of this machine. ``UsageError`` for nonsense."""
    if request.on_failure not in ON_FAILURE:
        raise UsageError(f"{request.on_failure!r} is no way to go on", hint=f"there are {', '.join(ON_FAILURE)}")
    if request.recommends and not request.dependencies:
        raise UsageError("what is recommended comes along with dependencies only")
    return request.query(files=files)


class _Run:
    """One mirror under way."""

    def __init__(self, workspace: Workspace, request: MirrorRequest, plan: MirrorPlan, task: Task) -> None:
        self._workspace = workspace
        self._request = request
        self._plan = plan
        self._task = task
        self._exact = request.exact or plan.upstream is not None
        self._kept = self._removed = 0
        self._unusable: dict[int, ImportResult] = {}
        self.bulk: Bulk

    def result(self, transfer: Transfer) -> MirrorResult:
        plan, request = self._plan, self._request
        options = BatchOptions(request.component, workers=len(plan.ahead), source=plan.source)
        with open_batch(self._workspace, plan.distribution, self._task, transfer, options) as (batch, executor):
            self.bulk = Bulk(batch, executor, len(plan.ahead), plan.to_fetch)
            self._take(plan.ahead)
            synced_again = self._sync_again()
            if request.on_failure == "retry":
                for _ in range(RETRIES):
                    self._take([*self._forget_failed()])
            failed = {**self._unusable, **self.bulk.gathered.failed}
            if failed and request.on_failure == "fail":
                raise BatchError(
                    f"{len(failed)} of {len(plan.ahead)} packages could not be had, so nothing is changed",
                    [(_label(result), EntrepotError(result.message)) for result in failed.values()],
                )
            upstream = self._plan.upstream
            if upstream is not None:
                refuse_switch(plan.distribution, [*self._not_in(), *self._held()])
            version = self.bulk.finish(self._leaving, f"mirror {plan.source.name}", self._noted, upstream)
        gathered = self.bulk.gathered
        return MirrorResult(
            self._plan,
            added=len(gathered.staged) - gathered.late,
            removed=self._removed,
            kept=self._kept,
            not_in=self._not_in(),
            version=version,
            synced_again=synced_again,
        )

    def _not_in(self) -> Sequence[ImportResult]:
        """What did not come in, so far."""
        gathered = self.bulk.gathered
        return [*self._unusable.values(), *gathered.failed.values(), *gathered.refused]

    def _held(self) -> Iterator[ImportResult]:
        """What the policy kept out before."""
        for import_id, _ in self._plan.held.values():
            yield stored_result(self._workspace, import_id)

    def _take(self, ids: Sequence[int]) -> None:
        if ids:
            self.bulk.take(self._jobs(ids))

    def _jobs(self, ids: Sequence[int]) -> Iterator[Job]:
        workspace, source = self._workspace, self._plan.source
        catalog, format_ = workspace.catalog, workspace.format(source.format)
        seen, keyring = catalog.sources.state(source).state, workspace.keyring(source)
        for available_id in ids:
            row = catalog.available.get(available_id)
            label = f"{row.name}:{row.architecture}={row.version}"
            try:
                raw = catalog.available.raw(available_id)
                fetching = Fetching.of(format_, source, row, raw, workspace.fetch_folder, seen, keyring)
            except EntrepotError as error:
                self._unusable[available_id] = ImportResult(
                    status=ImportState.FAILED.value,
                    package=row.name,
                    version=row.version,
                    architecture=row.architecture,
                    distribution=self._plan.distribution.name,
                    sha256="",
                    import_id=None,
                    repository_version=None,
                    message=str(error),
                )
            else:
                yield Job(label, fetching)

    def _sync_again(self) -> bool:
        """Where upstream no longer has what its index named, the index is read once more, and the choice made anew."""
        gathered = self.bulk.gathered
        if not gathered.missing:
            return False
        sync_source(self._workspace, self._plan.source.name, self._task.progress)
        known = {staged.available_id for staged in gathered.staged} | gathered.failed.keys() | self._unusable.keys()
        self._plan = select(self._workspace, self._request, self._plan.query)
        chosen = self._workspace.catalog.choice.ids()
        # What upstream does not offer any more is no failure.
        for available_id in gathered.missing - chosen:
            del gathered.failed[available_id]
        self.bulk.drop({staged.available_id for staged in gathered.staged} - chosen)
        self._take([available_id for available_id in self._plan.ahead if available_id not in known])
        return True

    def _forget_failed(self) -> Sequence[int]:
        failed = sorted(self.bulk.gathered.failed)
        self.bulk.gathered.failed.clear()
        return failed

    def _leaving(self, number: int) -> Sequence[Member]:
        """What goes, but for what has a successor that did not come in: clients would have neither."""
        if not self._exact:
            return ()
        catalog, plan = self._workspace.catalog, self._plan
        stuck = {(result.package, result.architecture) for result in self._not_in()}
        stuck |= {(row.name, row.architecture) for row in catalog.choice.rows(list(plan.held))}
        left = catalog.choice.left_over(plan.source, plan.distribution, number)
        leaving = [member for member in left if (member.name, member.architecture) not in stuck]
        self._removed, self._kept = len(leaving), len(left) - len(leaving)
        return leaving

    def _noted(self, before: int, version: Version | None, added: int, removed: int) -> None:
        """Writes down what became of it, and tells; inside the transaction."""
        self._tell_packages()
        if version is None:
            return
        plan = self._plan
        detail = {
            "source": plan.source.name,
            "query": str(plan.query),
            "exact": self._exact,
            "before": before,
            "after": version.number,
            "added": added,
            "removed": removed,
            "task": self._task.id,
        }
        record(self._workspace, "mirror", plan.distribution.path, detail)
        tell(self._workspace, "version_created", VersionCreated(plan.distribution, version))

    def _tell_packages(self) -> None:
        workspace, distribution, gathered = self._workspace, self._plan.distribution, self.bulk.gathered
        for refused in gathered.refused:
            tell(workspace, "import_decided", ImportDecided(refused, distribution))
        if not listens(workspace, "import_decided", "package_imported"):
            return
        for staged in gathered.staged:
            stored = stored_result(workspace, staged.import_id)
            if stored.status == ImportState.PUBLISHED.value:
                tell(workspace, "import_decided", ImportDecided(stored, distribution))
                tell(workspace, "package_imported", PackageImported(stored, distribution))


def _label(result: ImportResult) -> str:
    return f"{result.package}:{result.architecture}={result.version}"


def _finished(workspace: Workspace, result: MirrorResult, task: Task, *, publish_after: bool) -> MirrorResult:
    plan, version = result.plan, result.version
    if version is not None:
        task.created.append(f"{plan.distribution.path} version {version.number}")
    if not publish_after or (version is None and not _left_unpublished(workspace, plan.distribution)):
        return result
    publication, failure = None, None
    try:
        publication = publish(workspace, plan.distribution.path, task.progress)
    except EntrepotError as error:
        # The packages are in, and that is worth telling: publishing can be done again without them.
        failure = error
    return MirrorResult(
        plan,
        added=result.added,
        removed=result.removed,
        kept=result.kept,
        not_in=result.not_in,
        version=version,
        publication=publication,
        publish_error=failure,
        synced_again=result.synced_again,
    )


def _left_unpublished(workspace: Workspace, distribution: Distribution) -> bool:
    """Whether the newest version was never put in place: the mirror that made it was killed, or could not do it."""
    catalog = workspace.catalog
    newest = catalog.versions.latest(distribution).number
    targets = catalog.repositories.get(distribution.repository).targets
    return newest > 0 and not all(catalog.publications.was_in_place(target, distribution, newest) for target in targets)
