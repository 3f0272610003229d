"""Looking at the catalog: search, one package, tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from entrepot.catalog.available import binary_first
from entrepot.catalog.database import to_text
from entrepot.catalog.search import Filters
from entrepot.catalog.versions import Member
from entrepot.errors import NotFoundError
from entrepot.models import Available, Distribution, ListedPackage, StandingFinding, StandingVerdict
from entrepot.pipeline.resolve import PackageSpec
from entrepot.services.reports import waived
from entrepot.services.repositories import distribution_json, repository_json

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

MOST_IMPORTS = 30
"""Imports of a package that are told."""


def search(
    workspace: Workspace,
    text: str,
    *,
    source: str | None = None,
    format_name: str = "",
    architecture: str = "",
    all_versions: bool = False,
    limit: int = 25,
    offset: int = 0,
) -> Sequence[Available]:
    """What synced sources offer, best name first; ``limit`` counts names."""
    chosen = workspace.catalog.sources.get(source) if source else None
    filters = Filters(chosen.id if chosen else None, format_name, architecture)
    return workspace.catalog.search.find(text, filters, all_versions=all_versions, limit=limit, offset=offset)


def search_page(
    workspace: Workspace,
    text: str,
    *,
    name: str = "",
    source: str | None = None,
    format_name: str = "",
    architecture: str = "",
    all_versions: bool = False,
    limit: int = 50,
    offset: int = 0,
    most_offset: int = 10_000,
) -> dict[str, Any]:
    """One page of a search: ``rows`` with when their source was synced last, and ``next``, where the next one begins.

    ``limit`` and ``offset`` count names. With ``name`` only packages of exactly that name. ``next`` is None at the end.
    """
    catalog = workspace.catalog
    chosen = catalog.sources.get(source) if source else None
    filters = Filters(chosen.id if chosen else None, format_name, architecture, name)
    found = catalog.search.find(text or name, filters, all_versions=all_versions, limit=limit + 1, offset=offset)
    names = list(dict.fromkeys(row.name for row in found))[:limit]
    more = any(row.name not in names for row in found) and offset + limit <= most_offset
    synced = {row.id: catalog.sources.state(row).checked_at for row in catalog.sources.list()}
    rows = [
        available_json(row) | {"last_sync": to_text(time) if (time := synced.get(row.source_id)) else None}
        for row in found
        if row.name in names
    ]
    return {"rows": rows, "next": str(offset + limit) if more else None}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a search can be narrowed to, and where packages can go: what a form offers."""

    sources: Sequence[str]
    formats: Sequence[str]
    architectures: Sequence[str]
    distributions: Sequence[Distribution]


def choices(workspace: Workspace) -> Choices:
    """All of them, sorted."""
    catalog = workspace.catalog
    sources = catalog.sources.list()
    # Told by settings and indexes: to look at every package for it would take a second in a large catalog.
    architectures = {name for source in sources for name in source.architectures}
    architectures.update(catalog.sources.architectures())
    architectures.update(workspace.format(name).independent_architecture for name in {item.format for item in sources})
    return Choices(
        sources=[source.name for source in sources],
        formats=sorted({source.format for source in sources}),
        architectures=sorted(architectures),
        distributions=catalog.repositories.distributions(),
    )


def repositories(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """Every repository, with its distributions as objects."""
    table = workspace.catalog.repositories
    return [
        repository_json(workspace, repository)
        | {"distributions": [distribution_json(workspace, item) for item in table.distributions(repository)]}
        for repository in table.list()
    ]


@dataclass(frozen=True, slots=True)
class StandingVerdictOf:
    """What one scanner said last of one imported package, and the findings, each with the waiver that covers it."""

    distribution: str
    package: ListedPackage
    verdict: StandingVerdict
    findings: Sequence[StandingFinding]

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            "distribution": self.distribution,
            "version": self.package.version,
            "architecture": self.package.architecture,
            "scanner": self.verdict.scanner,
            "answers": self.verdict.answers,
            "status": self.verdict.status.value,
            "reason": self.verdict.reason,
            "message": self.verdict.message,
            "at": to_text(self.verdict.at),
            "findings": [
                {
                    "id": item.finding.id,
                    "severity": item.finding.severity,
                    "summary": item.finding.summary,
                    "where": item.finding.where,
                    "waived": item.waiver is not None,
                    "justification": item.waiver.justification if item.waiver else None,
                }
                for item in self.findings
            ],
        }


@dataclass(frozen=True, slots=True)
class PackageView:
    """One package with everything that is known of it."""

    package: Available
    fields: Sequence[tuple[str, str]]
    versions: Sequence[Available]
    last_sync: str | None
    holders: Sequence[tuple[str, str, str, int]]
    verdicts: Sequence[StandingVerdictOf]
    """What scanners said last of the versions that are imported."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {
            **available_json(self.package),
            "last_sync": self.last_sync,
            "fields": dict(self.fields),
            "versions": [available_json(row) for row in self.versions],
            **_held_json(self.holders, self.verdicts),
        }


@dataclass(frozen=True, slots=True)
class HeldView:
    """One package that no source offers: somebody uploaded it, or upstream dropped it."""

    name: str
    holders: Sequence[tuple[str, str, str, int]]
    verdicts: Sequence[StandingVerdictOf]
    """What scanners said last of the versions that are in."""
    imports: Sequence[dict[str, Any]]
    """The last of its imports, newest first, those that did not come in, too."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "name": self.name,
            "source": None,
            "versions": [],
            **_held_json(self.holders, self.verdicts),
            "imports": list(self.imports),
        }


