"""From what a person typed to packages of a synced index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from entrepot.catalog.available import binary_first
from entrepot.contracts import Candidate, Closure, Format
from entrepot.errors import NotFoundError, UsageError
from entrepot.models import SOURCE_ARCHITECTURE, Available, Distribution, Source

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """``name``, ``name=version``, ``name:arch`` or ``name:arch=version``."""

    name: str
    architecture: str | None = None
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> PackageSpec:
        """``UsageError`` for an empty part. A version may have colons (an epoch), a name and an architecture not."""
        text = text.encode("utf-8", "replace").decode()
        left, equals, version = text.strip().partition("=")
        name, colon, architecture = left.partition(":")
        if not name or (equals and not version) or (colon and not architecture):
            raise UsageError(
                f"{text!r} is no package", hint="write NAME, NAME=VERSION or NAME:ARCH=VERSION", package=text
            )
        return cls(name, architecture or None, version or None)

    def __str__(self) -> str:
        architecture = f":{self.architecture}" if self.architecture else ""
        return f"{self.name}{architecture}" + (f"={self.version}" if self.version else "")


def resolve(
    catalog: Catalog, format_: Format, source: Source, spec: PackageSpec, distribution: Distribution | None = None
) -> Sequence[Available]:
    """The packages that ``spec`` means: the newest version unless one is given, once for each architecture.

    Without an architecture, source packages are left out, and so is what the distribution does not have.
    ``NotFoundError`` says whether the name is unknown, the version is, or upstream dropped it.
    """
    independent = format_.independent_architecture
    rows = catalog.available.versions(spec.name, [source])
    if not rows:
        raise _unknown(catalog, source, spec)
    wanted = [row for row in rows if _fits_architecture(row, spec, distribution, independent)]
    if not wanted:
        offered = ", ".join(sorted({row.architecture for row in rows}))
        raise NotFoundError(
            f"{source.name} has no {spec.name} for the architectures asked for",
            hint=f"it has {offered}",
            package=str(spec),
        )
    if spec.version is not None:
        key = {row.version_key for row in wanted if row.version == spec.version}
        wanted = [row for row in wanted if row.version_key in key]
        if not wanted:
            offered = ", ".join(dict.fromkeys(row.version for row in rows))
            raise NotFoundError(
                f"{source.name} has no version {spec.version} of {spec.name}",
                hint=f"it has {offered}",
                package=str(spec),
            )
    wanted.sort(key=binary_first)
    best_kind = wanted[0].kind
    newest: dict[str, Available] = {}
    for row in wanted:
        if row.kind == best_kind and _better(row, newest.get(row.architecture), distribution):
            newest[row.architecture] = row
    return _without_shadowed(newest, independent)


def _better(row: Available, found: Available | None, distribution: Distribution | None) -> bool:
    """The first found, which is the newest, unless the same version is also in the suite that is named like ours.

    Vendors build one version for several suites, with different content.
    """
    if found is None:
        return True
    ours = distribution.name if distribution else None
    return row.version_key == found.version_key and row.distribution == ours != found.distribution


def _fits_architecture(row: Available, spec: PackageSpec, distribution: Distribution | None, independent: str) -> bool:
    if spec.architecture:
        fits_all = row.architecture == independent and spec.architecture != SOURCE_ARCHITECTURE
        return row.architecture == spec.architecture or fits_all
    if row.architecture == SOURCE_ARCHITECTURE:
        return False
    allowed: Collection[str] = distribution.architectures if distribution else ()
    return not allowed or row.architecture in allowed or row.architecture == independent


def _without_shadowed(newest: dict[str, Available], independent: str) -> Sequence[Available]:
    """A package that became architecture-independent, or ceased to be, is wanted in its newest form only."""
    for_all = newest.get(independent)
    if for_all is None:
        return list(newest.values())
    return [row for row in newest.values() if row.version_key > for_all.version_key] or [for_all]


def _unknown(catalog: Catalog, source: Source, spec: PackageSpec) -> NotFoundError:
    if catalog.available.versions(spec.name, [source], vanished=True):
        return NotFoundError(
            f"{source.name} no longer offers {spec.name}", hint="upstream dropped it; search for what replaces it"
        )
    if catalog.sources.state(source).checked_at is None:
        return NotFoundError(f"{source.name} was never synced", hint=f"run `entrepot sync {source.name}` first")
    similar = catalog.available.similar_names(spec.name, [source])
    hint = f"did you mean {', '.join(similar)}?" if similar else f"try `entrepot search {spec.name}`"
    return NotFoundError(f"{source.name} has no package called {spec.name!r}", hint=hint, package=str(spec))


class CatalogPool:
    """Candidates for a solver: what sources offer, and what clients have already.

    That is what the distribution has, unless it is not to count (``held``), and what its base sources offer, even where
    those are among ``sources``.
    """

    def __init__(
        self,
        catalog: Catalog,
        sources: Sequence[Source],
        distribution: Distribution,
        architectures: Collection[str],
        *,
        held: bool = True,
    ) -> None:
        self._catalog = catalog
        self._bases = [catalog.sources.get(name).id for name in distribution.base_sources]
        self._ids = [source.id for source in sources if source.id not in self._bases]
        self._architectures = sorted(architectures)
        self._distribution = distribution
        self._number = catalog.versions.latest(distribution).number if held else 0

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        yield from self._catalog.available.candidates(self._ids, names, self._architectures)
        yield from _present(self._catalog.available.candidates(self._bases, names, self._architectures))
        yield from self._held(names, ())

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        yield from self._catalog.available.providers(self._ids, names, self._architectures)
        yield from _present(self._catalog.available.providers(self._bases, names, self._architectures))
        yield from self._held((), names)

    def everything(self) -> Iterable[Candidate]:
        yield from self._catalog.available.everything(self._ids, self._architectures)
        yield from _present(self._catalog.available.everything(self._bases, self._architectures))
        if self._number:
            yield from self._catalog.versions.everything(self._distribution, self._number)

    def _held(self, names: Collection[str], provided: Collection[str]) -> Iterable[Candidate]:
        if self._number:
            yield from self._catalog.versions.candidates(self._distribution, self._number, names, provided)


def _present(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The same as packages that clients have."""
    return (replace(candidate, present=True) for candidate in candidates)


