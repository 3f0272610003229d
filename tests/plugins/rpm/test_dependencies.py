"""rpm's boolean dependencies, beside libsolv's own parser where that can be trusted with them."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot_plugins.rpm.dependencies import (
    MAX_CLAUSES,
    MAX_DEPTH,
    Capability,
    Dependency,
    Rich,
    capabilities,
    helpful,
    parse_rich,
)
from entrepot_plugins.rpm.libsolv import Wording

A, B, C = Capability("a"), Capability("b"), Capability("c")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("(a)", A),
        ("(a and b)", Rich("and", (A, B))),
        ("(a or b or c)", Rich("or", (A, B, C))),
        ("( a  and\tb )", Rich("and", (A, B))),
        ("(a if b)", Rich("if", (A, B))),
        ("(a if b else c)", Rich("if", (A, B, C))),
        ("(a unless b else c)", Rich("unless", (A, B, C))),
        ("(a with b)", Rich("with", (A, B))),
        ("(a without b)", Rich("without", (A, B))),
        ("((a and b) or c)", Rich("or", (Rich("and", (A, B)), C))),
        ("(a or (b if c))", Rich("or", (A, Rich("if", (B, C))))),
        ("((a))", A),
        ("(a >= 1:2~3-4 with a < 5)", Rich("with", (Capability("a", ">=", "1:2~3-4"), Capability("a", "<", "5")))),
        ("(a == 0:1 or b => 2)", Rich("or", (Capability("a", "=", "1"), Capability("b", ">=", "2")))),
        ("(perl(Foo::Bar) or libc.so.6(GLIBC_2.34)(64bit))", Rich(
            "or", (Capability("perl(Foo::Bar)"), Capability("libc.so.6(GLIBC_2.34)(64bit)"))
        )),
        ("(/bin/sh or x(y)>=1)", Rich("or", (Capability("/bin/sh"), Capability("x(y)>=1")))),
        ("(and and or)", Rich("and", (Capability("and"), Capability("or")))),
    ],
)  # fmt: skip
def test_an_expression_is_read(text: str, parsed: Dependency) -> None:
    assert parse_rich(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "(", "()", "(a", "a)", "(a and)", "(and b)", "(a b)", "(a and b) c", "(a and b))", "(a and b or c)",
        "(a if b if c)", "(a without b without c)", "(a else b)", "(a if b else c else d)", "(a if b and c)", "(a >= )",
        "(a xor b)", "(a and (b or c)", "(a,b and c", "(solvable:prereqmarker and b)", "(a >= 1 2)",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"lacks|goes on|is no|cannot follow"):
        parse_rich(text)


def test_an_expression_of_any_depth_is_no_danger() -> None:
    deepest = "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH
    assert parse_rich(deepest) == A
    with pytest.raises(ValueError, match="nested more than"):
        parse_rich("(" * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "(" + " or ".join(f"(a{number} and b{number})" for number in range(13)) + ")",
        "(" + " and ".join(f"(a{number} or b{number})" for number in range(13)) + ")",
        "(a if (" + " and ".join(f"(a{number} or b{number})" for number in range(13)) + "))",
        "(a unless (" + " or ".join(f"(a{number} and b{number})" for number in range(13)) + ") else c)",
        "(" + " with ".join(["a"] * (MAX_CLAUSES + 1)) + ")",
        "(" + " or ".join(["a"] * (MAX_CLAUSES + 1)) + ")",
    ],
    ids=["or of and", "and of or", "condition", "exception", "with", "or"],
)
def test_an_expression_that_unfolds_without_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unfolds to more than 4096 clauses"):
        parse_rich(text)


def test_a_long_list_of_alternatives_is_read() -> None:
    assert len(list(capabilities(parse_rich("(" + " or ".join(f"a{n}" for n in range(1000)) + ")")))) == 1000


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(a and b)", "a b"),
        ("(a or (b or c))", "a b c"),
        ("(a if b)", "a"),
        ("(a if b else c)", "a b c"),
        ("(a unless b)", "a"),
        ("(a unless b else c)", "a b c"),
        ("(a with b)", "a"),
        ("(a without b)", "a"),
    ],
)
def test_only_what_can_help_is_looked_for(text: str, names: str) -> None:
    assert " ".join(capability.name for capability in helpful(parse_rich(text))) == names


leaves: st.SearchStrategy[Dependency] = st.sampled_from(
    [A, B, Capability("p(q)(64bit)"), Capability("c", ">=", "1:2-3"), Capability("/bin/sh"), Capability("d", "=", "0")]
)


def combine(inner: st.SearchStrategy[Dependency]) -> st.SearchStrategy[Dependency]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Rich, st.sampled_from(("and", "or", "with")), several),
        st.builds(Rich, st.just("without"), st.tuples(inner, inner)),
        st.builds(Rich, st.sampled_from(("if", "unless")), several),
    )


expressions = st.recursive(leaves, combine, max_leaves=6).filter(lambda made: isinstance(made, Rich))


@given(expressions)
def test_what_is_written_is_read_again(expression: Dependency) -> None:
    assert parse_rich(str(expression)) == expression


@given(expressions)
def test_libsolv_reads_the_same(expression: Dependency) -> None:
    solv = import_module("solv")
    pool = solv.Pool()
    assert Wording(solv, pool).id(expression) == pool.parserpmrichdep(str(expression)).id


@given(st.text(alphabet="ab ()<>=,andorif", max_size=30))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        parsed = parse_rich(text)
    except ValueError:
        return
    assert parse_rich(f"({parsed})") == parsed
