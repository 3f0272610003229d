"""Closures over small pools: what rpm's relations mean."""

from __future__ import annotations

import dataclasses

import pytest

from entrepot.contracts import Closure
from entrepot_plugins.rpm import universe
from entrepot_plugins.rpm.solver import RpmSolver
from support.rpm_closures import brought, solve
from support.rpm_shelf import Shelf, package

BUILD = "module_el8.3.0+1+abcdef01"
OTHER_BUILD = "module_el8.3.0+2+abcdef02"

SOLVED = {
    "a package that needs nothing is its own closure": ("w", "w=1", ["w=1", "a=1"]),
    "needs are followed to their end": ("w", "w=1 a=1 b=1", ["w=1 / Requires: a", "a=1 / Requires: b", "b=1"]),
    "circles are no problem": ("w", "w=1 a=1", ["w=1 / Requires: a", "a=1 / Requires: w"]),
    "the newest version is taken": ("w", "w=1 a=10", ["w=1 / Requires: a", "a=9", "a=10", "a=10~rc1"]),
    "a caret sorts after the end": ("w", "w=1 a=1^git1", ["w=1 / Requires: a", "a=1^git1", "a=1"]),
    "an epoch counts first": ("w", "w=1 a=1:1", ["w=1 / Requires: a", "a=1:1", "a=2"]),
    "no epoch is epoch 0": ("w", "w=1 a=2", ["w=1 / Requires: a >= 0:2", "a=2"]),
    "a version without release is met by any release": ("w", "w=1 a=1-5", ["w=1 / Requires: a = 1", "a=1-5", "a=2"]),
    "a release that is named is the one": ("w", "w=1 a=1-4", ["w=1 / Requires: a = 1-4", "a=1-5", "a=1-4"]),
    "an older version is taken where a newer one cannot be": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Requires: a, b < 2", "a=1 / Requires: b", "a=2 / Requires: b >= 2", "b=1", "b=2"],
    ),
    "a capability is provided": ("w", "w=1 a=1", ["w=1 / Requires: x(y)(64bit)", "a=1 / Provides: x(y)(64bit)"]),
    "a versioned Provides satisfies a version": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: api >= 2", "a=3 / Provides: api = 1", "b=1 / Provides: api = 2"],
    ),
    "an unversioned Provides satisfies every version": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: api >= 2", "a=3 / Provides: api = 1", "b=1 / Provides: api"],
    ),
    "a Provides with an inequality meets what it overlaps": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: api = 5", "a=1 / Provides: api >= 2"],
    ),
    "a package satisfies what it provides itself": ("w", "w=1", ["w=1 / Requires: x / Provides: x", "x=1"]),
    "config of its own is satisfied": ("w", "w=1", ["w=1 / Requires: config(w) = 1-1 / Provides: config(w) = 1-1"]),
    "features of rpm itself are not looked for": ("w", "w=1", ["w=1 / Requires: rpmlib(RichDependencies) <= 4.12"]),
    "a program is found by its path": ("w", "w=1 a=1", ["w=1 / Requires: /usr/bin/x", "a=1 / Files: /usr/bin/x"]),
    "a path may be provided without a file": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: /bin/sh", "a=1 / Provides: /bin/sh"],
    ),
    "any other path is found in packages that come in": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a, /usr/share/x&y", "a=1 / Files: /usr/share/x, /usr/share/x&y"],
    ),
    "a path decides between versions": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a, /usr/share/x", "a=2", "a=1 / Files: /usr/share/x"],
    ),
    "a conflict with a version leaves the others": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a / Conflicts: a > 1-1", "a=1", "a=2"],
    ),
    "a conflict with a capability leaves other providers": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: mta / Conflicts: sendmail", "a=1 / Provides: mta, sendmail", "b=1 / Provides: mta"],
    ),
    "a conflict with itself is none": ("w", "w=1", ["w=1 / Conflicts: x / Provides: x"]),
    "what obsoletes a package is taken in its place": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: a", "a=1", "b=1 / Provides: a = 2 / Obsoletes: a < 2"],
    ),
    "what is obsoleted by a capability only is not obsoleted": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Requires: a, b", "a=1 / Provides: x", "b=1 / Obsoletes: x"],
    ),
    "what is wanted is brought though something obsoletes it": (
        "a",
        "a=1",
        ["a=1", "b=1 / Provides: a = 2 / Obsoletes: a < 2"],
    ),
    "and": ("w", "w=1 a=1 b=1", ["w=1 / Requires: (a and b)", "a=1", "b=1"]),
    "or takes one": ("w", "w=1 a=1", ["w=1 / Requires: (a or b or c)", "a=1", "b=1", "c=1"]),
    "or takes what comes in anyway": ("w", "w=1 b=1", ["w=1 / Requires: (a or b), b", "a=1", "b=1"]),
    "if does nothing without its condition": ("w", "w=1", ["w=1 / Requires: (a if b)", "a=1", "b=1"]),
    "if does something with its condition": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Requires: (a if b), b", "a=1", "b=1"],
    ),
    "a condition may be present": ("w", "w=1 a=1", ["w=1 / Requires: (a if b), b", "a=1", "b=1 present"]),
    "else is for when there is no condition": ("w", "w=1 c=1", ["w=1 / Requires: (a if b else c)", "c=1"]),
    "a condition is brought where else cannot be": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Requires: (a if b else c)", "a=1", "b=1"],
    ),
    "with asks for both of one package": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: (v >= 1 with v < 3)", "a=1 / Provides: v = 4", "b=1 / Provides: v = 2"],
    ),
    "without asks for one that has not the other": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: (v without x)", "a=1 / Provides: v, x", "b=1 / Provides: v"],
    ),
    "unless in a conflict allows it": (
        "w",
        "w=1 a=1 b=1",
        ["w=1 / Requires: a, b / Conflicts: (a unless b)", "a=1", "b=1"],
    ),
    "expressions are nested": (
        "w",
        "w=1 b=1 c=1",
        ["w=1 / Requires: ((x and a) or (b and (c >= 1 or x)))", "a=1", "b=1", "c=1"],
    ),
    "Recommends are not followed unless asked for": ("w", "w=1", ["w=1 / Recommends: a", "a=1"]),
    "Suggests and Enhances bring nothing": ("w", "w=1 a=1", ["w=1 / Requires: a / Suggests: b", "a=1", "b=1"]),
    "Suggests choose among those that would do": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: v / Suggests: b", "a=1 / Provides: v", "b=1 / Provides: v"],
    ),
    "what is present is not brought": ("w", "w=1", ["w=1 / Requires: a", "a=1 present"]),
    "what is present wins over a newer version": ("w", "w=1", ["w=1 / Requires: a", "a=1 present", "a=2"]),
    "what is present wins over other providers": (
        "w",
        "w=1",
        ["w=1 / Requires: v", "v=1", "a=1 present / Provides: v"],
    ),
    "what is present and too old does not win": ("w", "w=1 a=2", ["w=1 / Requires: a >= 2", "a=1 present", "a=2"]),
    "what present packages need is brought": (
        "w",
        "w=1 b=1",
        ["w=1 / Requires: a", "a=1 present / Requires: b", "b=1"],
    ),
    "what is present already needs nothing brought": ("w", "", ["w=1 present"]),
    "wanted packages come first, in their order": (
        "w v",
        "w=1 v=1 a=1 b=1",
        ["v=1 / Requires: b", "w=1 / Requires: a", "a=1", "b=1"],
    ),
    "wanted packages are solved together": (
        "v w",
        "v=1 w=1 a=1",
        ["v=1 / Requires: a", "w=1 / Requires: a < 2", "a=1", "a=2"],
    ),
    "packages for every machine are as good as its own": (
        "w",
        "w=1 a=1 b=1",
        ["w:noarch=1 / Requires: a", "a=1 / Requires: b", "b:noarch=1"],
    ),
    "packages of other machines are left out": ("w", "w=1 a=1", ["w=1 / Requires: a", "a:aarch64=2", "a=1"]),
    "a better machine's packages are left out": ("w", "w=1 a=1", ["w=1 / Requires: a", "a:x86_64_v3=2", "a=1"]),
    "the machine's own architecture comes before versions": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a", "a:i686=2", "a=1"],
    ),
    "a library of 32 bits is brought where nothing else will do": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a(32bit)", "a:i686=1 / Provides: a(32bit)"],
    ),
    "a library of 32 bits comes with that of 64": (
        "w",
        "w=1 a=1 a=1",
        ["w=1 / Requires: a(32bit)", "a=1", "a:i686=1 / Provides: a(32bit)"],
    ),
    "a package of 32 bits alone can be wanted": ("w:i686", "w=1 a=1", ["w:i686=1 / Requires: a", "w=1", "a=1"]),
    "a source package needs nothing": ("w:source", "w=1", ["w:source=1 / Requires: a", "a=1"]),
    "a source package satisfies nobody": ("w", "w=1 a=1", ["w=1 / Requires: a", "a:source=2", "a=1"]),
    "modules are left alone where there is another way": (
        "w",
        "w=1 a=1",
        ["w=1 / Requires: a", f"a=2-1.{BUILD}", "a=1"],
    ),
    "modules are used where there is no other way": (
        "w",
        f"w=1 a=2-1.{BUILD}",
        ["w=1 / Requires: a >= 2", f"a=2-1.{BUILD}", "a=1"],
    ),
    "a wanted package of a module brings those of its build": (
        "w",
        f"w=2-1.{BUILD} a=2-1.{BUILD}",
        [f"w=2-1.{BUILD} / Requires: a", f"a=2-1.{BUILD}", f"a=4-1.{OTHER_BUILD}", "a=3"],
    ),
}