def _held_json(holders: Sequence[tuple[str, str, str, int]], verdicts: Sequence[StandingVerdictOf]) -> dict[str, Any]:
    return {
        "imported": [
            {"distribution": path, "version": version, "architecture": architecture, "import_id": import_id or None}
            for path, version, architecture, import_id in holders
        ],
        "inspected": [item.as_json() for item in verdicts],
    }


def show_held(workspace: Workspace, text: str) -> HeldView | None:
    """A package, or one version of it, that is or was to be in, whoever offers it; None if nothing is known of it."""
    catalog, spec = workspace.catalog, PackageSpec.parse(text)

    def fits(version: str, architecture: str) -> bool:
        return spec.version in (None, version) and spec.architecture in (None, architecture)

    holders = [holder for holder in catalog.holdings.holders(spec.name) if fits(holder[1], holder[2])]
    imports = catalog.imports.recent(MOST_IMPORTS, name=spec.name)
    imports = [row for row in imports if fits(row["version"], row["architecture"])]
    if not (holders or imports):
        return None
    verdicts = _verdicts(workspace, spec.name, list(dict.fromkeys(path for path, *_ in holders)))
    own = [item for item in verdicts if fits(item.package.version, item.package.architecture)]
    return HeldView(spec.name, holders, own, imports)


def show_package(workspace: Workspace, text: str, *, source: str | None = None) -> PackageView:
    """The newest version of a package, or the one asked for, from one source or from all."""
    catalog = workspace.catalog
    spec = PackageSpec.parse(text)
    sources = [catalog.sources.get(source)] if source else list(catalog.sources.list())
    rows = list(catalog.available.versions(spec.name, sources)) if sources else []
    fitting = [
        row for row in rows if spec.architecture in (None, row.architecture) and spec.version in (None, row.version)
    ]
    if not fitting:
        similar = catalog.available.similar_names(spec.name, sources) if sources else []
        hint = f"did you mean {', '.join(similar)}?" if similar else f"try `entrepot search {spec.name}`"
        if rows:
            hint = "there is " + ", ".join(
                dict.fromkeys(f"{row.name}:{row.architecture}={row.version}" for row in rows)
            )
        raise NotFoundError(f"no source offers {spec}", hint=hint, package=text)
    package = sorted(fitting, key=binary_first)[0]
    state = catalog.sources.state(catalog.sources.get(package.source))
    holders = catalog.holdings.holders(spec.name)
    return PackageView(
        package=package,
        fields=workspace.format(package.format).index.fields(catalog.available.raw(package.id)),
        versions=rows,
        last_sync=to_text(state.checked_at) if state.checked_at else None,
        holders=holders,
        verdicts=_verdicts(workspace, spec.name, list(dict.fromkeys(path for path, *_ in holders))),
    )


def _verdicts(workspace: Workspace, name: str, paths: Sequence[str]) -> Sequence[StandingVerdictOf]:
    catalog = workspace.catalog
    answered = []
    for path in paths:
        distribution = catalog.repositories.distribution(path)
        number = catalog.versions.latest(distribution).number
        found = waived(workspace, distribution, catalog.standing.findings(distribution, number, name))
        for package, verdict in catalog.standing.verdicts(distribution, number, name):
            own = [
                item
                for item in found
                if item.package.package_id == package.package_id and item.verdict.scanner == verdict.scanner
            ]
            answered.append(StandingVerdictOf(path, package, verdict, own))
    return answered


def available_json(row: Available) -> dict[str, Any]:
    """A row of the catalog as JSON."""
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "architecture": row.architecture,
        "kind": row.kind,
        "source": row.source,
        "format": row.format,
        "distribution": row.distribution,
        "component": row.component,
        "section": row.section,
        "source_package": row.source_name,
        "size": row.size,
        "sha256": row.sha256,
        "location": row.location,
        "description": row.summary,
        "signed_by": row.signed_by,
    }


def versions(workspace: Workspace, path: str) -> Sequence[dict[str, Any]]:
    """The versions of a distribution, newest first."""
    distribution = workspace.catalog.repositories.distribution(path)
    return [
        asdict(version) | {"created_at": to_text(version.created_at)}
        for version in workspace.catalog.versions.list(distribution)
    ]


def members(workspace: Workspace, path: str, number: int | None = None) -> Sequence[dict[str, Any]]:
    """The packages of a version of a distribution; of the newest unless another is named."""
    distribution = workspace.catalog.repositories.distribution(path)
    table = workspace.catalog.versions
    version = table.latest(distribution) if number is None else table.get(distribution, number)
    names = [each.name for each in fields(Member)]
    # ``asdict`` copies what is in a field, and takes several times as long.
    return [{name: getattr(member, name) for name in names} for member in table.members(distribution, version.number)]


def list_extras(
    workspace: Workspace, *, source: str | None = None, kind: str | None = None, package: str | None = None
) -> Sequence[dict[str, Any]]:
    """Advisories, groups, modules and the like that sources offer now, of one source, kind or package if asked for."""
    chosen = workspace.catalog.sources.get(source) if source else None
    return list(workspace.catalog.extras.offered(chosen, kind, package))


def show_extra(workspace: Workspace, extra_id: int) -> dict[str, Any]:
    """One of them, with the packages it is about."""
    found = workspace.catalog.extras.get(extra_id)
    return {
        "id": extra_id,
        "kind": found.kind,
        "name": found.name,
        "title": found.title,
        "data": dict(found.data),
        "packages": [asdict(ref) for ref in found.packages],
    }
