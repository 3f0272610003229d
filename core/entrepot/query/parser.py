"""From the text of a query to its tree, by recursive descent. Pure: files of names are read by who calls it.

::

    query   := both ("or" | "|") both ...
    both    := one ("and" | "&") one ...
    one     := ("not" | "!") one | "(" query ")" | function | comparison | package | "@" FILE
    function   := "latest" "(" [query [","]] [NUMBER] ")"
                | ("with-dependencies" | "with-recommends") "(" query ")"
    comparison := FIELD ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE
    package    := GLOB[":"ARCHITECTURE]["="VERSION] | GLOB[":"ARCHITECTURE] "(" OPERATOR VERSION ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from entrepot.errors import UsageError
from entrepot.query.nodes import (
    ALIASES,
    EVERYTHING,
    FIELDS,
    OPERATORS,
    RAW,
    RESERVED,
    TEXT_FIELDS,
    WORD,
    All,
    AnyOf,
    Match,
    Newest,
    Not,
    Query,
    WithDependencies,
)

LONGEST = 1 << 20
"""Characters of a query."""
DEEPEST = 60
"""Parentheses, functions and negations within each other."""
FUNCTIONS = ("latest", "with-dependencies", "with-recommends")
UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([A-Za-z]*)")
_TOKEN = re.compile(
    rf"""(?P<word>{WORD})"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<operator><<|>>|<=|>=|!=|==|[<>=])"""
    r"""|(?P<sign>[()|,&!])""",
    re.DOTALL,
)
_DEBIAN = {"<<": "<", ">>": ">", "==": "="}

Lists = Callable[[str], Sequence[str]]
"""The lines of a file that a query names with ``@``; ``UsageError`` if it cannot be read."""


class QueryError(UsageError):
    """A query that cannot be understood; ``data["column"]`` says where, from 1 on."""

    title = "Query not understood"


def parse(text: str, lists: Lists | None = None) -> Query:
    """The tree of a query. ``QueryError`` with the column; without ``lists`` files cannot be named."""
    if len(text) > LONGEST:
        raise QueryError(f"a query has at most {LONGEST} characters", column=LONGEST)
    return _Parser(text, lists).whole()


def parse_names(words: Sequence[str], what: str) -> Query:
    """Packages as on a command line (``nginx*``, ``libc6:amd64``, ``hello=1.2``), or an ``@file`` refused by name."""
    parts = []
    for word in words:
        parser = _Parser(word, None)
        try:
            parts.append(parser.package_alone())
        except QueryError as error:
            hint = error.hint or "write NAME, NAME:ARCH or NAME=VERSION, where NAME may have * ? and [...]"
            raise QueryError(f"{what} {word!r}: {error}", hint=hint, **error.data) from error
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """As a keyword or the name of a field would be written; empty for anything else."""
        return self.text.lower().replace("_", "-") if self.kind == "word" else ""


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            what = "a quotation mark that is not closed" if text[position] in "\"'" else f"{text[position]!r}"
            _fail(f"there is {what}", position)
        yield _Token(str(match.lastgroup), match[0], position, match.end())
        position = match.end()
    yield _Token("end", "", len(text), len(text))


def _fail(message: str, position: int, hint: str = "") -> NoReturn:
    raise QueryError(f"column {position + 1}: {message}", hint=hint, column=position + 1)


