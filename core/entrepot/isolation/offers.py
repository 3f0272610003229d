"""What the surroundings of a distribution are made of: the narrow part of the catalog that may be asked for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from entrepot.contracts import Candidate


@dataclass(frozen=True, slots=True)
class Base:
    """A base source and its architectures; ``changed_at`` is empty if it was never synced."""

    id: int
    name: str
    generation: int
    changed_at: str
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of a distribution before anything is looked for."""

    number: int
    """Of the newest version."""
    architectures: frozenset[str]
    """Of the binary packages of the newest version."""
    bases: tuple[Base, ...]
    without: str = ""
    """A digest of the packages of the newest version that are left out, because they are about to go; else empty."""


class Offers(Protocol):
    """What the newest version of one distribution and its base sources offer; all of it as of the first question.

    Packages of the distribution have odd negative numbers, those of base sources positive ones.
    """

    def moment(self) -> Moment:
        """The version and the base sources."""
        ...

    def named(self, names: Collection[str], architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package of one of these names."""
        ...

    def providing(
        self, names: Collection[str], architectures: Collection[str]
    ) -> Iterable[tuple[str, Iterable[Candidate]]]:
        """Each of the names with the packages that provide it besides their own."""
        ...

    def everything(self, architectures: Collection[str]) -> Iterable[Candidate]:
        """Every package, streamed."""
        ...

    def sources(self, numbers: Collection[int]) -> Mapping[int, str]:
        """The sources of packages of base sources, by their numbers."""
        ...

    def close(self) -> None:
        """Ends the moment."""
        ...
