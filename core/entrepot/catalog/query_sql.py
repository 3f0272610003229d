"""Queries as conditions in SQL on the available packages of a source, or on the packages of a version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from entrepot.catalog.database import to_json
from entrepot.query import All, AnyOf, Match, Newest, Not, Query, QueryError, WithDependencies, size_of

MOST_TERMS = 5000
"""Terms of a query, besides names in a list, of which there may be any number: what SQLite takes as one statement."""

FUNCTION = "index_field"
"""SQL function: (name of a field, raw text of the index) -> its value, empty if it has none."""

TABLES = "available a JOIN source_indexes i ON i.id = a.index_id"

COLUMNS = {
    "name": "a.name",
    "architecture": "a.architecture",
    "section": "a.section",
    "component": "coalesce(i.component, '')",
    "distribution": "coalesce(i.distribution, '')",
    "kind": "i.kind",
    "source-package": "a.source_name",
    "summary": "a.summary",
}

STREAMS = """
    SELECT p.name, p.version, p.architecture,
        min(json_extract(e.data, '$.name') || ':' || json_extract(e.data, '$.stream')) AS stream
    FROM source_indexes i JOIN source_extras s ON s.index_id = i.id JOIN extras e ON e.id = s.extra_id
    JOIN extra_packages p ON p.extra_id = e.id
    WHERE i.source_id = {source} AND e.kind = 'module' AND p.version <> '' GROUP BY 1, 2, 3
"""
"""The packages of module streams: a stream is never newer than another one."""

MEMBERS = "membership m JOIN packages a ON a.id = m.package_id"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where packages are looked for: SQL in which the alias ``a`` has them.

    ``columns`` are those of the fields that are compared as text, ``raw`` is the text of an index, ``kind`` and
    ``stream`` keep apart what is never newer than another one; ``tables_by_stream`` are the tables with ``stream``.
    """

    tables: str
    live: str
    columns: Mapping[str, str]
    raw: str
    kind: str
    tables_by_stream: str
    stream: str

    @classmethod
    def of_source(cls, source_id: int) -> Ground:
        """What a source offers now."""
        streams = STREAMS.format(source=source_id)
        same = "t.name = a.name AND t.version = a.version AND t.architecture = a.architecture"
        return cls(
            tables=TABLES,
            live=f"i.source_id = {source_id} AND a.vanished_at IS NULL",
            columns=COLUMNS,
            raw="(SELECT r.raw FROM available_raw r WHERE r.id = a.id)",
            kind="i.kind",
            tables_by_stream=f"{TABLES} LEFT JOIN ({streams}) t ON {same}",
            stream="t.stream",
        )

    @classmethod
    def of_version(cls, distribution_id: int, number: int) -> Ground:
        """The packages of a version."""
        own = {"component": "m.component", "distribution": "''", "kind": "a.kind", "summary": "coalesce(a.summary, '')"}
        return cls(
            tables=MEMBERS,
            live=(
                f"m.distribution_id = {distribution_id} AND m.added_in <= {number}"
                f" AND (m.removed_in IS NULL OR m.removed_in > {number})"
            ),
            columns={**COLUMNS, **own},
            raw="(SELECT r.raw FROM package_raw r WHERE r.id = a.id)",
            kind="a.kind",
            tables_by_stream=MEMBERS,
            stream="a.module",
        )


