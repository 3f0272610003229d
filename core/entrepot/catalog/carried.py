"""What bundles carry out of a catalog, and what came into it with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.advisories import Advisory, Affected, Fact, Feed
from entrepot.catalog.database import from_json, rows, to_json
from entrepot.catalog.query_sql import FUNCTION, Condition, Conditions, Ground, Meaning
from entrepot.models import Distribution, Source
from entrepot.query import Query

BATCH = 500
"""Advisories that are looked up at once."""


class Carried:
    """Reads many tables; writes ``told_verdicts``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # ---------------------------------------------------------------------------------------------- on their way out

    def chosen(
        self,
        distribution: Distribution,
        number: int,
        query: Query,
        meaning: Meaning,
        field: Callable[[bytes, str], str],
    ) -> set[int]:
        """The memberships of a version that a query means. ``field`` finds the value of a field in an index's text."""
        connection = self._db.conn
        connection.create_function(FUNCTION, 2, lambda name, raw: field(raw, name), deterministic=True)
        ground = Ground.of_version(distribution.id, number)

        def select(column: str, condition: Condition) -> list[int]:
            sql = f"SELECT {column} FROM {ground.tables} WHERE {ground.live} AND ({condition.sql})"
            return [row[0] for row in connection.execute(sql, condition.values)]

        conditions = Conditions(ground, meaning, lambda condition: select("DISTINCT a.id", condition))
        return set(select("m.id", conditions.of(query)))

    def suites(self, distribution: Distribution) -> Mapping[int, str]:
        """The distribution of the source that packages came from, by their ids, as far as they came from one."""
        sql = """
            SELECT p.package_id, i.distribution FROM imports p JOIN available a ON a.id = p.available_id
            JOIN source_indexes i ON i.id = a.index_id
            WHERE p.id IN (
                SELECT max(id) FROM imports
                WHERE distribution_id = ? AND package_id IS NOT NULL AND available_id IS NOT NULL GROUP BY package_id
            )
        """
        return dict(self._db.conn.execute(sql, [distribution.id]).fetchall())

    def advisory_digests(self, feed: Feed) -> Sequence[bytes]:
        """What the advisories of a feed are known by, in an order of their own."""
        sql = "SELECT digest FROM advisories WHERE feed_id = ? ORDER BY digest"
        return [row[0] for row in self._db.conn.execute(sql, [feed.id])]

    def advisories(self, feed: Feed, but: Collection[bytes]) -> Iterator[tuple[bytes, Advisory]]:
        """The advisories of a feed ``but`` some, in the order of their digests."""
        wanted = [digest for digest in self.advisory_digests(feed) if digest not in but]
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            sql = f"SELECT * FROM advisories WHERE feed_id = ? AND digest IN ({','.join('?' * len(batch))})"
            found = {row["digest"]: row for row in rows(self._db, sql, [feed.id, *batch])}
            affected = self._affected([row["id"] for row in found.values()])
            for digest in batch:
                row = found[digest]
                yield digest, _advisory(row, affected.get(row["id"], []))

    def facts(self, feed: Feed) -> Iterator[Fact]:
        """The facts of a feed, in an order of their own."""
        sql = "SELECT vulnerability, kind, value FROM vulnerability_facts WHERE feed_id = ? ORDER BY 1, 2"
        return (Fact(*row) for row in self._db.conn.execute(sql, [feed.id]))

    def _affected(self, advisory_ids: Sequence[int]) -> Mapping[int, list[Affected]]:
        sql = """
            SELECT a.advisory_id, e.name, a.package, a.module, a.introduced, a.introduced_key, a.fixed,
                a.last_affected, a.end_key, a.state, a.severity
            FROM advisory_affected a JOIN advisory_ecosystems e ON e.id = a.ecosystem_id
            WHERE a.advisory_id IN (SELECT value FROM json_each(?)) ORDER BY a.id
        """
        found: dict[int, list[Affected]] = {}
        for advisory_id, *values in self._db.conn.execute(sql, [to_json(list(advisory_ids))]):
            found.setdefault(advisory_id, []).append(Affected(*values))
        return found

    # ---------------------------------------------------------------------------------------------- on their way in

    def rows_of(self, source: Source) -> set[str]:
        """The digests of all entries of indexes that a source ever had, in hexadecimal."""
        sql = """
            SELECT DISTINCT lower(hex(a.digest)) FROM available a JOIN source_indexes i ON i.id = a.index_id
            WHERE i.source_id = ?
        """
        return {row[0] for row in self._db.conn.execute(sql, [source.id])}

    def imports_of(self, source: Source, distribution: Distribution, available_ids: Sequence[int]) -> Sequence[int]:
        """The newest import of each of some packages of a source to a distribution, in the order of their names."""
        sql = """
            SELECT max(p.id) FROM json_each(?) j CROSS JOIN available a ON a.id = j.value
            CROSS JOIN imports p ON p.available_id = a.id
            WHERE p.distribution_id = ? AND p.source_id = ? GROUP BY a.id ORDER BY a.name, a.version_key, a.id
        """
        found = self._db.conn.execute(sql, [to_json(list(available_ids)), distribution.id, source.id])
        return [row[0] for row in found]

    def tell(self, source: Source, told: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Keeps what a sender had scanners say of files, by sha256, in the place of what it said of them before."""
        self._db.conn.executemany(
            "INSERT OR REPLACE INTO told_verdicts (source_id, sha256, verdicts) VALUES (?, ?, ?)",
            ((source.id, sha256, to_json([dict(verdict) for verdict in verdicts])) for sha256, verdicts in told),
        )

    def told(self, source_id: int, sha256: str) -> Sequence[dict[str, Any]]:
        """What the sender of a bundle had scanners say of a file. Nobody decides by it."""
        sql = "SELECT verdicts FROM told_verdicts WHERE source_id = ? AND sha256 = ?"
        row = self._db.conn.execute(sql, [source_id, sha256]).fetchone()
        return list(from_json(row[0])) if row else []


def _advisory(row: Mapping[str, Any], affected: Sequence[Affected]) -> Advisory:
    return Advisory(
        name=row["name"],
        vulnerabilities=tuple((row["vulnerabilities"] or "").split()),
        aliases=tuple((row["aliases"] or "").split()),
        modified=row["modified"] or "",
        withdrawn=row["withdrawn"] or "",
        severity=row["severity"] or "",
        score=row["score"],
        vector=row["vector"] or "",
        summary=row["summary"] or "",
        url=row["url"] or "",
        affected=tuple(affected),
        issuer=row["issuer"] or "",
        justification=row["justification"] or "",
    )
