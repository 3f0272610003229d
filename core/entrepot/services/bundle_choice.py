"""Which packages of a version go into a bundle."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from entrepot.catalog import Catalog
from entrepot.catalog.query_sql import Meaning
from entrepot.catalog.versions import Member
from entrepot.contracts import Candidate, Format
from entrepot.errors import NotFoundError, UsageError
from entrepot.models import Distribution, Version
from entrepot.pipeline.resolve import CatalogPool, machines
from entrepot.query import EVERYTHING, Query
from entrepot.services.selecting import field_finder

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def chosen_members(
    workspace: Workspace, distribution: Distribution, version: Version, query: Query
) -> Sequence[Member]:
    """The packages of a version that a query means, in index order; ``NotFoundError`` if there are none."""
    catalog = workspace.catalog
    members = list(catalog.versions.members(distribution, version.number))
    if query != EVERYTHING:
        format_ = workspace.format(distribution.format)
        needs = _Needs(catalog, format_, distribution, version.number, members)
        meaning = Meaning(format_.versions.key, needs.of)
        chosen = catalog.carried.chosen(distribution, version.number, query, meaning, field_finder(format_))
        members = [member for member in members if member.membership_id in chosen]
    if not members:
        where = f"{distribution.path} version {version.number}"
        raise NotFoundError(f"{where} has nothing that is meant by: {query}", query=str(query))
    return members


@dataclass(frozen=True, slots=True)
class _Needs:
    """What packages of a version need of it; what the base sources offer its clients have anyway."""

    catalog: Catalog
    format: Format
    distribution: Distribution
    number: int
    members: Sequence[Member]

    def of(self, package_ids: Sequence[int], recommends: bool) -> Sequence[int]:
        """Ids of packages, with those of what they need; ``UsageError`` for what nothing offers."""
        wanted, solver, problems = set(package_ids), self.format.solver, list[str]()
        package_of = {-member.membership_id: member.package_id for member in self.members}
        asked = [item for item in self._candidates() if package_of[item.id] in wanted]
        own = {item.architecture for item in asked} - {self.format.independent_architecture}
        declared = self.distribution.architectures or sorted({member.architecture for member in self.members})
        for architecture in machines(own, declared, solver.scope) if own else declared:
            pool = _VersionPool(self.catalog, self.distribution, self.number, solver.scope(architecture))
            for candidate in asked:
                if candidate.architecture in solver.scope(architecture):
                    closure = solver.closure([candidate], pool, architecture=architecture, recommends=recommends)
                    problems += [f"{item.needed_by} needs {item.requirement}" for item in closure.missing]
                    problems += closure.conflicts
                    wanted |= {package_of[item.id] for item in closure.packages if item.id in package_of}
        if problems:
            raise UsageError(
                f"what is needed is neither in {self.distribution.path} nor in its base sources:"
                f" {'; '.join(dict.fromkeys(problems))}",
                hint="name what its clients have anyway with `entrepot dist set --base`, or choose all by name",
            )
        return sorted(wanted)

    def _candidates(self) -> Iterable[Candidate]:
        names = {member.name for member in self.members}
        return self.catalog.versions.candidates(self.distribution, self.number, names)


class _VersionPool(CatalogPool):
    """The packages of a version as candidates, none of which anybody has yet; and the base sources."""

    def __init__(
        self, catalog: Catalog, distribution: Distribution, number: int, architectures: Collection[str]
    ) -> None:
        super().__init__(catalog, [], distribution, architectures, held=False)
        self._version = number

    def everything(self) -> Iterable[Candidate]:
        yield from super().everything()
        yield from self._absent(self._catalog.versions.everything(self._distribution, self._version))

    def _held(self, names: Collection[str], provided: Collection[str]) -> Iterable[Candidate]:
        return self._absent(self._catalog.versions.candidates(self._distribution, self._version, names, provided))

    def _absent(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        return (replace(item, present=False) for item in candidates if item.architecture in self._architectures)
