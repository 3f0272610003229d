"""What people look through in the web interface: one page of a list, with what its rows are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.advisories import Feed
from entrepot.catalog.database import to_text
from entrepot.errors import NotFoundError
from entrepot.models import Distribution, Repository, Snapshot, Version
from entrepot.services.repositories import distribution_json
from entrepot.services.tasks import recover_if_needed

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Row = Mapping[str, Any]

PUBLICATIONS = 20
MOST_ADVISORIES = 200


@dataclass(frozen=True, slots=True)
class DistributionView:
    """A distribution with its versions, newest first, and where which of them is or was."""

    distribution: Distribution
    repository: Repository
    facts: Row
    """As ``repositories.distribution_json``."""
    versions: Sequence[Version]
    in_place: Mapping[str, int | None]
    """The version that is in place, by the URL of the target; None where there is none yet."""
    publications: Sequence[Row]
    others: Sequence[str]
    """Paths of the other distributions of its format: where it can be promoted to."""
    snapshots: Sequence[Snapshot]


@dataclass(frozen=True, slots=True)
class VersionView:
    """A page of the packages of a version. ``found`` is how many there are with the text that was looked for."""

    distribution: Distribution
    version: Version
    newest: int
    packages: Sequence[Row]
    found: int

    def as_json(self, offset: int) -> dict[str, Any]:
        """For the HTTP API; ``offset`` is how many came before."""
        end = offset + len(self.packages)
        following = str(end) if self.packages and end < self.found else None
        packages = [dict(row) for row in self.packages]
        return {"number": self.version.number, "found": self.found, "packages": packages, "next": following}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a vulnerability: advisories that name it, facts, and the packages that have it now."""

    name: str
    advisories: Sequence[Row]
    facts: Mapping[str, str]
    affected: Sequence[Row]


def distribution_view(workspace: Workspace, path: str) -> DistributionView:
    """One distribution."""
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    repository = catalog.repositories.get(distribution.repository)
    last = {target.url: catalog.publications.latest(target, distribution) for target in repository.targets}
    return DistributionView(
        distribution,
        repository,
        distribution_json(workspace, distribution),
        catalog.versions.list(distribution),
        {url: found.version if found else None for url, found in last.items()},
        catalog.listings.publications(distribution, PUBLICATIONS),
        [
            other.path
            for other in catalog.repositories.distributions()
            if other.format == distribution.format and other.id != distribution.id
        ],
        catalog.snapshots.list(distribution),
    )


def version_view(
    workspace: Workspace, path: str, number: int, text: str = "", *, limit: int = 100, offset: int = 0
) -> VersionView:
    """One version of a distribution, or what of it has ``text`` in its name or summary."""
    catalog = workspace.catalog
    distribution = catalog.repositories.distribution(path)
    version = catalog.versions.get(distribution, number)
    packages = catalog.listings.members(distribution, number, text, limit, offset)
    found = catalog.listings.count_members(distribution, number, text) if text else version.packages
    return VersionView(distribution, version, catalog.versions.latest(distribution).number, packages, found)


def decisions(
    workspace: Workspace, limit: int, offset: int = 0, *, to: str | None = None, waivers_only: bool = False
) -> Sequence[Row]:
    """What persons decided, newest first; or the approvals that end, the one that ends first at first."""
    chosen = workspace.catalog.repositories.distribution(to) if to else None
    found = workspace.catalog.listings.decisions(
        limit, offset, distribution_id=chosen.id if chosen else None, waivers_only=waivers_only
    )
    now = to_text(workspace.now())
    return [row | {"expired": bool(row["expires_at"]) and row["expires_at"] <= now} for row in found]


def severities(workspace: Workspace, import_ids: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
    """How many findings of which severity there are about each import."""
    return workspace.catalog.listings.severities(import_ids)


def audit(
    workspace: Workspace, limit: int, offset: int = 0, *, by: str = "", action: str = "", subject: str = ""
) -> Sequence[Row]:
    """Entries of the audit log, newest first."""
    return workspace.catalog.listings.audit(limit, offset, actor=by, action=action, subject=subject)


def audit_words(workspace: Workspace) -> tuple[Sequence[str], Sequence[str]]:
    """Who is in the audit log, and what was done."""
    return workspace.catalog.listings.audit_words()


def tasks(workspace: Workspace, limit: int, offset: int = 0, *, state: str = "", kind: str = "") -> Sequence[Row]:
    """Tasks, newest first; those whose process is gone are ended first, where anything may be written."""
    if not workspace.read_only:
        recover_if_needed(workspace)
    return workspace.catalog.listings.tasks(limit, offset, state=state, kind=kind)


def task_kinds(workspace: Workspace) -> Sequence[str]:
    """The kinds of tasks that there were."""
    return workspace.catalog.listings.task_kinds()


def vulnerability(workspace: Workspace, name: str) -> Known:
    """All that is known of a vulnerability; ``NotFoundError`` where nothing is."""
    listings, lookup = workspace.catalog.listings, workspace.catalog.lookup()
    try:
        facts = lookup.facts([name]).get(name, {})
    finally:
        lookup.close()
    known = Known(name, listings.advisories(name, MOST_ADVISORIES), facts, listings.affected(name, MOST_ADVISORIES))
    if not (known.advisories or known.facts or known.affected):
        raise NotFoundError(f"nothing is known of {name!r}", hint="no advisory names it, and no scanner found it")
    return known


def advisories_about(workspace: Workspace, package: str) -> Sequence[Row]:
    """The advisories about a package, by the name that they call it, newest first."""
    return workspace.catalog.listings.advisories_about(package, MOST_ADVISORIES)


def feed(workspace: Workspace, name: str) -> Feed:
    """A feed of vulnerability data."""
    return workspace.catalog.advisories.get(name)
