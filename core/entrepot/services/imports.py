"""Imports: packages of a source, or files that somebody brings, into a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Closure, Transfer
from entrepot.errors import EntrepotError, UnsatisfiedError, UsageError
from entrepot.events import ImportDecided, ImportResult, PackageImported, VersionCreated
from entrepot.models import Available, Distribution, ImportState, Source, Version
from entrepot.pipeline.admit import fitting_component
from entrepot.pipeline.explain import actions_of, pipeline_words
from entrepot.pipeline.fetch import Fetching
from entrepot.pipeline.resolve import PackageSpec, resolve, with_dependencies
from entrepot.pipeline.settle import Job
from entrepot.progress import Progress, Task, silent
from entrepot.services.batches import BatchOptions, open_batch
from entrepot.services.notices import listens, tell
from entrepot.services.publishing import PublishResult, publish
from entrepot.services.tasks import running
from entrepot.services.verbatim import refuse_change

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

DECIDED = frozenset(state.value for state in (ImportState.PUBLISHED, ImportState.PENDING_REVIEW, ImportState.REJECTED))
"""What a policy's decision leads to; the other ends of an import come about without one."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch: a result for each package, the version it made and its publication."""

    results: Sequence[ImportResult]
    version: Version | None
    publication: PublishResult | None
    publish_error: EntrepotError | None = None
    """Why it is not published, though it should be."""
    dry_run: bool = False

    @property
    def failed(self) -> Sequence[ImportResult]:
        """Those that did not come in and do not wait either."""
        return [result for result in self.results if result.is_out]

    @property
    def waiting(self) -> Sequence[ImportResult]:
        """Those that wait for review."""
        return [result for result in self.results if result.waits]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return ({"status": "dry_run"} if self.dry_run else {}) | {
            "results": [result.as_json() for result in self.results],
            "version": self.version.number if self.version else None,
            "publication": self.publication.as_json() if self.publication else None,
            "publish_error": str(self.publish_error) if self.publish_error else None,
        }


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would bring in, before anything is fetched."""

    distribution: Distribution
    packages: Sequence[Available]
    unresolved: Sequence[tuple[str, EntrepotError]]
    closures: Sequence[Closure] = ()

    @property
    def problems(self) -> Sequence[str]:
        """What keeps the packages from being installed, one sentence each."""
        sentences = []
        for closure in self.closures:
            sentences += [
                f"{missing.needed_by} needs {missing.requirement}, which nothing offers" for missing in closure.missing
            ]
            sentences += closure.conflicts
        return list(dict.fromkeys(sentences))

    @property
    def remedy(self) -> str:
        """What can be done about the problems."""
        return (
            "import without dependencies, from a source that has them, or make the source of its machines' operating "
            f"system a base of {self.distribution.path} (`entrepot dist set {self.distribution.path} --base SOURCE`)"
        )

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(row.size for row in self.packages)

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "status": "dry_run",
            "distribution": self.distribution.name,
            "packages": [
                {
                    "package": row.name,
                    "version": row.version,
                    "architecture": row.architecture,
                    "component": row.component,
                    "size": row.size,
                    "sha256": row.sha256,
                    "source": row.source,
                }
                for row in self.packages
            ],
            "size": self.size,
            "problems": list(self.problems),
            "failures": [
                {"package": package, "error": str(error), "hint": error.hint} for package, error in self.unresolved
            ],
        }


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is asked for: packages of a source by name, and where they are to go."""

    source: str
    packages: Sequence[str]
    distribution: str
    component: str | None = None
    dependencies: bool = False
    recommends: bool = False
    resign: bool = False
    """Whether packages get the signature of the repository in place of those they have."""


