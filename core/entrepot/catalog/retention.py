"""What there is too much of: older versions of packages, and older versions of distributions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_json, to_text
from entrepot.catalog.versions import IN_VERSION, Member
from entrepot.models import Distribution

_FIRST = "instr(p.module, ':')"
STREAM = f"""
    CASE WHEN p.module LIKE '%:%:%'
    THEN substr(p.module, 1, {_FIRST} + instr(substr(p.module, {_FIRST} + 1), ':') - 1) ELSE coalesce(p.module, '') END
"""
"""Of a module ``name:stream:version:context`` the first two parts: what is of another stream is another thing."""

NEWEST_KEPT = "keep the newest"
"""What the message of a version begins with that only leaves out what there was too much of."""


class RetentionTable:
    """Questions about ``membership`` and ``versions``, and column ``retained`` of ``distributions``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def surplus(self, distribution: Distribution, number: int, since: int = 0) -> Sequence[Member]:
        """The packages of a version that are older than the newest ``keep`` of their kind.

        One kind is a name and architecture in one component, and one stream of a module. With ``since`` only names are
        looked at that came in after that version: no others can have become too many.
        """
        touched = """
            AND p.name IN (
                SELECT n.name FROM membership c JOIN packages n ON n.id = c.package_id
                WHERE c.distribution_id = :distribution AND c.added_in > :since
            )
        """
        sql = f"""
            SELECT membership_id, package_id, name, version, architecture, kind, component, location, size, sha256,
                original_sha256
            FROM (
                SELECT m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind,
                    m.component, m.location, p.size, p.sha256, p.original_sha256, p.version_key, dense_rank() OVER (
                        PARTITION BY p.name, p.architecture, p.kind, m.component, {STREAM} ORDER BY p.version_key DESC
                    ) AS place
                FROM membership m JOIN packages p ON p.id = m.package_id WHERE {IN_VERSION} {touched if since else ""}
            ) WHERE place > :keep ORDER BY name, version_key, architecture, membership_id
        """
        values = {"distribution": distribution.id, "number": number, "since": since, "keep": distribution.keep}
        return [Member(**row) for row in rows(self._db, sql, values)]

    def retained(self, distribution: Distribution) -> int:
        """The version that ``keep`` was applied to last; 0 if it never was, or not as it is set now."""
        sql = "SELECT retained FROM distributions WHERE id = ?"
        return int(self._db.conn.execute(sql, [distribution.id]).fetchone()[0])

    def note(self, distribution: Distribution, number: int) -> None:
        """Notes that ``keep`` was applied to a version; 0: that it has to be to all."""
        self._db.conn.execute("UPDATE distributions SET retained = ? WHERE id = ?", [number, distribution.id])

    def mentioning(self, distribution: Distribution, number: int, names: Collection[str]) -> Iterator[tuple[int, int]]:
        """The (membership, package) of binary packages of a version whose text has one of these names anywhere."""
        # Texts begin with plain metadata in every format; a name that is there by chance only costs a closer look.
        sql = f"""
            SELECT m.id, p.id FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN package_raw r ON r.id = p.id
            WHERE {IN_VERSION} AND p.kind = 'binary'
            AND EXISTS (SELECT 1 FROM json_each(:names) n WHERE instr(r.raw, CAST(n.value AS BLOB)) > 0)
        """
        values = {"distribution": distribution.id, "number": number, "names": to_json(sorted(names))}
        return self._db.conn.execute(sql, values)

    def outlived(self, distribution: Distribution, now: dt.datetime) -> Sequence[int]:
        """Numbers of the versions that nothing keeps, oldest first.

        Kept are version 0 and the newest one; as many, and those not yet older, as the distribution says; those of
        snapshots; and at every target what is in place, what was begun, and what was in place before it.
        """
        if not (distribution.keep_versions or distribution.keep_days):
            return []
        sql = """
            WITH followed AS (
                SELECT number, row_number() OVER (ORDER BY number DESC) AS place,
                    lead(created_at) OVER (ORDER BY number) AS until
                FROM versions WHERE distribution_id = :distribution
            ), changes AS (
                SELECT target_id, version, id FROM (
                    SELECT target_id, version, id, lag(version) OVER (PARTITION BY target_id ORDER BY id) AS before
                    FROM publications WHERE distribution_id = :distribution AND snapshot_id IS NULL
                ) WHERE before IS NULL OR before != version
            ), in_use AS (
                SELECT version FROM (
                    SELECT version, row_number() OVER (PARTITION BY target_id ORDER BY id DESC) AS place FROM changes
                ) WHERE place <= 2
                UNION SELECT version FROM publications p
                WHERE distribution_id = :distribution AND snapshot_id IS NULL AND id >= (
                    SELECT coalesce(max(l.id), 0) FROM publications l WHERE l.distribution_id = p.distribution_id
                    AND l.target_id = p.target_id AND l.snapshot_id IS NULL AND l.state = 'completed'
                )
                UNION SELECT version FROM snapshots WHERE distribution_id = :distribution
            )
            SELECT number FROM followed WHERE number > 0 AND until IS NOT NULL
            AND NOT (:versions AND place <= :versions) AND NOT (:days AND until >= :since)
            AND number NOT IN (SELECT version FROM in_use) ORDER BY number
        """
        values = {
            "distribution": distribution.id,
            "versions": distribution.keep_versions,
            "days": distribution.keep_days,
            "since": to_text(now - dt.timedelta(days=distribution.keep_days)),
        }
        return [number for (number,) in self._db.conn.execute(sql, values)]

    def drop_versions(self, distribution: Distribution, numbers: Collection[int]) -> None:
        """Forgets versions, and which packages were in no other."""
        execute = self._db.conn.execute
        execute(
            "DELETE FROM versions WHERE distribution_id = ? AND number IN (SELECT value FROM json_each(?))",
            [distribution.id, to_json(sorted(numbers))],
        )
        for table in ("membership", "extra_membership"):
            execute(
                f"""
                DELETE FROM {table} WHERE distribution_id = :distribution AND removed_in IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM versions v WHERE v.distribution_id = {table}.distribution_id
                    AND v.number >= {table}.added_in AND v.number < {table}.removed_in
                )
                """,
                {"distribution": distribution.id},
            )
