"""The language that says which packages are meant: what is read, what is refused and where; nothing crashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.query import (
    EVERYTHING,
    All,
    AnyOf,
    Match,
    Newest,
    Not,
    Query,
    QueryError,
    WithDependencies,
    parse,
    parse_names,
)

NGINX = Match("name", "=", "nginx")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nginx", NGINX),
        ("name = nginx", NGINX),
        ("NAME=nginx", NGINX),
        ('"nginx*"', Match("name", "=", "nginx*", literal=True)),
        ("libc6:amd64", All((Match("name", "=", "libc6"), Match("architecture", "=", "amd64")))),
        ("nginx=1.2-1", All((NGINX, Match("version", "=", "1.2-1")))),
        ("nginx (>= 1.2)", All((NGINX, Match("version", ">=", "1.2")))),
        ("nginx (<< 1:2~rc1)", All((NGINX, Match("version", "<", "1:2~rc1")))),
        ("arch = amd64", Match("architecture", "=", "amd64")),
        ("group = 'System Environment/Base'", Match("section", "=", "System Environment/Base", literal=True)),
        ("source = nginx", Match("source-package", "=", "nginx")),
        ("source_package != nginx", Match("source-package", "!=", "nginx")),
        ("size < 1.5MB", Match("size", "<", "1.5MB")),
        ("field:Multi-Arch = same", Match("field:Multi-Arch", "=", "same")),
        ("section", Match("name", "=", "section")),
        ("nginx or a and b", AnyOf((NGINX, All((Match("name", "=", "a"), Match("name", "=", "b")))))),
        ("(nginx | a) & !b", All((AnyOf((NGINX, Match("name", "=", "a"))), Not(Match("name", "=", "b"))))),
        ("latest(nginx)", Newest(NGINX)),
        ("latest(nginx, 3)", Newest(NGINX, 3)),
        ("latest(2)", Newest(EVERYTHING, 2)),
        ("latest()", Newest(EVERYTHING)),
        ("with-dependencies(nginx)", WithDependencies(NGINX)),
        ("with-recommends(nginx)", WithDependencies(NGINX, recommends=True)),
        ("[!a]*", Match("name", "=", "[!a]*")),
    ],
)
def test_a_query_is_read(text: str, meant: Query) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "missing before the end"),
        ("nginx and", 10, "missing before the end"),
        ("(nginx", 7, "')' is missing before the end"),
        ("nginx)", 6, "one too many"),
        ("nginx apache", 7, "one too many"),
        ("sectoin = net", 1, "no field 'sectoin'"),
        ("name < 3", 8, "is text: it takes = and !="),
        ("version < 3*", 11, "cannot be asked of a glob"),
        ("size > big", 8, "'big' is no size"),
        ("section =", 10, "a value is missing"),
        ("section = ''", 11, "the value is empty"),
        ("'nginx", 1, "a quotation mark that is not closed"),
        ("latest(0)", 8, "a number from 1 on"),
        ("libc6:", 1, "is no package"),
        ("@names", 1, "files cannot be named here"),
        ("(" * 200, 61, "more than 60 levels"),
        ("! " * 200, 121, "more than 60 levels"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(QueryError, match=rf"^column {column}: ") as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.data["column"] == column


def test_a_misspelled_field_is_told_what_it_may_have_been() -> None:
    with pytest.raises(QueryError) as caught:
        parse("sectoin=net")
    assert caught.value.hint == "did you mean section?"


def test_a_file_holds_a_query_a_line() -> None:
    lines = ["# the web", "nginx  # a server", "", "section = web and size < 1MB", "libc6:amd64=2.36-9"]
    assert parse("@web.txt and not *-dbg", {"web.txt": lines}.__getitem__) == All(
        (AnyOf(tuple(map(parse, ("nginx", lines[3], lines[4])))), Not(Match("name", "=", "*-dbg")))
    )


def test_a_mistake_in_a_file_is_told_with_its_line() -> None:
    with pytest.raises(QueryError, match=r"^web\.txt, line 2, column 8: a value is missing"):
        parse('@"web.txt"', lambda _: ["nginx", "size = ("])


def test_a_file_cannot_name_another() -> None:
    with pytest.raises(QueryError, match="line 1, column 1: files cannot be named here"):
        parse("@loop", lambda _: ["@loop"])


@pytest.mark.parametrize("word", ["", "a b", "@file", "nginx:", "(a)", "nginx (>= 1", "a or b"])
def test_an_option_takes_packages_only(word: str) -> None:
    with pytest.raises(QueryError, match=r"^--include "):
        parse_names([word], "--include")


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
MATCHES = st.builds(
    Match,
    st.sampled_from(["name", "section", "version", "provides", "field:Multi-Arch"]),
    st.sampled_from(["=", "!="]),
    NAMES,
    literal=st.sampled_from([True]),
)
GLOBS = st.builds(
    Match, st.just("name"), st.just("="), st.from_regex(r"[a-z*?]([a-z0-9+.-]|\[!?[a-z]\])*", fullmatch=True)
)
TREES: st.SearchStrategy[Query] = st.recursive(
    MATCHES | GLOBS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
        st.builds(Newest, inner, st.integers(1, 99)),
        st.builds(WithDependencies, inner, recommends=st.booleans()),
    ),
    max_leaves=12,
)


@given(TREES)
def test_what_a_query_is_written_as_means_the_same(query: Query) -> None:
    assert parse(str(query)) == query


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["(", ")", "and", "or", "not", "!", "|", "=", "<=", ",", "latest", "size", "a*", "'x'", "@", "1"]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_any_text_is_a_query_or_is_refused_with_a_column(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        column = error.data["column"]
        assert isinstance(column, int)
        assert 1 <= column <= len(text) + 1
    else:
        assert parse(str(query)) == query