def machines(own: Collection[str], declared: Sequence[str], scope: Callable[[str], Sequence[str]]) -> Sequence[str]:
    """The machines for which packages of the architectures ``own`` are wanted; ``declared`` are those there are.

    A package of an architecture that some declared machine installs besides its own (``i686`` on ``x86_64``) is wanted
    for that machine, where what it needs may be of either.
    """

    def host(architecture: str) -> str:
        if architecture in declared:
            return architecture
        hosts = [machine for machine in (*declared, *sorted(own)) if architecture in scope(machine)]
        return max(hosts, key=lambda machine: len(scope(machine)), default=architecture)

    return sorted({host(architecture) for architecture in own})


def machines_of(
    architectures: Collection[str], format_: Format, source: Source, distribution: Distribution
) -> Sequence[str]:
    """The machines that packages of these architectures are for; ``UsageError`` if nothing tells."""
    own = set(architectures) - {format_.independent_architecture}
    declared = distribution.architectures or source.architectures
    found = machines(own, declared, format_.solver.scope) if own else declared
    if not found:
        raise UsageError(
            "it is not clear for which architecture dependencies are wanted",
            hint="name one as in NAME:ARCH, or give the distribution its --arch",
        )
    return found


def with_dependencies(
    catalog: Catalog,
    format_: Format,
    sources: Sequence[Source],
    wanted: Sequence[Available],
    distribution: Distribution,
    *,
    recommends: bool = False,
) -> tuple[Sequence[Available], Sequence[Closure]]:
    """``wanted`` and what it needs that the distribution does not have; one closure for each architecture.

    What its base sources offer is not brought in, as its clients have it from there.
    What cannot be satisfied is in the closures; it is the caller's to refuse.
    """
    sources_only = [row for row in wanted if row.architecture == SOURCE_ARCHITECTURE]
    binaries = [row for row in wanted if row.architecture != SOURCE_ARCHITECTURE]
    architectures = machines_of({row.architecture for row in binaries}, format_, sources[0], distribution)
    found: dict[int, Available] = {row.id: row for row in wanted}
    closures = []
    for architecture in architectures:
        scope = format_.solver.scope(architecture)
        pool = CatalogPool(catalog, sources, distribution, scope)
        asked = [
            Candidate(row.id, row.name, row.version, row.architecture, catalog.available.raw(row.id))
            for row in binaries
            if row.architecture in scope
        ]
        closure = format_.solver.closure(asked, pool, architecture=architecture, recommends=recommends)
        closures.append(closure)
        for candidate in closure.packages:
            if candidate.id not in found:
                found[candidate.id] = catalog.available.get(candidate.id)
    return [*(row for row in found.values() if row not in sources_only), *sources_only], closures
