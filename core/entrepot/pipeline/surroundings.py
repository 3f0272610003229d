"""What a distribution, its base sources and a batch offer to a solver: ``contracts.Surroundings`` on the catalog."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from entrepot.catalog.snapshot import CatalogSnapshot
from entrepot.contracts import Candidate, CandidatePool, Format
from entrepot.models import SOURCE_ARCHITECTURE, Distribution, PackageInfo, Source
from entrepot.pipeline.resolve import machines

BINARY = "binary"
DISTRIBUTION, BATCH = "distribution", "batch"
MAX_HELD = 64 << 20
"""Bytes of text of packages that are kept for the next question. What is made of it takes some four times as much."""


@dataclass(slots=True)
class _Base:
    """A base source and its architectures; ``generation`` is 0 if it was never synced."""

    source: Source
    generation: int
    changed_at: str
    architectures: Sequence[str] = ()


@dataclass(slots=True)
class _Moment:
    """What is known before anything is looked for."""

    number: int
    """Of the newest version."""
    architectures: frozenset[str]
    """Of the packages of the newest version."""
    bases: Sequence[_Base] = field(default_factory=tuple)


class DistributionSurroundings:
    """``contracts.Surroundings`` of one distribution, on a read-only connection of its own.

    What was found stays in memory, so that the packages of a batch do not load the same libraries again and again.
    """

    def __init__(self, path: Path, format_: Format, distribution: Distribution) -> None:
        self._snapshot = CatalogSnapshot(path)
        self._format = format_
        self._distribution = distribution
        self._lock = threading.Lock()
        self._pools: dict[str, _Known] = {}
        self._arrivals: dict[tuple[str, str, str, str], Candidate] = {}
        self._numbered = self._arrived = 0
        self._origins: dict[int, str] = {}

    def close(self) -> None:
        """Closes the connection."""
        self._snapshot.close()

    def state(self) -> str:
        """A digest of the distribution's version and of what the base sources offered after their last sync."""
        moment = self._moment
        said = [self._distribution.path, str(moment.number), *self._distribution.architectures]
        for base in moment.bases:
            said += [str(base.source.id), base.source.name, str(base.generation), base.changed_at]
        return hashlib.blake2b("\0".join(said).encode(), digest_size=16).hexdigest()

    def unsynced(self) -> Sequence[str]:
        """Names of base sources that were never synced."""
        return [base.source.name for base in self._moment.bases if not base.changed_at]

    def machines(self, info: PackageInfo) -> Sequence[str]:
        """The architectures of the machines that a package is for."""
        known = self._known_machines
        if info.architecture != self._format.independent_architecture:
            return machines({info.architecture}, known, self._format.solver.scope)
        return sorted(known)

    def candidate(self, info: PackageInfo) -> Candidate:
        """The package with a number of its own."""
        key = (info.name, info.version, info.architecture, info.files[0].sha256)
        with self._lock:
            if key not in self._arrivals:
                self._make_room(len(info.raw))
                # Packages of the distribution have odd negative numbers, those of base sources positive ones.
                self._numbered += 1
                number = -2 * self._numbered
                self._arrivals[key] = Candidate(number, info.name, info.version, info.architecture, info.raw)
            return self._arrivals[key]

    def _make_room(self, size: int) -> None:
        """A scan asks about everything that is in. No number is given out twice: what was forgotten may come again."""
        if self._arrived + size > MAX_HELD:
            self._arrivals.clear()
            self._arrived = 0
            for known in self._pools.values():
                known.memory.clear()
        self._arrived += size

    def pool(self, machine: str, batch: Sequence[PackageInfo] = ()) -> CandidatePool:
        """Everything that a machine can install."""
        with self._lock:
            if machine not in self._pools:
                ids = [base.source.id for base in self._moment.bases]
                scope = frozenset(self._format.solver.scope(machine))
                self._pools[machine] = _Known(self._snapshot, ids, self._distribution, self._moment.number, scope)
            known = self._pools[machine]
        if not batch:
            return known
        arrivals = [
            (self.candidate(info), info.provides.split())
            for info in batch
            if info.kind == BINARY and info.architecture in known.scope
        ]
        return _WithArrivals(known, arrivals)

    def origin(self, candidate: Candidate) -> str:
        """Where a candidate is from, by its number."""
        if candidate.id < 0:
            return DISTRIBUTION if candidate.id % 2 else BATCH
        with self._lock:
            if candidate.id not in self._origins:
                found = self._snapshot.read(lambda tables: [tables.available.get(candidate.id).source])
                self._origins[candidate.id] = found[0]
            return self._origins[candidate.id]

    @cached_property
    def _moment(self) -> _Moment:
        distribution, names = self._distribution, self._distribution.base_sources
        number = self._snapshot.read(lambda tables: [tables.versions.latest(distribution).number])[0]
        groups = self._snapshot.read(lambda tables: tables.versions.groups(distribution, number))
        held = frozenset(architecture for _, kind, architecture in groups if kind == BINARY)
        return _Moment(number, held, [self._base(name) for name in names])

    def _base(self, name: str) -> _Base:
        source = self._snapshot.read(lambda tables: [tables.sources.get(name)])[0]
        state = self._snapshot.read(lambda tables: [tables.sources.state(source)])[0]
        architectures: Sequence[str] = source.architectures
        if not architectures:
            architectures = self._snapshot.read(lambda tables: tables.available.architectures(source.id))
        changed_at = state.changed_at.isoformat() if state.changed_at else ""
        return _Base(source, state.generation, changed_at, architectures)

    @cached_property
    def _known_machines(self) -> Sequence[str]:
        others = {SOURCE_ARCHITECTURE, self._format.independent_architecture}
        declared = set(self._distribution.architectures) - others
        if declared:
            return sorted(declared)
        bases = {name for base in self._moment.bases for name in base.architectures} - others
        found = bases or self._moment.architectures - others
        # What another machine installs besides its own (i686 on x86_64) is no machine of its own.
        scope = self._format.solver.scope
        return sorted(name for name in found if not any(name in scope(other) for other in found - {name}))


