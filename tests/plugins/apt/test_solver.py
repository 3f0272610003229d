"""Closures over small pools: what Debian's relations mean, and what is said when they cannot be met."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from entrepot.contracts import Candidate, Closure, Missing
from entrepot.errors import IndexFormatError
from entrepot_plugins.apt import solver, universe
from entrepot_plugins.apt.solver import AptSolver
from support.shelf import Shelf, labels, package


def solve(wanted: str, *lines: str, recommends: bool = False) -> Closure:
    """The closure of ``wanted`` (names or NAME=VERSION, separated by blanks) over the packages of ``lines``."""
    shelf = Shelf(map(package, lines))
    return AptSolver().closure(
        [shelf.find(text) for text in wanted.split()], shelf, architecture="amd64", recommends=recommends
    )


def brought(closure: Closure) -> str:
    assert not closure.missing
    assert not closure.conflicts
    return " ".join(labels(candidate)[0] for candidate in closure.packages)


SOLVED = {
    "a package that needs nothing is its own closure": ("w", "w=1", ["w=1", "a=1"]),
    "needs are followed to their end": ("w", "w=1 a=1 b=1", ["w=1 / Depends: a", "a=1 / Depends: b", "b=1"]),
    "Pre-Depends count as Depends": ("w", "w=1 a=1", ["w=1 / Pre-Depends: a", "a=1"]),
    "circles are no problem": ("w", "w=1 a=1", ["w=1 / Depends: a", "a=1 / Depends: w"]),
    "the newest version is taken": ("w", "w=1 a=10", ["w=1 / Depends: a", "a=9", "a=10", "a=10~rc1"]),
    "a tilde sorts before the end": ("w", "w=1 a=1", ["w=1 / Depends: a (<< 2~)", "a=2~", "a=2", "a=1"]),
    "an epoch counts first": ("w", "w=1 a=1:1", ["w=1 / Depends: a (>= 2)", "a=1:1", "a=1"]),
    "an older version is taken where a newer one cannot be": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Depends: a, b (<< 2)", "a=1 / Depends: b", "a=2 / Depends: b (>= 2)", "b=1", "b=2"],
    ),
    "the first alternative is taken": ("w", "w=1 b=1", ["w=1 / Depends: b | a", "a=1", "b=1"]),
    "the order of alternatives is each field's own": (
        "v w",
        "v=1 w=1 a=1",
        ["v=1 / Depends: a | b", "w=1 / Depends: b | a", "a=1", "b=1"],
    ),
    "an alternative that comes in anyway is enough": (
        "w",
        "w=1 b=1 c=1",
        ["w=1 / Depends: a | b, c", "a=1", "b=1", "c=1 / Depends: b"],
    ),
    "an alternative that is wanted is enough": ("w b", "w=1 b=1", ["w=1 / Depends: a | b", "a=1", "b=1"]),
    "an alternative that nobody has is passed over": ("w", "w=1 b=1", ["w=1 / Depends: a | b", "b=1"]),
    "an alternative that cannot be installed is passed over": (
        "w",
        "w=1 b=1",
        ["w=1 / Depends: a | b", "a=1 / Depends: nobody", "b=1"],
    ),
    "an alternative with a conflict is passed over": (
        "w",
        "w=1 b=1",
        ["w=1 / Depends: a | b", "a=1 / Conflicts: w", "b=1"],
    ),
    "a virtual package is provided": ("w", "w=1 a=1", ["w=1 / Depends: mta", "a=1 / Provides: mta"]),
    "the package of that name comes before those that provide it": (
        "w",
        "w=1 mta=1",
        ["w=1 / Depends: mta", "a=1 / Provides: mta", "mta=1"],
    ),
    "a provider of higher priority comes first": (
        "w",
        "w=1 b=1",
        ["w=1 / Depends: mta", "a=1 / Provides: mta / Priority: optional", "b=1 / Provides: mta / Priority: standard"],
    ),
    "providers that are alike are taken by name": (
        "w",
        "w=1 a=1",
        ["w=1 / Depends: mta", "b=1 / Provides: mta", "a=1 / Provides: mta"],
    ),
    "a versioned Provides satisfies a version": (
        "w",
        "w=1 b=1",
        ["w=1 / Depends: api (>= 2)", "a=3 / Provides: api (= 1)", "b=1 / Provides: api (= 2)"],
    ),
    "an unversioned Provides satisfies no version": (
        "w",
        "w=1 b=1",
        ["w=1 / Depends: api (>= 2) | b", "a=3 / Provides: api", "b=1"],
    ),
    "a package satisfies what it provides itself": ("w", "w=1", ["w=1 / Depends: api / Provides: api", "api=1"]),
    "a conflict with what one provides oneself is none": (
        "w",
        "w=1 a=1",
        ["w=1 / Depends: a", "a=1 / Provides: mta / Conflicts: mta / Breaks: a (<< 1)"],
    ),
    "a conflict with a version leaves the others": (
        "w",
        "w=1 a=1",
        ["w=1 / Depends: a / Breaks: a (>> 1)", "a=1", "a=2"],
    ),
    "a conflict with a version says nothing about an unversioned Provides": (
        "w",
        "w=1 a=1",
        ["w=1 / Depends: a / Conflicts: api (<< 9)", "a=1 / Provides: api"],
    ),
    "Recommends are not followed unless asked for": ("w", "w=1", ["w=1 / Recommends: a", "a=1"]),
    "Suggests and Enhances are never followed": ("w", "w=1", ["w=1 / Suggests: a", "a=1 / Enhances: w"]),
    "what is present is not brought": ("w", "w=1", ["w=1 / Depends: a", "a=1 present"]),
    "what is present wins over a newer version": ("w", "w=1", ["w=1 / Depends: a", "a=1 present", "a=2"]),
    "what is present wins over the first alternative": ("w", "w=1", ["w=1 / Depends: a | b", "a=1", "b=1 present"]),
    "what is present wins over the package of that name": (
        "w",
        "w=1",
        ["w=1 / Depends: mta", "mta=1", "a=1 present / Provides: mta"],
    ),
    "what is present and too old does not win": ("w", "w=1 a=2", ["w=1 / Depends: a (>= 2)", "a=1 present", "a=2"]),
    "what present packages need is brought": ("w", "w=1 b=1", ["w=1 / Depends: a", "a=1 present / Depends: b", "b=1"]),
    "what is present already needs nothing brought": ("w", "", ["w=1 present"]),
    "wanted packages come first, in their order": (
        "w v",
        "w=1 v=1 a=1 b=1",
        ["v=1 / Depends: b", "w=1 / Depends: a", "a=1", "b=1"],
    ),
    "wanted packages are solved together": (
        "v w",
        "v=1 w=1 a=1",
        ["v=1 / Depends: a", "w=1 / Depends: a (<< 2)", "a=1", "a=2"],
    ),
    "packages for every architecture are as good as the machine's own": (
        "w",
        "w=1 a=1 b=1",
        ["w:all=1 / Depends: a", "a=1 / Depends: b", "b:all=1"],
    ),
    "packages of other architectures are left out": ("w", "w=1 a=1", ["w=1 / Depends: a", "a:i386=2", "a=1"]),
    "a source package needs nothing": ("w:source", "w=1", ["w:source=1 / Build-Depends: a / Depends: a", "a=1"]),
    "a source package is wanted beside its binary": (
        "w:source w:amd64",
        "w=1 w=1 a=1",
        ["w:source=1", "w=1 / Depends: a", "a=1"],
    ),
    "a source package satisfies nobody": ("w", "w=1 a=1", ["w=1 / Depends: a", "a:source=2", "a=1"]),
    ":any is satisfied by a package that allows it": (
        "w",
        "w=1 a=1",
        ["w=1 / Depends: a:any (>= 1)", "a=1 / Multi-Arch: allowed", "a=2 / Multi-Arch: foreign"],
    ),
    "the machine's own architecture may be named": ("w", "w=1 a=1", ["w=1 / Depends: a:amd64, a:native", "a=1"]),
    "a foreign package takes its needs from its own architecture": (
        "w:i386",
        "w=1 a=1",
        ["w:i386=1 / Depends: a", "a=2", "a:i386=1"],
    ),
    "a foreign package may use a tool of the machine's own": (
        "w:i386",
        "w=1 a=2",
        ["w:i386=1 / Depends: a", "a=2 / Multi-Arch: foreign", "a:i386=1"],
    ),
    "a foreign package may use an interpreter of the machine's own": (
        "w:i386",
        "w=1 a=2",
        ["w:i386=1 / Depends: a:any", "a=2 / Multi-Arch: allowed", "a:i386=1"],
    ),
    "libraries of two architectures can be installed together": (
        "w v:i386",
        "w=1 v=1 a=1 a=1",
        [
            "w=1 / Depends: a",
            "v:i386=1 / Depends: a",
            "a=1 / Multi-Arch: same / Provides: x / Conflicts: x",
            "a:i386=1 / Multi-Arch: same / Provides: x / Conflicts: x",
            "a=2 / Multi-Arch: same",
        ],
    ),
}


@pytest.mark.parametrize("scenario", SOLVED, ids=lambda name: name)
def test_the_closure_is_as_debian_means_it(scenario: str) -> None:
    wanted, expected, lines = SOLVED[scenario]
    assert brought(solve(wanted, *lines)) == expected


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        ("w=1 a=1 b=1", ["w=1 / Recommends: a", "a=1 / Recommends: b | c", "b=1", "c=1"]),
        ("w=1", ["w=1 / Recommends: nobody, a", "a=1 / Depends: nobody"]),
        ("w=1 b=1", ["w=1 / Depends: b / Recommends: a", "a=1", "b=1 / Conflicts: a"]),
        ("w=1 b=1", ["w=1 / Recommends: a | b", "a=1 / Depends: nobody", "b=1"]),
        ("w=1", ["w=1 / Recommends: a | b", "a=1", "b=1 present"]),
    ],
)
def test_recommends_are_brought_as_far_as_possible(expected: str, lines: list[str]) -> None:
    assert brought(solve("w", *lines, recommends=True)) == expected


UNSOLVED: dict[str, tuple[str, list[str], list[Missing], list[str]]] = {
    "nobody has it": ("w", ["w=1 / Depends: a | b (>= 2)", "b=1"], [Missing("a | b (>= 2)", "w (= 1)")], []),
    "nobody has it further down": (
        "w",
        ["w=1 / Depends: a", "a=1:2-3 / Pre-Depends: b:any (<< 1)"],
        [Missing("b:any (<< 1)", "a (= 1:2-3)")],
        [],
    ),
    "every alternative lacks something": (
        "w",
        ["w=1 / Depends: a | b", "a=1 / Depends: x", "b=1 / Depends: y"],
        [Missing("x", "a (= 1)"), Missing("y", "b (= 1)")],
        [],
    ),
    "all that is missing is said": (
        "v w",
        ["v=1 / Depends: a, b | c", "w=1 / Depends: x, y", "a=1 / Depends: z, a", "b=1", "c=1 / Depends: unheard"],
        [Missing("x", "w (= 1)"), Missing("y", "w (= 1)"), Missing("z", "a (= 1)")],
        [],
    ),
    "one thing is missing and another one in the way": (
        "w",
        ["w=1 / Depends: a | b / Conflicts: b", "a=1 / Depends: x", "b=1"],
        [Missing("x", "a (= 1)")],
        ["w (= 1) conflicts with b, which is b (= 1); w (= 1) is wanted, b (= 1) is needed by w (= 1)"],
    ),
    "a package that does not allow it is no :any": (
        "w",
        ["w=1 / Depends: a:any", "a=1 / Multi-Arch: foreign"],
        [Missing("a:any", "w (= 1)")],
        [],
    ),
    "another architecture is not looked at": (
        "w",
        ["w=1 / Depends: a:i386", "a:i386=1"],
        [Missing("a:i386", "w (= 1)")],
        [],
    ),
    "two wanted packages conflict": (
        "v w",
        ["v=1 / Conflicts: mta / Provides: mta", "w=2 / Provides: mta"],
        [],
        ["v (= 1) conflicts with mta, which is provided by w (= 2); both are wanted"],
    ),
    "two versions of one package are wanted": (
        "a=1 a=2",
        ["a=1", "a=2"],
        [],
        ["a (= 1) and a (= 2) exclude each other; both are wanted"],
    ),
    "a wanted package breaks what another one needs": (
        "v w",
        ["v=1 / Depends: a", "w=1 / Breaks: a (<< 3)", "a=2"],
        [],
        ["w (= 1) breaks a (<< 3), which is a (= 2); w (= 1) is wanted, a (= 2) is needed by v (= 1)"],
    ),
    "two versions are needed": (
        "v w",
        ["v=1 / Depends: a (= 1)", "w=1 / Depends: a (= 2)", "a=1", "a=2"],
        [],
        ["a (= 2) and a (= 1) exclude each other; a (= 2) is needed by w (= 1), a (= 1) is needed by v (= 1)"],
    ),
    "two architectures are needed that cannot be together": (
        "w v:i386",
        ["w=1 / Depends: a", "v:i386=1 / Depends: a", "a=1", "a:i386=1"],
        [],
        [
            "a (= 1) and a:i386 (= 1) exclude each other; "
            "a (= 1) is needed by w (= 1), a:i386 (= 1) is needed by v:i386 (= 1)"
        ],
    ),
    "two architectures have two versions": (
        "a:amd64 a:i386",
        ["a=1 / Multi-Arch: same", "a:i386=2 / Multi-Arch: same"],
        [],
        ["a (= 1) and a:i386 (= 2) exclude each other; both are wanted"],
    ),
}


@pytest.mark.parametrize("scenario", UNSOLVED, ids=lambda name: name)
def test_what_is_in_the_way_is_said(scenario: str) -> None:
    wanted, lines, missing, conflicts = UNSOLVED[scenario]
    closure = solve(wanted, *lines)
    assert list(closure.missing) == missing
    assert list(closure.conflicts) == conflicts
    assert [text in labels(candidate) or text == candidate.name for text, candidate in zip(
        wanted.split(), closure.packages, strict=True
    )]  # fmt: skip


def test_nothing_is_needed_for_nothing() -> None:
    assert solve("", "a=1") == Closure(())


def test_only_what_can_be_reached_is_asked_for_and_nothing_twice() -> None:
    lines = [
        "w=1 / Depends: a | v",
        "a=1 / Depends: b / Recommends: r",
        "b=1",
        "c=1 / Provides: v",
        "r=1",
        "x=1 / Depends: y",
    ]
    shelf = Shelf(map(package, lines))
    AptSolver().closure([shelf.find("w")], shelf, architecture="amd64")
    assert shelf.asked == [("a", "v"), ("b",)]


def test_names_are_asked_for_in_batches() -> None:
    needed = [f"a{number}" for number in range(universe.BATCH + 1)]
    shelf = Shelf(map(package, [f"w=1 / Depends: {', '.join(needed)}", *(f"{name}=1" for name in needed)]))
    closure = AptSolver().closure([shelf.find("w")], shelf, architecture="amd64")
    assert [len(names) for names in shelf.asked] == [universe.BATCH, 1]
    assert len(closure.packages) == universe.BATCH + 2


def test_what_is_wanted_is_solved_though_the_pool_does_not_have_it() -> None:
    wanted = package("w=2 / Depends: a")
    shelf = Shelf(map(package, ["a=1 / Depends: w", "w=1"]))
    assert brought(AptSolver().closure([wanted], shelf, architecture="amd64")) == "w=2 a=1"


def test_ids_of_what_is_present_and_what_is_not_may_be_the_same() -> None:
    present = package("a=1 present / Provides: x")
    other = dataclasses.replace(package("b=1"), id=present.id)
    wanted = dataclasses.replace(package("w=1 / Depends: x, b"), id=present.id + 1)
    closure = AptSolver().closure([wanted], Shelf([present, other]), architecture="amd64")
    assert brought(closure) == "w=1 b=1"


def test_the_same_package_wanted_twice_comes_once() -> None:
    wanted = package("w=1")
    assert brought(AptSolver().closure([wanted, wanted], Shelf([wanted]), architecture="amd64")) == "w=1"


def test_a_package_that_cannot_be_understood_is_passed_over() -> None:
    assert brought(solve("w", "w=1 / Depends: a | b", "a=1 / Depends: ???", "b=1")) == "w=1 b=1"


def test_a_package_that_cannot_be_understood_is_named_if_there_is_no_solution() -> None:
    closure = solve("w", "w=1 / Depends: a", "a=1 / Depends: ???")
    assert closure.missing == (Missing("a", "w (= 1)"),)
    (sentence,) = closure.conflicts
    assert sentence.startswith("passed over, as its metadata cannot be understood: a:amd64=1: field Depends")


@pytest.mark.parametrize(("line", "field"), [("w=1 / Breaks: ???", "Breaks"), ("w=a:1", "Version")])
def test_a_wanted_package_that_cannot_be_understood_is_an_error(line: str, field: str) -> None:
    with pytest.raises(IndexFormatError) as caught:
        solve("w", line)
    assert caught.value.data["field"] == field


def test_a_long_chain_is_no_problem() -> None:
    length = 300
    lines = [f"a{number}=1 / Depends: a{number + 1}" for number in range(length)]
    assert len(solve("a0", *lines, f"a{length}=1").packages) == length + 1


class Expecting(Shelf):
    """A pool that remembers for the solver, and says once what it will be asked about."""

    def __init__(self, *candidates: Candidate) -> None:
        super().__init__(candidates)
        self.memory: dict[Any, Any] = {}
        self.expected = [candidate for candidate in candidates if candidate.name.startswith("w")]

    def coming(self) -> list[Candidate]:
        expected, self.expected = self.expected, []
        return expected


def test_what_many_packages_need_is_asked_for_at_once() -> None:
    wanted = [package(f"w{number}=1 / Depends: a{number}") for number in range(30)]
    needed = [package(f"a{number}=1 / Depends: b | c") for number in range(30)]
    pool = Expecting(*wanted, *needed, package("b=1"))
    for number, one in enumerate(wanted):
        assert brought(AptSolver().closure([one], pool, architecture="amd64")) == f"w{number}=1 a{number}=1 b=1"
    assert [len(names) for names in pool.asked] == [30, 2]


def test_of_very_many_versions_the_newest_is_taken() -> None:
    versions = [f"a={number}" for number in range(1, 1001)]
    assert brought(solve("w", "w=1 / Depends: a (<< 900)", *versions)) == "w=1 a=899"


def test_very_many_providers_do_not_hide_the_next_alternative() -> None:
    unfit = [f"a{number}=1 / Provides: v / Depends: nobody" for number in range(2 * universe.MAX_CHOICES)]
    assert brought(solve("w", "w=1 / Depends: v | b", *unfit, "b=1")) == "w=1 b=1"


def test_an_index_that_reaches_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(universe, "MAX_PACKAGES", 3)
    with pytest.raises(IndexFormatError, match=r"w \(= 1\) .* more than 3 packages"):
        solve("w", "w=1 / Depends: v, nobody", "a=1 / Provides: v", "b=1 / Provides: v", "c=1 / Provides: v")


def test_an_index_with_too_many_relations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MAX_LINKS", 10)
    names = [f"a{number}" for number in range(4)]
    quarrelsome = [f"{name}=1 / Provides: v / Conflicts: v" for name in names]
    with pytest.raises(IndexFormatError, match=r"w \(= 1\) may need has \d+ relations, more than 10"):
        solve("w", f"w=1 / Depends: {', '.join(names)}", *quarrelsome)
