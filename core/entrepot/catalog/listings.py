"""Long lists for people to look through: a page at a time, several tables together. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json
from entrepot.catalog.standing import NEWEST
from entrepot.catalog.versions import IN_VERSION, Member
from entrepot.models import Distribution

_BEFORE, _AFTER = (
    f"(m.added_in <= :{number} AND (m.removed_in IS NULL OR m.removed_in > :{number}))"
    for number in ("before", "after")
)
CHANGED = f"m.distribution_id = :distribution AND {_BEFORE} <> {_AFTER}"
# Of one number for each package, negative where it goes, the sorting of very many takes half of what two would.
STEP = f"""
    SELECT p.name, p.architecture, m.component, count(*) AS packages,
        min(iif({_BEFORE}, -p.id, p.id)) AS low, max(iif({_BEFORE}, -p.id, p.id)) AS high
    FROM membership m JOIN packages p ON p.id = m.package_id WHERE {CHANGED} GROUP BY 1, 2, 3
"""
WORD = """
    CASE WHEN low > 0 THEN 'added' WHEN high < 0 THEN 'removed' WHEN packages > 2 THEN 'changed' ELSE (
        SELECT CASE WHEN o.version_key < n.version_key THEN 'upgraded' WHEN o.version_key > n.version_key
            THEN 'downgraded' ELSE 'rebuilt' END FROM packages o, packages n WHERE o.id = -low AND n.id = high
    ) END
