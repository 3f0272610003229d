"""Tasks: what was asked for, how far it came, how it ended."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text
from entrepot.errors import NotFoundError

JSON_COLUMNS = ("progress_reports", "created_resources", "error")


class TasksTable:
    """Table ``tasks``. States: ``waiting``, ``running``, ``completed``, ``failed``, ``canceled``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def start(self, kind: str, subject: str, actor: str, now: dt.datetime) -> int:
        """Adds a running task of this process and answers its id."""
        row: dict[str, Any] = {
            "kind": kind,
            "subject": subject,
            "state": "running",
            "progress_reports": "[]",
            "created_resources": "[]",
            "error": "null",
            "actor": actor,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "created_at": to_text(now),
            "started_at": to_text(now),
        }
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO tasks ({columns}) VALUES ({marks}) RETURNING id"
        return int(self._db.conn.execute(sql, list(row.values())).fetchone()[0])

    def report(self, task_id: int, reports: Sequence[dict[str, object]]) -> None:
        """Replaces the progress reports of a task."""
        self._db.conn.execute("UPDATE tasks SET progress_reports = ? WHERE id = ?", [to_json(list(reports)), task_id])

    def finish(
        self, task_id: int, state: str, created: Sequence[str], error: dict[str, object] | None, now: dt.datetime
    ) -> None:
        """Ends a task."""
        self._db.conn.execute(
            "UPDATE tasks SET state = ?, created_resources = ?, error = ?, finished_at = ? WHERE id = ?",
            [state, to_json(list(created)), to_json(error), to_text(now), task_id],
        )

    def dead(self) -> Sequence[int]:
        """The running tasks of this machine whose process is gone."""
        sql = "SELECT id, pid FROM tasks WHERE state = 'running' AND host = ?"
        running = self._db.conn.execute(sql, [socket.gethostname()]).fetchall()
        return [task_id for task_id, pid in running if not _alive(pid)]

    def mark_dead(self, now: dt.datetime) -> Sequence[int]:
        """Fails the tasks of this machine whose process is gone, and answers their ids."""
        dead = self.dead()
        for task_id in dead:
            error: dict[str, object] = {"title": "Interrupted", "detail": "the process ended before its work did"}
            self.finish(task_id, "failed", [], error, now)
        return dead

    def get(self, task_id: int) -> dict[str, Any]:
        """One task, JSON columns decoded."""
        for row in self._select("WHERE id = ?", task_id):
            return row
        raise NotFoundError(f"there is no task {task_id}")

    def list(self, limit: int) -> Sequence[dict[str, Any]]:
        """The newest tasks, newest first."""
        return self._select("ORDER BY id DESC LIMIT ?", limit)

    def _select(self, clause: str, *parameters: Any) -> Sequence[dict[str, Any]]:
        return [
            row | {name: from_json(row[name]) for name in JSON_COLUMNS}
            for row in rows(self._db, f"SELECT * FROM tasks {clause}", parameters)
        ]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