def plan_import(workspace: Workspace, request: ImportRequest) -> ImportPlan:
    """Finds what a request means, with its dependencies where they are asked for. Fetches nothing."""
    catalog = workspace.catalog
    source = catalog.sources.get(request.source)
    distribution = catalog.repositories.distribution(request.distribution)
    refuse_change(distribution, "single packages are not what upstream's index names")
    if source.format != distribution.format:
        raise UsageError(
            f"{source.name} has {source.format} packages, {distribution.path} takes {distribution.format} ones"
        )
    fitting_component(distribution, request.component, ())
    format_ = workspace.format(source.format)
    found: dict[int, Available] = {}
    unresolved: list[tuple[str, EntrepotError]] = []
    for text in request.packages:
        try:
            rows = resolve(catalog, format_, source, PackageSpec.parse(text), distribution)
            found.update((row.id, row) for row in rows)
        except EntrepotError as error:
            unresolved.append((text, error))
    if not request.dependencies or not found:
        return ImportPlan(distribution, list(found.values()), unresolved)
    packages, closures = with_dependencies(
        catalog,
        format_,
        [source],
        list(found.values()),
        distribution,
        recommends=request.recommends,
    )
    return ImportPlan(distribution, packages, unresolved, closures)


def import_packages(
    workspace: Workspace, request: ImportRequest, progress: Progress = silent, *, publish_after: bool = True
) -> BatchResult:
    """Brings packages in: one version and one publication for all of them, and a result for each."""
    plan = plan_import(workspace, request)
    if plan.problems:
        raise UnsatisfiedError("; ".join(plan.problems), hint=plan.remedy, problems=plan.problems)
    source = workspace.catalog.sources.get(request.source)
    format_ = workspace.format(source.format)
    failures = list(plan.unresolved)
    with running(workspace, "import", plan.distribution.path, progress) as task:
        seen, keyring = workspace.catalog.sources.state(source).state, workspace.keyring(source)
        jobs = []
        for row in plan.packages:
            label = f"{row.name}:{row.architecture}={row.version}"
            raw = workspace.catalog.available.raw(row.id)
            try:
                jobs.append(Job(label, Fetching.of(format_, source, row, raw, workspace.fetch_folder, seen, keyring)))
            except EntrepotError as error:
                failures.append((label, error))
        with workspace.transfer(source) as transfer:
            results, version = _run(
                workspace,
                plan.distribution,
                jobs,
                request.component,
                task,
                transfer,
                resign=request.resign,
                source=source,
            )
        results = [*(_unresolved(text, error, plan.distribution) for text, error in failures), *results]
        return _finish(workspace, plan.distribution, results, version, task, publish_after)


def upload(
    workspace: Workspace,
    paths: Sequence[Path],
    distribution_name: str,
    progress: Progress = silent,
    *,
    component: str | None = None,
    publish_after: bool = True,
    resign: bool = False,
) -> BatchResult:
    """Brings files of this machine in, the same way; files that one of them names are taken from beside it."""
    distribution = _uploadable(workspace, distribution_name, component)
    with running(workspace, "upload", distribution.path, progress) as task:
        jobs = _jobs(workspace, distribution, paths)
        results, version = _run(workspace, distribution, jobs, component, task, None, resign=resign)
        return _finish(workspace, distribution, results, version, task, publish_after)


def plan_upload(
    workspace: Workspace,
    paths: Sequence[Path],
    distribution_name: str,
    progress: Progress = silent,
    *,
    component: str | None = None,
    resign: bool = False,
) -> BatchResult:
    """What ``upload`` would come to: all files are inspected and decided about, and nothing is kept."""
    distribution = _uploadable(workspace, distribution_name, component)
    jobs = _jobs(workspace, distribution, paths)
    options = BatchOptions(component, resign=resign, workers=len(jobs), keeps=False)
    with open_batch(workspace, distribution, Task(0, progress), None, options) as (batch, executor):
        return BatchResult(batch.rehearse(jobs, executor), None, None, dry_run=True)


def _uploadable(workspace: Workspace, name: str, component: str | None) -> Distribution:
    distribution = workspace.catalog.repositories.distribution(name)
    refuse_change(distribution, "upstream's index does not name what is uploaded")
    fitting_component(distribution, component, ())
    return distribution


def _jobs(workspace: Workspace, distribution: Distribution, paths: Sequence[Path]) -> Sequence[Job]:
    # Scanners look at files from folders of their own.
    files = [path.absolute() for path in paths]
    return [Job(group[0].name, paths=group) for group in _groups(workspace, distribution, files)]