@pytest.mark.parametrize("scenario", SOLVED, ids=lambda name: name)
def test_the_closure_is_as_rpm_means_it(scenario: str) -> None:
    wanted, expected, lines = SOLVED[scenario]
    assert brought(solve(wanted, *lines)) == expected


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        ("w=1 a=1 b=1", ["w=1 / Recommends: a", "a=1 / Recommends: b", "b=1"]),
        ("w=1", ["w=1 / Recommends: nobody, a", "a=1 / Requires: nobody"]),
        ("w=1 b=1", ["w=1 / Requires: b / Recommends: a", "a=1", "b=1 / Conflicts: a"]),
        ("w=1 a=1 b=1", ["w=1 / Requires: b / Recommends: (a if b)", "a=1", "b=1"]),
        ("w=1", ["w=1 / Recommends: a", "a=1 present"]),
        ("w=1 a=1 b=1", ["w=1 / Requires: a, v", "a=1 / Provides: v", "b=1 / Provides: v / Supplements: a"]),
    ],
)
def test_weak_dependencies_are_brought_as_far_as_possible(expected: str, lines: list[str]) -> None:
    assert brought(solve("w", *lines, recommends=True)) == expected


def test_nothing_is_needed_for_nothing() -> None:
    assert solve("", "a=1") == Closure(())


