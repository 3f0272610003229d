"""Figures for those who watch a workspace: counts that are cheap whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows


class Figures:
    """Counts over several tables."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def imports(self) -> Sequence[tuple[str, int]]:
        """Imports by state."""
        return self._rows("SELECT state, count(*) FROM imports GROUP BY state ORDER BY state")

    def tasks(self) -> Sequence[tuple[str, str, int]]:
        """Tasks by kind and state."""
        return self._rows("SELECT kind, state, count(*) FROM tasks GROUP BY kind, state ORDER BY kind, state")

    def distributions(self) -> Sequence[tuple[str, int, int]]:
        """Every distribution's path, newest version and packages."""
        return self._rows(
            """
            SELECT r.name || '/' || d.name, v.number, v.packages FROM distributions d
            JOIN repositories r ON r.id = d.repository_id
            JOIN versions v ON v.distribution_id = d.id
                AND v.number = (SELECT max(number) FROM versions WHERE distribution_id = d.id)
            ORDER BY 1
            """
        )

    def _rows(self, sql: str) -> Sequence[Any]:
        return self._db.conn.execute(sql).fetchall()

    def waiting(self) -> int:
        """Imports that wait for a person."""
        return int(self._rows("SELECT count(*) FROM imports WHERE state = 'pending_review'")[0][0])

    def under_way(self) -> int:
        """Tasks that wait or run."""
        return int(self._rows("SELECT count(*) FROM tasks WHERE state IN ('waiting', 'running')")[0][0])

    def last_tasks(self, kind: str) -> Sequence[tuple[str, int, str, str]]:
        """(subject, task, state, error as JSON) of the last task of a kind, for each subject."""
        sql = """
            SELECT t.subject, t.id, t.state, coalesce(t.error, 'null') FROM tasks t
            JOIN (SELECT max(id) AS id FROM tasks WHERE kind = ? GROUP BY subject) l ON l.id = t.id ORDER BY t.subject
        """
        return self._db.conn.execute(sql, [kind]).fetchall()

    def sizes(self, limit: int) -> Sequence[tuple[str, int, str, int, int]]:
        """(distribution, version, time, packages, bytes) of the newest ``limit`` versions of each, oldest first."""
        sql = """
            WITH changes AS (
                SELECT m.distribution_id, m.added_in AS number, p.size FROM membership m
                JOIN packages p ON p.id = m.package_id
                UNION ALL
                SELECT m.distribution_id, m.removed_in, -p.size FROM membership m JOIN packages p ON p.id = m.package_id
                WHERE m.removed_in IS NOT NULL
            ), deltas AS (
                SELECT distribution_id, number, sum(size) AS size FROM changes GROUP BY distribution_id, number
            ), totals AS (
                SELECT v.distribution_id, v.number, v.created_at, v.packages,
                    sum(coalesce(c.size, 0)) OVER (PARTITION BY v.distribution_id ORDER BY v.number) AS bytes,
                    row_number() OVER (PARTITION BY v.distribution_id ORDER BY v.number DESC) AS age
                FROM versions v LEFT JOIN deltas c ON c.distribution_id = v.distribution_id AND c.number = v.number
            )
            SELECT r.name || '/' || d.name, t.number, t.created_at, t.packages, t.bytes FROM totals t
            JOIN distributions d ON d.id = t.distribution_id JOIN repositories r ON r.id = d.repository_id
            WHERE t.age <= ? ORDER BY 1, 2
        """
        return self._db.conn.execute(sql, [limit]).fetchall()

    def published(self) -> Sequence[dict[str, Any]]:
        """The publication that is in place, for each distribution and target; null where there is none yet."""
        sql = """
            SELECT r.name || '/' || d.name AS distribution, r.format, t.url AS target, b.version, b.created_at,
                b.signed_by, b.state, (SELECT max(number) FROM versions WHERE distribution_id = d.id) AS newest
            FROM distributions d JOIN repositories r ON r.id = d.repository_id
            LEFT JOIN targets t ON t.repository_id = r.id
            LEFT JOIN publications b ON b.id = (
                SELECT max(id) FROM publications WHERE distribution_id = d.id AND target_id = t.id
                AND state = 'completed'
            )
            ORDER BY 1, t.id
        """
        return list(rows(self._db, sql))
