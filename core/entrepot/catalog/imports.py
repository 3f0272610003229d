"""Imports with their verdicts and findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, storable, to_json, to_text, to_time
from entrepot.errors import NotFoundError
from entrepot.events import ImportResult, ruling_from_json, ruling_json
from entrepot.models import Finding, ImportState, Status, Verdict


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


class ImportsTable:
    """Tables ``imports``, ``verdicts`` and ``findings``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def start(self, values: Mapping[str, Any], now: dt.datetime) -> int:
        """Adds an import and answers its id; ``values`` are columns."""
        row = {name: _storable(value) for name, value in values.items()} | {"created_at": to_text(now)}
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO imports ({columns}) VALUES ({marks}) RETURNING id"
        return int(self._db.conn.execute(sql, list(row.values())).fetchone()[0])

    def advance(self, import_id: int, state: ImportState, **values: Any) -> None:
        """Moves an import to a state and changes columns."""
        row = {"state": state.value} | {name: _storable(value) for name, value in values.items()}
        assignments = ", ".join(f"{column} = ?" for column in row)
        self._db.conn.execute(f"UPDATE imports SET {assignments} WHERE id = ?", [*row.values(), import_id])

    def finish(self, import_id: int, state: ImportState, result: ImportResult, now: dt.datetime) -> None:
        """Ends an import with its result."""
        self.advance(
            import_id,
            state,
            name=result.package,
            version=result.version,
            architecture=result.architecture,
            component=result.component,
            sha256=result.sha256,
            message=result.message,
            reasons=to_json(list(result.reasons)),
            rulings=to_json([ruling_json(ruling) for ruling in result.rulings]),
            repository_version=result.repository_version,
            finished_at=to_text(now),
        )

    def get(self, import_id: int) -> dict[str, Any]:
        """The row of an import; ``reasons`` and ``rulings`` as they were in its result."""
        for row in rows(self._db, "SELECT * FROM imports WHERE id = ?", [import_id]):
            rulings = [ruling_from_json(document) for document in from_json(row["rulings"] or "[]")]
            return row | {"reasons": from_json(row["reasons"] or "[]"), "rulings": rulings}
        raise NotFoundError(f"there is no import {import_id}")

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

    def add_verdicts(self, import_id: int, sha256: str, verdicts: Sequence[StoredVerdict], now: dt.datetime) -> None:
        """Keeps what the scanners said."""
        for stored in verdicts:
            verdict = stored.verdict
            verdict_id = self._db.conn.execute(
                """
                INSERT INTO verdicts (import_id, distribution_id, sha256, scanner, scanner_version, answers, status,
                    reason, message, tool, tool_version, database_version, basis, reused_from, given_at, evidence,
                    created_at)
                VALUES (?1, (SELECT distribution_id FROM imports WHERE id = ?1),
                    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                RETURNING id
                """,
                [
                    import_id,
                    sha256,
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
                ],
            ).fetchone()[0]
            self._db.conn.executemany(
                "INSERT INTO findings (verdict_id, finding, severity, summary, location, data, kind)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        verdict_id,
                        *map(storable, (item.id, item.severity, item.summary, item.where)),
                        to_json(dict(item.data)),
                        storable(item.kind),
                    )
                    for item in verdict.findings
                ],
            )

    def verdicts(self, import_id: int) -> Sequence[StoredVerdict]:
        """What the scanners said, in the order of their names."""
        sql = "SELECT * FROM verdicts WHERE import_id = ? ORDER BY scanner, id"
        return [
            StoredVerdict(
                row["scanner"],
                row["scanner_version"],
                row["answers"],
                Verdict(
                    status=Status(row["status"]),
                    reason=row["reason"],
                    message=row["message"],
                    tool=row["tool"],
                    tool_version=row["tool_version"],
                    findings=self._findings(row["id"]),
                    evidence=from_json(row["evidence"]),
                    database_version=row["database_version"],
                ),
                row["basis"],
                row["reused_from"],
                to_time(row["given_at"]),
            )
            for row in list(rows(self._db, sql, [import_id]))
        ]

    def _findings(self, verdict_id: int) -> tuple[Finding, ...]:
        sql = "SELECT finding, severity, summary, location, data, kind FROM findings WHERE verdict_id = ? ORDER BY id"
        return tuple(
            Finding(
                row["finding"], row["severity"], row["summary"], row["location"], from_json(row["data"]), row["kind"]
            )
            for row in rows(self._db, sql, [verdict_id])
        )


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value