@dataclass(frozen=True, slots=True)
class Meaning:
    """What only a format can tell about a query: the key of a version (``ValueError`` if it is none), and a closure.

    ``closure`` answers what the packages of these ids need, themselves included; with True what they recommend as well.
    """

    key: Callable[[str], bytes]
    closure: Callable[[Sequence[int], bool], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL about the tables of a ``Ground``, with the values of its question marks."""

    sql: str
    values: tuple[Any, ...] = ()


class Conditions:
    """Makes conditions of queries. ``ids`` answers the packages that fulfil one."""

    def __init__(self, ground: Ground, meaning: Meaning, ids: Callable[[Condition], Sequence[int]]) -> None:
        self._ground = ground
        self._meaning = meaning
        self._ids = ids
        self._terms = count(1)

    def of(self, query: Query) -> Condition:
        """The condition of a query. ``QueryError`` for versions that are none, and for what is too large."""
        match query:
            case Match():
                return self._match(query)
            case All():
                return self._joined([self.of(part) for part in query.parts], "AND", "1")
            case AnyOf():
                return self._any(query.parts)
            case Not():
                inner = self.of(query.part)
                return Condition(f"NOT ({inner.sql})", inner.values)
            case Newest():
                return self._newest(query)
            case WithDependencies():
                found = self._meaning.closure(self._ids(self.of(query.part)), query.recommends)
                return Condition("a.id IN (SELECT value FROM json_each(?))", (to_json(sorted(found)),))

    def _match(self, match: Match) -> Condition:
        if next(self._terms) > MOST_TERMS:
            raise QueryError(f"a query has at most {MOST_TERMS} terms", hint="names in a list are not counted")
        operator = "<>" if match.operator == "!=" else match.operator
        if match.field == "size":
            return Condition(f"a.size {operator} ?", (size_of(match.value),))
        if match.field == "version" and not match.is_glob:
            return Condition(f"a.version_key {operator} ?", (self._key(match),))
        positive = self._text(match)
        return positive if match.operator == "=" else Condition(f"NOT ({positive.sql})", positive.values)

    def _text(self, match: Match) -> Condition:
        compare, value = ("GLOB", _glob(match.value)) if match.is_glob else ("=", match.value)
        if match.field == "name" and match.is_glob and match.value == "*":
            return Condition("1")
        if match.field == "version":
            return Condition(f"a.version {compare} ?", (value,))
        if match.field == "provides":
            words = "json_each('[' || replace(json_quote(a.provides), ' ', '\",\"') || ']')"
            return Condition(f"EXISTS (SELECT 1 FROM {words} WHERE value {compare} ?)", (value,))
        if column := self._ground.columns.get(match.field):
            return Condition(f"{column} {compare} ?", (value,))
        field = match.field.rpartition(":")[2]
        return Condition(f"{FUNCTION}(?, {self._ground.raw}) {compare} ?", (field, value))

    def _any(self, parts: Sequence[Query]) -> Condition:
        """Names, as lists have them by the thousand, are looked up in one go."""
        names: list[str] = []
        globs: list[str] = []
        others: list[Condition] = []
        pinned: dict[tuple[str, ...], list[list[str]]] = {}
        for part in parts:
            if isinstance(part, Match) and (part.field, part.operator) == ("name", "="):
                (globs if part.is_glob else names).append(_glob(part.value) if part.is_glob else part.value)
            elif fields := _pinned(part):
                pinned.setdefault(tuple(fields), []).append(
                    [self._key(item).hex() if name == "version" else item.value for name, item in fields.items()]
                )
            else:
                others.append(self.of(part))
        if names:
            others.append(Condition("a.name IN (SELECT value FROM json_each(?))", (to_json(names),)))
        if globs:
            others.append(
                Condition("EXISTS (SELECT 1 FROM json_each(?) g WHERE a.name GLOB g.value)", (to_json(globs),))
            )
        for columns, rows in pinned.items():
            left = ", ".join("lower(hex(a.version_key))" if name == "version" else f"a.{name}" for name in columns)
            right = ", ".join(f"value ->> {place}" for place in range(len(columns)))
            others.append(Condition(f"({left}) IN (SELECT {right} FROM json_each(?))", (to_json(rows),)))
        return self._joined(others, "OR", "0")

    def _joined(self, parts: Sequence[Condition], word: str, empty: str) -> Condition:
        """A tree in which no branch is much longer than another: SQLite takes a thousand levels."""
        if len(parts) < 2:
            return parts[0] if parts else Condition(empty)
        middle = len(parts) // 2
        left, right = (self._joined(half, word, empty) for half in (parts[:middle], parts[middle:]))
        return Condition(f"({left.sql} {word} {right.sql})", left.values + right.values)

    def _newest(self, query: Newest) -> Condition:
        inner, ground = self.of(query.part), self._ground
        # Most names have no more than that: to rank them would take as long as all the rest.
        sql = f"""
            ({inner.sql}) AND a.id NOT IN (SELECT id FROM (
                SELECT a.id, dense_rank() OVER (
                    PARTITION BY a.name, a.architecture, {ground.kind}, {ground.stream} ORDER BY a.version_key DESC
                ) AS place FROM {ground.tables_by_stream} WHERE {ground.live} AND ({inner.sql}) AND a.name IN (
                    SELECT a.name FROM {ground.tables} WHERE {ground.live} GROUP BY a.name HAVING count(*) > ?
                )
            ) WHERE place > ?)
        """
        return Condition(sql, (*inner.values, *inner.values, query.count, query.count))

    def _key(self, match: Match) -> bytes:
        try:
            return self._meaning.key(match.value)
        except ValueError as error:
            raise QueryError(f"column {match.column}: {error}", column=match.column) from error


def _pinned(part: Query) -> dict[str, Match]:
    """The fields of ``NAME:ARCH=VERSION`` and the like, by name; none for any other query."""
    if not isinstance(part, All):
        return {}
    fields = {item.field: item for item in _plain(part.parts)}
    known = "name" in fields and set(fields) <= {"name", "architecture", "version"}
    return fields if known and len(fields) == len(part.parts) else {}


def _plain(parts: Sequence[Query]) -> Iterator[Match]:
    return (item for item in parts if isinstance(item, Match) and item.operator == "=" and not item.is_glob)


def _glob(text: str) -> str:
    return text.replace("[!", "[^")
