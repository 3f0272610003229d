"""Chooses items so that all that they need is chosen and nothing that they exclude: libsolv, asked in plain numbers.

libsolv is a SAT solver made for packages, but as it comes from PyPI it knows nothing of Debian's versions and
architectures, nor that the first of several alternatives is the one to take. So it sees nothing but tokens:

- Item 17 provides ``#17``, and a need that only item 17 satisfies is a requirement of ``#17``.
- A need that several satisfy is a requirement of a token that all of them provide, and so do *choices*: packages that
  do not exist, one for each of the several, requiring it. They are in a repository of higher priority and their
  versions count down, so that libsolv takes the first one that is possible - unless one of the several is chosen
  already for another reason, when there is nothing left to choose.
- What an item excludes is a conflict with a token that all of those provide.

libsolv ends the process for what other libraries raise an exception for. What is done about it here: every string is
interned before ``createwhatprovides``, which sizes tables by their number; and nothing that refers to the pool (solver,
problem, rule, solvable: none of them keeps it alive) leaves a function that is called with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import Any

Several = tuple[int, ...]
"""Numbers of items; where they satisfy a need, the one to be taken before all others comes first."""


@dataclass(slots=True, eq=False)
class Item:
    """What can be chosen. At most one item of a ``group`` can.

    Each of ``needs`` has to be satisfied by at least one of its items, each of ``wishes`` is satisfied if it is
    possible; none of ``excludes`` can be chosen together with this one, except for itself.
    """

    group: str
    needs: list[Several] = field(default_factory=list)
    wishes: list[Several] = field(default_factory=list)
    excludes: list[Several] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One of the ``needs`` of an item, by the numbers of both."""

    item: int
    need: int


@dataclass(slots=True)
class Answer:
    """The numbers of the items that were chosen; or, if nothing can be, why not.

    ``unmet`` are needs that no item satisfies, ``clashes`` pairs of items that cannot be chosen together, and
    ``causes`` the needs that lead to both. All of them are in ascending order and empty if there is a solution.
    """

    chosen: list[int] = field(default_factory=list)
    unmet: list[Need] = field(default_factory=list)
    clashes: list[tuple[int, int]] = field(default_factory=list)
    causes: list[Need] = field(default_factory=list)

    @property
    def solved(self) -> bool:
        """Whether all of the roots can be chosen together."""
        return not (self.unmet or self.clashes)


def choose(items: Sequence[Item], roots: Sequence[int]) -> Answer:
    """Chooses ``roots``, what they need, what these need, and so on.

    The same question has the same answer. Where several choices depend on each other, those of earlier items are made
    first.
    """
    solv = import_module("solv")
    pool = solv.Pool()
    wording = _word(solv, pool, items)
    pool.createwhatprovides()
    answer = _ask(solv, pool, wording, roots)
    if not answer.solved:
        # libsolv stops at the first thing that is in the way; who wants to put it right needs to know all of them.
        answer.unmet = sorted({*answer.unmet, *_hopeless_needs(items, roots)})
    return answer


def _hopeless_needs(items: Sequence[Item], roots: Sequence[int]) -> Iterator[Need]:
    """Needs without any item that ``roots`` come to whatever is chosen, conflicts aside."""
    hopeless: set[int] = set()
    needed_by: dict[int, set[int]] = {}
    for number, item in enumerate(items):
        for other in chain.from_iterable(item.needs):
            needed_by.setdefault(other, set()).add(number)
    ahead = [number for number, item in enumerate(items) if () in item.needs]
    while ahead:
        number = ahead.pop()
        if number not in hopeless and any(hopeless.issuperset(several) for several in items[number].needs):
            hopeless.add(number)
            ahead.extend(needed_by.get(number, ()))
    ahead = [number for number in roots if number in hopeless]
    reached = set(ahead)
    while ahead:
        number = ahead.pop()
        for index, several in enumerate(items[number].needs):
            if not several:
                yield Need(number, index)
            elif hopeless.issuperset(several):
                ahead.extend(set(several) - reached)
                reached.update(several)


@dataclass(slots=True)
class _Wording:
    """What the numbers that libsolv talks in stand for."""

    item_of: dict[int, int]
    """Items by id of their solvable; choices are not among them."""
    solvable_of: list[int]
    needs: dict[tuple[int, int], list[int]]
    """Which needs of an item a token is, by item and id of the token."""


