"""Closures over random small pools, against an exhaustive search that shares no code with the solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.contracts import Candidate
from entrepot_plugins.rpm.solver import RpmSolver
from support.properties import examples
from support.rpm_shelf import Shelf, package

NAMES = ("a", "b", "c", "d")
VIRTUAL = ("v", "/usr/bin/f")


@dataclass(frozen=True)
class Wish:
    name: str
    operator: str = ""
    version: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.version}" if self.operator else self.name

    def admits(self, version: int | None) -> bool:
        if not self.operator or version is None:
            return True
        return {
            "<": version < self.version,
            "<=": version <= self.version,
            "=": version == self.version,
            ">=": version >= self.version,
            ">": version > self.version,
        }[self.operator]


@dataclass(frozen=True)
class Expression:
    operator: str
    operands: tuple[Wish | Expression, ...]

    def __str__(self) -> str:
        texts = list(map(str, self.operands))
        if self.operator == "if" and len(texts) == 3:
            return f"({texts[0]} if {texts[1]} else {texts[2]})"
        return f"({f' {self.operator} '.join(texts)})"


@dataclass(frozen=True)
class Thing:
    name: str
    version: int
    present: bool
    requires: tuple[Wish | Expression, ...]
    conflicts: tuple[Wish, ...]
    obsoletes: tuple[Wish, ...]
    provides: tuple[tuple[str, int | None], ...]

    def candidate(self) -> Candidate:
        provides = [name if version is None else f"{name} = {version}" for name, version in self.provides]
        fields = {
            "Requires": self.requires, "Conflicts": self.conflicts, "Obsoletes": self.obsoletes, "Provides": provides,
        }  # fmt: skip
        said = "".join(f" / {field}: {', '.join(map(str, values))}" for field, values in fields.items() if values)
        return package(f"{self.name}={self.version}" + (" present" if self.present else "") + said)

    def meets(self, wish: Wish | Expression) -> bool:
        """Whether it does so alone."""
        if isinstance(wish, Expression):
            fits = [self.meets(operand) for operand in wish.operands]
            return all(fits) if wish.operator == "with" else fits[0] and not fits[1]
        offers = ((self.name, self.version), *self.provides)
        return any(name == wish.name and wish.admits(version) for name, version in offers)


def holds(wish: Wish | Expression, machine: Sequence[Thing]) -> bool:
    if isinstance(wish, Wish) or wish.operator in ("with", "without"):
        return any(thing.meets(wish) for thing in machine)
    truths = [holds(operand, machine) for operand in wish.operands]
    match wish.operator:
        case "and":
            return all(truths)
        case "or":
            return any(truths)
        case _:
            return truths[0] if truths[1] else truths[2] if len(truths) == 3 else True


operators = st.sampled_from(("", "", "<", "<=", "=", ">=", ">"))
wishes = st.builds(Wish, st.sampled_from(NAMES + VIRTUAL), operators, st.integers(1, 2))
alone = st.builds(Expression, st.sampled_from(("with", "without")), st.tuples(wishes, wishes))


def combine(inner: st.SearchStrategy[Wish | Expression]) -> st.SearchStrategy[Wish | Expression]:
    return st.one_of(
        st.builds(Expression, st.sampled_from(("and", "or")), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Expression, st.just("if"), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    )


requirements = st.recursive(wishes | alone, combine, max_leaves=4)
things = st.builds(
    Thing,
    name=st.sampled_from(NAMES),
    version=st.integers(1, 2),
    present=st.booleans(),
    requires=st.lists(requirements, max_size=2).map(tuple),
    conflicts=st.lists(wishes, max_size=1).map(tuple),
    obsoletes=st.lists(st.builds(Wish, st.sampled_from(NAMES), operators, st.integers(1, 2)), max_size=1).map(tuple),
    provides=st.lists(
        st.tuples(st.sampled_from(NAMES + VIRTUAL), st.none() | st.integers(1, 2)), max_size=2
    ).map(tuple),
)  # fmt: skip
pools = st.lists(things, min_size=1, max_size=8, unique_by=lambda thing: (thing.name, thing.version))


def valid(machine: Sequence[Thing]) -> bool:
    """Whether rpm would let exactly these packages be on a machine."""
    for thing in machine:
        others = [other for other in machine if other is not thing]
        if not all(holds(wish, machine) for wish in thing.requires):
            return False
        if any(other.meets(wish) for wish in thing.conflicts for other in others):
            return False
        if any(other.name == wish.name and wish.admits(other.version) for wish in thing.obsoletes for other in others):
            return False
    return True


def machines(pool: Sequence[Thing], wanted: Sequence[Thing]) -> Iterator[tuple[Thing, ...]]:
    """Every valid set of packages, at most one version of each, with the wanted ones."""
    choices = [[None, *(thing for thing in pool if thing.name == name)] for name in NAMES]
    for choice in product(*choices):
        chosen = tuple(thing for thing in choice if thing is not None)
        if set(wanted) <= set(chosen) and valid(chosen):
            yield chosen


@settings(max_examples=examples(60), deadline=None)
@given(pool=pools, data=st.data())
def test_a_closure_is_found_whenever_there_is_one_and_it_can_be_installed(
    pool: list[Thing], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2, unique=True))
    candidates = {thing: thing.candidate() for thing in pool}
    things_of = {candidate.id: thing for thing, candidate in candidates.items()}
    chosen = [candidates[thing] for thing in wanted]

    closure = RpmSolver().closure(chosen, Shelf(candidates.values()), architecture="x86_64")

    possible = [{thing for thing in machine if not thing.present} for machine in machines(pool, wanted)]
    brought = {things_of[candidate.id] for candidate in closure.packages}
    if possible:
        assert (closure.missing, closure.conflicts) == ((), ())
        assert brought in possible
    else:
        assert closure.missing or closure.conflicts
        assert brought == {thing for thing in wanted if not thing.present}


@settings(max_examples=25, deadline=None)
@given(pool=pools, data=st.data())
def test_the_order_in_which_the_pool_answers_does_not_matter(pool: list[Thing], data: st.DataObject) -> None:
    candidates = [thing.candidate() for thing in pool]
    wanted = [data.draw(st.sampled_from(candidates))]
    shuffled = data.draw(st.permutations(candidates))
    one = RpmSolver().closure(wanted, Shelf(candidates), architecture="x86_64", recommends=True)
    other = RpmSolver().closure(wanted, Shelf(shuffled), architecture="x86_64", recommends=True)
    assert one == other


@settings(max_examples=25, deadline=None)
@given(pool=pools, data=st.data())
def test_nothing_is_brought_where_everything_is_present(pool: list[Thing], data: st.DataObject) -> None:
    present = [replace(thing, present=True).candidate() for thing in pool]
    wanted = data.draw(st.sampled_from(present))
    assert RpmSolver().closure([wanted], Shelf(present), architecture="x86_64").packages == ()
