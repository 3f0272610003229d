"""Puts packages before libsolv, as dnf does, and reads its answer.

libsolv ends the process for much that other libraries raise an exception for. What is done about it here: expressions
are built from what ``dependencies`` has parsed and bounded, as libsolv's own parser follows any depth; every string is
interned before ``createwhatprovides``, which sizes tables by their number; and nothing that refers to the pool (solver,
problem, rule, solvable: none of them keeps it alive) leaves the object that holds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import Any

from entrepot.errors import IndexFormatError, MissingExtraError

from .dependencies import Capability, Dependency, Rich, capabilities, helpful, holds
from .universe import Package

MAX_PAIRS = 5_000_000
"""How many pairs of packages may exclude each other: libsolv takes some 25 bytes for each. 2,000 versions of one
package are 2,000,000 pairs."""

_COMPARISONS = {">": 1, "=": 2, ">=": 3, "<": 4, "<=": 6}
"""As bits of libsolv's REL_GT, REL_EQ and REL_LT."""
_OPERATORS = {
    "and": "REL_AND",
    "or": "REL_OR",
    "with": "REL_WITH",
    "without": "REL_WITHOUT",
    "if": "REL_COND",
    "unless": "REL_UNLESS",
}


@dataclass(slots=True)
class Answer:
    """The packages that were chosen, or, if that is impossible, what is in the way; packages are given by number."""

    chosen: list[int] = field(default_factory=list)
    solved: bool = True
    unmet: list[tuple[int, Dependency]] = field(default_factory=list)
    """Requirements that nothing satisfies, each with the package that has it; of a solution, recommendations."""
    clashes: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    """Packages that cannot be installed, or not together, and why, in libsolv's words."""
    causes: dict[int, list[int]] = field(default_factory=dict)
    """Packages that are needed, each with those that need it."""


class Wording:
    """Dependencies as the numbers that libsolv knows them by."""

    def __init__(self, solv: Any, pool: Any) -> None:
        self._solv = solv
        self._pool = pool
        self._ids: dict[Dependency, int] = {}

    def id(self, dependency: Dependency) -> int:
        """The same for the same dependency, in the pool that this was made for."""
        known = self._ids.get(dependency)
        if known is None:
            made = self._versioned(dependency) if isinstance(dependency, Capability) else self._related(dependency)
            known = self._ids[dependency] = made
        return known

    def _versioned(self, capability: Capability) -> int:
        name = self._pool.str2id(capability.name)
        if not capability.comparison:
            return int(name)
        comparison = _COMPARISONS[capability.comparison]
        return int(self._pool.rel2id(name, self._pool.str2id(capability.evr), comparison))

    def _related(self, rich: Rich) -> int:
        *others, last = map(self.id, rich.operands)
        operator = getattr(self._solv, _OPERATORS[rich.operator])
        if rich.operator in ("if", "unless") and len(others) == 2:
            last = self._pool.rel2id(others.pop(), last, self._solv.REL_ELSE)
        while others:
            last = self._pool.rel2id(others.pop(), last, operator)
        return int(last)


