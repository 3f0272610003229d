"""What is known of the packages of a version as it stands now: where they came from, what scanners said last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_time
from entrepot.catalog.versions import IN_VERSION
from entrepot.models import (
    VULNERABILITY,
    Distribution,
    Finding,
    ListedPackage,
    Overcome,
    StandingFinding,
    StandingVerdict,
    Status,
)

# The last import of a package tells its source; a package that was promoted has one in another distribution.
PACKAGES = """
    SELECT p.id, p.format, p.kind, p.name, p.version, p.architecture, coalesce(p.source_name, ''),
        coalesce(p.source_version, ''), coalesce(p.module, ''), coalesce(p.summary, ''), coalesce(p.licence, ''),
        coalesce(p.maintainer, ''), f.size, p.sha256, p.original_sha256, m.component,
        CASE m.location WHEN '' THEN f.name ELSE m.location || '/' || f.name END,
        coalesce(s.name, ''), coalesce(x.distribution, '')
    FROM membership m JOIN packages p ON p.id = m.package_id
    JOIN package_files f ON f.package_id = p.id AND f.position = 0
    LEFT JOIN imports i ON i.id = (
        SELECT max(j.id) FROM imports j WHERE j.sha256 IN (p.sha256, p.original_sha256) AND j.package_id = p.id
        AND j.source_id IS NOT NULL
    )
    LEFT JOIN sources s ON s.id = i.source_id
    LEFT JOIN available a ON a.id = i.available_id LEFT JOIN source_indexes x ON x.id = a.index_id
"""
IN_ORDER = "ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id"

NEWEST = """
    v.id = (
        SELECT max(w.id) FROM verdicts w
        WHERE w.distribution_id = v.distribution_id AND w.sha256 = v.sha256 AND w.scanner = v.scanner
    )
