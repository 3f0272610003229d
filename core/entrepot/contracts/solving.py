"""Solving dependencies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that a solver may choose. ``present``: the distribution has it already."""

    id: int
    name: str
    version: str
    architecture: str
    raw: bytes = field(repr=False)
    present: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


class CandidatePool(Protocol):
    """Where a solver finds packages. Asked as the closure grows, so that only what can be reached is ever loaded."""

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate of one of these names."""
        ...

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        """Every candidate that provides one of these names besides its own."""
        ...

    def everything(self) -> Iterable[Candidate]:
        """Every candidate there is, streamed: for what only reading all of them can tell. Takes seconds."""
        ...


@runtime_checkable
class RememberingPool(CandidatePool, Protocol):
    """A pool that is asked for many closures: a candidate with the same number is the same one each time."""

    memory: MutableMapping[Any, Any]
    """What a solver may keep of its own from one question to the next. The pool empties it when it becomes large."""


class ExpectingPool(RememberingPool, Protocol):
    """One that knows beforehand what it will be asked about, so that much can be looked up at once."""

    def coming(self) -> Sequence[Candidate]:
        """Packages whose closures will be asked for, one by one. Told once: nothing later, whatever was forgotten."""
        ...


@dataclass(frozen=True, slots=True)
class Missing:
    """A requirement that nothing satisfies, in the format's own words, and who has it."""

    requirement: str
    needed_by: str


@dataclass(frozen=True, slots=True)
class Closure:
    """What has to come in so that what was wanted can be installed; ``packages`` has the wanted ones, too.

    Packages that the distribution holds already are not in it. ``missing`` and ``conflicts`` are empty if it is solved.
    ``unmet`` are recommendations of the wanted packages that it does not meet, if they were asked for.
    """

    packages: tuple[Candidate, ...]
    missing: tuple[Missing, ...] = ()
    conflicts: tuple[str, ...] = ()
    unmet: tuple[Missing, ...] = ()


class Solver(Protocol):
    """Finds what a package needs."""

    @property
    def version(self) -> str:
        """Name and version of what solves; another one may answer otherwise."""
        ...

    def scope(self, architecture: str) -> Sequence[str]:
        """The architectures whose packages a machine of ``architecture`` installs, with that of packages for all."""
        ...

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """What ``wanted`` needs on a machine of ``architecture`` that has nothing installed yet."""
        ...


@runtime_checkable
class TellsExcluded(Protocol):
    """A solver that knows what packages say against others (Conflicts, Breaks)."""

    def excluded(
        self, wanted: Candidate, pool: CandidatePool, *, architecture: str, among: Callable[[Candidate], bool]
    ) -> Iterable[tuple[Candidate, str]]:
        """The packages ``among`` those of the pool that a machine cannot have besides ``wanted``, and why.

        Of each name the newest version that the pool has, if that is excluded: who has an older one gets that. But none
        that is excluded by a name which ``wanted`` provides itself: it is then one of several of which a machine has
        one. ``IndexFormatError`` if ``wanted`` cannot be understood.
        """
        ...
