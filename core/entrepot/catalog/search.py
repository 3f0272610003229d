"""Search over what synced sources offer: exact name, names that start so, words in names, summaries, anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.available import COLUMNS, FROM
from entrepot.catalog.database import rows
from entrepot.models import Available

FULL_TEXT_DEPTH = 1000
"""Hits of the full text that are ranked, the newest ones: nobody could tell the order of more from chance."""

MOST_WORDS = 32
"""Words of the full text that are looked for; further ones are not looked at."""

SHORTEST_BEGINNING = 4
"""Letters from which on the last word may be the beginning of one before whole words are looked for in summaries. What
begins with fewer is too much to be read each time: 53 ms for `lib` in 507,520 packages, 8 ms for `pyth`."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search; empty is everything."""

    source_id: int | None = None
    format: str = ""
    architecture: str = ""
    name: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """The conditions as SQL, each starting with AND."""
        sql, parameters = " AND a.vanished_at IS NULL", []
        for column, value in (
            ("s.id", self.source_id),
            ("s.format", self.format),
            ("a.architecture", self.architecture),
            ("a.name", self.name),
        ):
            if value:
                sql += f" AND {column} = ?"
                parameters.append(value)
        return sql, parameters


class Search:
    """Finds available packages by what a person types."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(
        self, text: str, filters: Filters, *, all_versions: bool = False, limit: int = 25, offset: int = 0
    ) -> Sequence[Available]:
        """The packages of up to ``limit`` names, best name first, newest version first.

        Without ``all_versions`` one row for each name, source and architecture.
        """
        # What a terminal or a JSON document can hold and a database cannot: half of a surrogate pair.
        text = text.encode("utf-8", "replace").decode().strip()
        names = self._names(text, filters, limit + offset)[offset:]
        if not names:
            return []
        where, parameters = filters.where()
        sql = f"SELECT {COLUMNS} {FROM} WHERE a.name IN ({','.join('?' * len(names))}){where}"
        found: dict[str, list[Available]] = {name: [] for name in names}
        seen: set[tuple[object, ...]] = set()
        by_version = rows(self._db, sql + " ORDER BY a.version_key DESC, s.id, i.id, a.id", [*names, *parameters])
        for row in (Available(**row) for row in by_version):
            identity: tuple[object, ...] = (row.name, row.source_id, row.architecture)
            if all_versions:
                identity += (row.version, row.distribution, row.component)
            if identity not in seen:
                seen.add(identity)
                found[row.name].append(row)
        return [row for name in names for row in found[name]]

    def _names(self, text: str, filters: Filters, count: int) -> list[str]:
        where, parameters = filters.where()
        names: dict[str, None] = {}

        def collect(sql: str, values: Sequence[Any]) -> None:
            if len(names) < count:
                names.update((row[0], None) for row in self._db.conn.execute(sql, values))

        if text:
            collect(f"SELECT a.name {FROM} WHERE a.name = ?{where} LIMIT 1", [text, *parameters])
        collect(
            f"SELECT DISTINCT a.name {FROM} WHERE a.name >= ? AND a.name < ?{where} ORDER BY a.name LIMIT ?",
            [text, text + "\U0010ffff", *parameters, count],
        )
        # Every package has an index and a source: only a filter needs to know which.
        joins = "CROSS JOIN source_indexes i ON i.id = a.index_id CROSS JOIN sources s ON s.id = i.source_id"
        joins = joins if filters.source_id or filters.format else ""
        # Ranks are places and lengths, not bm25(): that counts all that have each of the words, for every search.
        sql = f"""
            SELECT name FROM (
                SELECT a.name, a.summary FROM available_fts CROSS JOIN available a ON a.id = available_fts.rowid
                {joins} WHERE available_fts MATCH ?{where}
                ORDER BY available_fts.rowid DESC LIMIT {FULL_TEXT_DEPTH}
            ) GROUP BY name ORDER BY max(instr(lower(summary), ?) > 0) DESC, min(length(summary)), length(name), name
            LIMIT ?
        """
        for query in _tiers(re.findall(r"\w+", text)[:MOST_WORDS]):
            collect(sql, [query, *parameters, text.lower(), count])
        return list(names)[:count]


def _tiers(words: Sequence[str]) -> Iterator[str]:
    """Where the words are looked for, best place first, as queries of the full text."""
    if words:
        whole = " ".join(f'"{word}"' for word in words)
        yield f"{{name}} : ({whole}{'*' if len(words[-1]) >= SHORTEST_BEGINNING else ''})"
        yield f"{{name summary}} : ({whole})"
        yield whole
        yield f"{whole}*"
