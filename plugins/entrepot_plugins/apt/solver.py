"""Finds what a package needs, and says in Debian's words what is in the way if it cannot be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from entrepot.contracts import Candidate, CandidatePool, Closure, Missing
from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE
from entrepot_plugins.shared.libsolv_version import libsolv_version

from .logic import Answer, Item, Several, choose
from .relations import Clause, Relation, clause_text
from .straight import market_of, take
from .universe import Package, Universe, architectures_for
from .version import DebianVersions

MAX_LINKS = 2_000_000
"""How many pairs of packages may have to do with each other; gnome-core has 14,000, and libsolv takes up to 100 bytes
for each."""


class AptSolver:
    """The solver of the APT format. It keeps nothing between two questions, unless the pool remembers for it."""

    @property
    def version(self) -> str:
        """That of libsolv."""
        return libsolv_version()

    def scope(self, architecture: str) -> Sequence[str]:
        """The architecture itself, and ``all``."""
        return (architecture, "all")

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
        architectures = architectures_for(architecture, binaries)
        if len(architectures) == 1 and not recommends:
            market = market_of(pool, Universe(DebianVersions(), architectures))
            taken = take(market, market.universe.read_wanted(binaries, pool), pool)
            if taken is not None:
                return Closure(_needed(wanted, market.universe.in_order(taken)))
        universe = Universe(DebianVersions(), architectures, recommends)
        roots = universe.load(binaries, pool)
        question = _Question(universe, roots)
        answer = choose(question.items, range(len(roots))) if roots else Answer()
        found = _needed(wanted, universe.in_order(question.packages[number] for number in answer.chosen))
        if answer.solved:
            return Closure(found, unmet=tuple(question.unmet(answer.chosen, len(roots))))
        reasons = _Reasons(universe, question, len(roots), answer)
        return Closure(found, tuple(reasons.missing()), tuple(reasons.conflicts()))

    def excluded(
        self, wanted: Candidate, pool: CandidatePool, *, architecture: str, among: Callable[[Candidate], bool]
    ) -> Iterator[tuple[Candidate, str]]:
        """Whom its Conflicts and Breaks are about."""
        market = market_of(pool, Universe(DebianVersions(), architectures_for(architecture, [wanted])))
        universe = market.universe
        (package,) = universe.read_wanted([wanted], pool)
        own = {wanted.name, *(relation.name for relation in package.relations.provides)}
        against = [(verb, relation) for verb, relation in _against(package) if relation.name not in own]
        market.load({relation.name for _, relation in against}, pool)
        for verb, relation in against:
            for other in universe.offending(relation, wanted.name):
                if among(other.candidate):
                    market.load({other.candidate.name}, pool)
                    if other.key == universe.newest(other.candidate.name):
                        yield other.candidate, _sentence(package, verb, relation, other)


def _needed(wanted: Iterable[Candidate], chosen: Iterable[Package]) -> tuple[Candidate, ...]:
    """``wanted``, then what else was chosen and is not present."""
    both = dict.fromkeys((*wanted, *(package.candidate for package in chosen)))
    return tuple(candidate for candidate in both if not candidate.present)


class _Question:
    """What is asked: those packages of the universe that ``roots`` can come to need, and the items they stand for.

    ``packages`` and ``items`` have the same numbers; ``roots`` come first. ``IndexFormatError`` if there is so much
    between them that an answer would take too much memory.
    """

    def __init__(self, universe: Universe, roots: Sequence[Package]) -> None:
        self._universe = universe
        self._known: dict[tuple[Clause, str], tuple[Package, ...]] = {}
        reached = self._reach(roots)
        # Not the order of reaching but the universe's own, breadth first: what is near to the roots is decided first.
        self.packages = [package for package in universe.packages if package in reached]
        self._numbers = {package: number for number, package in enumerate(self.packages)}
        self._excluded: dict[tuple[Relation, str], Several] = {}
        self.items = [self._item(package) for package in self.packages]
        self._check_size()

    def unmet(self, chosen: Iterable[int], roots: int) -> Iterator[Missing]:
        """The wishes of the first ``roots`` packages that the chosen ones do not satisfy."""
        taken = set(chosen)
        for package, item in zip(self.packages[:roots], self.items, strict=False):
            for clause, several in zip(self._wishes(package), item.wishes, strict=True):
                if taken.isdisjoint(several):
                    yield Missing(clause_text(clause), str(package))

    def _reach(self, roots: Sequence[Package]) -> set[Package]:
        reached, ahead = set(roots), list(roots)
        while ahead:
            package = ahead.pop()
            for clause in chain(package.requirements, self._wishes(package)):
                fresh = [other for other in self._satisfying(clause, package) if other not in reached]
                reached.update(fresh)
                ahead += fresh
        return reached

    def _wishes(self, package: Package) -> Sequence[Clause]:
        return package.relations.recommends if self._universe.recommends else ()

    def _satisfying(self, clause: Clause, package: Package) -> tuple[Package, ...]:
        key = (clause, package.architecture)
        if key not in self._known:
            self._known[key] = self._universe.satisfying(clause, package.architecture)
        return self._known[key]

    def _item(self, package: Package) -> Item:
        name, said = package.candidate.name, package.relations
        excludes = [self._offending(relation, name) for relation in (*said.conflicts, *said.breaks)]
        if len(self._universe.architectures) > 1:
            excludes.append(self._among(self._universe.strangers(package)))
        return Item(
            group=f"{name}:{package.architecture}",
            needs=[self._among(self._satisfying(clause, package)) for clause in package.requirements],
            wishes=[self._among(self._satisfying(clause, package)) for clause in self._wishes(package)],
            excludes=excludes,
        )

    def _offending(self, relation: Relation, name: str) -> Several:
        key = (relation, name)
        if key not in self._excluded:
            self._excluded[key] = self._among(self._universe.offending(relation, name))
        return self._excluded[key]

    def _among(self, packages: Iterable[Package]) -> Several:
        return tuple(self._numbers[package] for package in packages if package in self._numbers)

    def _check_size(self) -> None:
        links = sum(len(several) for item in self.items for several in (*item.needs, *item.wishes, *item.excludes))
        links += sum(count * count for count in Counter(item.group for item in self.items).values())
        if links > MAX_LINKS:
            raise IndexFormatError(f"what {self.packages[0]} may need has {links} relations, more than {MAX_LINKS}")


@dataclass(frozen=True, slots=True)
class _Reasons:
    """Says in Debian's words why there is no solution."""

    universe: Universe
    question: _Question
    roots: int
    answer: Answer

    def missing(self) -> Iterator[Missing]:
        for unmet in self.answer.unmet:
            package = self.question.packages[unmet.item]
            clause = next(islice(package.requirements, unmet.need, None))
            yield Missing(clause_text(clause), str(package))

    def conflicts(self) -> Iterator[str]:
        """A sentence for each pair that stands in the way: what is between the two, and why they would come in."""
        for pair in self.answer.clashes:
            one, other = (self.question.packages[number] for number in pair)
            quarrel = self._quarrel(one, other) or self._quarrel(other, one) or f"{one} and {other} exclude each other"
            if max(pair) < self.roots:
                yield f"{quarrel}; both are wanted"
            else:
                yield f"{quarrel}; " + ", ".join(filter(None, map(self._why, pair)))
        for error in self.universe.unusable:
            yield f"passed over, as its metadata cannot be understood: {error}"

    def _quarrel(self, one: Package, other: Package) -> str:
        """What ``one`` says against ``other``; empty if it says nothing."""
        for verb, relation in _against(one):
            if other in self.universe.offending(relation, one.candidate.name):
                return _sentence(one, verb, relation, other)
        return ""

    def _why(self, number: int) -> str:
        if number < self.roots:
            return f"{self.question.packages[number]} is wanted"
        causes = (
            cause.item for cause in self.answer.causes if number in self.question.items[cause.item].needs[cause.need]
        )
        names = [str(self.question.packages[item]) for item in dict.fromkeys(causes)]
        return f"{self.question.packages[number]} is needed by {' and '.join(names)}" if names else ""


def _against(package: Package) -> Iterator[tuple[str, Relation]]:
    """What a package says against others, each with a verb."""
    for verb, relations in (("conflicts with", package.relations.conflicts), ("breaks", package.relations.breaks)):
        for relation in relations:
            yield verb, relation


def _sentence(one: Package, verb: str, relation: Relation, other: Package) -> str:
    link = "which is" if relation.name == other.candidate.name else "which is provided by"
    return f"{one} {verb} {relation}, {link} {other}"
