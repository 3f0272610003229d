"""Dependencies as rpm has them: capabilities, and boolean expressions of them.

A capability is a name with or without a version (``foo >= 1.2-3``, ``/bin/sh``, ``libc.so.6(GLIBC_2.34)(64bit)``); an
expression is what rpm calls a rich or boolean dependency: ``(foo if bar else baz)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod

MAX_DEPTH = 16
"""How deep expressions may be nested: libsolv unfolds them by recursion in C."""
MAX_CLAUSES = 4096
"""To how many clauses an expression may unfold, in either normal form; those of real distributions have some dozens."""

_CHAINED = ("and", "or", "with")
"""Operators that may be repeated: ``(a or b or c)``."""
_OPERATORS = (*_CHAINED, "without", "if", "unless", "else")
_COMPARISON = re.compile(r"<=|>=|==|=<|=>|[<>=]")
_SPELLINGS = {"==": "=", "=<": "<=", "=>": ">="}
_RESERVED = ("solvable:prereqmarker", "solvable:filemarker")
"""Names by which libsolv separates its lists."""
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Capability:
    """A name, and which versions of it; ``comparison`` and ``evr`` are empty where any will do.

    ``evr`` is ``[epoch:]version[-release]``, without an epoch of 0. ``ValueError`` for a name that nothing can have.
    """

    name: str
    comparison: str = ""
    evr: str = ""

    def __post_init__(self) -> None:
        if not self.name or self.name in _RESERVED:
            raise ValueError(f"{shown(self.name)} is no name of a capability")

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.evr}" if self.comparison else self.name


@dataclass(frozen=True, slots=True)
class Rich:
    """An expression. ``if`` and ``unless`` have a third operand where there is an ``else``."""

    operator: str
    operands: tuple[Dependency, ...]

    def __str__(self) -> str:
        first, *others = map(str, self.operands)
        operators = (self.operator, "else") if self.operator in ("if", "unless") else [self.operator] * len(others)
        rest = (f" {operator} {operand}" for operator, operand in zip(operators, others, strict=False))
        return f"({first}{''.join(rest)})"


Dependency = Capability | Rich


def capabilities(dependency: Dependency) -> Iterator[Capability]:
    """Every capability that a dependency is about."""
    if isinstance(dependency, Capability):
        yield dependency
    else:
        for operand in dependency.operands:
            yield from capabilities(operand)


def holds(dependency: Dependency, offered: Callable[[Capability], Collection[object]]) -> bool:
    """Whether a dependency is satisfied where ``offered`` tells who provides a capability, the same one each time."""
    if isinstance(dependency, Capability):
        return bool(offered(dependency))
    if dependency.operator in ("with", "without"):
        return bool(_offering(dependency, offered))
    first, *others = (holds(operand, offered) for operand in dependency.operands)
    match dependency.operator:
        case "and":
            return first and all(others)
        case "or":
            return first or any(others)
        case "if":
            condition, *otherwise = others
            return first if condition else all(otherwise)
        case _:
            condition, *otherwise = others
            return first and not condition if not otherwise else otherwise[0] if condition else first


def _offering(dependency: Dependency, offered: Callable[[Capability], Collection[object]]) -> set[object]:
    """Who satisfies by himself what one package has to."""
    if isinstance(dependency, Capability):
        return set(offered(dependency))
    first, *others = (_offering(operand, offered) for operand in dependency.operands)
    match dependency.operator:
        case "with":
            return first.intersection(*others)
        case "without":
            return first.difference(*others)
        case _:
            return first.union(*others)


def helpful(dependency: Dependency) -> Iterator[Capability]:
    """The capabilities whose providers may help to satisfy a requirement.

    ``b`` is not among them in ``(a if b)`` and ``(a unless b)``, which a machine without it satisfies as well, nor in
    ``(a with b)`` and ``(a without b)``, where it is asked of those that provide ``a``.
    """
    if isinstance(dependency, Capability):
        yield dependency
        return
    operands = dependency.operands
    if dependency.operator not in ("and", "or") and len(operands) == 2:
        operands = operands[:1]
    for operand in operands:
        yield from helpful(operand)


def parse_rich(text: str) -> Dependency:
    """An expression out of its text; ``ValueError`` for what is none, or is nested or unfolds too far to be meant."""
    expression, end = _Parser(text).group(0, 1)
    if text[end:].strip():
        raise ValueError(f"{shown(text)} goes on behind its end")
    if max(_clauses(expression)) > MAX_CLAUSES:
        raise ValueError(f"{shown(text)} unfolds to more than {MAX_CLAUSES} clauses")
    return expression


def shown(text: str) -> str:
    """Hostile text as part of a message: escaped, so that it does nothing to a terminal, and not too long."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


