"""Admission: packages that a policy lets through become part of the next version, all in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.catalog.extras import Steps
from entrepot.catalog.versions import Addition, Member
from entrepot.contracts import Format
from entrepot.errors import ConflictError
from entrepot.models import Distribution, PackageInfo, Repository, Version

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Admitted:
    """A package that is to be added. ``already``: it is in the newest version as it is."""

    addition: Addition
    already: bool


class Admission:
    """Collects packages for one new version of a distribution, and those it leaves out. Use it inside a transaction."""

    def __init__(
        self,
        catalog: Catalog,
        format_: Format,
        repository: Repository,
        distribution: Distribution,
        extras: Callable[[int], Steps] | None = None,
    ) -> None:
        """``extras`` answers what a version lacks and has too many: as ``catalog.extras.changes``, unless given."""
        self._extras = extras or (lambda number: catalog.extras.changes(distribution, number))
        self._catalog = catalog
        self._format = format_
        self._repository = repository
        self._distribution = distribution
        self._number = catalog.versions.latest(distribution).number
        self._additions: dict[tuple[str, str, str, str], Addition] = {}
        self._paths: dict[tuple[str, str], str] = {}
        self._removals: set[int] = set()
        self._expected: set[str] = set()
        self._there: set[str] = set()

    def expect(self, names: Collection[str]) -> None:
        """Looks up at once which of some packages are there that are to be admitted, in whatever version."""
        self._expected.update(names)
        self._there.update(self._catalog.versions.having(self._distribution, self._number, names))

    def remove(self, member: Member) -> None:
        """Leaves a package out of the new version."""
        self._removals.add(member.membership_id)

    def admit(
        self,
        info: PackageInfo,
        component: str,
        now: dt.datetime,
        location: str | None = None,
        package_id: int | None = None,
    ) -> Admitted:
        """Puts a package on the list, to be in the folder ``location`` if it has to be in a certain one.

        ``package_id`` is given where the catalog has the package with its files already.
        ``ConflictError`` if the distribution has the same name, version and architecture in this component with other
        content: two files for one name are a mistake somewhere, and clients would get one or the other by chance.
        """
        for member in self._members(info.name):
            place = (member.version, member.architecture, member.component)
            if member.membership_id not in self._removals and place == (info.version, info.architecture, component):
                self._same_content(info, member.original_sha256)
                return Admitted(Addition(member.package_id, info, component, member.location), already=True)
        identity = (info.name, info.version, info.architecture, component)
        if identity in self._additions:
            self._same_content(info, self._additions[identity].came_as)
            return Admitted(self._additions[identity], already=False)
        if package_id is None:
            package_id = self._catalog.packages.add(info, now)
        folder = self._location(info, component) if location is None else self._given(info, location)
        addition = Addition(package_id, info, component, folder)
        self._additions[identity] = addition
        return Admitted(addition, already=False)

    def commit(self, message: str, now: dt.datetime) -> Version | None:
        """Makes the version, with what the sources now say of its packages; None if nothing is to be changed."""
        versions = self._catalog.versions
        additions = list(self._additions.values())
        nothing = not additions and not self._removals
        if nothing and not any(self._extras(self._number)):
            return None
        version = versions.create(self._distribution, additions, sorted(self._removals), message, now)
        self._catalog.extras.save(self._distribution, version.number, *self._extras(version.number))
        return version

    def _members(self, name: str) -> Iterable[Member]:
        if name in self._expected and name not in self._there:
            return ()
        return self._catalog.versions.members(self._distribution, self._number, name)

    def _same_content(self, info: PackageInfo, sha256: str) -> None:
        if info.came_as != sha256:
            raise ConflictError(
                f"{self._distribution.path} has {info.name} {info.version} {info.architecture} with other content "
                f"(sha256 {sha256}, this one {info.came_as})",
                hint="remove the one that is there, or import into another component or distribution",
                package=info.name,
            )

    def _location(self, info: PackageInfo, component: str) -> str:
        """The folder by the format's custom; one below it where another file of the repository has that path."""
        location = self._format.tree.location(info, self._distribution, component)
        if all(self._free(location, file.name, file.sha256) for file in info.files):
            return self._take(info, location)
        return self._take(info, f"{location}/{info.files[0].sha256[:16]}")

    def _given(self, info: PackageInfo, location: str) -> str:
        for file in info.files:
            if not self._free(location, file.name, file.sha256):
                raise ConflictError(
                    f"{self._repository.name} has, or had, another file at {location}/{file.name}",
                    hint="mirror verbatim into a repository of its own; or have old versions forgotten, with "
                    "`entrepot dist set --keep-versions`",
                    package=info.name,
                )
        return self._take(info, location)

    def _free(self, location: str, name: str, sha256: str) -> bool:
        occupant = self._paths.get((location, name)) or self._catalog.versions.occupant(
            self._repository, location, name
        )
        return occupant in (None, sha256)

    def _take(self, info: PackageInfo, location: str) -> str:
        self._paths.update({(location, file.name): file.sha256 for file in info.files})
        return location


def fitting_component(distribution: Distribution, wanted: str | None, upstream: Sequence[str]) -> str:
    """The component a package goes to: the one asked for, else its own upstream if there is such, else the first."""
    components = distribution.components
    if wanted is not None:
        if components and wanted not in components:
            raise ConflictError(
                f"{distribution.path} has no component {wanted!r}",
                hint=f"it has {', '.join(components)}",
                component=wanted,
            )
        return wanted
    for name in upstream:
        if name in components:
            return name
    return components[0] if components else "main"
