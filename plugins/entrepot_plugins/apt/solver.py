"""Finds what a package needs, and says in Debian's words what is in the way if it cannot be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from entrepot.contracts import Candidate, CandidatePool, Closure, Missing
from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE

from .logic import Answer, Item, Several, choose
from .relations import Clause, Relation, clause_text
from .universe import Package, Universe, architectures_for
from .version import DebianVersions

MAX_LINKS = 5_000_000
"""How many pairs of packages may have to do with each other, hostile indexes being the only ones with more of them."""


class AptSolver:
    """The solver of the APT format. It keeps nothing between two questions."""

    def closure(
        self, wanted: Sequence[Candidate], pool: CandidatePool, *, architecture: str, recommends: bool = False
    ) -> Closure:
        """What ``wanted`` needs, all of it together, on a machine of ``architecture`` that has nothing installed yet.

        The order is that of ``wanted``, then by name. Packages of another architecture are looked at only if one of
        ``wanted`` is of it; source packages need nothing. ``recommends`` brings in what is recommended, too, as far as
        that is possible. If there is no solution, ``packages`` is ``wanted`` alone.

        ``IndexFormatError`` if the stanza of one of ``wanted`` cannot be understood. Any other package that cannot be
        is passed over, and named among the conflicts if there is no solution.
        """
        binaries = [candidate for candidate in wanted if candidate.architecture != SOURCE_ARCHITECTURE]
        universe = Universe(DebianVersions(), architectures_for(architecture, binaries), recommends)
        roots = len(universe.load(binaries, pool))
        items = _items(universe)
        answer = choose(items, range(roots)) if roots else Answer()
        chosen = sorted((universe.packages[number] for number in answer.chosen), key=lambda package: package.rank)
        both = dict.fromkeys((*wanted, *(package.candidate for package in chosen)))
        found = tuple(candidate for candidate in both if not candidate.present)
        if answer.solved:
            return Closure(found)
        reasons = _Reasons(universe, items, roots, answer)
        return Closure(found, tuple(reasons.missing()), tuple(reasons.conflicts()))


def _items(universe: Universe) -> list[Item]:
    """The universe as the solver's question. At most one version of a name and architecture can be chosen."""
    numbers = {package: number for number, package in enumerate(universe.packages)}
    clauses: dict[tuple[Clause, str], Several] = {}
    relations: dict[tuple[Relation, str], Several] = {}
    several_architectures = len(universe.architectures) > 1
    items, links = [], 0

    def satisfying(clause: Clause, architecture: str) -> Several:
        key = (clause, architecture)
        if key not in clauses:
            clauses[key] = tuple(numbers[package] for package in universe.satisfying(clause, architecture))
        return clauses[key]

    def offending(relation: Relation, name: str) -> Several:
        key = (relation, name)
        if key not in relations:
            relations[key] = tuple(numbers[package] for package in universe.offending(relation, name))
        return relations[key]

    for package in universe.packages:
        name, architecture, said = package.candidate.name, package.architecture, package.relations
        item = Item(f"{name}:{architecture}")
        item.needs = [satisfying(clause, architecture) for clause in package.requirements]
        if universe.recommends:
            item.wishes = [satisfying(clause, architecture) for clause in said.recommends]
        item.excludes = [offending(relation, name) for relation in (*said.conflicts, *said.breaks)]
        if several_architectures:
            item.excludes.append(tuple(numbers[other] for other in universe.strangers(package)))
        links += sum(map(len, (*item.needs, *item.wishes, *item.excludes)))
        if links > MAX_LINKS:
            raise IndexFormatError(f"the packages around {universe.packages[0]} have more than {MAX_LINKS} relations")
        items.append(item)
    return items


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Says in Debian's words why there is no solution."""

    universe: Universe
    items: Sequence[Item]
    roots: int
    answer: Answer

    def missing(self) -> Iterator[Missing]:
        for unmet in self.answer.unmet:
            package = self.universe.packages[unmet.item]
            clause = next(islice(package.requirements, unmet.need, None))
            yield Missing(clause_text(clause), str(package))

    def conflicts(self) -> Iterator[str]:
        """A sentence for each pair that stands in the way: what is between the two, and why they would come in."""
        for pair in self.answer.clashes:
            one, other = (self.universe.packages[number] for number in pair)
            quarrel = self._quarrel(one, other) or self._quarrel(other, one) or f"{one} and {other} exclude each other"
            if max(pair) < self.roots:
                yield f"{quarrel}; both are wanted"
            else:
                yield f"{quarrel}; " + ", ".join(filter(None, map(self._why, pair)))
        for error in self.universe.unusable:
            yield f"passed over, as its metadata cannot be understood: {error}"

    def _quarrel(self, one: Package, other: Package) -> str:
        """What ``one`` says against ``other``; empty if it says nothing."""
        for verb, relations in (("conflicts with", one.relations.conflicts), ("breaks", one.relations.breaks)):
            for relation in relations:
                if other in self.universe.offending(relation, one.candidate.name):
                    link = "which is" if relation.name == other.candidate.name else "which is provided by"
                    return f"{one} {verb} {relation}, {link} {other}"
        return ""

    def _why(self, number: int) -> str:
        if number < self.roots:
            return f"{self.universe.packages[number]} is wanted"
        causes = (cause.item for cause in self.answer.causes if number in self.items[cause.item].needs[cause.need])
        names = [str(self.universe.packages[item]) for item in dict.fromkeys(causes)]
        return f"{self.universe.packages[number]} is needed by {' and '.join(names)}" if names else ""