class _Parser:
    """By recursive descent: each method takes a position and answers what it read and where that ends."""

    def __init__(self, text: str) -> None:
        self._text = text

    def group(self, position: int, depth: int) -> tuple[Dependency, int]:
        """``(operand operator operand ...)``."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{shown(self._text)} is nested more than {MAX_DEPTH} deep")
        position = self._skip(position)
        if self._text[position : position + 1] != "(":
            raise self._wrong("lacks a parenthesis")
        operand, position = self._operand(position + 1, depth)
        operands, operators = [operand], []
        while self._text[position : position + 1] != ")":
            operator, position = self._word(position)
            if operator not in _OPERATORS:
                raise self._wrong("lacks an operator or a parenthesis")
            operand, position = self._operand(position, depth)
            operators.append(operator)
            operands.append(operand)
        return self._joined(operands, operators), position + 1

    def _operand(self, position: int, depth: int) -> tuple[Dependency, int]:
        position = self._skip(position)
        if self._text[position : position + 1] == "(":
            nested, position = self.group(position, depth + 1)
            return nested, self._skip(position)
        name, position = self._word(position)
        if not name:
            raise self._wrong("lacks a capability")
        match = _COMPARISON.match(self._text, position)
        if match is None:
            return Capability(name), position
        evr, position = self._word(self._skip(match.end()))
        if not evr:
            raise self._wrong("lacks a version")
        return Capability(name, _SPELLINGS.get(match[0], match[0]), evr.removeprefix("0:")), position

    def _word(self, position: int) -> tuple[str, int]:
        """Up to a blank, or a parenthesis that was not opened in it (capabilities have parentheses, too)."""
        start, opened = position, 0
        while position < len(self._text) and not self._text[position].isspace():
            opened += _PARENTHESES.get(self._text[position], 0)
            if opened < 0:
                break
            position += 1
        return self._text[start:position], self._skip(position)

    def _skip(self, position: int) -> int:
        while self._text[position : position + 1].isspace():
            position += 1
        return position

    def _joined(self, operands: list[Dependency], operators: list[str]) -> Dependency:
        if not operators:
            return operands[0]
        first, *others = operators
        chained = first in _CHAINED and set(others) <= {first}
        if first != "else" and (chained or not others or (first in ("if", "unless") and others == ["else"])):
            return Rich(first, tuple(operands))
        raise self._wrong("has operators that cannot follow each other")

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{shown(self._text)} {what}")


_PARENTHESES: Mapping[str, int] = {"(": 1, ")": -1}


def _clauses(dependency: Dependency) -> tuple[int, int]:
    """To how many clauses a dependency unfolds as a conjunction of them and as a disjunction."""
    if isinstance(dependency, Capability):
        return 1, 1
    parts = [_clauses(operand) for operand in dependency.operands]
    conjunctive, disjunctive = zip(*parts, strict=True)
    match dependency.operator:
        case "and":
            return sum(conjunctive), prod(disjunctive)
        case "or":
            return prod(conjunctive), sum(disjunctive)
        case "if" | "unless":
            return _conditional_clauses(dependency.operator, parts)
        case _:
            return sum(conjunctive), sum(disjunctive)


def _conditional_clauses(operator: str, parts: list[tuple[int, int]]) -> tuple[int, int]:
    """``(a if b else c)`` is (a or not b) and (c or b), ``(a unless b else c)`` is (a and not b) or (c and b)."""
    (then, then_or), (condition, condition_or), *rest = parts
    if operator == "if":
        conjunctive, disjunctive = then * condition_or, then_or + condition
        for otherwise, otherwise_or in rest:
            conjunctive += otherwise * condition
            disjunctive *= otherwise_or + condition_or
    else:
        conjunctive, disjunctive = then + condition_or, then_or * condition
        for otherwise, otherwise_or in rest:
            conjunctive *= otherwise + condition
            disjunctive += otherwise_or * condition_or
    return conjunctive, disjunctive
