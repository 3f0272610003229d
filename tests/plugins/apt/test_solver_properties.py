"""Closures over random small pools, against an exhaustive search that shares no code with the solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.contracts import Candidate
from entrepot_plugins.apt.solver import AptSolver
from support.properties import examples
from support.shelf import Shelf, package

NAMES = ("a", "b", "c", "d")
VIRTUAL = ("v", "w")


@dataclass(frozen=True)
class Wish:
    name: str
    operator: str
    version: int

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def admits(self, version: int | None) -> bool:
        if not self.operator:
            return True
        if version is None:
            return False
        return {
            "<<": version < self.version,
            "<=": version <= self.version,
            "=": version == self.version,
            ">=": version >= self.version,
            ">>": version > self.version,
        }[self.operator]


@dataclass(frozen=True)
class Thing:
    name: str
    version: int
    present: bool
    depends: tuple[tuple[Wish, ...], ...]
    conflicts: tuple[Wish, ...]
    provides: tuple[tuple[str, int | None], ...]

    def candidate(self) -> Candidate:
        clauses = ", ".join(" | ".join(map(str, clause)) for clause in self.depends)
        provides = ", ".join(name if version is None else f"{name} (= {version})" for name, version in self.provides)
        head = f"{self.name}={self.version}" + (" present" if self.present else "")
        return package(
            f"{head} / Depends: {clauses} / Breaks: {', '.join(map(str, self.conflicts))} / Provides: {provides}"
        )

    def meets(self, wish: Wish) -> bool:
        offers = ((self.name, self.version), *self.provides)
        return any(name == wish.name and wish.admits(version) for name, version in offers)


wishes = st.builds(
    Wish, st.sampled_from(NAMES + VIRTUAL), st.sampled_from(("", "", "<<", "<=", "=", ">=", ">>")), st.integers(1, 2)
)
provisions = st.tuples(st.sampled_from(NAMES + VIRTUAL), st.none() | st.integers(1, 2))
things = st.builds(
    Thing,
    name=st.sampled_from(NAMES),
    version=st.integers(1, 2),
    present=st.booleans(),
    depends=st.lists(st.lists(wishes, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple),
    conflicts=st.lists(wishes, max_size=1).map(tuple),
    provides=st.lists(provisions, max_size=2).map(tuple),
)
pools = st.lists(things, min_size=1, max_size=8, unique_by=lambda thing: (thing.name, thing.version))


def valid(chosen: Sequence[Thing]) -> bool:
    """Whether a machine with exactly these packages is as Policy wants it."""
    for thing in chosen:
        for clause in thing.depends:
            if not any(other.meets(wish) for wish in clause for other in chosen):
                return False
        for wish in thing.conflicts:
            if any(other.meets(wish) for other in chosen if other.name != thing.name):
                return False
    return True


def machines(pool: Sequence[Thing], wanted: Sequence[Thing]) -> Iterator[tuple[Thing, ...]]:
    """Every valid set of packages, at most one version of each, with the wanted ones."""
    choices = [[None, *(thing for thing in pool if thing.name == name)] for name in NAMES]
    for choice in product(*choices):
        chosen = tuple(thing for thing in choice if thing is not None)
        if set(wanted) <= set(chosen) and valid(chosen):
            yield chosen


@settings(max_examples=examples(100), deadline=None)
@given(pool=pools, data=st.data())
def test_a_closure_is_found_whenever_there_is_one_and_it_can_be_installed(
    pool: list[Thing], data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=2, unique=True))
    candidates = {thing: thing.candidate() for thing in pool}
    things_of = {candidate.id: thing for thing, candidate in candidates.items()}
    chosen = [candidates[thing] for thing in wanted]

    closure = AptSolver().closure(chosen, Shelf(candidates.values()), architecture="amd64")

    possible = [
        {thing for thing in machine if not thing.present} for machine in machines(pool, wanted)
    ]  # fmt: skip
    brought = {things_of[candidate.id] for candidate in closure.packages}
    if possible:
        assert (closure.missing, closure.conflicts) == ((), ())
        assert brought in possible
    else:
        assert closure.missing or closure.conflicts
        assert brought == {thing for thing in wanted if not thing.present}


@settings(max_examples=60, deadline=None)
@given(pool=pools, data=st.data())
def test_the_order_in_which_the_pool_answers_does_not_matter(pool: list[Thing], data: st.DataObject) -> None:
    candidates = [thing.candidate() for thing in pool]
    wanted = [data.draw(st.sampled_from(candidates))]
    shuffled = data.draw(st.permutations(candidates))
    one = AptSolver().closure(wanted, Shelf(candidates), architecture="amd64", recommends=True)
    other = AptSolver().closure(wanted, Shelf(shuffled), architecture="amd64", recommends=True)
    assert one == other


@settings(max_examples=60, deadline=None)
@given(pool=pools, data=st.data())
def test_nothing_is_brought_where_everything_is_present(pool: list[Thing], data: st.DataObject) -> None:
    present = [replace(thing, present=True).candidate() for thing in pool]
    wanted = data.draw(st.sampled_from(present))
    assert AptSolver().closure([wanted], Shelf(present), architecture="amd64").packages == ()