class _Parser:
    def __init__(self, text: str, lists: Lists | None) -> None:
        self._tokens = list(_tokens(text))
        self._lists = lists
        self._at = 0
        self._depth = 0

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _next(self, steps: int = 1) -> _Token:
        return self._tokens[min(self._at + steps, len(self._tokens) - 1)]

    def _take(self) -> _Token:
        token = self._here
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is(self, *words: str) -> bool:
        token = self._here
        return (token.text in words) if token.kind == "sign" else (token.word in words and token.kind == "word")

    def _expect(self, sign: str) -> _Token:
        if self._here.kind != "sign" or self._here.text != sign:
            found = repr(self._here.text) if self._here.text else "the end"
            _fail(f"{sign!r} is missing before {found}", self._here.start)
        return self._take()

    # ------------------------------------------------------------------------------------------------ the grammar

    def whole(self) -> Query:
        found = self._query()
        if self._here.kind != "end":
            _fail(
                f"{self._here.text!r} is one too many",
                self._here.start,
                "put `and` or `or` between what is asked for",
            )
        return found

    def package_alone(self) -> Query:
        if self._here.kind == "end":
            _fail("it is empty", 0)
        found = self._package(self._take())
        if self._here.kind != "end":
            _fail(f"{self._here.text!r} is one too many", self._here.start)
        return found

    def _query(self) -> Query:
        parts = [self._both()]
        while self._is("or", "|"):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self) -> Query:
        parts = [self._one()]
        while self._is("and", "&"):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Query:
        self._depth += 1
        if self._depth > DEEPEST:
            _fail(f"more than {DEEPEST} levels are within each other", self._here.start)
        try:
            if self._is("not", "!"):
                self._take()
                return Not(self._one())
            if self._is("("):
                self._take()
                found = self._query()
                self._expect(")")
                return found
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Query:
        token = self._here
        if token.kind not in ("word", "text") or token.word in RESERVED:
            found = repr(token.text) if token.text else "the end"
            _fail(f"a package, a field or a parenthesis is missing before {found}", token.start)
        self._take()
        if token.word in FUNCTIONS and self._is("("):
            return self._function(token)
        if token.kind == "word" and token.text.startswith("@"):
            return self._list(token)
        if self._here.kind == "operator" and not self._is_version_of(token):
            return self._comparison(token)
        return self._package(token)

    def _function(self, token: _Token) -> Query:
        self._expect("(")
        found: Query
        if token.word == "latest":
            found = self._latest()
        else:
            found = WithDependencies(self._query(), recommends=token.word == "with-recommends")
        self._expect(")")
        return found

    def _latest(self) -> Newest:
        part: Query = EVERYTHING
        if self._is(")"):
            return Newest(part)
        if not (self._here.text.isdecimal() and self._next().text == ")"):
            part = self._query()
            if not self._is(","):
                return Newest(part)
            self._take()
        token = self._take()
        if not (token.text.isascii() and token.text.isdecimal() and 0 < int(token.text[:10]) < 10**9):
            _fail("latest takes a number from 1 on", token.start)
        return Newest(part, int(token.text[:10]))

    def _list(self, token: _Token) -> Query:
        name = token.text[1:]
        if not name and self._here.kind == "text":
            name = _unquoted(self._take().text)
        if not name:
            _fail("the name of a file is missing after '@'", token.start)
        if self._lists is None:
            _fail("files cannot be named here", token.start, "write what they list")
        parts = []
        for number, line in enumerate(self._lists(name), 1):
            words = line.partition("#")[0].strip()
            if words:
                try:
                    # A list in a list would be a loop sooner or later.
                    parts.append(parse(words))
                except QueryError as error:
                    raise QueryError(f"{name}, line {number}, {error}", hint=error.hint, **error.data) from error
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _is_version_of(self, token: _Token) -> bool:
        """Whether what stands here is the rest of ``NAME=VERSION``, written without a blank."""
        value = self._next()
        return (
            self._here.text == "="
            and _field(token) == ""
            and token.end == self._here.start
            and value.start == self._here.end
            and value.text[:1].isdigit()
        )

    def _package(self, token: _Token) -> Query:
        if token.kind not in ("word", "text") or token.text.startswith("@"):
            _fail(f"{token.text!r} is no package", token.start)
        literal = token.kind == "text"
        name, colon, architecture = (_unquoted(token.text), "", "") if literal else token.text.partition(":")
        if not name or (colon and not architecture):
            _fail(f"{token.text!r} is no package", token.start, "write NAME or NAME:ARCH")
        parts: list[Query] = [Match("name", "=", name, literal, token.start + 1)]
        if architecture:
            parts.append(Match("architecture", "=", architecture, column=token.start + 1))
        if self._is_version_of(token):
            self._take()
            parts.append(self._version("="))
        elif self._is("(") and self._next().kind == "operator":
            self._take()
            operator = self._take().text
            parts.append(self._version(_DEBIAN.get(operator, operator)))
            self._expect(")")
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _version(self, operator: str) -> Match:
        token = self._value()
        literal = token.kind == "text"
        return _checked(Match("version", operator, _value_of(token), literal, token.start + 1), token)

    def _comparison(self, token: _Token) -> Query:
        name = _field(token)
        if not name:
            near = get_close_matches(token.word, (*FIELDS, *ALIASES), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}, and {RAW}NAME"
            _fail(f"there is no field {token.text!r}", token.start, hint)
        operator = self._take().text
        value = self._value()
        operator = _DEBIAN.get(operator, operator)
        return _checked(Match(name, operator, _value_of(value), value.kind == "text", token.start + 1), value)

    def _value(self) -> _Token:
        token = self._take()
        if token.kind not in ("word", "text"):
            found = repr(token.text) if token.text else "the end"
            _fail(f"a value is missing before {found}", token.start)
        return token


def _field(token: _Token) -> str:
    """The field that a word is the name of; empty for any other."""
    if token.kind == "word" and token.text.lower().startswith(RAW) and len(token.text) > len(RAW):
        return RAW + token.text[len(RAW) :]
    word = ALIASES.get(token.word, token.word)
    return word if word in FIELDS else ""


def _checked(match: Match, value: _Token) -> Match:
    if not match.value:
        _fail("the value is empty", value.start)
    assert match.operator in OPERATORS
    ordered = match.operator not in ("=", "!=")
    if ordered and (match.field in TEXT_FIELDS or match.field.startswith(RAW)):
        _fail(f"{match.field} is text: it takes = and !=, not {match.operator}", value.start)
    if ordered and match.is_glob:
        _fail(f"{match.operator} cannot be asked of a glob", value.start)
    if match.field == "size":
        try:
            size_of(match.value)
        except ValueError as error:
            _fail(str(error), value.start, "write a number of bytes, or 10MB, 1.5GiB")
    return match


def size_of(text: str) -> int:
    """The bytes that ``10MB`` or ``1.5GiB`` are; ``ValueError`` for what is no size."""
    found = _SIZE.fullmatch(text)
    unit = UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is no size")
    return int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit


def _value_of(token: _Token) -> str:
    return _unquoted(token.text) if token.kind == "text" else token.text


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