class _Known:
    """What the distribution and its base sources offer, kept by the names that were asked for.

    ``memory`` is for the solver, as ``contracts.RememberingPool`` has it. Both are emptied when they become too large.
    """

    def __init__(
        self,
        snapshot: CatalogSnapshot,
        source_ids: Sequence[int],
        distribution: Distribution,
        number: int,
        scope: Collection[str],
    ) -> None:
        self.scope = scope
        self.memory: dict[Any, Any] = {}
        self._snapshot = snapshot
        self._ids = source_ids
        self._distribution, self._number = distribution, number
        self._named: dict[str, list[Candidate]] = {}
        self._providing: dict[str, list[Candidate]] = {}
        self._held: dict[int, Candidate] = {}
        self._size = 0
        self._lock = threading.Lock()

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        with self._lock:
            self._make_room()
            unknown = [name for name in names if name not in self._named]
            self._named.update({name: [] for name in unknown})
            for candidate in self._find(unknown, ()) if unknown else ():
                self._named[candidate.name].append(candidate)
            return list(chain.from_iterable(self._named[name] for name in names))

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names."""
        with self._lock:
            for name in names:
                if name not in self._providing:
                    self._providing[name] = self._find((), [name])
            return list(chain.from_iterable(self._providing[name] for name in names))

    def everything(self) -> Iterator[Candidate]:
        """Every candidate, streamed from the catalog."""
        if self._ids:
            yield from self._snapshot.stream(lambda tables: tables.available.everything(self._ids, self.scope))
        members = self._snapshot.stream(lambda tables: tables.versions.everything(self._distribution, self._number))
        yield from filter(None, map(self._member, members if self._number else ()))

    def _find(self, names: Collection[str], provided: Collection[str]) -> list[Candidate]:
        found: list[Candidate] = []
        if self._ids and names:
            found += self._snapshot.read(lambda tables: tables.available.candidates(self._ids, names, self.scope))
        if self._ids and provided:
            found += self._snapshot.read(lambda tables: tables.available.providers(self._ids, provided, self.scope))
        if self._number:
            members = self._snapshot.read(
                lambda tables: tables.versions.candidates(self._distribution, self._number, names, provided)
            )
            found += filter(None, map(self._member, members))
        return [self._kept(candidate) for candidate in found]

    def _member(self, candidate: Candidate) -> Candidate | None:
        """A package of the distribution, which is one of many here: nothing is installed yet."""
        if candidate.architecture not in self.scope:
            return None
        return Candidate(2 * candidate.id + 1, candidate.name, candidate.version, candidate.architecture, candidate.raw)

    def _kept(self, candidate: Candidate) -> Candidate:
        """The same object for the same package, however it was found."""
        held = self._held.setdefault(candidate.id, candidate)
        if held is candidate:
            self._size += len(candidate.raw)
        return held

    def _make_room(self) -> None:
        if self._size > MAX_HELD:
            for kept in (self._named, self._providing, self._held, self.memory):
                kept.clear()
            self._size = 0


class _WithArrivals:
    """What is known already, and what comes in beside it."""

    def __init__(self, known: _Known, arrivals: Sequence[tuple[Candidate, Sequence[str]]]) -> None:
        self._known = known
        self.memory = known.memory
        self._arrivals = [candidate for candidate, _ in arrivals]
        self._named = _by_name((candidate.name, candidate) for candidate, _ in arrivals)
        self._providing = _by_name((name, candidate) for candidate, provided in arrivals for name in provided)

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        return chain(self._known.named(names), *(self._named.get(name, ()) for name in names))

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names."""
        return chain(self._known.providing(names), *(self._providing.get(name, ()) for name in names))

    def everything(self) -> Iterable[Candidate]:
        """Every candidate, streamed."""
        return chain(self._known.everything(), self._arrivals)


def _by_name(pairs: Iterable[tuple[str, Candidate]]) -> Mapping[str, Sequence[Candidate]]:
    found: dict[str, list[Candidate]] = {}
    for name, candidate in pairs:
        found.setdefault(name, []).append(candidate)
    return found
