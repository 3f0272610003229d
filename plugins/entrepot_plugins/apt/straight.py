"""Goes straight for what apt would take first; most packages of a distribution need no solver.

What is needed is taken in the order in which libsolv decides: what has no alternative before anything that has one,
what is near to the wanted packages before what is far. If nothing of what was taken excludes anything else, it is a
solution. Otherwise, or if something is missing, this knows nothing, and the solver has to say. So only what is taken
has to be loaded, and not all that could be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from entrepot.contracts import CandidatePool

from .relations import Clause
from .universe import Offer, Package, Universe, coming, memory_of, own_offers

Need = tuple[Clause, tuple[Package, ...]]
MAX_TAKEN = 20_000
"""Packages; whatever takes more is the solver's."""


@dataclass(slots=True)
class Market:
    """What the packages that were looked at need, and who has it; kept from question to question by pools that can."""

    universe: Universe
    loaded: set[str] = field(default_factory=set)
    needs: dict[Package, list[Need]] = field(default_factory=dict)
    prepared: set[Package] = field(default_factory=set)

    def prepare(self, roots: Iterable[Package], pool: CandidatePool) -> None:
        """Loads what ``roots`` will come to need as a rule, breadth first: each question to the pool takes its time."""
        fresh, count = [package for package in roots if package not in self.prepared], 0
        while fresh and count < MAX_TAKEN:
            self.prepared.update(fresh)
            count += len(fresh)
            self._load(chain.from_iterable(package.requirements for package in fresh), pool)
            needs = chain.from_iterable(self.needs_of(package, pool) for package in fresh)
            nearest = dict.fromkeys(choices[0] for _, choices in needs if choices)
            fresh = [package for package in nearest if package not in self.prepared]

    def needs_of(self, package: Package, pool: CandidatePool) -> list[Need]:
        """Every clause with those that satisfy it, the one to be taken before all others first."""
        found = self.needs.get(package)
        if found is None:
            clauses = list(package.requirements)
            self._load(clauses, pool)
            found = [(clause, self.universe.satisfying(clause, package.architecture)) for clause in clauses]
            self.needs[package] = found
        return found

    def load(self, names: Collection[str], pool: CandidatePool) -> None:
        """Loads what is called or provides one of these names, unless that was done before."""
        fresh = set(names) - self.loaded
        self.universe.extend(sorted(fresh), pool)
        self.loaded |= fresh

    def _load(self, clauses: Iterable[Clause], pool: CandidatePool) -> None:
        self.load({relation.name for clause in clauses for relation in clause}, pool)


def market_of(pool: CandidatePool, universe: Universe) -> Market:
    """The market of the last question, where the pool keeps one; else one of an empty universe."""
    market = memory_of(pool).setdefault((Market, universe.architectures), Market(universe))
    assert isinstance(market, Market)
    return market


def take(market: Market, roots: Sequence[Package], pool: CandidatePool) -> list[Package] | None:
    """``roots`` and all that they need, in no order; None if that is not as easy."""
    return _Taking(market, roots, pool).run()


class _Taking:
    def __init__(self, market: Market, roots: Sequence[Package], pool: CandidatePool) -> None:
        self._market, self._roots, self._pool = market, roots, pool
        self._taken: dict[Package, None] = {}
        self._names: set[str] = set()
        self._ahead: deque[tuple[Package, Need]] = deque()
        self._own = _by_name(offer for root in roots for offer in own_offers(root))

    def run(self) -> list[Package] | None:
        expected = self._market.universe.read_usable(coming(self._pool), self._pool)
        self._market.prepare([*self._roots, *expected], self._pool)
        if not all(map(self._take, self._roots)):
            return None
        while self._ahead:
            package, (clause, choices) = self._ahead.popleft()
            if self._has(package, clause, choices):
                continue
            if not choices or not self._take(choices[0]) or len(self._taken) > MAX_TAKEN:
                return None
        return list(self._taken) if self._agree() else None

    def _take(self, package: Package) -> bool:
        """Takes a package and what there is no alternative to; whether that is possible."""
        fresh = [package]
        while fresh:
            package = fresh.pop()
            if package in self._taken:
                continue
            if package.candidate.name in self._names:
                return False  # another version of it
            self._taken[package] = None
            self._names.add(package.candidate.name)
            for need in self._market.needs_of(package, self._pool):
                clause, choices = need
                if len(choices) == 1 and not self._has(package, clause, choices):
                    fresh.append(choices[0])
                elif len(choices) != 1:
                    self._ahead.append((package, need))
        return True

    def _has(self, package: Package, clause: Clause, choices: Iterable[Package]) -> bool:
        if any(choice in self._taken for choice in choices):
            return True
        # The wanted packages may be none of the pool's.
        return any(
            self._market.universe.meets(relation, offer, package.architecture)
            for relation in clause
            for offer in self._own.get(relation.name, ())
        )

    def _agree(self) -> bool:
        """Whether nobody says anything against anybody else."""
        offers = _by_name(offer for package in self._taken for offer in own_offers(package))
        return not any(
            offer.package.candidate.name != package.candidate.name and offer.offends(relation)
            for package in self._taken
            for relations in (package.relations.conflicts, package.relations.breaks)
            for relation in relations
            for offer in offers.get(relation.name, ())
        )


def _by_name(offers: Iterable[tuple[str, Offer]]) -> dict[str, list[Offer]]:
    found: dict[str, list[Offer]] = {}
    for name, offer in offers:
        found.setdefault(name, []).append(offer)
    return found