@pytest.mark.parametrize(
    ("machine", "scope"),
    [
        ("x86_64", ("x86_64", "i686", "i586", "i486", "i386", "noarch")),
        ("aarch64", ("aarch64", "noarch")),
        ("ppc64le", ("ppc64le", "noarch")),
        ("s390x", ("s390x", "s390", "noarch")),
        ("armv7hl", ("armv7hl", "armv6hl", "noarch")),
        ("riscv64", ("riscv64", "noarch")),
        ("unheard-of", ("unheard-of", "noarch")),
    ],
)
def test_a_machine_installs_its_own_and_lesser_architectures(machine: str, scope: tuple[str, ...]) -> None:
    assert RpmSolver().scope(machine) == scope
    for architecture in scope:
        assert brought(solve("w", f"w:{architecture}=1", machine=machine)) == "w=1"


def test_a_machine_of_a_later_level_takes_its_own_packages_first() -> None:
    lines = ["w=1 / Requires: a, b", "a:x86_64_v2=1", "a=2", "b=1"]
    assert brought(solve("w", *lines, machine="x86_64_v2")) == "w=1 a=1 b=1"


def test_only_what_can_be_reached_is_asked_for_and_nothing_twice() -> None:
    lines = [
        "w=1 / Requires: a, (v if x) / Provides: w(x)",
        "a=1 / Requires: b, (b with c), (x unless y) / Recommends: r / Supplements: s / Conflicts: t",
        "b=1 / Requires: (o1 if o2 else o3)",
        "c=1 / Provides: v",
        "x=1",
    ]
    shelf = Shelf(map(package, lines))
    RpmSolver().closure([shelf.find("w")], shelf, architecture="x86_64")
    assert shelf.asked == [("a", "v"), ("b", "x"), ("o1", "o2", "o3")]


def test_names_are_asked_for_in_batches() -> None:
    needed = [f"a{number}" for number in range(universe.BATCH + 1)]
    shelf = Shelf(map(package, [f"w=1 / Requires: {', '.join(needed)}", *(f"{name}=1" for name in needed)]))
    closure = RpmSolver().closure([shelf.find("w")], shelf, architecture="x86_64")
    assert [len(names) for names in shelf.asked] == [universe.BATCH, 1]
    assert len(closure.packages) == universe.BATCH + 2


def test_what_is_wanted_is_solved_though_the_pool_does_not_have_it() -> None:
    wanted = package("w=2 / Requires: a")
    shelf = Shelf(map(package, ["w=1", "a=1 / Requires: w"]))
    closure = RpmSolver().closure([wanted], shelf, architecture="x86_64")
    assert brought(closure) == "w=2 a=1"


def test_present_and_available_packages_may_have_the_same_ids() -> None:
    wanted, present = package("w=1 / Requires: a"), package("a=1 present")
    clash = dataclasses.replace(package("a=2"), id=present.id)
    closure = RpmSolver().closure([wanted], Shelf([clash, present]), architecture="x86_64")
    assert brought(closure) == "w=1"


def test_a_long_chain_is_solved() -> None:
    length = 1000
    lines = [f"a{number}=1 / Requires: a{number + 1}" for number in range(length)]
    assert len(solve("a0", *lines, f"a{length}=1").packages) == length + 1


def test_of_very_many_versions_the_newest_is_taken() -> None:
    versions = [f"a={number}" for number in range(1, 1001)]
    assert brought(solve("w", "w=1 / Requires: a < 900", *versions)) == "w=1 a=899"
