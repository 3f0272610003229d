"""What synced indexes offer: written by sync, read by search, resolve and the solver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_json, to_text
from entrepot.contracts import Candidate, IndexEntry
from entrepot.errors import NotFoundError
from entrepot.models import SOURCE_ARCHITECTURE, Available, Described, Source, SyncCounts

BATCH = 500
"""Entries that are looked up and written at once; bounds the memory of a sync."""

COLUMNS = """
    a.id, s.id AS source_id, s.name AS source, s.format, a.name, a.version, a.version_key, a.architecture,
    i.kind, i.distribution, i.component, a.source_name, a.section, a.size, a.sha256, a.location, a.summary, i.signed_by,
    a.source_version
"""
FROM = "FROM available a JOIN source_indexes i ON i.id = a.index_id JOIN sources s ON s.id = i.source_id"


class AvailableTable:
    """Tables ``available``, ``available_raw`` and ``available_fts``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def next_id(self) -> int:
        """The id that the next new row gets."""
        return int(self._db.conn.execute("SELECT coalesce(max(id), 0) + 1 FROM available").fetchone()[0])

    def replace(
        self, index_id: int, entries: Iterable[IndexEntry], describe: Callable[[bytes], Described], now: dt.datetime
    ) -> SyncCounts:
        """Makes the packages of one index those of ``entries``, which is read once, in batches.

        Only entries whose digest is new to the index are described and written; those that are gone get a time of
        vanishing and stay, so that what was imported from them can be explained.
        """
        return _Replacement(self._db, index_id, describe, now).run(entries)

    def vanish(self, index_id: int, now: dt.datetime) -> int:
        """Marks every package of an index as gone and answers how many there were."""
        sql = "UPDATE available SET vanished_at = ? WHERE index_id = ? AND vanished_at IS NULL"
        return self._db.conn.execute(sql, [to_text(now), index_id]).rowcount

    def index_text(self, first_id: int) -> None:
        """Brings every row from ``first_id`` on into the full-text index; once at the end of a sync."""
        self._db.conn.execute(
            """
            INSERT INTO available_fts(rowid, name, provides, summary, description)
            SELECT id, name, provides, summary, description FROM available WHERE id >= ?
            """,
            [first_id],
        )

    def remove_source(self, source: Source) -> None:
        """Removes all rows of a source, from the full-text index first, which needs to see what it forgets."""
        of_source = "SELECT id FROM source_indexes WHERE source_id = ?"
        execute = self._db.conn.execute
        execute(
            f"""
            INSERT INTO available_fts(available_fts, rowid, name, provides, summary, description)
            SELECT 'delete', id, name, provides, summary, description FROM available WHERE index_id IN ({of_source})
            """,
            [source.id],
        )
        execute(
            f"DELETE FROM available_raw WHERE id IN (SELECT id FROM available WHERE index_id IN ({of_source}))",
            [source.id],
        )
        execute(f"DELETE FROM available WHERE index_id IN ({of_source})", [source.id])

    def get(self, available_id: int) -> Available:
        """One row, vanished or not."""
        for row in self._select("a.id = ?", [available_id]):
            return row
        raise NotFoundError(f"there is no available package with id {available_id}")

    def raw(self, available_id: int) -> bytes:
        """The text of the index, as it came."""
        found = self._db.conn.execute("SELECT raw FROM available_raw WHERE id = ?", [available_id]).fetchone()
        if found is None:
            raise NotFoundError(f"there is no available package with id {available_id}")
        return bytes(found[0])

    def versions(self, name: str, sources: Sequence[Source] = (), *, vanished: bool = False) -> Sequence[Available]:
        """Every row of a name, newest version first; over all sources unless some are given.

        The same package in the indexes of several architectures comes once.
        """
        where = "a.name = ?"
        parameters: list[Any] = [name]
        if sources:
            where += f" AND s.id IN ({_marks(sources)})"
            parameters += [source.id for source in sources]
        if not vanished:
            where += " AND a.vanished_at IS NULL"
        seen: set[tuple[object, ...]] = set()
        unique = []
        for row in self._select(f"{where} ORDER BY a.version_key DESC, s.id, i.id, a.id", parameters):
            identity = (row.source_id, row.distribution, row.component, row.architecture, row.version, row.sha256)
            if identity not in seen:
                seen.add(identity)
                unique.append(row)
        return unique

    def similar_names(self, name: str, sources: Sequence[Source], limit: int = 5) -> Sequence[str]:
        """Names that start as ``name`` does, for hints."""
        stem = name[: max(3, len(name) * 2 // 3)]
        sql = f"""
            SELECT DISTINCT a.name {FROM} WHERE a.name >= ? AND a.name < ? AND a.vanished_at IS NULL
            AND s.id IN ({_marks(sources)}) ORDER BY a.name LIMIT ?
        """
        parameters = [stem, stem + "\U0010ffff", *(source.id for source in sources), limit]
        return [row[0] for row in self._db.conn.execute(sql, parameters)]

    def candidates(
        self, source_ids: Sequence[int], names: Collection[str], architectures: Collection[str]
    ) -> Iterator[Candidate]:
        """Binary packages of these names, for the solver."""
        remaining = iter(sorted(names))
        while chunk := list(islice(remaining, BATCH)):
            yield from self._candidates(f"a.name IN ({_marks(chunk)})", chunk, source_ids, architectures)

    def providers(
        self, source_ids: Sequence[int], names: Collection[str], architectures: Collection[str]
    ) -> Iterator[Candidate]:
        """Binary packages that provide one of these names besides their own, for the solver.

        The full-text index finds those that have the words of the name; those of them that have the name itself count.
        A name without any letter or digit is not found.
        """
        found = {row_id for row_ids in self.provider_ids(names).values() for row_id in row_ids}
        return self.numbered(source_ids, found, architectures)

    def provider_ids(self, names: Collection[str]) -> Mapping[str, Sequence[int]]:
        """The numbers of those that provide each of these names, whatever they are and wherever they are from."""
        sql = "SELECT rowid, provides FROM available_fts WHERE available_fts MATCH ?"
        found: dict[str, Sequence[int]] = {}
        for name in names:
            # The index splits what it is asked for into words itself, as it did with what it holds.
            phrase = name.replace("\0", " ").replace('"', '""')
            hits = self._db.conn.execute(sql, [f'provides : "{phrase}"'])
            found[name] = [row_id for row_id, provides in hits if name in provides.split(" ")]
        return found

    def numbered(
        self, source_ids: Sequence[int], numbers: Collection[int], architectures: Collection[str]
    ) -> Iterator[Candidate]:
        """The binary packages of these numbers, for the solver."""
        remaining = iter(sorted(numbers))
        while chunk := list(islice(remaining, BATCH)):
            yield from self._candidates(f"a.id IN ({_marks(chunk)})", chunk, source_ids, architectures)

    def source_names(self, numbers: Collection[int]) -> Mapping[int, str]:
        """The name of the source of each of these packages."""
        sql = """
            SELECT a.id, s.name FROM json_each(?) n CROSS JOIN available a ON a.id = n.value
            CROSS JOIN source_indexes i ON i.id = a.index_id CROSS JOIN sources s ON s.id = i.source_id
        """
        return dict(self._db.conn.execute(sql, [to_json(sorted(numbers))]))

    def everything(self, source_ids: Sequence[int], architectures: Collection[str]) -> Iterator[Candidate]:
        """All binary packages, streamed, for what only the text of each can tell a solver."""
        yield from self._candidates("1 = 1", [], source_ids, architectures)

    def architectures(self, source_id: int) -> Sequence[str]:
        """The architectures of the binary packages of a source. Reads all of its rows."""
        sql = """
            SELECT DISTINCT a.architecture FROM available a JOIN source_indexes i ON i.id = a.index_id
            WHERE i.source_id = ? AND i.kind = 'binary' AND a.vanished_at IS NULL ORDER BY 1
        """
        return [row[0] for row in self._db.conn.execute(sql, [source_id])]

    def architectures_of(self, numbers: Collection[int]) -> Sequence[str]:
        """The architectures of the binary packages among these numbers."""
        sql = """
            SELECT DISTINCT a.architecture FROM json_each(?) n CROSS JOIN available a ON a.id = n.value
            CROSS JOIN source_indexes i ON i.id = a.index_id WHERE i.kind = 'binary' ORDER BY 1
        """
        return [row[0] for row in self._db.conn.execute(sql, [to_json(sorted(numbers))])]

    def _candidates(
        self, where: str, values: Sequence[Any], source_ids: Sequence[int], architectures: Collection[str]
    ) -> Iterator[Candidate]:
        # CROSS JOIN keeps the order: for more than a few names, SQLite would rather read all packages of the sources.
        sql = f"""
            SELECT a.id, a.name, a.version, a.architecture, r.raw
            FROM available a CROSS JOIN source_indexes i ON i.id = a.index_id CROSS JOIN available_raw r ON r.id = a.id
            WHERE {where} AND i.source_id IN ({_marks(source_ids)}) AND a.architecture IN ({_marks(architectures)})
            AND a.vanished_at IS NULL AND i.kind = 'binary'
        """
        for row in self._db.conn.execute(sql, [*values, *source_ids, *architectures]):
            yield Candidate(*row)

    def _select(self, where: str, parameters: Sequence[Any]) -> Iterator[Available]:
        for row in rows(self._db, f"SELECT {COLUMNS} {FROM} WHERE {where}", parameters):
            yield Available(**row)


def binary_first(row: Available) -> tuple[bool, bool]:
    """Sort key that puts ordinary packages before those of installers, and those before source packages."""
    return (row.architecture == SOURCE_ARCHITECTURE, row.kind != "binary")


class _Replacement:
    """One index being made what upstream says it is, inside the caller's transaction."""

    def __init__(self, db: Database, index_id: int, describe: Callable[[bytes], Described], now: dt.datetime) -> None:
        self._conn = db.conn
        self._index_id = index_id
        self._describe = describe
        self._now = to_text(now)
        low, high = self._conn.execute(
            "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM available WHERE index_id = ?", [index_id]
        ).fetchone()
        self._low: int = low
        # One byte for each id that the index could have: a set would need a hundred times as much.
        self._seen = bytearray(high - low + 1)
        self._first_new = int(self._conn.execute("SELECT coalesce(max(id), 0) + 1 FROM available").fetchone()[0])
        self._next = self._first_new
        self._added = self._unchanged = 0
        self._returned: list[tuple[int]] = []

    def run(self, entries: Iterable[IndexEntry]) -> SyncCounts:
        stream = iter(entries)
        while batch := list(islice(stream, BATCH)):
            self._write(batch)
        added = self._added + len(self._returned)
        if not self._seen:
            return SyncCounts(added=added)
        removed, changed = self._sweep()
        return SyncCounts(added - changed, changed, removed - changed, self._unchanged)

    def _write(self, batch: Sequence[IndexEntry]) -> None:
        fresh = {entry.digest: entry for entry in batch}
        if self._seen:
            self._leave_out_known(fresh)
        if not fresh:
            return
        values, raws = [], []
        for digest, entry in fresh.items():
            raw = entry.raw
            row = self._describe(raw)
            values.append(
                (
                    self._next,
                    self._index_id,
                    row.name,
                    row.version,
                    row.architecture,
                    row.size,
                    row.summary,
                    row.section,
                    row.source_name,
                    row.provides,
                    row.sha256,
                    row.location,
                    row.version_key,
                    digest,
                    row.description if row.description != row.summary else "",
                    row.source_version,
                )
            )
            raws.append((self._next, raw))
            self._next += 1
        written = self._conn.executemany(
            "INSERT INTO available (id, index_id, name, version, architecture, size, summary, section, source_name,"
            " provides, sha256, location, version_key, digest, description, source_version)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (index_id, digest) DO NOTHING",
            values,
        ).rowcount
        self._added += written
        if written < len(values):  # a stanza stands twice in the index
            held = self._conn.execute("SELECT id FROM available WHERE id >= ?", [values[0][0]])
            ids = {row[0] for row in held}
            raws = [row for row in raws if row[0] in ids]
        self._conn.executemany("INSERT INTO available_raw (id, raw) VALUES (?, ?)", raws)

    def _leave_out_known(self, fresh: dict[bytes, IndexEntry]) -> None:
        """Takes out of ``fresh`` what the catalog holds already, and notes that it was seen."""
        sql = f"SELECT digest, id, vanished_at FROM available WHERE index_id = ? AND digest IN ({_marks(fresh)})"
        for digest, row_id, vanished in self._conn.execute(sql, [self._index_id, *fresh]):
            del fresh[digest]
            if row_id >= self._first_new or self._seen[row_id - self._low]:
                continue  # a stanza that stands twice in the index
            self._seen[row_id - self._low] = 1
            if vanished is None:
                self._unchanged += 1
            else:
                self._returned.append((row_id,))

    def _sweep(self) -> tuple[int, int]:
        """Marks what was not seen as vanished; answers how many, and for how many of them another entry came."""
        execute = self._conn.execute
        execute("CREATE TEMP TABLE IF NOT EXISTS vanishing (id INTEGER PRIMARY KEY)")
        execute("DELETE FROM vanishing")
        # In the order of ids, as the rows lie in the file: by the index of digests this takes five times as long.
        live = execute(
            "SELECT id FROM available NOT INDEXED WHERE id BETWEEN ? AND ? AND index_id = ? AND vanished_at IS NULL",
            [self._low, self._low + len(self._seen) - 1, self._index_id],
        )
        self._conn.executemany(
            "INSERT INTO vanishing VALUES (?)", [row for row in live if not self._seen[row[0] - self._low]]
        )
        execute("CREATE TEMP TABLE IF NOT EXISTS returned (id INTEGER PRIMARY KEY)")
        execute("DELETE FROM returned")
        self._conn.executemany("INSERT INTO returned VALUES (?)", self._returned)
        execute("UPDATE available SET vanished_at = NULL WHERE id IN (SELECT id FROM returned)")
        changed = execute(
            """
            SELECT count(*) FROM (
                SELECT name, architecture FROM available JOIN vanishing USING (id)
                INTERSECT
                SELECT name, architecture FROM available
                WHERE index_id = :index AND id >= :first OR id IN (SELECT id FROM returned)
            )
            """,
            {"index": self._index_id, "first": self._first_new},
        ).fetchone()[0]
        removed = execute(
            "UPDATE available SET vanished_at = ? WHERE id IN (SELECT id FROM vanishing)", [self._now]
        ).rowcount
        return removed, changed


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
