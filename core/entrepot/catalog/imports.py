"""Imports with their verdicts and findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, storable, to_json, to_text, to_time
from entrepot.errors import NotFoundError
from entrepot.events import ImportResult, ruling_from_json, ruling_json
from entrepot.models import Decision, Distribution, Finding, ImportState, Ruling, Status, Verdict


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict with the scanner that gave it. ``answers`` is its key in the result of an import.

    ``basis`` is a digest of what it depends on besides the artifact; empty if it is not to be used again. One that was
    used again says by which row it was given, and when.
    """

    scanner: str
    scanner_version: str
    answers: str
    verdict: Verdict
    basis: str = ""
    reused_from: int | None = None
    given_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a package came from: id and name of the source, and of its entry there; nothing of it for an upload."""

    source_id: int | None = None
    source: str = ""
    available_id: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How an import ends, or what is known of it so far; ``package_id`` if it came to a package."""

    import_id: int
    state: ImportState
    result: ImportResult
    package_id: int | None = None


class ImportsTable:
    """Tables ``imports``, ``verdicts`` and ``findings``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def start(self, values: Mapping[str, Any], now: dt.datetime) -> int:
        """Adds an import and answers its id; ``values`` are columns. In a transaction only."""
        return self.start_many([values], now)[0]

    def start_many(self, imports: Sequence[Mapping[str, Any]], now: dt.datetime) -> range:
        """Adds imports and answers their ids; each is columns, all the same ones. In a transaction only."""
        first = int(self._db.conn.execute("SELECT coalesce(max(id), 0) + 1 FROM imports").fetchone()[0])
        ids = range(first, first + len(imports))
        for columns in imports[:1]:
            names, marks = ", ".join(columns), ", ".join("?" * len(columns))
            self._db.conn.executemany(
                f"INSERT INTO imports (id, created_at, {names}) VALUES (?, ?, {marks})",
                [
                    (number, to_text(now), *map(_storable, values.values()))
                    for number, values in zip(ids, imports, strict=True)
                ],
            )
        return ids

    def advance(self, import_id: int, state: ImportState, **values: Any) -> None:
        """Moves an import to a state and changes columns."""
        row = {"state": state.value} | {name: _storable(value) for name, value in values.items()}
        assignments = ", ".join(f"{column} = ?" for column in row)
        self._db.conn.execute(f"UPDATE imports SET {assignments} WHERE id = ?", [*row.values(), import_id])

    def finish(self, ends: Iterable[End], now: dt.datetime) -> None:
        """Ends imports, each with its result."""
        self._db.conn.executemany(
            """
            UPDATE imports SET state = ?, name = ?, version = ?, architecture = ?, component = ?, sha256 = ?,
                message = ?, reasons = ?, rulings = ?, repository_version = ?, finished_at = ?,
                package_id = coalesce(?, package_id)
            WHERE id = ?
            """,
            [
                (
                    end.state.value,
                    *map(storable, (result.package, result.version, result.architecture, result.component)),
                    result.sha256,
                    storable(result.message),
                    to_json(list(result.reasons)),
                    _rulings_json(tuple(result.rulings)),
                    result.repository_version,
                    to_text(now),
                    end.package_id,
                    end.import_id,
                )
                for end in ends
                for result in [end.result]
            ],
        )

    def link(self, packages: Iterable[tuple[int, int | None]]) -> None:
        """Notes to which packages imports came: the id of each import with that of its package."""
        sql = "UPDATE imports SET package_id = ? WHERE id = ?"
        self._db.conn.executemany(sql, ((package_id, import_id) for import_id, package_id in packages))

    def conclude(
        self,
        import_ids: Sequence[int],
        message: str,
        number: int | None,
        now: dt.datetime,
        state: ImportState = ImportState.PUBLISHED,
    ) -> None:
        """Ends imports whose results are written already, all in one way."""
        self._db.conn.execute(
            "UPDATE imports SET state = ?, message = ?, repository_version = ?, finished_at = ?"
            " WHERE id IN (SELECT value FROM json_each(?))",
            [state.value, storable(message), number, to_text(now), to_json(list(import_ids))],
        )

    def get(self, import_id: int) -> dict[str, Any]:
        """The row of an import; ``reasons`` and ``rulings`` as they were in its result."""
        for row in rows(self._db, "SELECT * FROM imports WHERE id = ?", [import_id]):
            rulings = [ruling_from_json(document) for document in from_json(row["rulings"] or "[]")]
            return row | {"reasons": from_json(row["reasons"] or "[]"), "rulings": rulings}
        raise NotFoundError(f"there is no import {import_id}")

    def recent(
        self, limit: int, offset: int = 0, *, states: Collection[str] = (), name: str = "", distribution_id: int = 0
    ) -> Sequence[dict[str, Any]]:
        """The newest imports, newest first, with the path of their distribution and the name of their source.

        Only those in ``states``, of packages called ``name`` or to one distribution, where that is asked for.
        """
        sql = """
            SELECT i.id, i.state, i.name, i.version, i.architecture, r.name || '/' || d.name AS distribution,
                s.name AS source, i.message, i.repository_version, i.task_id, i.actor, i.created_at, i.finished_at
            FROM imports i JOIN distributions d ON d.id = i.distribution_id
            JOIN repositories r ON r.id = d.repository_id LEFT JOIN sources s ON s.id = i.source_id
            WHERE (:states = '[]' OR i.state IN (SELECT value FROM json_each(:states)))
            AND (:name = '' OR i.name = :name) AND (:distribution = 0 OR i.distribution_id = :distribution)
            ORDER BY i.id DESC LIMIT :limit OFFSET :offset
        """
        parameters = {
            "states": to_json(sorted(states)),
            "name": name,
            "distribution": distribution_id,
            "limit": limit,
            "offset": offset,
        }
        return list(rows(self._db, sql, parameters))

    def of_task(self, task_id: int, limit: int) -> Sequence[dict[str, Any]]:
        """The first imports of a task, in the order in which they were begun."""
        sql = """
            SELECT id, state, name, version, architecture, message FROM imports WHERE task_id = ? ORDER BY id LIMIT ?
        """
        return list(rows(self._db, sql, [task_id, limit]))

    def interrupt(self, task_id: int, now: dt.datetime) -> None:
        """Fails the imports that a task left under way when its process ended."""
        self._db.conn.execute(
            """
            UPDATE imports SET state = ?, message = 'interrupted; import it again', finished_at = ?
            WHERE task_id = ? AND state IN (?, ?)
            """,
            [
                ImportState.FAILED.value,
                to_text(now),
                task_id,
                ImportState.FETCHING.value,
                ImportState.INSPECTING.value,
            ],
        )

    def redecide(
        self,
        import_id: int,
        state: ImportState,
        message: str,
        decision: Decision,
        reopened_at: dt.datetime | None = None,
    ) -> None:
        """Notes what a policy says of an import now; ``reopened_at`` if it waits again though its package is in."""
        values: dict[str, Any] = {
            "message": message,
            "policy": decision.policy,
            "reasons": to_json(list(decision.reasons)),
            "rulings": to_json([ruling_json(ruling) for ruling in decision.rulings]),
        }
        if reopened_at is not None:
            values["reopened_at"] = to_text(reopened_at)
        self.advance(import_id, state, **values)

    def adopt_verdicts(self, import_id: int, distribution_id: int, sha256: str) -> None:
        """Gives an import what was said of its artifact before there was an import of it in its distribution."""
        sql = "UPDATE verdicts SET import_id = ? WHERE distribution_id = ? AND sha256 = ? AND import_id IS NULL"
        self._db.conn.execute(sql, [import_id, distribution_id, sha256])

    def add_verdicts(
        self,
        import_id: int | None,
        sha256: str,
        verdicts: Sequence[StoredVerdict],
        now: dt.datetime,
        distribution_id: int | None = None,
    ) -> None:
        """Keeps what the scanners said of an import, or of an artifact in a distribution that no import brought."""
        self.add_verdicts_of_many([(import_id, sha256, verdicts)], now, distribution_id)

    def add_verdicts_of_many(
        self,
        packages: Iterable[tuple[int | None, str, Sequence[StoredVerdict]]],
        now: dt.datetime,
        distribution_id: int | None = None,
    ) -> None:
        """The same of several: each with its import, if one brought it, and its sha256. In a transaction only."""
        number = int(self._db.conn.execute("SELECT coalesce(max(id), 0) FROM verdicts").fetchone()[0])
        verdicts: list[tuple[object, ...]] = []
        findings: list[tuple[object, ...]] = []
        # What was found is often the very same of several packages of one source, one after the other.
        last: tuple[Finding, ...] = ()
        columns: Sequence[tuple[object, ...]] = ()
        for import_id, sha256, said in packages:
            for stored in said:
                number += 1
                verdicts.append((number, import_id, distribution_id, sha256, *_columns(stored, now)))
                if stored.verdict.findings is not last:
                    last = stored.verdict.findings
                    columns = [_finding_columns(item) for item in last]
                findings += [(number, *each) for each in columns]
        self._db.conn.executemany(
            """
            INSERT INTO verdicts (id, import_id, distribution_id, sha256, scanner, scanner_version, answers, status,
                reason, message, tool, tool_version, database_version, basis, reused_from, given_at, evidence,
                created_at)
            VALUES (?1, ?2, coalesce(?3, (SELECT distribution_id FROM imports WHERE id = ?2)),
                ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """,
            verdicts,
        )
        self._db.conn.executemany(
            "INSERT INTO findings (verdict_id, finding, severity, summary, location, data, kind)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            findings,
        )

    def confirm_verdict(
        self, distribution_id: int, sha256: str, before: StoredVerdict, stored: StoredVerdict, now: dt.datetime
    ) -> bool:
        """Notes that a scanner says what it said ``before``, on a newer basis: the row is kept, and no other is added.

        False, and nothing is changed, if that is not what was said last of the artifact in this distribution.
        """
        verdict = stored.verdict
        sql = """
            UPDATE verdicts SET basis = ?, tool_version = ?, database_version = ?, evidence = ?, checked_at = ?
            WHERE id = (SELECT max(id) FROM verdicts WHERE distribution_id = ? AND sha256 = ? AND scanner = ?)
            AND basis = ? AND status = ? AND reason = ? AND message = ?
        """
        values = [
            stored.basis,
            storable(verdict.tool_version),
            storable(verdict.database_version),
            to_json(dict(verdict.evidence)),
            to_text(stored.given_at or now),
            distribution_id,
            sha256,
            stored.scanner,
            before.basis,
            before.verdict.status.value,
            storable(before.verdict.reason),
            storable(before.verdict.message),
        ]
        return bool(self._db.conn.execute(sql, values).rowcount)

    def verdicts(self, import_id: int) -> Sequence[StoredVerdict]:
        """What every scanner said last of an import, in the order of their names."""
        sql = "SELECT max(id) FROM verdicts WHERE import_id = ? GROUP BY scanner"
        return [stored for _, stored in self._verdicts(sql, import_id)]

    def last_verdicts(
        self, artifacts: Collection[str], distribution_id: int | None = None
    ) -> Mapping[str, Mapping[str, StoredVerdict]]:
        """What every scanner said last of artifacts, in one distribution or anywhere: by sha256, then by name."""
        sql = """
            SELECT max(id) FROM verdicts WHERE sha256 IN (SELECT value FROM json_each(?1))
            AND (?2 IS NULL OR distribution_id = ?2) GROUP BY sha256, scanner
        """
        found: dict[str, dict[str, StoredVerdict]] = {}
        for sha256, stored in self._verdicts(sql, to_json(sorted(artifacts)), distribution_id):
            found.setdefault(sha256, {})[stored.scanner] = stored
        return found

    def origin(self, distribution: Distribution, package_id: int) -> Origin:
        """Where the newest import of a package of a distribution brought it from."""
        # The unary plus keeps SQLite on the index by package: a distribution has most of the rows.
        sql = """
            SELECT s.id, coalesce(s.name, ''), i.available_id FROM imports i LEFT JOIN sources s ON s.id = i.source_id
            WHERE +i.distribution_id = ? AND i.package_id = ? ORDER BY i.id DESC LIMIT 1
        """
        return Origin(*(self._db.conn.execute(sql, [distribution.id, package_id]).fetchone() or ()))

    def last_state(self, distribution: Distribution, sha256: str) -> ImportState | None:
        """Where the newest import stands by which a file came to a distribution; None if there is none."""
        sql = """
            SELECT i.state FROM packages p JOIN imports i ON i.package_id = p.id
            WHERE p.original_sha256 = ? AND +i.distribution_id = ? ORDER BY i.id DESC LIMIT 1
        """
        row = self._db.conn.execute(sql, [sha256, distribution.id]).fetchone()
        return ImportState(row[0]) if row else None

    def _verdicts(self, ids: str, *parameters: Any) -> Sequence[tuple[str, StoredVerdict]]:
        sql = f"""
            SELECT id, sha256, scanner, scanner_version, answers, status, reason, message, tool, tool_version,
                database_version, basis, reused_from, given_at, evidence
            FROM verdicts WHERE id IN ({ids}) ORDER BY scanner, id
        """
        verdicts = self._db.conn.execute(sql, parameters).fetchall()
        sql = """
            SELECT verdict_id, finding, severity, summary, location, kind, data FROM findings
            WHERE verdict_id IN (SELECT value FROM json_each(?)) ORDER BY id
        """
        found = self._db.conn.execute(sql, [to_json([row[0] for row in verdicts])]).fetchall()
        findings: dict[int, list[Finding]] = {}
        for (number, name, severity, summary, where, kind, _), data in zip(found, _last_columns(found), strict=True):
            findings.setdefault(number, []).append(Finding(name, severity, summary, where, data, kind))
        stored = []
        for row, evidence in zip(verdicts, _last_columns(verdicts), strict=True):
            number, sha256, scanner, scanner_version, answers, status, reason, message, *others = row
            tool, tool_version, database_version, basis, reused_from, given_at, _ = others
            verdict = Verdict(
                Status(status),
                reason,
                message,
                tool,
                tool_version,
                tuple(findings.get(number, ())),
                evidence,
                database_version,
            )
            given = to_time(given_at)
            said = StoredVerdict(scanner, scanner_version, answers, verdict, basis, reused_from, given)
            stored.append((sha256, said))
        return stored


def _columns(stored: StoredVerdict, now: dt.datetime) -> Sequence[object]:
    verdict = stored.verdict
    return (
        stored.scanner,
        stored.scanner_version,
        stored.answers,
        verdict.status.value,
        storable(verdict.reason),
        storable(verdict.message),
        storable(verdict.tool),
        storable(verdict.tool_version),
        storable(verdict.database_version),
        stored.basis,
        stored.reused_from,
        to_text(stored.given_at or now),
        to_json(dict(verdict.evidence)),
        to_text(now),
    )


def _finding_columns(finding: Finding) -> tuple[object, ...]:
    words = map(storable, (finding.id, finding.severity, finding.summary, finding.where))
    return (*words, to_json(dict(finding.data)), storable(finding.kind))


@lru_cache(maxsize=256)
def _rulings_json(rulings: tuple[Ruling, ...]) -> str:
    """Most packages of a batch have the same ones."""
    return to_json([ruling_json(ruling) for ruling in rulings])


def _last_columns(found: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """The JSON in the last column of all rows, read at once: for each by itself it takes three times as long."""
    columns: Sequence[Any] = from_json(f"[{','.join([row[-1] for row in found])}]")
    return columns


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value
