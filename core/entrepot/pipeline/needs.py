"""What many packages need, each by itself: what a mirror of a part of a source has to take with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from entrepot.contracts import Candidate, Closure, Format
from entrepot.errors import IndexFormatError
from entrepot.models import Distribution, Source
from entrepot.pipeline.resolve import CatalogPool, machines_of

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

TOGETHER = 32
"""Packages that a solver is asked about at once."""
REMEMBERED = 20_000
"""Candidates after which what a solver remembers of them is forgotten."""


@dataclass(slots=True)
class Needs:
    """Ids of available packages, and what keeps some of them from being installed, one sentence each."""

    ids: set[int] = field(default_factory=set)
    problems: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seeker:
    """Looks for what packages of a source need, whatever the distribution has by now.

    What the base sources of the distribution offer is not needed: its clients have it from there. Packages that exclude
    each other are all served: only what has no solution even alone is a problem.
    """

    catalog: Catalog
    format: Format
    source: Source
    distribution: Distribution

    def needs(self, ids: Sequence[int], *, recommends: bool) -> Needs:
        """What these packages need, themselves included. Source packages and those of installers need nothing."""
        found = Needs(set(ids))
        for architecture in self._machines(ids):
            scope = self.format.solver.scope(architecture)
            pool = _Pool(self.catalog, [self.source], self.distribution, scope, held=False)
            asked = self.catalog.available.numbered([self.source.id], ids, scope)
            while together := list(islice(asked, TOGETHER)):
                pool.make_room()
                for closure in self._solved(together, pool, architecture, recommends):
                    found.ids.update(candidate.id for candidate in closure.packages)
                    for missing in closure.missing:
                        sentence = f"{missing.needed_by} needs {missing.requirement}, which nothing offers"
                        found.problems[sentence] = None
                    found.problems.update(dict.fromkeys(closure.conflicts))
        return found

    def _machines(self, ids: Sequence[int]) -> Sequence[str]:
        """The machines that packages are for: those that are declared, else those that the source has packages for."""
        own = set(self.catalog.available.architectures_of(ids))
        if own <= {self.format.independent_architecture} and not (
            self.distribution.architectures or self.source.architectures
        ):
            own = set(self.catalog.available.architectures(self.source.id)) if own else own
            if own <= {self.format.independent_architecture}:
                return sorted(own)
        return machines_of(own, self.format, self.source, self.distribution) if own else ()

    def _solved(
        self, asked: Sequence[Candidate], pool: _Pool, architecture: str, recommends: bool
    ) -> Iterator[Closure]:
        try:
            closure = self.format.solver.closure(asked, pool, architecture=architecture, recommends=recommends)
        except IndexFormatError as error:
            closure = Closure(tuple(asked), conflicts=(str(error),))
        if len(asked) == 1 or not (closure.missing or closure.conflicts):
            yield closure
            return
        middle = len(asked) // 2
        for half in (asked[:middle], asked[middle:]):
            yield from self._solved(half, pool, architecture, recommends)


class _Pool(CatalogPool):
    """Remembers for the solver what was found, by the names that were asked for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.memory: dict[Any, Any] = {}
        self._known: dict[int, Candidate] = {}

    def make_room(self) -> None:
        """Forgets everything if it has become much."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
            self.memory.clear()

    def named(self, names: Collection[str]) -> Iterable[Candidate]:
        return self._kept(super().named(names))

    def providing(self, names: Collection[str]) -> Iterable[Candidate]:
        return self._kept(super().providing(names))

    def _kept(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        return (self._known.setdefault(candidate.id, candidate) for candidate in candidates)