class Board:
    """The packages of one question. ``precedence``: which are taken before others, whatever their versions.

    ``IndexFormatError`` if they exclude each other so much that an answer would take too much memory.
    """

    def __init__(
        self, packages: Sequence[Package], architectures: Sequence[str], precedence: Callable[[Package], int]
    ) -> None:
        self._solv = _load()
        self._packages = packages
        self._check_size()
        self._pool = self._solv.Pool()
        self._pool.setdisttype(self._solv.Pool.DISTTYPE_RPM)
        self._pool.setarch(":".join(architectures))
        # As Fedora builds it: libraries of 32 and of 64 bits go together, other packages of one name do not.
        self._pool.set_flag(self._solv.Pool.POOL_FLAG_IMPLICITOBSOLETEUSESCOLORS, 1)
        self._pool.set_flag(self._solv.Pool.POOL_FLAG_OBSOLETEUSESCOLORS, 1)
        self._wording = Wording(self._solv, self._pool)
        self._repositories: dict[int, Any] = {}
        self._solvables = [self._add(package, precedence(package)) for package in packages]
        self._numbers = {solvable: number for number, solvable in enumerate(self._solvables)}
        self._pool.createwhatprovides()

    def choose(self, roots: int, *, recommends: bool) -> Answer:
        """Chooses the first ``roots`` packages, what they need, what these need, and so on."""
        solver = self._pool.Solver()
        solver.set_flag(self._solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, not recommends)
        solver.set_flag(self._solv.Solver.SOLVER_FLAG_YUM_OBSOLETES, 1)
        install = self._solv.Job.SOLVER_INSTALL | self._solv.Job.SOLVER_SOLVABLE
        problems = solver.solve([self._pool.Job(install, solvable) for solvable in self._solvables[:roots]])
        if problems:
            return self._refusal(problems, roots)
        chosen = [self._numbers[solvable.id] for solvable in solver.transaction().newsolvables()]
        return Answer(chosen, unmet=list(self._unmet_wishes(chosen, roots)) if recommends else [])

    def _unmet_wishes(self, chosen: Collection[int], roots: int) -> Iterator[tuple[int, Dependency]]:
        """Recommendations of the first ``roots`` packages that the chosen ones do not satisfy."""
        taken = set(chosen)
        for number, package in enumerate(self._packages[:roots]):
            for wish in package.relations.recommends:
                if not holds(wish, lambda capability: taken.intersection(self._providers(capability))):
                    yield number, wish

    def _check_size(self) -> None:
        names = Counter(package.candidate.name for package in self._packages)
        offered = names + Counter(
            capability.name
            for package in self._packages
            for provided in package.relations.provides
            for capability in capabilities(provided)
        )
        pairs = sum(count * count for count in names.values()) // 2
        for package in self._packages:
            for dependency in chain(package.relations.conflicts, package.relations.obsoletes):
                pairs += sum(offered[capability.name] for capability in capabilities(dependency))
        if pairs > MAX_PAIRS:
            raise IndexFormatError(
                f"of what {self._packages[0]} may need, {pairs} pairs may exclude each other, more than {MAX_PAIRS}"
            )

    def _add(self, package: Package, precedence: int) -> int:
        if precedence not in self._repositories:
            self._repositories[precedence] = self._pool.add_repo(str(precedence))
            self._repositories[precedence].priority = precedence
        solvable = self._repositories[precedence].add_solvable()
        candidate, said = package.candidate, package.relations
        solvable.name, solvable.evr, solvable.arch = candidate.name, candidate.version, candidate.architecture
        solvable.add_provides(self._pool.rel2id(solvable.nameid, solvable.evrid, self._solv.REL_EQ))
        for path in sorted(package.paths):
            solvable.add_provides(self._pool.str2id(path))
        for dependencies, add in (
            (said.provides, solvable.add_provides),
            (said.requires, solvable.add_requires),
            (said.conflicts, solvable.add_conflicts),
            (said.obsoletes, solvable.add_obsoletes),
            (said.recommends, solvable.add_recommends),
            (said.suggests, solvable.add_suggests),
            (said.supplements, solvable.add_supplements),
            (said.enhances, solvable.add_enhances),
        ):
            for dependency in dependencies:
                add(self._wording.id(dependency))
        return int(solvable.id)

    def _providers(self, dependency: Dependency) -> list[int]:
        found = (self._numbers.get(solvable.id) for solvable in self._pool.whatprovides(self._wording.id(dependency)))
        return [number for number in found if number is not None]

    def _refusal(self, problems: Iterable[Any], roots: int) -> Answer:
        said = {self._wording.id(need): need for package in self._packages for need in package.relations.requires}
        answer = Answer(solved=False)
        needs: dict[tuple[int, Dependency], str] = {}
        rules = (rule for problem in problems for rule in problem.findallproblemrules())
        for info in (info for rule in rules for info in rule.allinfos()):
            both = [solvable.id for solvable in (info.solvable, info.othersolvable) if solvable is not None]
            # libsolv's own package for the machine is none of ours: expressions can conflict with it.
            concerned = tuple(self._numbers[solvable] for solvable in both if solvable in self._numbers)
            if info.type == self._solv.Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
                answer.unmet.append((concerned[0], said[info.dep_id]))
            elif info.type == self._solv.Solver.SOLVER_RULE_PKG_REQUIRES:
                needs[concerned[0], said[info.dep_id]] = info.problemstr()
            elif concerned:
                answer.clashes.append((concerned, info.problemstr()))
        # libsolv stops at the first thing that is in the way; who wants to put it right needs to know all of them.
        answer.unmet += self._hopeless_needs(roots)
        if not answer.unmet and not answer.clashes:  # all that is in the way are expressions
            answer.unmet += filter(self._has_no_provider, needs)
            answer.clashes += () if answer.unmet else (((need[0],), words) for need, words in needs.items())
        if not answer.unmet and not answer.clashes:
            answer.clashes += (((), str(problem)) for problem in problems)
        for number, need in needs:
            for provider in self._providers(need):
                answer.causes.setdefault(provider, []).append(number)
        answer.unmet = list(dict.fromkeys(answer.unmet))
        answer.clashes = list(dict.fromkeys(answer.clashes))
        return answer

    def _has_no_provider(self, need: tuple[int, Dependency]) -> bool:
        return any(not self._providers(capability) for capability in helpful(need[1]))

    def _hopeless_needs(self, roots: int) -> Iterator[tuple[int, Dependency]]:
        """Requirements without any provider that the roots come to whatever is chosen, conflicts aside."""
        needed_by: dict[int, list[int]] = {}
        providers: dict[Dependency, list[int]] = {}
        for number, package in enumerate(self._packages):
            for need in package.relations.requires:
                for plain in _indispensable(need):
                    if plain not in providers:
                        providers[plain] = self._providers(plain)
                    for provider in providers[plain]:
                        needed_by.setdefault(provider, []).append(number)
        hopeless: set[int] = set()

        def is_hopeless(need: Dependency) -> bool:
            return any(hopeless.issuperset(providers[plain]) for plain in _indispensable(need))

        ahead = list(range(len(self._packages)))
        while ahead:
            number = ahead.pop()
            if number not in hopeless and any(map(is_hopeless, self._packages[number].relations.requires)):
                hopeless.add(number)
                ahead += needed_by.get(number, ())
        ahead = [number for number in range(roots) if number in hopeless]
        reached = set(ahead)
        while ahead:
            number = ahead.pop(0)
            for need in filter(is_hopeless, self._packages[number].relations.requires):
                for plain in _indispensable(need):
                    if not providers[plain]:
                        yield number, need
                    elif hopeless.issuperset(providers[plain]):
                        ahead += sorted(set(providers[plain]) - reached)
                        reached.update(providers[plain])


def _indispensable(need: Dependency) -> Iterator[Dependency]:
    """What has to be provided by somebody if ``need`` is to hold, each to be looked at for itself."""
    if isinstance(need, Rich) and need.operator == "and":
        for operand in need.operands:
            yield from _indispensable(operand)
    elif isinstance(need, Rich) and need.operator == "unless" and len(need.operands) == 2:
        yield from _indispensable(need.operands[0])
    elif isinstance(need, Capability) or need.operator in ("with", "without") or _of_capabilities(need):
        yield need


def _of_capabilities(need: Rich) -> bool:
    """Whether whoever provides one of its operands satisfies it, and nothing else does."""
    return need.operator == "or" and all(isinstance(operand, Capability) for operand in need.operands)


def _load() -> Any:
    try:
        return import_module("solv")
    except ImportError as error:
        raise MissingExtraError("the solver of RPM needs libsolv", hint="pip install 'entrepot[rpm]'") from error
