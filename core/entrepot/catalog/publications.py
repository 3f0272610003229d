"""Publications and the manifest: what is in each published tree, so that publishing never has to list one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text, to_time
from entrepot.catalog.versions import IN_VERSION
from entrepot.models import Distribution, Snapshot, Target


@dataclass(frozen=True, slots=True)
class Publication:
    """One version put in place at one target. ``settings_digest`` covers all else that its files depend on.

    ``identity`` is what clients know of the distribution since; empty where the format has nothing of the kind.
    """

    id: int
    target_id: int
    distribution_id: int
    version: int
    settings_digest: str
    signed_by: str | None
    written: int
    bytes: int
    requests: Mapping[str, int]
    created_at: dt.datetime
    identity: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A file that is in a published tree."""

    path: str
    phase: int
    size: int
    sha256: str


class Basis(NamedTuple):
    """The newest publication that was begun, and how often superseded files were collected."""

    publication: int
    collections: int


class PublicationsTable:
    """Tables ``publications`` and ``published_files``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # -------------------------------------------------------------------------------------------- publications

    def latest(
        self, target: Target, distribution: Distribution, snapshot: Snapshot | None = None
    ) -> Publication | None:
        """The publication whose files are in place at a target now, of a distribution or of a snapshot of it."""
        where = "target_id = ? AND distribution_id = ? AND snapshot_id IS ? AND state = 'completed'"
        columns = (
            "id, target_id, distribution_id, version, settings_digest, signed_by, written, bytes, requests, created_at,"
            " identity"
        )
        sql = f"SELECT {columns} FROM publications WHERE {where} ORDER BY id DESC LIMIT 1"
        for row in rows(self._db, sql, [target.id, distribution.id, _id(snapshot)]):
            decoded = {"created_at": to_time(row["created_at"])}
            decoded |= {name: from_json(row[name]) for name in ("requests", "identity")}
            return Publication(**(row | decoded))
        return None

    def first_with(self, distribution: Distribution, number: int) -> dt.datetime | None:
        """When a version of a distribution, or one that came after it, was put in place first."""
        sql = """
            SELECT min(created_at) FROM publications
            WHERE distribution_id = ? AND version >= ? AND state = 'completed' AND snapshot_id IS NULL
        """
        found = self._db.conn.execute(sql, [distribution.id, number]).fetchone()[0]
        return None if found is None else to_time(found)

    def was_in_place(self, target: Target, distribution: Distribution, number: int) -> bool:
        """Whether a version of a distribution, or one that came after it, was ever put in place at a target."""
        sql = """
            SELECT EXISTS (
                SELECT 1 FROM publications WHERE target_id = ? AND distribution_id = ? AND version >= ?
                AND state = 'completed' AND snapshot_id IS NULL
            )
        """
        return bool(self._db.conn.execute(sql, [target.id, distribution.id, number]).fetchone()[0])

    def interrupted(self, target: Target, distribution: Distribution, snapshot: Snapshot | None = None) -> bool:
        """Whether the newest publication of a distribution, or snapshot, at a target was begun and not ended."""
        sql = """
            SELECT state FROM publications WHERE target_id = ? AND distribution_id = ? AND snapshot_id IS ?
            ORDER BY id DESC LIMIT 1
        """
        found = self._db.conn.execute(sql, [target.id, distribution.id, _id(snapshot)]).fetchone()
        return bool(found and found[0] == "started")

    def basis(self, target: Target, distribution: Distribution) -> Basis:
        """What changes with every publication that begins and every collection at a target: a plan stands on it."""
        sql = """
            SELECT coalesce((SELECT max(id) FROM publications WHERE target_id = t.id AND distribution_id = ?), 0),
                t.collections FROM targets t WHERE t.id = ?
        """
        return Basis(*self._db.conn.execute(sql, [distribution.id, target.id]).fetchone())

    def begun(self, target: Target) -> bool:
        """Whether anything was ever begun to be published to a target."""
        sql = "SELECT EXISTS (SELECT 1 FROM publications WHERE target_id = ?)"
        return bool(self._db.conn.execute(sql, [target.id]).fetchone()[0])

    def start(
        self,
        target: Target,
        distribution: Distribution,
        version: int,
        settings_digest: str,
        identity: Mapping[str, str],
        now: dt.datetime,
        snapshot: Snapshot | None = None,
    ) -> int:
        """Notes that files which clients read are about to change, and answers the publication's id."""
        sql = """
            INSERT INTO publications (target_id, distribution_id, version, settings_digest, state, written, bytes,
                requests, identity, created_at, snapshot_id)
            VALUES (?, ?, ?, ?, 'started', 0, 0, '{}', ?, ?, ?) RETURNING id
        """
        values = [target.id, distribution.id, version, settings_digest, to_json(dict(identity)), to_text(now)]
        values.append(_id(snapshot))
        return int(self._db.conn.execute(sql, values).fetchone()[0])

    def complete(
        self, publication_id: int, signed_by: str | None, written: int, size: int, requests: Mapping[str, int]
    ) -> None:
        """Notes that a version is in place."""
        self._db.conn.execute(
            "UPDATE publications SET state = 'completed', signed_by = ?, written = ?, bytes = ?, requests = ?"
            " WHERE id = ?",
            [signed_by, written, size, to_json(dict(requests)), publication_id],
        )

    # ------------------------------------------------------------------------------------------------- manifest

    def files(
        self, target: Target, distribution: Distribution | None, snapshot: Snapshot | None = None
    ) -> Mapping[str, ManifestEntry]:
        """The current files of a distribution besides packages, or (None) of the repository as a whole, by path."""
        where = "target_id = ? AND phase > 0 AND superseded_at IS NULL AND distribution_id IS ? AND snapshot_id IS ?"
        sql = f"SELECT path, phase, size, sha256 FROM published_files WHERE {where}"
        parameters = [target.id, distribution.id if distribution else None, _id(snapshot)]
        return {row["path"]: ManifestEntry(**row) for row in rows(self._db, sql, parameters)}

    def current(self, target: Target) -> Iterator[ManifestEntry]:
        """Every file of a target that is not superseded, by path."""
        sql = "SELECT path, phase, size, sha256 FROM published_files WHERE target_id = ? AND superseded_at IS NULL"
        return (ManifestEntry(**row) for row in rows(self._db, f"{sql} ORDER BY path", [target.id]))

    def count(self, target: Target, *, current: bool = False) -> int:
        """How many files a target is known to have, superseded ones included unless only ``current`` ones count."""
        superseded = " AND superseded_at IS NULL" if current else ""
        sql = f"SELECT count(*) FROM published_files WHERE target_id = ?{superseded}"
        return int(self._db.conn.execute(sql, [target.id]).fetchone()[0])

    def missing(
        self, target: Target, distribution: Distribution, since: int, until: int, *, full: bool = False
    ) -> Iterator[tuple[str, int, str]]:
        """Path, size and sha256 of package files that version ``until`` has and a target lacks, each path once.

        Of packages that version ``since`` had they are in place; with ``full`` nothing is taken to be in place.
        """
        sql = f"""
            SELECT m.location || '/' || f.name AS place, f.size, f.sha256 FROM membership m
            JOIN package_files f ON f.package_id = m.package_id
            LEFT JOIN published_files p ON p.target_id = :target AND p.path = m.location || '/' || f.name
            WHERE {IN_VERSION} AND NOT (m.added_in <= :since AND (m.removed_in IS NULL OR m.removed_in > :since))
            AND (:full OR p.sha256 IS NOT f.sha256 OR p.superseded_at IS NOT NULL)
            GROUP BY place ORDER BY min(m.id), f.position
        """
        parameters = {"target": target.id, "distribution": distribution.id, "since": since, "number": until}
        return self._db.conn.execute(sql, parameters | {"full": full})

    def holders(self, digests: Sequence[str]) -> Iterator[tuple[int, str, str]]:
        """Target, path and sha256 of each file of a tree that has one of some digests, superseded ones, too."""
        sql = """
            SELECT target_id, path, sha256 FROM published_files
            WHERE sha256 IN (SELECT value FROM json_each(?)) ORDER BY target_id, path
        """
        return iter(self._db.conn.execute(sql, [to_json(list(digests))]))

    def taken(
        self, target: Target, distribution: Distribution, snapshot: Snapshot | None, paths: Sequence[str]
    ) -> str | None:
        """One of these paths at which a target has a file of something else; None if there is none."""
        sql = """
            SELECT path FROM published_files WHERE target_id = ? AND path IN (SELECT value FROM json_each(?))
            AND superseded_at IS NULL AND (distribution_id IS NOT ? OR snapshot_id IS NOT ?) LIMIT 1
        """
        values = [target.id, to_json(list(paths)), distribution.id, _id(snapshot)]
        found = self._db.conn.execute(sql, values).fetchone()
        return str(found[0]) if found else None

    def intend(
        self,
        target: Target,
        distribution: Distribution,
        files: Iterable[ManifestEntry],
        now: dt.datetime,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Notes files that are about to be written, as superseded: if that is all that happens, they are collected."""
        self._db.conn.executemany(
            """
            INSERT OR IGNORE INTO published_files
                (target_id, distribution_id, path, phase, size, sha256, superseded_at, superseded_in, snapshot_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)
            """,
            [
                (
                    *(target.id, distribution.id if f.phase else None, f.path, f.phase, f.size, f.sha256),
                    *(to_text(now), _id(snapshot) if f.phase else None),
                )
                for f in files
            ],
        )

    def save(
        self,
        target: Target,
        distribution: Distribution | None,
        files: Iterable[ManifestEntry],
        now: dt.datetime,
        snapshot: Snapshot | None = None,
    ) -> None:
        """Notes files as being in place; what was there under their paths is replaced."""
        owner = distribution.id if distribution else None
        self._db.conn.executemany(
            """
            INSERT INTO published_files
                (target_id, distribution_id, path, phase, size, sha256, published_at, snapshot_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (target_id, path) DO UPDATE SET distribution_id = excluded.distribution_id,
                phase = excluded.phase, size = excluded.size, sha256 = excluded.sha256,
                published_at = excluded.published_at, snapshot_id = excluded.snapshot_id,
                superseded_at = NULL, superseded_in = NULL
            """,
            [
                (
                    *(target.id, owner if file.phase else None, file.path, file.phase, file.size, file.sha256),
                    *(to_text(now), _id(snapshot) if file.phase else None),
                )
                for file in files
            ],
        )

    def supersede(self, target: Target, paths: Iterable[str], publication_id: int, now: dt.datetime) -> None:
        """Notes that files are no longer part of the newest publication: they stay until they are collected."""
        self._db.conn.executemany(
            "UPDATE published_files SET superseded_at = ?, superseded_in = ?"
            " WHERE target_id = ? AND path = ? AND superseded_at IS NULL",
            [(to_text(now), publication_id, target.id, path) for path in paths],
        )

    def need(self, target: Target, distribution: Distribution, number: int) -> None:
        """Takes back that package files of a version are superseded, for one that is about to be in place again."""
        sql = f"""
            UPDATE published_files SET superseded_at = NULL, superseded_in = NULL
            WHERE target_id = :target AND phase = 0 AND superseded_at IS NOT NULL AND EXISTS (
                SELECT 1 FROM package_files f JOIN membership m ON m.package_id = f.package_id
                WHERE f.sha256 = published_files.sha256 AND m.location || '/' || f.name = published_files.path
                AND {IN_VERSION}
            )
        """
        self._db.conn.execute(sql, {"target": target.id, "distribution": distribution.id, "number": number})

    def forget_files(self, target: Target, paths: Iterable[str]) -> None:
        """Forgets files that are no longer in a tree."""
        self._db.conn.executemany(
            "DELETE FROM published_files WHERE target_id = ? AND path = ?", [(target.id, path) for path in paths]
        )

    def forget(self, target: Target) -> None:
        """Forgets all that is in place at a target, for one that is written anew or no longer at all."""
        self._db.conn.execute("DELETE FROM publications WHERE target_id = ?", [target.id])
        self._db.conn.execute("DELETE FROM published_files WHERE target_id = ?", [target.id])

    # ----------------------------------------------------------------------------------------------- collection

    def mark_unused_payload(self, target: Target, repository_id: int, now: dt.datetime) -> int:
        """Supersedes the package files that no version which is, or may become, current names; answers how many.

        What left a distribution before the version in place was made is what counts as unused. Where a publication was
        begun and not ended, what clients read may be of either version, and so what both need is needed.
        """
        sql = """
            WITH completed AS (
                SELECT distribution_id, max(id) AS id FROM publications
                WHERE target_id = :target AND snapshot_id IS NULL AND state = 'completed' GROUP BY distribution_id
            ), oldest AS (
                SELECT p.distribution_id, min(p.version) AS version
                FROM publications p LEFT JOIN completed c ON c.distribution_id = p.distribution_id
                WHERE p.target_id = :target AND p.snapshot_id IS NULL AND p.id >= coalesce(c.id, 0)
                GROUP BY p.distribution_id
            )
            UPDATE published_files SET superseded_at = :now, superseded_in = (SELECT max(id) FROM publications)
            WHERE target_id = :target AND phase = 0 AND superseded_at IS NULL AND path NOT IN (
                SELECT m.location || '/' || f.name FROM membership m
                JOIN distributions d ON d.id = m.distribution_id JOIN package_files f ON f.package_id = m.package_id
                LEFT JOIN oldest o ON o.distribution_id = d.id
                WHERE d.repository_id = :repository
                AND (
                    m.removed_in IS NULL OR m.removed_in > coalesce(o.version, 0) OR EXISTS (
                        SELECT 1 FROM snapshots s WHERE s.distribution_id = m.distribution_id
                        AND m.added_in <= s.version AND m.removed_in > s.version
                    )
                )
            )
        """
        values = {"now": to_text(now), "target": target.id, "repository": repository_id}
        return self._db.conn.execute(sql, values).rowcount

    def collecting(self, target: Target) -> None:
        """Notes that files are about to be removed from a target, or were: plans made before stand on nothing."""
        self._db.conn.execute("UPDATE targets SET collections = collections + 1 WHERE id = ?", [target.id])

    def expired(self, target: Target, before: dt.datetime, generations: int) -> Sequence[ManifestEntry]:
        """The files that were superseded before a time and by more than ``generations`` publications since.

        In the order in which they may be removed: what clients read first goes first.
        """
        sql = """
            WITH numbered AS (
                SELECT id, distribution_id, row_number() OVER (ORDER BY id DESC) AS of_all,
                    row_number() OVER (PARTITION BY distribution_id ORDER BY id DESC) AS of_distribution
                FROM publications WHERE target_id = :target AND state = 'completed' AND snapshot_id IS NULL
            ), followed AS (
                SELECT distribution_id, id FROM numbered WHERE of_distribution = :generations
                UNION ALL SELECT NULL, id FROM numbered WHERE of_all = :generations
            )
            SELECT f.path, f.phase, f.size, f.sha256
            FROM published_files f LEFT JOIN followed n ON n.distribution_id IS f.distribution_id
            WHERE f.target_id = :target AND f.superseded_at <= :before
            AND (:generations = 0 OR f.superseded_in <= n.id) ORDER BY f.phase DESC, f.path
        """
        values = {"target": target.id, "before": to_text(before), "generations": generations}
        return [ManifestEntry(**row) for row in rows(self._db, sql, values)]

    def may_be_withdrawn(self, target: Target, repository_id: int) -> bool:
        """Whether a target has a file of what was opened again, waits or was refused, and is in no newest version.

        Only then can there be ``withdrawn`` files, which cost more to look for.
        """
        sql = """
            SELECT EXISTS (
                SELECT 1 FROM distributions d
                JOIN imports i ON i.distribution_id = d.id AND i.state IN ('pending_review', 'rejected')
                JOIN membership m ON m.distribution_id = d.id AND m.package_id = i.package_id
                JOIN package_files a ON a.package_id = i.package_id
                JOIN published_files f ON f.target_id = :target AND f.path = m.location || '/' || a.name
                WHERE d.repository_id = :repository AND i.reopened_at IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM membership n
                    WHERE n.distribution_id = d.id AND n.package_id = i.package_id AND n.removed_in IS NULL
                )
            )
        """
        values = {"target": target.id, "repository": repository_id}
        return bool(self._db.conn.execute(sql, values).fetchone()[0])

    def withdrawn(self, target: Target, repository_id: int) -> Sequence[ManifestEntry]:
        """The superseded package files whose last import, in a distribution of the repository, waits or was refused."""
        sql = """
            SELECT f.path, f.phase, f.size, f.sha256 FROM published_files f
            WHERE f.target_id = :target AND f.phase = 0 AND f.superseded_at IS NOT NULL AND EXISTS (
                SELECT 1 FROM package_files a JOIN packages p ON p.id = a.package_id
                JOIN imports i ON i.sha256 = p.sha256 AND i.state IN ('pending_review', 'rejected')
                JOIN distributions d ON d.id = i.distribution_id AND d.repository_id = :repository
                WHERE a.sha256 = f.sha256 AND NOT EXISTS (
                    SELECT 1 FROM imports l WHERE l.sha256 = i.sha256 AND l.distribution_id = i.distribution_id
                    AND l.id > i.id AND l.state IN ('published', 'already_published')
                )
            ) ORDER BY f.path
        """
        values = {"target": target.id, "repository": repository_id}
        return [ManifestEntry(**row) for row in rows(self._db, sql, values)]


def _id(snapshot: Snapshot | None) -> int | None:
    return snapshot.id if snapshot else None
