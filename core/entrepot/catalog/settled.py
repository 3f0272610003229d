"""What the last scan of a whole distribution settled: table ``scan_states``, by distribution and scanner."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlite_utils import Database

from entrepot.catalog.database import from_json, to_json
from entrepot.models import Distribution


@dataclass(frozen=True, slots=True)
class ScanState:
    """How things stood when a scanner was last asked about everything in a distribution."""

    mark: str
    """What its verdicts depended on."""
    policy: str
    """A digest of all that the outcome depended on besides."""
    version: int
    """The newest one, whose packages were looked at."""
    verdict_id: int
    """Of the last verdict that was known."""
    told: frozenset[int] = frozenset()
    """Ids of packages that had to be told, and will have to be again."""


class SettledTable:
    """Keeps the states, and answers which packages they are still about."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def states(self, distribution: Distribution) -> Mapping[str, ScanState]:
        """By the names of scanners."""
        sql = "SELECT scanner, mark, policy, version, verdict_id, told FROM scan_states WHERE distribution_id = ?"
        found = self._db.conn.execute(sql, [distribution.id]).fetchall()
        return {
            scanner: ScanState(mark, policy, version, verdict_id, frozenset(from_json(told)))
            for scanner, mark, policy, version, verdict_id, told in found
        }

    def save(self, distribution: Distribution, states: Mapping[str, ScanState]) -> None:
        """Puts states in the place of those there are."""
        self._db.conn.executemany(
            "INSERT OR REPLACE INTO scan_states (distribution_id, scanner, mark, policy, version, verdict_id, told)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    distribution.id,
                    name,
                    state.mark,
                    state.policy,
                    state.version,
                    state.verdict_id,
                    to_json(sorted(state.told)),
                )
                for name, state in states.items()
            ],
        )

    def last_verdict(self) -> int:
        """The id of the newest verdict there is."""
        return int(self._db.conn.execute("SELECT coalesce(max(id), 0) FROM verdicts").fetchone()[0])

    def packages(
        self, distribution: Distribution, scanner: str, state: ScanState, names: Collection[str] = (), *, spoken: bool
    ) -> frozenset[int]:
        """Ids of the packages of which nothing has been said or decided since that state, and that do not wait.

        Without those of some names, or of source packages of these names; with ``spoken`` also without those that the
        scanner ever said more of than that they pass.
        """
        sql = """
            SELECT p.id FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE m.distribution_id = :distribution AND m.removed_in IS NULL AND m.added_in <= :version
            AND p.original_sha256 NOT IN (SELECT sha256 FROM verdicts WHERE id > :verdict)
            AND p.original_sha256 NOT IN (SELECT original_sha256 FROM reviews WHERE distribution_id = :distribution)
            AND p.sha256 NOT IN (
                SELECT sha256 FROM imports
                WHERE distribution_id = :distribution AND state = 'pending_review' AND sha256 IS NOT NULL
            )
        """
        if names:
            sql += " AND p.name NOT IN (SELECT value FROM json_each(:names))"
            sql += " AND coalesce(p.source_name, '') NOT IN (SELECT value FROM json_each(:names))"
        if spoken:
            sql += (
                " AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.sha256 = p.original_sha256 AND v.scanner = :scanner"
                " AND v.status <> 'pass')"
            )
        parameters = {
            "distribution": distribution.id,
            "version": state.version,
            "verdict": state.verdict_id,
            "names": to_json(sorted(names)),
            "scanner": scanner,
        }
        return frozenset(row[0] for row in self._db.conn.execute(sql, parameters))
