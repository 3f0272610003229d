"""What a distribution and its base sources offer, read from the catalog: ``isolation.Offers``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from entrepot.catalog.snapshot import CatalogSnapshot
from entrepot.contracts import Candidate
from entrepot.isolation import Base, Moment
from entrepot.models import Distribution

BINARY = "binary"


def membership_of(candidate: Candidate) -> int | None:
    """The membership that a candidate stands for, if it is a package of the distribution."""
    return (1 - candidate.id) // 2 if candidate.id < 0 and candidate.id % 2 else None


class CatalogOffers:
    """On a read-only connection of its own; may be asked from any thread.

    ``without`` are ids of memberships: packages of the newest version that are about to go, and are not offered.
    """

    def __init__(self, path: Callable[[], Path], distribution: Distribution, without: Collection[int] = ()) -> None:
        self._snapshot = CatalogSnapshot(path)
        self._distribution = distribution
        self._without = frozenset(without)
        self._providers: dict[str, Sequence[int]] = {}
        """What was found for names before: several processes ask for the same ones."""

    def close(self) -> None:
        """Closes the connection."""
        self._snapshot.close()

    def moment(self) -> Moment:
        """The version and the base sources."""
        return self._moment

    def named(self, names: Collection[str], architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package of one of these names."""
        ids = self._ids
        found: list[Candidate] = []
        if ids and names:
            found += self._snapshot.read(lambda tables: tables.available.candidates(ids, names, architectures))
        return [*found, *self._members(names, (), architectures)]

    def providing(
        self, names: Collection[str], architectures: Collection[str]
    ) -> Iterable[tuple[str, Iterable[Candidate]]]:
        """Each of the names with the packages that provide it besides their own."""
        ids = self._ids
        numbers = self._providers
        unknown = [name for name in names if name not in numbers] if ids else []
        if unknown:
            numbers |= self._snapshot.read(lambda tables: tables.available.provider_ids(unknown).items())
        every = {number for name in names for number in numbers.get(name, ())}
        offered: dict[int, Candidate] = {}
        if every:
            found = self._snapshot.read(lambda tables: tables.available.numbered(ids, every, architectures))
            offered = {candidate.id: candidate for candidate in found}
        for name in names:
            here = [offered[number] for number in numbers.get(name, ()) if number in offered]
            yield name, [*here, *self._members((), [name], architectures)]

    def everything(self, architectures: Collection[str]) -> Iterator[Candidate]:
        """Every package, streamed."""
        if ids := self._ids:
            yield from self._snapshot.stream(lambda tables: tables.available.everything(ids, architectures))
        if number := self._moment.number:
            members = self._snapshot.stream(lambda tables: tables.versions.everything(self._distribution, number))
            yield from self._staying(members, architectures)

    def sources(self, numbers: Collection[int]) -> Mapping[int, str]:
        """The sources of packages of base sources, by their numbers."""
        return dict(self._snapshot.read(lambda tables: tables.available.source_names(numbers).items()))

    def _members(
        self, names: Collection[str], provided: Collection[str], architectures: Collection[str]
    ) -> Iterator[Candidate]:
        number = self._moment.number
        if number and (names or provided):
            members = self._snapshot.read(
                lambda tables: tables.versions.candidates(self._distribution, number, names, provided)
            )
            yield from self._staying(members, architectures)

    def _staying(self, members: Iterable[Candidate], architectures: Collection[str]) -> Iterator[Candidate]:
        """Packages of the distribution, which are some of many here: nothing is installed yet."""
        for member in members:
            if member.architecture in architectures and -member.id not in self._without:
                yield Candidate(2 * member.id + 1, member.name, member.version, member.architecture, member.raw)

    @property
    def _ids(self) -> list[int]:
        return [base.id for base in self._moment.bases]

    @cached_property
    def _moment(self) -> Moment:
        distribution, names = self._distribution, self._distribution.base_sources
        number = self._snapshot.read(lambda tables: [tables.versions.latest(distribution).number])[0]
        groups = self._snapshot.read(lambda tables: tables.versions.groups(distribution, number))
        held = frozenset(architecture for _, kind, architecture in groups if kind == BINARY)
        going = " ".join(map(str, sorted(self._without)))
        without = hashlib.sha256(going.encode()).hexdigest() if going else ""
        return Moment(number, held, tuple(self._base(name) for name in names), without)

    def _base(self, name: str) -> Base:
        source = self._snapshot.read(lambda tables: [tables.sources.get(name)])[0]
        state = self._snapshot.read(lambda tables: [tables.sources.state(source)])[0]
        architectures = tuple(source.architectures)
        if not architectures:
            architectures = tuple(self._snapshot.read(lambda tables: tables.available.architectures(source.id)))
        changed_at = state.changed_at.isoformat() if state.changed_at else ""
        return Base(source.id, source.name, state.generation, changed_at, architectures)
