"""Snapshots: versions that stay reachable under a name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_text, to_time
from entrepot.errors import NotFoundError
from entrepot.models import Distribution, Repository, Snapshot, Target


class SnapshotsTable:
    """Table ``snapshots``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(
        self, distribution: Distribution | None = None, repository: Repository | None = None
    ) -> Sequence[Snapshot]:
        """The snapshots of a distribution, of a repository or of all, by distribution, oldest first."""
        if distribution is not None:
            return self._found("s.distribution_id = ?", distribution.id)
        return self._found("d.repository_id = ?", repository.id) if repository else self._found("1 = 1")

    def exist(self, distribution: Distribution) -> bool:
        """Whether a distribution has any."""
        sql = "SELECT EXISTS (SELECT 1 FROM snapshots WHERE distribution_id = ?)"
        return bool(self._db.conn.execute(sql, [distribution.id]).fetchone()[0])

    def find(self, distribution: Distribution, name: str) -> Snapshot | None:
        """The snapshot of a name, if there is one."""
        return next(iter(self._found("s.distribution_id = ? AND s.name = ?", distribution.id, name)), None)

    def get(self, distribution: Distribution, name: str) -> Snapshot:
        """The snapshot of a name; ``NotFoundError`` if there is none."""
        if found := self.find(distribution, name):
            return found
        hint = f"`entrepot snapshot list {distribution.path}` shows those there are"
        raise NotFoundError(f"{distribution.path} has no snapshot {name!r}", hint=hint, name=name)

    def published(self, target: Target) -> Sequence[Snapshot]:
        """Those that are in place at a target."""
        where = """
            EXISTS (
                SELECT 1 FROM publications p WHERE p.snapshot_id = s.id AND p.target_id = ? AND p.state = 'completed'
            )
        """
        return self._found(where, target.id)

    def save(self, distribution: Distribution, name: str, version: int, now: dt.datetime) -> Snapshot:
        """Makes a snapshot, or has it name another version."""
        self._db.conn.execute(
            "INSERT INTO snapshots (distribution_id, name, version, created_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (distribution_id, name) DO UPDATE SET version = excluded.version,"
            " created_at = excluded.created_at",
            [distribution.id, name, version, to_text(now)],
        )
        return self.get(distribution, name)

    def remove(self, snapshot: Snapshot) -> None:
        """Forgets a snapshot; its files, as far as they are still there, are nobody's and wait to be collected."""
        self._db.conn.execute("DELETE FROM publications WHERE snapshot_id = ?", [snapshot.id])
        self._db.conn.execute(
            "UPDATE published_files SET snapshot_id = NULL, superseded_in = 0 WHERE snapshot_id = ?", [snapshot.id]
        )
        self._db.conn.execute("DELETE FROM snapshots WHERE id = ?", [snapshot.id])

    def _found(self, where: str, *parameters: Any) -> Sequence[Snapshot]:
        sql = f"""
            SELECT s.id, s.distribution_id, r.name || '/' || d.name AS distribution, s.name, s.version, s.created_at
            FROM snapshots s JOIN distributions d ON d.id = s.distribution_id
            JOIN repositories r ON r.id = d.repository_id WHERE {where} ORDER BY r.name, d.name, s.created_at, s.id
        """
        return [
            Snapshot(**(row | {"created_at": to_time(row["created_at"])})) for row in rows(self._db, sql, parameters)
        ]
