"""Jobs of the schedule: when each is due next, and what became of its last run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_text, to_time


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known of a job. ``rule`` is the one that ``due_at`` and ``next_at`` were made with.

    ``due_at`` is when it is due next and ``next_at`` when it begins then. ``last_due_at`` is when the last run was due
    and ``last_at`` when it began; ``missed`` is how many were due before that one while nobody looked. ``skipped_at``
    is when one was due last while the one before still ran.
    """

    name: str
    rule: str
    due_at: dt.datetime
    next_at: dt.datetime
    last_due_at: dt.datetime | None = None
    last_at: dt.datetime | None = None
    missed: int = 0
    skipped_at: dt.datetime | None = None


TIMES = ("due_at", "next_at", "last_due_at", "last_at", "skipped_at")


class ScheduleTable:
    """Table ``schedule``, and the tasks that jobs began."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def states(self) -> dict[str, JobState]:
        """All jobs that were ever looked at, by name."""
        found = {}
        for row in rows(self._db, "SELECT * FROM schedule"):
            times = {name: to_time(row[name]) if row[name] else None for name in TIMES}
            found[row["name"]] = JobState(**(row | times))
        return found

    def save(self, state: JobState) -> None:
        """Notes it."""
        values: dict[str, Any] = {
            name: to_text(value) if isinstance(value := getattr(state, name), dt.datetime) else value
            for name in JobState.__slots__
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self._db.conn.execute(f"INSERT OR REPLACE INTO schedule ({columns}) VALUES ({marks})", list(values.values()))

    def under_way(self, job: str) -> Sequence[int]:
        """The tasks of a job that wait or run."""
        sql = "SELECT id FROM tasks WHERE job = ? AND state IN ('waiting', 'running') ORDER BY id"
        return [row[0] for row in self._db.conn.execute(sql, [job])]

    def last_tasks(self, job: str) -> Sequence[dict[str, Any]]:
        """(id, kind, subject, state) of the tasks of the last run of a job that began any."""
        sql = """
            SELECT id, kind, subject, state FROM tasks WHERE job = :job AND due_at = (
                SELECT due_at FROM tasks WHERE job = :job ORDER BY id DESC LIMIT 1
            ) ORDER BY id
        """
        return list(rows(self._db, sql, {"job": job}))
