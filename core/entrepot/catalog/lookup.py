"""What scanners ask the catalog, from any thread, while the thread that the catalog belongs to works on."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from entrepot.advisories import AdvisoryState, Hit, Told
from entrepot.catalog.database import BUSY_SECONDS, from_json, to_json, to_time
from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Available, Finding, Source, Status, Verdict

CACHE = 32 << 10
"""KiB of pages that are kept."""
TOGETHER = 500
"""Packages that one statement asks about."""
BY_PACKAGE = "idx_advisory_affected_package_ecosystem_id"
OFFERS = 50
"""Versions of one package that are looked at for one that fixes something."""


class CatalogLookup:
    """``contracts.AdvisoryLookup`` on a read-only connection of its own, opened with the first question.

    One connection serves all threads in turn: an answer takes a fraction of a millisecond. ``path`` says where the
    catalog is, which may change.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._opened: Path | None = None
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Closes the connection; the next question would open another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def ecosystems(self) -> Mapping[str, dt.datetime]:
        """Every ecosystem of which there is data, and when the oldest of its feeds was last read."""
        sql = """
            SELECT e.name, min(f.checked_at) FROM advisory_ecosystems e JOIN advisory_feeds f ON f.id = e.feed_id
            GROUP BY e.name
        """
        return {name: to_time(checked_at) for name, checked_at in self._ask(sql)}

    def affecting(self, ecosystems: Collection[str], package: str, key: bytes) -> Sequence[Hit]:
        """The advisories that affect a version of a package."""
        return self.affecting_each(ecosystems, [(package, key)])[package, key]

    def affecting_each(
        self, ecosystems: Collection[str], packages: Collection[tuple[str, bytes]]
    ) -> Mapping[tuple[str, bytes], Sequence[Hit]]:
        """The advisories that affect each of several packages, in the version of a key."""
        found: dict[tuple[str, bytes], list[Hit]] = {asked: [] for asked in packages}
        remaining = iter(list(found))
        while part := list(islice(remaining, TOGETHER)):
            # CROSS JOIN keeps this order: a package has few rows, an ecosystem has most. INDEXED BY, as for
            # hundreds of packages SQLite would index the whole table anew with every statement: 100 times the work.
            sql = f"""
                WITH asked (package, key) AS (VALUES {",".join(["(?, ?)"] * len(part))})
                SELECT q.key, f.name, a.name, a.vulnerabilities, a.aliases,
                    coalesce(nullif(p.severity, ''), a.severity), a.score, a.vector, a.summary, a.url, e.name,
                    p.package, p.module, p.introduced, p.fixed, p.state,
                    coalesce(a.modified, ''), coalesce(a.issuer, ''), coalesce(a.justification, '')
                FROM asked q CROSS JOIN advisory_affected p INDEXED BY {BY_PACKAGE} ON p.package = q.package
                CROSS JOIN advisory_ecosystems e ON e.id = p.ecosystem_id
                CROSS JOIN advisories a ON a.id = p.advisory_id CROSS JOIN advisory_feeds f ON f.id = a.feed_id
                WHERE p.ecosystem_id IN (
                    SELECT id FROM advisory_ecosystems WHERE name IN (SELECT value FROM json_each(?))
                ) AND p.introduced_key <= q.key
                AND (p.end_key IS NULL OR p.end_key > q.key OR (p.end_key = q.key AND p.last_affected <> ''))
                ORDER BY a.name, p.id
            """
            values = [*chain.from_iterable(part), to_json(sorted(ecosystems))]
            for key, feed, name, vulnerabilities, aliases, *others in self._ask(sql, values):
                hit = Hit(feed, name, tuple(vulnerabilities.split()), tuple(aliases.split()), *others)
                found[hit.package, key].append(hit)
        return found

    def facts(self, vulnerabilities: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What is known of vulnerabilities wherever they occur: value by kind, by vulnerability."""
        if not vulnerabilities:
            return {}
        sql = """
            SELECT vulnerability, kind, value FROM vulnerability_facts
            WHERE vulnerability IN (SELECT value FROM json_each(?)) ORDER BY feed_id
        """
        found: dict[str, dict[str, str]] = {}
        for vulnerability, kind, value in self._ask(sql, [to_json(sorted(vulnerabilities))]):
            found.setdefault(vulnerability, {})[kind] = value
        return found

    def tells(self, source: Source) -> bool:
        """Whether a source has advisories of its own."""
        sql = """
            SELECT 1 FROM source_indexes i JOIN source_extras s ON s.index_id = i.id JOIN extras e ON e.id = s.extra_id
            WHERE i.source_id = ? AND e.kind = 'advisory' LIMIT 1
        """
        return bool(self._ask(sql, [source.id]))

    def told(self, source: Source, packages: Collection[str]) -> Sequence[Told]:
        """The advisories of a source's own about packages of these names."""
        sql = """
            SELECT DISTINCT e.name, e.title, e.data, p.name, p.version FROM extra_packages p
            JOIN extras e ON e.id = p.extra_id JOIN source_extras s ON s.extra_id = e.id
            JOIN source_indexes i ON i.id = s.index_id
            WHERE p.name IN (SELECT value FROM json_each(?)) AND e.kind = 'advisory' AND i.source_id = ?
            ORDER BY e.name, p.version
        """
        found = self._ask(sql, [to_json(sorted(packages)), source.id])
        return [Told(name, title, from_json(data), *package) for name, title, data, *package in found]

    def modules(self, source: Source, name: str, version: str) -> Sequence[str]:
        """The modules of a source (``name:stream``) that a package is of."""
        sql = """
            SELECT DISTINCT e.name FROM extra_packages p JOIN extras e ON e.id = p.extra_id
            JOIN source_extras s ON s.extra_id = e.id JOIN source_indexes i ON i.id = s.index_id
            WHERE p.name = ? AND p.version = ? AND e.kind = 'module' AND i.source_id = ? ORDER BY e.name
        """
        return [row[0] for row in self._ask(sql, [name, version, source.id])]

    def offers(self, format_name: str, name: str, architecture: str, above: bytes) -> Sequence[Available]:
        """What synced sources offer of a package, newer than ``above``; the newest first."""
        sql = """
            SELECT a.id, s.id, s.name, s.format, a.name, a.version, a.version_key, a.architecture, i.kind,
                i.distribution, i.component, a.source_name, a.section, a.size, a.sha256, a.location, a.summary,
                i.signed_by, a.source_version
            FROM available a JOIN source_indexes i ON i.id = a.index_id JOIN sources s ON s.id = i.source_id
            WHERE a.name = ? AND a.version_key > ? AND a.architecture = ? AND s.format = ? AND a.vanished_at IS NULL
            ORDER BY a.version_key DESC, s.id, a.id LIMIT ?
        """
        return [Available(*row) for row in self._ask(sql, [name, above, architecture, format_name, OFFERS])]

    def asked_before(self, artifacts: Collection[str], scanner: str) -> Collection[str]:
        """Those of some artifacts of which a scanner said anything that ``earlier`` may answer."""
        sql = """
            SELECT DISTINCT sha256 FROM verdicts WHERE sha256 IN (SELECT value FROM json_each(?)) AND scanner = ?
            AND basis <> '' AND status <> 'error'
        """
        return {sha256 for (sha256,) in self._ask(sql, [to_json(sorted(artifacts)), scanner])}

    def state(self) -> AdvisoryState:
        """What there is at this moment: the same state, the same answers about every package."""
        number = self._ask("SELECT coalesce(max(number), 0) FROM advisory_changes")[0][0]
        sources = self._ask("SELECT id, name, format FROM sources ORDER BY id")
        indexes = self._ask("SELECT id, source_id, distribution, digest, changed_at FROM source_indexes ORDER BY id")
        states = self._ask("SELECT source_id, generation, changed_at, packages FROM source_state ORDER BY source_id")
        telling = self._ask(
            """
            SELECT EXISTS (SELECT 1 FROM source_extras s JOIN extras e ON e.id = s.extra_id WHERE e.kind = 'advisory')
            """
        )[0][0]
        return AdvisoryState(
            number, _digest([sources, [row[:3] for row in indexes]]), _digest([indexes, states]), bool(telling)
        )

    def changed(self, since: int) -> Collection[str]:
        """The names of packages of which advisories say something else than at the change of this number."""
        sql = "SELECT package FROM advisory_changes WHERE number > ? AND package <> ''"
        return {row[0] for row in self._ask(sql, [since])}

    def earlier(self, sha256: str, scanner: str, basis: str) -> StoredVerdict | None:
        """What a scanner said last of an artifact on a basis, as it was first given; an error is never used again."""
        sql = """
            SELECT id, scanner_version, answers, status, reason, message, tool, tool_version, database_version,
                evidence, coalesce(reused_from, id), coalesce(checked_at, given_at)
            FROM verdicts WHERE sha256 = ? AND scanner = ? AND basis = ? AND status <> 'error' ORDER BY id DESC LIMIT 1
        """
        for row_id, version, answers, status, *words, evidence, given_by, given_at in self._ask(
            sql, [sha256, scanner, basis]
        ):
            found = self._ask(
                """
                SELECT finding, severity, summary, location, data, kind FROM findings WHERE verdict_id = ? ORDER BY id
                """,
                [row_id],
            )
            reason, message, tool, tool_version, database_version = words
            verdict = Verdict(
                status=Status(status),
                reason=reason,
                message=message,
                tool=tool,
                tool_version=tool_version,
                findings=tuple(Finding(a, b, c, d, from_json(data), kind) for a, b, c, d, data, kind in found),
                evidence=from_json(evidence),
                database_version=database_version,
            )
            return StoredVerdict(scanner, version, answers, verdict, basis, given_by, to_time(given_at))
        return None

    def _ask(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            path = self._path()
            if self._connection is not None and path != self._opened:
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._opened = path
                self._connection = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
                )
                # Packages are asked about in any order: with the usual 2 MiB most of what they need is read each time.
                self._connection.execute(f"PRAGMA cache_size = -{CACHE}")
            return self._connection.execute(sql, parameters).fetchall()


def _digest(values: object) -> str:
    return hashlib.sha256(to_json(values).encode()).hexdigest()
