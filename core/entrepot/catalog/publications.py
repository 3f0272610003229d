"""Publications and the manifest: what is in each published tree, so that publishing never has to list one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_text, to_time
from entrepot.models import Distribution, Repository


@dataclass(frozen=True, slots=True)
class Publication:
    """One version put in place. ``settings_digest`` covers all else that its files depend on."""

    id: int
    distribution_id: int
    version: int
    settings_digest: str
    signed_by: str | None
    written: int
    bytes: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A file that is in a published tree."""

    path: str
    phase: int
    size: int
    sha256: str


class PublicationsTable:
    """Tables ``publications`` and ``published_files``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def latest(self, distribution: Distribution) -> Publication | None:
        """The publication whose files are in place now."""
        columns = "id, distribution_id, version, settings_digest, signed_by, written, bytes, created_at"
        where = "distribution_id = ? AND state = 'completed'"
        sql = f"SELECT {columns} FROM publications WHERE {where} ORDER BY id DESC LIMIT 1"
        for row in rows(self._db, sql, [distribution.id]):
            return Publication(**(row | {"created_at": to_time(row["created_at"])}))
        return None

    def interrupted(self, distribution: Distribution) -> bool:
        """Whether the newest publication of a distribution was begun and not ended."""
        sql = "SELECT state FROM publications WHERE repository_id = ? AND distribution_id = ? ORDER BY id DESC LIMIT 1"
        found = self._db.conn.execute(sql, [distribution.repository_id, distribution.id]).fetchone()
        return bool(found and found[0] == "started")

    def newest(self, distribution: Distribution) -> int:
        """The id of the publication of a distribution that was begun last, 0 if there is none: it changes with each."""
        sql = "SELECT coalesce(max(id), 0) FROM publications WHERE repository_id = ? AND distribution_id = ?"
        return int(self._db.conn.execute(sql, [distribution.repository_id, distribution.id]).fetchone()[0])

    def start(self, distribution: Distribution, version: int, settings_digest: str, now: dt.datetime) -> int:
        """Notes that files which clients read are about to change, and answers the publication's id."""
        sql = """
            INSERT INTO publications (repository_id, distribution_id, version, settings_digest, state, written, bytes,
                created_at) VALUES (?, ?, ?, ?, 'started', 0, 0, ?) RETURNING id
        """
        values = [distribution.repository_id, distribution.id, version, settings_digest, to_text(now)]
        return int(self._db.conn.execute(sql, values).fetchone()[0])

    def complete(self, publication_id: int, signed_by: str | None, written: int, size: int) -> None:
        """Notes that a version is in place."""
        self._db.conn.execute(
            "UPDATE publications SET state = 'completed', signed_by = ?, written = ?, bytes = ? WHERE id = ?",
            [signed_by, written, size, publication_id],
        )

    def files(self, repository: Repository, distribution: Distribution | None) -> Mapping[str, ManifestEntry]:
        """The current files of a distribution besides packages, or (None) of the repository as a whole, by path."""
        where = "repository_id = ? AND phase > 0 AND superseded_at IS NULL AND distribution_id IS ?"
        sql = f"SELECT path, phase, size, sha256 FROM published_files WHERE {where}"
        parameters = [repository.id, distribution.id if distribution else None]
        return {row["path"]: ManifestEntry(**row) for row in rows(self._db, sql, parameters)}

    def payload(self, repository: Repository, path: str) -> ManifestEntry | None:
        """The package file at a path."""
        sql = "SELECT path, phase, size, sha256 FROM published_files WHERE repository_id = ? AND path = ?"
        for row in rows(self._db, sql, [repository.id, path]):
            return ManifestEntry(**row)
        return None

    def save(
        self,
        repository: Repository,
        distribution: Distribution | None,
        files: Iterable[ManifestEntry],
        now: dt.datetime,
    ) -> None:
        """Notes files as being in place; what was there under their paths is replaced."""
        owner = distribution.id if distribution else None
        self._db.conn.executemany(
            """
            INSERT INTO published_files (repository_id, distribution_id, path, phase, size, sha256, published_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (repository_id, path) DO UPDATE SET distribution_id = excluded.distribution_id,
                phase = excluded.phase, size = excluded.size, sha256 = excluded.sha256,
                published_at = excluded.published_at, superseded_at = NULL
            """,
            [
                (
                    repository.id,
                    owner if file.phase else None,
                    file.path,
                    file.phase,
                    file.size,
                    file.sha256,
                    to_text(now),
                )
                for file in files
            ],
        )

    def forget(self, repository: Repository) -> None:
        """Forgets what is in place, for a repository that is published elsewhere from now on."""
        self._db.conn.execute("DELETE FROM publications WHERE repository_id = ?", [repository.id])
        self._db.conn.execute("DELETE FROM published_files WHERE repository_id = ?", [repository.id])

    def supersede(self, repository: Repository, paths: Iterable[str], now: dt.datetime) -> None:
        """Notes that files are no longer part of the newest publication: they stay until they are collected."""
        self._db.conn.executemany(
            "UPDATE published_files SET superseded_at = ?"
            " WHERE repository_id = ? AND path = ? AND superseded_at IS NULL",
            [(to_text(now), repository.id, path) for path in paths],
        )
