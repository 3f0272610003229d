"""Figures for those who watch a workspace: counts that are cheap whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database


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