def _groups(workspace: Workspace, distribution: Distribution, paths: Sequence[Path]) -> Sequence[tuple[Path, ...]]:
    """Main files with those that they name, each group one package."""
    reader = workspace.format(distribution.format).packages
    limit = workspace.settings.max_package_size
    given = {path.name: path for path in paths}
    groups, companions = [], set()
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path} is no file", path=str(path))
        if path.stat().st_size > limit:
            raise UsageError(f"{path} is larger than the {limit} bytes that the settings allow", path=str(path))
        if not path.name.endswith(reader.suffixes):
            continue
        group = [path]
        for file in reader.companions(path):
            companion = given.get(file.name, path.with_name(file.name))
            if not companion.is_file():
                raise UsageError(
                    f"{path.name} names {file.name}, which is not there", hint="upload it, too", path=str(path)
                )
            companions.add(companion.name)
            group.append(companion)
        groups.append(tuple(group))
    taken = companions.union(group[0].name for group in groups)
    for path in paths:
        if path.name not in taken:
            wanted = ", ".join(reader.suffixes)
            raise UsageError(f"{path.name} is no package of format {distribution.format}", hint=f"it takes {wanted}")
    return groups


def _run(
    workspace: Workspace,
    distribution: Distribution,
    jobs: Sequence[Job],
    component: str | None,
    task: Task,
    transfer: Transfer | None,
    *,
    resign: bool,
    source: Source | None = None,
) -> tuple[Sequence[ImportResult], Version | None]:
    options = BatchOptions(component, resign=resign, workers=len(jobs), source=source)
    with open_batch(workspace, distribution, task, transfer, options) as (batch, executor):
        return batch.run(jobs, executor, partial(_noted, workspace, distribution))


def _noted(
    workspace: Workspace, distribution: Distribution, results: Sequence[ImportResult], version: Version | None
) -> None:
    """Tells what came of a batch; inside its transaction."""
    # Thousands of results, and most workspaces have nobody who listens.
    if listens(workspace, "import_decided", "package_imported"):
        for result in results:
            if result.status in DECIDED:
                tell(workspace, "import_decided", ImportDecided(result, distribution))
            if result.status == ImportState.PUBLISHED.value:
                tell(workspace, "package_imported", PackageImported(result, distribution))
    if version is not None:
        tell(workspace, "version_created", VersionCreated(distribution, version))


def _finish(
    workspace: Workspace,
    distribution: Distribution,
    results: Sequence[ImportResult],
    version: Version | None,
    task: Task,
    publish_after: bool,
) -> BatchResult:
    publication, failure = None, None
    if version is not None:
        task.created.append(f"{distribution.path} version {version.number}")
    if publish_after and any(result.repository_version for result in results):
        try:
            publication = publish(workspace, distribution.path, task.progress)
        except EntrepotError as error:
            # The packages are in, and that is worth telling: publishing can be done again without them.
            failure = error
    return BatchResult(results, version, publication, failure)


def _unresolved(text: str, error: EntrepotError, distribution: Distribution) -> ImportResult:
    label, _, version = text.partition("=")
    name, _, architecture = label.partition(":")
    return ImportResult(
        status=ImportState.FAILED.value,
        package=name,
        version=version,
        architecture=architecture,
        distribution=distribution.name,
        sha256="",
        import_id=None,
        repository_version=None,
        message=f"{error} ({error.hint})" if error.hint else str(error),
    )


def stored_result(workspace: Workspace, import_id: int) -> ImportResult:
    """The result of an import as the catalog has it now."""
    catalog = workspace.catalog
    row = catalog.imports.get(import_id)
    verdicts = catalog.imports.verdicts(import_id)
    return ImportResult(
        status=row["state"],
        package=row["name"],
        version=row["version"] or "",
        architecture=row["architecture"] or "",
        distribution=catalog.repositories.distribution(str(row["distribution_id"])).name,
        component=row["component"] or "",
        sha256=row["sha256"] or "",
        import_id=import_id,
        repository_version=row["repository_version"],
        pipeline=pipeline_words(verdicts, row["rulings"]),
        findings=tuple(finding for stored in verdicts for finding in stored.verdict.findings),
        message=row["message"] or "",
        reasons=row["reasons"],
        rulings=row["rulings"],
        actions=actions_of(verdicts, row["rulings"]),
    )
