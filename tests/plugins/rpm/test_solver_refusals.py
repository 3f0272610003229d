"""What is said when a closure cannot be had, and what is refused altogether."""

from __future__ import annotations

import pytest

from entrepot.contracts import Missing
from entrepot.errors import IndexFormatError
from entrepot_plugins.rpm import libsolv, universe
from support.rpm_closures import brought, solve

UNSOLVED: dict[str, tuple[str, list[str], list[Missing], list[str]]] = {
    "nobody has it": ("w", ["w=1 / Requires: a >= 1:2-3", "a=1"], [Missing("a >= 1:2-3", "w-1-1.x86_64")], []),
    "nobody has it further down": (
        "w",
        ["w=1 / Requires: a", "a:noarch=1:2-3 / Requires: libb.so.1()(64bit)"],
        [Missing("libb.so.1()(64bit)", "a-1:2-3.noarch")],
        [],
    ),
    "nobody has the file": ("w", ["w=1 / Requires: /bin/x"], [Missing("/bin/x", "w-1-1.x86_64")], []),
    "every provider lacks something": (
        "w",
        ["w=1 / Requires: v", "a=1 / Provides: v / Requires: x", "b=1 / Provides: v / Requires: y"],
        [Missing("x", "a-1-1.x86_64"), Missing("y", "b-1-1.x86_64")],
        [],
    ),
    "all that is missing is said": (
        "v w",
        ["v=1 / Requires: a, b", "w=1 / Requires: x, (y or y2)", "a=1 / Requires: z, a", "b=1"],
        [Missing("x", "w-1-1.x86_64"), Missing("(y or y2)", "w-1-1.x86_64"), Missing("z", "a-1-1.x86_64")],
        [],
    ),
    "a part of an expression is missing": (
        "w",
        ["w=1 / Requires: (a and b)", "a=1"],
        [Missing("(a and b)", "w-1-1.x86_64")],
        [],
    ),
    "what a condition asks for is missing": (
        "w",
        ["w=1 / Requires: a, (b if a)", "a=1"],
        [Missing("(b if a)", "w-1-1.x86_64")],
        [],
    ),
    "another machine's package is not looked at": (
        "w",
        ["w=1 / Requires: a", "a:aarch64=1"],
        [Missing("a", "w-1-1.x86_64")],
        [],
    ),
    "an expression contradicts another requirement": (
        "w",
        ["w=1 / Requires: b, (a unless b)", "a=1", "b=1"],
        [],
        [
            "package w-1-1.x86_64 requires b, but none of the providers can be installed; w-1-1.x86_64 is wanted",
            "package w-1-1.x86_64 requires (a unless b), but none of the providers can be installed;"
            " w-1-1.x86_64 is wanted",
        ],
    ),
    "two wanted packages conflict": (
        "v w",
        ["v=1 / Conflicts: mta", "w=2 / Provides: mta"],
        [],
        ["package v-1-1.x86_64 conflicts with mta provided by w-2-1.x86_64; both are wanted"],
    ),
    "two versions of one package are wanted": (
        "a=1 a=2",
        ["a=1", "a=2"],
        [],
        ["cannot install both a-2-1.x86_64 and a-1-1.x86_64; both are wanted"],
    ),
    "a wanted package obsoletes what another one needs": (
        "v w",
        ["v=1 / Requires: a", "w=1 / Obsoletes: a < 3", "a=2"],
        [],
        [
            "package w-1-1.x86_64 obsoletes a < 3 provided by a-2-1.x86_64;"
            " w-1-1.x86_64 is wanted, a-2-1.x86_64 is needed by v-1-1.x86_64"
        ],
    ),
    "two versions are needed": (
        "v w",
        ["v=1 / Requires: a = 1", "w=1 / Requires: a = 2", "a=1", "a=2"],
        [],
        [
            "cannot install both a-2-1.x86_64 and a-1-1.x86_64;"
            " a-2-1.x86_64 is needed by w-1-1.x86_64, a-1-1.x86_64 is needed by v-1-1.x86_64"
        ],
    ),
    "an expression conflicts with any machine": (
        "w",
        ["w=1 / Conflicts: (a if b)", "a=1", "b=1"],
        [],
        ["package w-1-1.x86_64 conflicts with (a if b) provided by system:system.noarch; w-1-1.x86_64 is wanted"],
    ),
    "a package for another machine is wanted": (
        "w",
        ["w:aarch64=1"],
        [],
        ["package w-1-1.aarch64 does not have a compatible architecture; w-1-1.aarch64 is wanted"],
    ),
}


@pytest.mark.parametrize("scenario", UNSOLVED, ids=lambda name: name)
def test_what_is_in_the_way_is_said(scenario: str) -> None:
    wanted, lines, missing, conflicts = UNSOLVED[scenario]
    closure = solve(wanted, *lines)
    assert list(closure.missing) == missing
    assert list(closure.conflicts) == conflicts
    assert len(closure.packages) == len(wanted.split())


def test_a_wanted_package_that_cannot_be_understood_is_an_error() -> None:
    with pytest.raises(IndexFormatError, match=r"w:x86_64=1-1: requires: '\(a and' lacks"):
        solve("w", "w=1 / Requires: (a and")


def test_another_package_that_cannot_be_understood_is_passed_over() -> None:
    lines = ["w=1 / Requires: v", "a=1 / Provides: v / Requires: (", "b=1 / Provides: v"]
    assert brought(solve("w", *lines)) == "w=1 b=1"


def test_a_package_that_was_passed_over_is_named_if_there_is_no_solution() -> None:
    closure = solve("w", "w=1 / Requires: a", "a=1 / Requires: (b")
    assert closure.missing == (Missing("a", "w-1-1.x86_64"),)
    assert closure.conflicts == (
        "passed over, as its metadata cannot be understood: a:x86_64=1-1: requires: '(b' lacks an operator or a"
        " parenthesis",
    )


def test_names_that_libsolv_uses_itself_do_no_harm() -> None:
    names = ("namespace:installed", "src", "noarch", "solvable:name", "system:system", "<NULL>", "rpm:dbid")
    lines = [f"a{number}=1 / Provides: {name} / Conflicts: {name}" for number, name in enumerate(names)]
    assert len(solve("w", f"w=1 / Requires: {', '.join(names[:2])}", *lines).packages) == 3


def test_an_index_that_reaches_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(universe, "MAX_PACKAGES", 3)
    with pytest.raises(IndexFormatError, match=r"w-1-1\.x86_64 .* more than 3 packages"):
        solve("w", "w=1 / Requires: v", "a=1 / Provides: v", "b=1 / Provides: v", "c=1 / Provides: v")


def test_packages_that_exclude_each_other_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libsolv, "MAX_PAIRS", 10)
    names = [f"a{number}" for number in range(4)]
    quarrelsome = [f"{name}=1 / Provides: v / Conflicts: v" for name in names]
    with pytest.raises(IndexFormatError, match=r"w-1-1\.x86_64 may need, \d+ pairs may exclude each other"):
        solve("w", f"w=1 / Requires: {', '.join(names)}", *quarrelsome)
