"""Reviews: what persons decided about imports that waited. Rows are added, never changed.

An approval is a waiver for as long as it holds: it covers what held the package back when it was given. A later
rejection of the same artifact in the same distribution ends it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, storable, to_json, to_text, to_time
from entrepot.models import ImportState, Waiver

LATEST = """
    r.decision = 'approve' AND NOT EXISTS (
        SELECT 1 FROM reviews l WHERE l.distribution_id = r.distribution_id AND l.original_sha256 = r.original_sha256
        AND l.id > r.id
        AND l.decision = 'reject'
    )
"""
"""Approvals ``r`` that no later rejection ended."""


@dataclass(frozen=True, slots=True)
class Review:
    """A decision: ``approve`` or ``reject``. ``covers`` is as in ``models.Waiver``.

    It was about the file with this ``sha256``, and holds for every signing of the one that came.
    """

    import_id: int
    distribution_id: int
    sha256: str
    original_sha256: str
    decision: str
    justification: str
    actor: str
    origin: str
    covers: Sequence[str] = ()
    cve_ids: Sequence[str] = ()
    expires_at: dt.datetime | None = None


class ReviewsTable:
    """Table ``reviews``, and the imports that wait for one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, review: Review, now: dt.datetime) -> None:
        """Notes a decision."""
        row = {
            "import_id": review.import_id,
            "distribution_id": review.distribution_id,
            "sha256": review.sha256,
            "original_sha256": review.original_sha256,
            "decision": review.decision,
            "justification": storable(review.justification),
            "covers": to_json(sorted(review.covers)),
            "cve_ids": to_json(sorted(review.cve_ids)),
            "expires_at": to_text(review.expires_at) if review.expires_at else None,
            "actor": storable(review.actor),
            "origin": storable(review.origin),
            "created_at": to_text(now),
        }
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        self._db.conn.execute(f"INSERT INTO reviews ({columns}) VALUES ({marks})", list(row.values()))

    def of_import(self, import_id: int) -> Sequence[dict[str, Any]]:
        """What was decided about an import, in order."""
        return self._reviews("SELECT * FROM reviews WHERE import_id = ? ORDER BY id", import_id)

    def of_artifact(self, distribution_id: int, sha256: str) -> Sequence[dict[str, Any]]:
        """What was decided in a distribution about what came as this artifact, by whatever import, in order."""
        sql = "SELECT * FROM reviews WHERE distribution_id = ? AND original_sha256 = ? ORDER BY id"
        return self._reviews(sql, distribution_id, sha256)

    def waivers(self, distribution_id: int, artifacts: Collection[str] | None = None) -> Mapping[str, Sequence[Waiver]]:
        """The waivers of a distribution by what came, expired ones, too; of some artifacts only, if they are given."""
        some = "" if artifacts is None else " AND r.original_sha256 IN (SELECT value FROM json_each(:artifacts))"
        sql = f"""
            SELECT r.id, r.distribution_id, r.original_sha256, r.covers, r.expires_at, r.actor, r.justification,
                r.created_at
            FROM reviews r WHERE r.distribution_id = :distribution AND {LATEST}{some} ORDER BY r.id
        """
        parameters = {"distribution": distribution_id, "artifacts": to_json(sorted(artifacts or ()))}
        found: dict[str, list[Waiver]] = {}
        for row in self._db.conn.execute(sql, parameters):
            covers, expires_at = frozenset(from_json(row[3])), to_time(row[4]) if row[4] else None
            waiver = Waiver(row[0], row[1], row[2], covers, expires_at, row[5], row[6], to_time(row[7]))
            found.setdefault(waiver.sha256, []).append(waiver)
        return found

    def ending(self, now: dt.datetime, until: dt.datetime) -> Sequence[dict[str, Any]]:
        """Waivers of what is in a newest version that hold now and end before ``until``, the next one first."""
        sql = f"""
            SELECT r.import_id, i.name, i.version, p.name || '/' || d.name AS distribution, r.actor, r.expires_at,
                r.justification
            FROM reviews r JOIN imports i ON i.id = r.import_id JOIN distributions d ON d.id = r.distribution_id
            JOIN repositories p ON p.id = d.repository_id
            WHERE r.expires_at > :now AND r.expires_at < :until AND {LATEST} AND EXISTS (
                SELECT 1 FROM membership m JOIN packages k ON k.id = m.package_id
                WHERE m.distribution_id = r.distribution_id AND m.removed_in IS NULL
                AND k.original_sha256 = r.original_sha256
            ) ORDER BY r.expires_at, r.id
        """
        return list(rows(self._db, sql, {"now": to_text(now), "until": to_text(until)}))

    def expired(self, now: dt.datetime, distribution_id: int | None = None) -> Sequence[tuple[int, str]]:
        """(distribution, what came) of what is in a newest version by a waiver that has expired, and does not wait."""
        sql = f"""
            SELECT DISTINCT r.distribution_id, r.original_sha256 FROM reviews r
            JOIN packages p ON p.original_sha256 = r.original_sha256
            JOIN membership m ON m.package_id = p.id AND m.distribution_id = r.distribution_id AND m.removed_in IS NULL
            WHERE r.expires_at <= :now AND {LATEST} AND (:distribution IS NULL OR r.distribution_id = :distribution)
            AND NOT EXISTS (
                SELECT 1 FROM packages q JOIN imports i ON i.package_id = q.id
                WHERE q.original_sha256 = r.original_sha256 AND i.distribution_id = r.distribution_id
                AND i.state = 'pending_review'
            ) ORDER BY 1, 2
        """
        return self._db.conn.execute(sql, {"now": to_text(now), "distribution": distribution_id}).fetchall()

    def withdrawn(self, distribution_id: int, number: int) -> Sequence[tuple[str, str, int, str]]:
        """(name, version, import, state) of what a version has, but not the newest: it waits, or was refused since."""
        sql = """
            SELECT DISTINCT p.name, p.version, i.id, i.state FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN imports i ON i.id = (
                SELECT max(j.id) FROM imports j WHERE j.distribution_id = m.distribution_id
                AND (j.sha256 IN (p.sha256, p.original_sha256) OR j.package_id IN (
                    SELECT k.id FROM packages k WHERE k.original_sha256 = p.original_sha256
                )) AND j.state IN ('published', 'already_published', 'rejected', 'pending_review')
            )
            WHERE m.distribution_id = :distribution AND m.added_in <= :number AND m.removed_in > :number
            AND i.state IN ('rejected', 'pending_review') AND NOT EXISTS (
                SELECT 1 FROM membership c JOIN packages q ON q.id = c.package_id
                WHERE c.distribution_id = m.distribution_id AND c.removed_in IS NULL
                AND q.original_sha256 = p.original_sha256
            ) ORDER BY 1, 2
        """
        return self._db.conn.execute(sql, {"distribution": distribution_id, "number": number}).fetchall()

    def waiting(self) -> Sequence[dict[str, Any]]:
        """The imports that wait, oldest first."""
        return self.queue()

    def queue(
        self, states: Collection[str] = (ImportState.PENDING_REVIEW.value,), distribution_id: int | None = None
    ) -> Sequence[dict[str, Any]]:
        """Imports in some states, oldest first, with their distribution and, if there is one, their last decision."""
        sql = """
            SELECT i.id, i.name, i.version, i.architecture, r.name || '/' || d.name AS distribution, i.state, i.message,
                i.actor, i.created_at, i.reopened_at, v.decision, v.actor AS decided_by, v.created_at AS decided_at,
                v.expires_at
            FROM imports i JOIN distributions d ON d.id = i.distribution_id
            JOIN repositories r ON r.id = d.repository_id
            LEFT JOIN reviews v ON v.id = (SELECT max(id) FROM reviews WHERE import_id = i.id)
            WHERE i.state IN (SELECT value FROM json_each(:states))
            AND (:distribution IS NULL OR i.distribution_id = :distribution) ORDER BY i.id
        """
        parameters = {"states": to_json(sorted(states)), "distribution": distribution_id}
        return list(rows(self._db, sql, parameters))

    def _reviews(self, sql: str, *parameters: Any) -> Sequence[dict[str, Any]]:
        return [
            row | {"covers": from_json(row["covers"]), "cve_ids": from_json(row["cve_ids"])}
            for row in rows(self._db, sql, parameters)
        ]