def _word(solv: Any, pool: Any, items: Sequence[Item]) -> _Wording:
    """Writes items and choices into the pool."""
    provides: list[list[int]] = [[pool.str2id(f"#{number}")] for number in range(len(items))]
    choices: dict[Several, int] = {}
    excluded: dict[Several, int] = {}

    def need(several: Several) -> int:
        if len(several) == 1:
            return provides[several[0]][0]
        token = choices.get(several)
        if token is None:
            token = choices[several] = pool.str2id(f"|{len(choices)}")
            for number in several:
                provides[number].append(token)
        return token

    def exclusion(several: Several) -> int:
        token = excluded.get(several)
        if token is None:
            token = excluded[several] = pool.str2id(f"!{len(excluded)}")
            for number in several:
                provides[number].append(token)
        return token

    requires = [[need(several) for several in item.needs] for item in items]
    recommends = [[need(several) for several in item.wishes if several] for item in items]
    conflicts = [[exclusion(several) for several in item.excludes if several] for item in items]
    repo = pool.add_repo("items")
    solvable_of = [0] * len(items)
    # libsolv goes through its packages from the last to the first when it looks for what is left to be decided.
    for number in reversed(range(len(items))):
        solvable = _solvable(solv, repo, f"={items[number].group}", str(number))
        solvable.add_provides(pool.rel2id(solvable.nameid, solvable.evrid, solv.REL_EQ))
        for token in provides[number]:
            solvable.add_provides(token)
        for token in requires[number]:
            solvable.add_requires(token)
        for token in recommends[number]:
            solvable.add_recommends(token)
        for token in conflicts[number]:
            solvable.add_conflicts(token)
        solvable_of[number] = solvable.id
    _word_choices(solv, pool, choices, provides)
    needs: dict[tuple[int, int], list[int]] = {}
    for number, tokens in enumerate(requires):
        for index, token in enumerate(tokens):
            needs.setdefault((number, token), []).append(index)
    return _Wording({identity: number for number, identity in enumerate(solvable_of)}, solvable_of, needs)


def _word_choices(solv: Any, pool: Any, choices: dict[Several, int], provides: list[list[int]]) -> None:
    repo = pool.add_repo("choices")
    repo.priority = 1
    for several, token in choices.items():
        for rank, number in enumerate(several):
            choice = _solvable(solv, repo, pool.id2str(token), str(len(several) - rank))
            choice.add_provides(token)
            choice.add_requires(provides[number][0])


def _solvable(solv: Any, repo: Any, name: str, version: str) -> Any:
    solvable = repo.add_solvable()
    solvable.name = name
    solvable.evr = version
    solvable.archid = solv.ARCH_NOARCH
    return solvable


def _ask(solv: Any, pool: Any, wording: _Wording, roots: Sequence[int]) -> Answer:
    install = solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE
    jobs = [pool.Job(install, wording.solvable_of[root]) for root in roots]
    solver = pool.Solver()
    problems = solver.solve(jobs)
    if problems:
        return _refusal(solv, problems, wording)
    chosen = (wording.item_of.get(solvable.id) for solvable in solver.transaction().newsolvables())
    return Answer(chosen=sorted(number for number in chosen if number is not None))


def _refusal(solv: Any, problems: Sequence[Any], wording: _Wording) -> Answer:
    unmet: set[Need] = set()
    causes: set[Need] = set()
    clashes: set[tuple[int, int]] = set()
    for info in (info for problem in problems for rule in problem.findallproblemrules() for info in rule.allinfos()):
        item = wording.item_of.get(info.solvable.id) if info.solvable else None
        if item is None:
            continue
        if info.type in (solv.Solver.SOLVER_RULE_PKG_CONFLICTS, solv.Solver.SOLVER_RULE_PKG_SAME_NAME):
            other = wording.item_of[info.othersolvable.id]
            clashes.add((min(item, other), max(item, other)))
        elif info.type == solv.Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
            unmet.update(Need(item, index) for index in wording.needs[item, info.dep_id])
        elif info.type == solv.Solver.SOLVER_RULE_PKG_REQUIRES:
            causes.update(Need(item, index) for index in wording.needs[item, info.dep_id])
    return Answer(unmet=sorted(unmet), clashes=sorted(clashes), causes=sorted(causes))