"""


class StandingTable:
    """Reads membership, packages, imports, verdicts and findings together; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def packages(self, distribution: Distribution, number: int) -> Iterator[ListedPackage]:
        """The packages of a version with where they came from, in index order, streamed."""
        sql = f"{PACKAGES} WHERE {IN_VERSION} {IN_ORDER}"
        found = self._db.conn.execute(sql, {"distribution": distribution.id, "number": number})
        return (ListedPackage(*row) for row in found)

    def last_verdict(self, distribution: Distribution, number: int) -> tuple[int, str]:
        """Id of the newest verdict about any package of a version, and when one was last given or confirmed.

        (0, "") if there is none.
        """
        sql = f"""
            SELECT max(v.id), max(coalesce(v.checked_at, v.created_at)) FROM membership m
            JOIN packages p ON p.id = m.package_id
            JOIN verdicts v ON v.distribution_id = m.distribution_id AND v.sha256 = p.original_sha256
            WHERE {IN_VERSION}
        """
        found = self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}).fetchone()
        return (int(found[0]), str(found[1])) if found[0] is not None else (0, "")

    def findings(self, distribution: Distribution, number: int, name: str | None = None) -> Sequence[StandingFinding]:
        """What the newest verdicts found in the packages of a version, or in those of one name, in index order."""
        named = " AND p.name = :name" if name is not None else ""
        sql = f"""
            SELECT p.id AS package_id, v.scanner, v.answers, v.status, v.reason, v.message, v.evidence, v.created_at,
                f.finding, f.severity, f.summary, f.location, f.data, f.kind
            FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN verdicts v ON v.distribution_id = m.distribution_id AND v.sha256 = p.original_sha256
            JOIN findings f ON f.verdict_id = v.id
            WHERE {IN_VERSION}{named} AND {NEWEST}
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id, v.scanner, f.id
        """
        parameters = {"distribution": distribution.id, "number": number, "name": name}
        found = list(rows(self._db, sql, parameters))
        packages = self._packages_of(distribution, number, {row["package_id"] for row in found})
        return [
            StandingFinding(
                packages[row["package_id"]],
                _verdict(row),
                Finding(
                    row["finding"],
                    row["severity"],
                    row["summary"],
                    row["location"],
                    from_json(row["data"]),
                    row["kind"] or "",
                ),
            )
            for row in found
        ]

    def verdicts(
        self, distribution: Distribution, number: int, name: str | None = None, *, evidence: str = ""
    ) -> Sequence[tuple[ListedPackage, StandingVerdict]]:
        """The newest verdicts about the packages of a version; only those whose evidence has a key, if one is named."""
        named = " AND p.name = :name" if name is not None else ""
        if evidence:
            named += " AND json_extract(v.evidence, :evidence) IS NOT NULL"
        sql = f"""
            SELECT p.id AS package_id, v.scanner, v.answers, v.status, v.reason, v.message, v.evidence, v.created_at
            FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN verdicts v ON v.distribution_id = m.distribution_id AND v.sha256 = p.original_sha256
            WHERE {IN_VERSION}{named} AND {NEWEST}
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id, v.scanner
        """
        parameters = {
            "distribution": distribution.id,
            "number": number,
            "name": name,
            "evidence": f"$.{evidence}",
        }
        found = list(rows(self._db, sql, parameters))
        packages = self._packages_of(distribution, number, {row["package_id"] for row in found})
        return [(packages[row["package_id"]], _verdict(row)) for row in found]

    def overcome(self, distribution: Distribution, number: int) -> Sequence[Overcome]:
        """Vulnerabilities of packages that were replaced, where the same scanner looked at what came for them."""
        # "Not found" counts only where somebody looked: a verdict that could not be given says nothing.
        sql = f"""
            SELECT DISTINCT p.id, f.finding, q.version
            FROM membership o JOIN packages q ON q.id = o.package_id
            JOIN verdicts w ON w.distribution_id = o.distribution_id AND w.sha256 = q.original_sha256
            JOIN findings f ON f.verdict_id = w.id AND f.kind = :kind
            JOIN packages p ON p.name = q.name AND p.architecture = q.architecture AND p.format = q.format
                AND p.version_key > q.version_key
            JOIN membership m ON m.package_id = p.id AND {IN_VERSION}
            JOIN verdicts v ON v.distribution_id = m.distribution_id AND v.sha256 = p.original_sha256
                AND v.scanner = w.scanner AND {NEWEST} AND v.status NOT IN ('error', 'skipped')
            WHERE o.distribution_id = :distribution AND o.removed_in <= :number AND NOT EXISTS (
                SELECT 1 FROM findings g WHERE g.verdict_id = v.id AND g.finding = f.finding
            ) AND (json_extract(v.evidence, '$.vex') IS NULL OR instr(v.evidence, f.finding) = 0)
            ORDER BY p.name, p.version_key, p.architecture, p.id, f.finding, q.version_key DESC
        """
        parameters = {"distribution": distribution.id, "number": number, "kind": VULNERABILITY}
        newest: dict[tuple[int, str], str] = {}
        for package_id, finding, before in self._db.conn.execute(sql, parameters):
            newest.setdefault((package_id, finding), before)
        packages = self._packages_of(distribution, number, {package_id for package_id, _ in newest})
        return [Overcome(packages[package_id], finding, before) for (package_id, finding), before in newest.items()]

    def _packages_of(
        self, distribution: Distribution, number: int, package_ids: set[int]
    ) -> Mapping[int, ListedPackage]:
        found: dict[int, ListedPackage] = {}
        wanted = sorted(package_ids)
        for start in range(0, len(wanted), 500):
            marks = ",".join(str(package_id) for package_id in wanted[start : start + 500])
            sql = f"{PACKAGES} WHERE {IN_VERSION} AND p.id IN ({marks})"
            for row in self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}):
                found.setdefault(row[0], ListedPackage(*row))
        return found


def _verdict(row: Mapping[str, Any]) -> StandingVerdict:
    return StandingVerdict(
        row["scanner"],
        row["answers"],
        Status(row["status"]),
        row["reason"],
        row["message"],
        from_json(row["evidence"]),
        to_time(row["created_at"]),
    )
