"""How much of a distribution is kept: applied before it is published, and whenever somebody asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.catalog.retention import NEWEST_KEPT
from entrepot.catalog.versions import Member
from entrepot.events import VersionCreated
from entrepot.models import Distribution, PackageInfo, Version
from entrepot.pipeline.admit import Admission
from entrepot.pipeline.offers import CatalogOffers, membership_of
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.services.notices import tell
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Surplus:
    """What is too much: packages of the newest version, and numbers of older versions."""

    before: Version
    packages: Sequence[Member]
    versions: Sequence[int]


def surplus(workspace: Workspace, distribution: Distribution, *, everything: bool = False) -> Surplus:
    """What is too much; with ``everything`` not only by what came since this was applied last."""
    catalog = workspace.catalog
    newest = catalog.versions.latest(distribution)
    outlived = catalog.retention.outlived(distribution, workspace.now())
    if not distribution.keep:
        return Surplus(newest, (), outlived)
    since = catalog.retention.retained(distribution)
    # What was kept because something needed it may be needed no more, whatever came since.
    since = 0 if everything or distribution.keep_needed else since
    if since == newest.number:
        return Surplus(newest, (), outlived)
    packages = catalog.retention.surplus(distribution, newest.number, since)
    if packages and distribution.keep_needed:
        needed = _needed(workspace, distribution, newest.number, packages)
        packages = [member for member in packages if member.membership_id not in needed]
    return Surplus(newest, packages, outlived)


def retain(workspace: Workspace, distribution: Distribution, *, everything: bool = False) -> tuple[Surplus, Version]:
    """Makes a version without the packages that are too many, and forgets old versions; answers the newest then.

    One transaction with one audit entry; none of both where nothing is too much. Publishing is left to the caller.
    """
    catalog = workspace.catalog
    made = None
    with catalog.transaction():
        found = surplus(workspace, distribution, everything=everything)
        if found.packages:
            repository = catalog.repositories.get(distribution.repository)
            admission = Admission(catalog, workspace.format(repository.format), repository, distribution)
            for member in found.packages:
                admission.remove(member)
            made = admission.commit(f"{NEWEST_KEPT} {distribution.keep} of each package", workspace.now())
        newest = made or found.before
        if distribution.keep:
            catalog.retention.note(distribution, newest.number)
        # A version more may push an old one out.
        dropped = catalog.retention.outlived(distribution, workspace.now())
        if dropped:
            catalog.retention.drop_versions(distribution, dropped)
        if made or dropped:
            detail = {
                "before": found.before.number,
                "after": newest.number,
                "removed": [f"{m.name}:{m.architecture}={m.version}" for m in found.packages],
                "versions_dropped": list(dropped),
            }
            record(workspace, "version.retain", distribution.path, detail)
        if made is not None:
            tell(workspace, "version_created", VersionCreated(distribution, made))
    return Surplus(found.before, found.packages, dropped), newest


def _needed(
    workspace: Workspace, distribution: Distribution, number: int, packages: Sequence[Member]
) -> Collection[int]:
    """Memberships among ``packages`` without which something that stays could not be installed any more."""
    catalog = workspace.catalog
    going = {member.membership_id for member in packages}
    infos = [catalog.packages.get(member.package_id) for member in packages]
    names = {word for info in infos for word in (info.name, *info.provides.split())}
    suspects = dict(catalog.retention.mentioning(distribution, number, names))
    staying = {member: package for member, package in suspects.items() if member not in going}
    needed: set[int] = set()
    while staying:
        infos = [catalog.packages.get(package) for package in staying.values()]
        found = set(_missed(workspace, distribution, infos, going - needed)) - needed
        needed |= found
        # What stays after all may need others.
        staying = {member: suspects[member] for member in found if member in suspects}
    return needed


def _missed(
    workspace: Workspace, distribution: Distribution, infos: Sequence[PackageInfo], going: set[int]
) -> Iterator[int]:
    """Those of ``going`` that make the difference between a package that can be installed and one that cannot."""
    format_ = workspace.format(distribution.format)
    with (
        closing(CatalogOffers(lambda: workspace.catalog.path, distribution, going)) as fewer,
        closing(CatalogOffers(lambda: workspace.catalog.path, distribution)) as all_,
    ):
        without = DistributionSurroundings(format_, distribution, fewer)
        with_ = DistributionSurroundings(format_, distribution, all_)
        for info in infos:
            for machine in without.machines(info):
                wanted = [without.candidate(info)]
                closure = format_.solver.closure(wanted, without.pool(machine), architecture=machine)
                if not (closure.missing or closure.conflicts):
                    continue
                closure = format_.solver.closure(wanted, with_.pool(machine), architecture=machine)
                if not (closure.missing or closure.conflicts):
                    yield from going & set(map(membership_of, closure.packages))
