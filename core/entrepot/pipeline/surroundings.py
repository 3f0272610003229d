"""What a distribution, its base sources and a batch offer to a solver: ``contracts.Surroundings``."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from entrepot.contracts import Candidate, CandidatePool, Format
from entrepot.isolation import Moment, Offers, Others
from entrepot.models import SOURCE_ARCHITECTURE, Distribution, PackageInfo
from entrepot.pipeline.resolve import machines

BINARY = "binary"
DISTRIBUTION, BATCH = "distribution", "batch"
MAX_HELD = 64 << 20
"""Bytes of text of packages that are kept for the next question. What is made of it takes some four times as much."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch with what was made of it, once for all of its packages."""

    packages: Sequence[PackageInfo]
    digest: str
    pools: dict[str, CandidatePool] = field(default_factory=dict)


class DistributionSurroundings:
    """``contracts.Surroundings`` of one distribution, on what ``offers`` knows of it.

    What was found stays in memory, so that the packages of a batch do not load the same libraries again and again.
    """

    def __init__(self, format_: Format, distribution: Distribution, offers: Offers) -> None:
        self._offers = offers
        self._format = format_
        self._distribution = distribution
        self._lock = threading.RLock()
        self._pools: dict[str, _Known] = {}
        self._batch = _Batch((), "")
        self._arrivals: dict[tuple[str, str, str, str], Candidate] = {}
        self._numbered = self._arrived = 0
        self._origins: dict[int, str] = {}

    def state(self, batch: Sequence[PackageInfo] = ()) -> str:
        """A digest of the distribution's version, of what base sources offered after their last sync, of the batch."""
        moment = self._moment
        said = [self._distribution.path, str(moment.number), *self._distribution.architectures]
        said += [moment.without] if moment.without else []
        for base in moment.bases:
            said += [str(base.id), base.name, str(base.generation), base.changed_at]
        with self._lock:
            return _digest([*said, self._of_batch(batch).digest])

    def unsynced(self) -> Sequence[str]:
        """Names of base sources that were never synced."""
        return [base.name for base in self._moment.bases if not base.changed_at]

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
                self._pools[machine] = _Known(self._offers, frozenset(self._format.solver.scope(machine)))
            known = self._pools[machine]
            if not batch:
                return known
            arrived = self._of_batch(batch)
            if machine not in arrived.pools:
                arrived.pools[machine] = _WithArrivals(known, list(self._arriving(arrived.packages, known.scope)))
            return arrived.pools[machine]

    def _arriving(
        self, packages: Iterable[PackageInfo], scope: Collection[str]
    ) -> Iterator[tuple[Candidate, Sequence[str]]]:
        for info in packages:
            if info.kind == BINARY and info.architecture in scope:
                yield self.candidate(info), info.provides.split()

    def _of_batch(self, batch: Sequence[PackageInfo]) -> _Batch:
        """The whole batch, with the package that is asked about: it can be had as well, and all have one pool."""
        packages = batch.everyone if isinstance(batch, Others) else batch
        if self._batch.packages is not packages:
            lines = [f"{info.name} {info.version} {info.architecture} {info.files[0].sha256}" for info in packages]
            self._batch = _Batch(packages, _digest(sorted(lines)) if lines else "")
        return self._batch

    def of_base(self, candidate: Candidate) -> bool:
        """Whether a candidate is from a base source."""
        return candidate.id >= 0

    def origin(self, candidate: Candidate) -> str:
        """Where a candidate is from, by its number."""
        if not self.of_base(candidate):
            return DISTRIBUTION if candidate.id % 2 else BATCH
        with self._lock:
            if candidate.id not in self._origins:
                held = {number for known in self._pools.values() for number in known.numbers if number > 0}
                self._origins |= self._offers.sources(sorted({candidate.id, *held} - self._origins.keys()))
            return self._origins[candidate.id]

    @cached_property
    def _moment(self) -> Moment:
        return self._offers.moment()

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

    def __init__(self, offers: Offers, scope: Collection[str]) -> None:
        self.scope = scope
        self.memory: dict[Any, Any] = {}
        self.others: list[dict[Any, Any]] = []
        """Memories of the pools that stand on this one."""
        self._offers = offers
        self._named: dict[str, list[Candidate]] = {}
        self._providing: dict[str, list[Candidate]] = {}
        self._held: dict[int, Candidate] = {}
        self._size = 0
        self._lock = threading.Lock()

    @property
    def numbers(self) -> Collection[int]:
        """Of the packages that were found."""
        return self._held.keys()

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        with self._lock:
            self._make_room()
            unknown = [name for name in names if name not in self._named]
            found: dict[str, list[Candidate]] = {name: [] for name in unknown}
            for candidate in self._offers.named(unknown, self.scope) if unknown else ():
                found[candidate.name].append(self._kept(candidate))
            self._named |= found
            return list(chain.from_iterable(self._named[name] for name in names))

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names."""
        with self._lock:
            unknown = [name for name in names if name not in self._providing]
            for name, candidates in self._offers.providing(unknown, self.scope) if unknown else ():
                self._providing[name] = [self._kept(candidate) for candidate in candidates]
            return list(chain.from_iterable(self._providing[name] for name in names))

    def everything(self) -> Iterable[Candidate]:
        """Every candidate, streamed from the catalog."""
        return self._offers.everything(self.scope)

    def _kept(self, candidate: Candidate) -> Candidate:
        """The same object for the same package, however it was found."""
        held = self._held.setdefault(candidate.id, candidate)
        if held is candidate:
            self._size += len(candidate.raw)
        return held

    def _make_room(self) -> None:
        if self._size > MAX_HELD:
            for kept in (self._named, self._providing, self._held):
                kept.clear()
            for memory in (self.memory, *self.others):
                memory.clear()
            self._size = 0


class _WithArrivals:
    """What is known already, and what comes in beside it: a ``contracts.ExpectingPool``."""

    def __init__(self, known: _Known, arrivals: Sequence[tuple[Candidate, Sequence[str]]]) -> None:
        self._known = known
        self.memory: dict[Any, Any] = {}
        known.others.append(self.memory)
        self._arrivals = [candidate for candidate, _ in arrivals]
        self._untold = self._arrivals
        self._named = _by_name((candidate.name, candidate) for candidate, _ in arrivals)
        self._providing = _by_name((name, candidate) for candidate, provided in arrivals for name in provided)

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        return chain(self._known.named(names), *(self._named.get(name, ()) for name in names))

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names."""
        return chain(self._known.providing(names), *(self._providing.get(name, ()) for name in names))

    def coming(self) -> Sequence[Candidate]:
        """What comes in, the first time that this is asked."""
        untold, self._untold = self._untold, []
        return untold

    def everything(self) -> Iterable[Candidate]:
        """Every candidate, streamed."""
        return chain(self._known.everything(), self._arrivals)


def _by_name(pairs: Iterable[tuple[str, Candidate]]) -> Mapping[str, Sequence[Candidate]]:
    found: dict[str, list[Candidate]] = {}
    for name, candidate in pairs:
        found.setdefault(name, []).append(candidate)
    return found


def _digest(texts: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()
