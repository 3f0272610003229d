"""Solving dependencies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class Missing:
    """A requirement that nothing satisfies, in the format's own words, and who has it."""

    requirement: str
    needed_by: str


@dataclass(frozen=True, slots=True)
class Closure:
    """What has to come in so that what was wanted can be installed; ``packages`` has the wanted ones, too.

    Packages that the distribution holds already are not in it. ``missing`` and ``conflicts`` are empty if it is solved.
    """

    packages: tuple[Candidate, ...]
    missing: tuple[Missing, ...] = ()
    conflicts: tuple[str, ...] = ()


class Solver(Protocol):
    """Finds what a package needs."""

    def scope(self, architecture: str) -> Sequence[str]:
        """The architectures whose packages a machine of ``architecture`` installs, with that of packages for all."""
        ...

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """What ``wanted`` needs on a machine of ``architecture`` that has nothing installed yet."""
        ...