"""
FITS = "(:text = '' OR instr(lower(p.name), :text) OR instr(lower(coalesce(p.summary, '')), :text))"


class Listings:
    """Each method answers at most ``limit`` rows after ``offset``, as dictionaries."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def members(
        self, distribution: Distribution, number: int, text: str, limit: int, offset: int
    ) -> Sequence[dict[str, Any]]:
        """Packages of a version in index order, with the import that brought each; ``text`` is in name or summary."""
        sql = f"""
            SELECT m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind, m.component,
                m.location, p.size, p.sha256, p.original_sha256, coalesce(p.summary, '') AS summary, m.added_in, (
                    SELECT max(i.id) FROM imports i WHERE i.package_id = p.id AND i.distribution_id = m.distribution_id
                ) AS import_id
            FROM membership m JOIN packages p ON p.id = m.package_id WHERE {IN_VERSION} AND {FITS}
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id LIMIT :limit OFFSET :offset
        """
        parameters = {"distribution": distribution.id, "number": number, "text": text.lower()}
        return list(rows(self._db, sql, parameters | {"limit": limit, "offset": offset}))

    def count_members(self, distribution: Distribution, number: int, text: str) -> int:
        """How many packages of a version have ``text`` in their name or summary."""
        sql = f"SELECT count(*) FROM membership m JOIN packages p ON p.id = m.package_id WHERE {IN_VERSION} AND {FITS}"
        parameters = {"distribution": distribution.id, "number": number, "text": text.lower()}
        return int(self._db.conn.execute(sql, parameters).fetchone()[0])

    def step(
        self, distribution: Distribution, before: int, after: int, limit: int, offset: int
    ) -> tuple[Mapping[str, int], Sequence[Member], Sequence[Member]]:
        """A page of what a step from one version to another changes, by name, architecture and component.

        Answers how many places change in which way, in the words of ``pipeline.compare``; and of those on the page the
        packages that go and those that come.
        """
        values = {"distribution": distribution.id, "before": before, "after": after}
        sql = f"""
            WITH step AS MATERIALIZED ({STEP})
            SELECT {WORD}, count(*), NULL, NULL FROM step GROUP BY 1 UNION ALL
            SELECT NULL, name, architecture, component
            FROM (SELECT * FROM step ORDER BY 1, 2, 3 LIMIT :limit OFFSET :offset)
        """
        counts, places = {}, set()
        for word, *rest in self._db.conn.execute(sql, values | {"limit": limit, "offset": offset}):
            if word is None:
                places.add(tuple(rest))
            else:
                counts[word] = rest[0]
        # CROSS JOIN keeps the order: SQLite would rather read all that changed once more.
        sql = f"""
            SELECT {_BEFORE} AS goes, m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture,
                p.kind, m.component, m.location, p.size, p.sha256, p.original_sha256
            FROM json_each(:names) named CROSS JOIN packages p ON p.name = named.value
            CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = p.id
            WHERE {CHANGED} ORDER BY m.id
        """
        sides: tuple[list[Member], list[Member]] = ([], [])
        for row in rows(self._db, sql, values | {"names": to_json(sorted({name for name, *_ in places}))}):
            goes = row.pop("goes")
            if (row["name"], row["architecture"], row["component"]) in places:
                sides[0 if goes else 1].append(Member(**row))
        return counts, *sides

    def publications(self, distribution: Distribution, limit: int) -> Sequence[dict[str, Any]]:
        """The newest publications of a distribution, newest first, with the URL of their target."""
        sql = """
            SELECT b.id, b.version, b.state, b.signed_by, b.written, b.bytes, b.created_at, t.url AS target
            FROM publications b LEFT JOIN targets t ON t.id = b.target_id
            WHERE b.distribution_id = ? ORDER BY b.id DESC LIMIT ?
        """
        return list(rows(self._db, sql, [distribution.id, limit]))

    def decisions(
        self, limit: int, offset: int, *, distribution_id: int | None = None, waivers_only: bool = False
    ) -> Sequence[dict[str, Any]]:
        """What persons decided, newest first, with what it was about; only approvals that end, if that is asked for."""
        sql = """
            SELECT v.id, v.import_id, v.decision, v.justification, v.covers, v.cve_ids, v.expires_at, v.actor,
                v.created_at, i.name, i.version, i.architecture, i.state, r.name || '/' || d.name AS distribution
            FROM reviews v JOIN imports i ON i.id = v.import_id JOIN distributions d ON d.id = v.distribution_id
            JOIN repositories r ON r.id = d.repository_id
            WHERE (:distribution IS NULL OR v.distribution_id = :distribution)
            AND (NOT :waivers OR (v.decision = 'approve' AND v.expires_at IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM reviews l WHERE l.distribution_id = v.distribution_id
                AND l.original_sha256 = v.original_sha256 AND l.id > v.id
            )))
            ORDER BY CASE WHEN :waivers THEN v.expires_at END, v.id DESC LIMIT :limit OFFSET :offset
        """
        parameters = {"distribution": distribution_id, "waivers": waivers_only, "limit": limit, "offset": offset}
        return [
            row | {"covers": from_json(row["covers"]), "cve_ids": from_json(row["cve_ids"])}
            for row in rows(self._db, sql, parameters)
        ]

    def severities(self, import_ids: Sequence[int]) -> Mapping[int, Mapping[str, int]]:
        """How many findings of which severity the newest verdicts about each of some imports have."""
        sql = f"""
            SELECT v.import_id, f.severity, count(*) FROM verdicts v JOIN findings f ON f.verdict_id = v.id
            WHERE v.import_id IN ({",".join("?" * len(import_ids))}) AND v.id = (
                SELECT max(w.id) FROM verdicts w WHERE w.import_id = v.import_id AND w.scanner = v.scanner
            ) GROUP BY v.import_id, f.severity
        """
        found: dict[int, dict[str, int]] = {}
        for import_id, severity, count in self._db.conn.execute(sql, list(import_ids)):
            found.setdefault(import_id, {})[severity] = count
        return found

    def audit(
        self, limit: int, offset: int, *, actor: str = "", action: str = "", subject: str = ""
    ) -> Sequence[dict[str, Any]]:
        """Entries of the audit log, newest first; of one actor, of actions that begin so, of subjects with a text."""
        sql = """
            SELECT id, at, actor, origin, action, subject, detail, digest FROM audit
            WHERE (:actor = '' OR actor = :actor) AND (:action = '' OR action = :action OR action GLOB :action || '.*')
            AND (:subject = '' OR instr(subject, :subject)) ORDER BY id DESC LIMIT :limit OFFSET :offset
        """
        parameters = {"actor": actor, "action": action, "subject": subject, "limit": limit, "offset": offset}
        return [row | {"detail": from_json(row["detail"])} for row in rows(self._db, sql, parameters)]

    def audit_words(self) -> tuple[Sequence[str], Sequence[str]]:
        """The actors and the actions that the audit log has, sorted."""
        actors, actions = (
            [row[0] for row in self._db.conn.execute(f"SELECT DISTINCT {column} FROM audit ORDER BY 1")]
            for column in ("actor", "action")
        )
        return actors, actions

    def tasks(self, limit: int, offset: int, *, state: str = "", kind: str = "") -> Sequence[dict[str, Any]]:
        """Tasks, newest first; in one state, of one kind."""
        sql = """
            SELECT id, kind, subject, state, progress_reports, error, actor, created_at, started_at, finished_at
            FROM tasks WHERE (:state = '' OR state = :state) AND (:kind = '' OR kind = :kind)
            ORDER BY id DESC LIMIT :limit OFFSET :offset
        """
        parameters = {"state": state, "kind": kind, "limit": limit, "offset": offset}
        return [
            row | {name: from_json(row[name] or "null") for name in ("progress_reports", "error")}
            for row in rows(self._db, sql, parameters)
        ]

    def task_kinds(self) -> Sequence[str]:
        """The kinds of tasks that there were, sorted."""
        return [row[0] for row in self._db.conn.execute("SELECT DISTINCT kind FROM tasks ORDER BY 1")]

    # ------------------------------------------------------------------------------------------------ vulnerabilities

    def advisories(self, vulnerability: str, limit: int) -> Sequence[dict[str, Any]]:
        """The advisories that name a vulnerability, or are called so, with the packages that each is about."""
        sql = """
            SELECT a.id, f.name AS feed, a.name, a.vulnerabilities, a.aliases, a.severity, a.score, a.summary, a.url,
                a.modified, a.withdrawn
            FROM advisory_names n CROSS JOIN advisories a ON a.id = n.advisory_id
            CROSS JOIN advisory_feeds f ON f.id = a.feed_id WHERE n.name = :wanted
            ORDER BY a.name, a.id LIMIT :limit
        """
        found = list(rows(self._db, sql, {"wanted": vulnerability, "limit": limit}))
        return [row | {"packages": self._about(row["id"], limit)} for row in found]

    def advisories_about(self, package: str, limit: int) -> Sequence[dict[str, Any]]:
        """The advisories about a package, newest first, with what each says of it."""
        sql = """
            SELECT a.name, f.name AS feed, a.vulnerabilities, coalesce(nullif(p.severity, ''), a.severity) AS severity,
                a.score, a.summary, e.name AS ecosystem, p.introduced, p.fixed, p.last_affected, p.state, a.modified
            FROM advisory_affected p CROSS JOIN advisories a ON a.id = p.advisory_id
            CROSS JOIN advisory_ecosystems e ON e.id = p.ecosystem_id CROSS JOIN advisory_feeds f ON f.id = a.feed_id
            WHERE p.package = ? ORDER BY a.modified DESC, a.name, p.id LIMIT ?
        """
        return list(rows(self._db, sql, [package, limit]))

    def affected(self, finding: str, limit: int) -> Sequence[dict[str, Any]]:
        """The packages of the newest versions in which scanners found something last, by distribution."""
        sql = f"""
            SELECT r.name || '/' || d.name AS distribution, p.name, p.version, p.architecture, f.severity, f.summary,
                f.data, v.scanner, v.created_at, (
                    SELECT max(i.id) FROM imports i WHERE i.package_id = p.id AND i.distribution_id = d.id
                ) AS import_id
            FROM findings f CROSS JOIN verdicts v ON v.id = f.verdict_id
            JOIN packages p ON p.original_sha256 = v.sha256
            JOIN membership m ON m.package_id = p.id AND m.distribution_id = v.distribution_id AND m.removed_in IS NULL
            JOIN distributions d ON d.id = m.distribution_id JOIN repositories r ON r.id = d.repository_id
            WHERE f.finding = :finding AND {NEWEST} ORDER BY 1, p.name, p.version_key, p.architecture LIMIT :limit
        """
        found = rows(self._db, sql, {"finding": finding, "limit": limit})
        return [row | {"data": from_json(row["data"])} for row in found]

    def _about(self, advisory_id: int, limit: int) -> Sequence[dict[str, Any]]:
        sql = """
            SELECT e.name AS ecosystem, p.package, p.introduced, p.fixed, p.last_affected, p.state
            FROM advisory_affected p JOIN advisory_ecosystems e ON e.id = p.ecosystem_id
            WHERE p.advisory_id = ? ORDER BY e.name, p.package, p.id LIMIT ?
        """
        return list(rows(self._db, sql, [advisory_id, limit]))
