"""Tasks: what was asked for, how far it came, how it ended."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text
from entrepot.errors import NotFoundError
from entrepot.processes import alive, started

JSON_COLUMNS = ("progress_reports", "created_resources", "error", "request", "result")


class TasksTable:
    """Table ``tasks``. States: ``waiting``, ``running``, ``completed``, ``failed``, ``canceled``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def start(self, kind: str, subject: str, actor: str, now: dt.datetime) -> int:
        """Adds a running task of this process and answers its id."""
        own = {"pid": os.getpid(), "process": started(os.getpid()), "started_at": to_text(now)}
        return self._add(kind, subject, actor, now, {"state": "running"} | own)

    def wait(
        self,
        kind: str,
        subject: str,
        actor: str,
        origin: str,
        request: Mapping[str, Any],
        now: dt.datetime,
        *,
        retry_of: int | None = None,
        job: tuple[str, dt.datetime] | None = None,
    ) -> int:
        """Adds a task that is to be run by a process of its own; ``request`` is what it needs, and no secret.

        ``retry_of`` is the task that it does again; ``job`` the job of the schedule that it is of, and when that was
        due.
        """
        row = {"state": "waiting", "origin": origin, "request": to_json(dict(request)), "retry_of": retry_of}
        if job is not None:
            row |= {"job": job[0], "due_at": to_text(job[1])}
        return self._add(kind, subject, actor, now, row)

    def _add(self, kind: str, subject: str, actor: str, now: dt.datetime, more: Mapping[str, Any]) -> int:
        row: dict[str, Any] = {
            "kind": kind,
            "subject": subject,
            "progress_reports": "[]",
            "created_resources": "[]",
            "error": "null",
            "request": "null",
            "result": "null",
            "actor": actor,
            "host": socket.gethostname(),
            "created_at": to_text(now),
            **more,
        }
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO tasks ({columns}) VALUES ({marks}) RETURNING id"
        return int(self._db.conn.execute(sql, list(row.values())).fetchone()[0])

    def report(self, task_id: int, reports: Sequence[dict[str, object]]) -> None:
        """Replaces the progress reports of a task."""
        self._db.conn.execute("UPDATE tasks SET progress_reports = ? WHERE id = ?", [to_json(list(reports)), task_id])

    def finish(
        self,
        task_id: int,
        state: str,
        created: Sequence[str],
        error: dict[str, object] | None,
        now: dt.datetime,
        result: dict[str, Any] | None = None,
    ) -> None:
        """Ends a task. A version that it made and published is told by both, and kept once."""
        made = list(dict.fromkeys(created))
        self._db.conn.execute(
            "UPDATE tasks SET state = ?, created_resources = ?, error = ?, result = ?, finished_at = ? WHERE id = ?",
            [state, to_json(made), to_json(error), to_json(result), to_text(now), task_id],
        )

    def dead(self) -> Sequence[int]:
        """The tasks of this machine that have a process, or had one: it is gone."""
        sql = """
            SELECT id, pid, coalesce(process, '') FROM tasks
            WHERE state IN ('waiting', 'running') AND pid IS NOT NULL AND host = ?
        """
        begun = self._db.conn.execute(sql, [socket.gethostname()]).fetchall()
        return [task_id for task_id, pid, process in begun if not alive(pid, process)]

    def queued(self) -> Sequence[int]:
        """The tasks of this machine that wait for a process, oldest first."""
        sql = "SELECT id FROM tasks WHERE state = 'waiting' AND pid IS NULL AND host = ? ORDER BY id"
        return [row[0] for row in self._db.conn.execute(sql, [socket.gethostname()])]

    def requested(self) -> Sequence[dict[str, Any]]:
        """The tasks of this machine that were asked for to be run by a process of their own, and have not ended."""
        return self._select(
            "WHERE state IN ('waiting', 'running') AND request <> 'null' AND host = ? ORDER BY id", socket.gethostname()
        )

    def give(self, task_id: int, pid: int) -> None:
        """Notes the process that is to run a waiting task."""
        sql = "UPDATE tasks SET pid = ?, process = ? WHERE id = ?"
        self._db.conn.execute(sql, [pid, started(pid), task_id])

    def take(self, task_id: int, now: dt.datetime) -> bool:
        """Makes a waiting task one that this process runs; False if it does not wait any more."""
        sql = """
            UPDATE tasks SET state = 'running', pid = ?, process = ?, started_at = ? WHERE id = ? AND state = 'waiting'
        """
        own = [os.getpid(), started(os.getpid())]
        return self._db.conn.execute(sql, [*own, to_text(now), task_id]).rowcount == 1

    def find(self, kind: str, subject: str, states: Collection[str] = ("waiting", "running")) -> int | None:
        """The oldest task of this kind and subject in one of these states."""
        marks = ", ".join("?" * len(states))
        sql = f"SELECT id FROM tasks WHERE kind = ? AND subject = ? AND state IN ({marks}) ORDER BY id LIMIT 1"
        found = self._db.conn.execute(sql, [kind, subject, *states]).fetchone()
        return int(found[0]) if found else None

    def again(self, task_id: int) -> int | None:
        """The task that does another one again, and has not ended."""
        sql = "SELECT id FROM tasks WHERE retry_of = ? AND state IN ('waiting', 'running') LIMIT 1"
        found = self._db.conn.execute(sql, [task_id]).fetchone()
        return int(found[0]) if found else None

    def mark_dead(self, now: dt.datetime) -> Sequence[int]:
        """Fails the tasks of this machine whose process is gone, and answers their ids."""
        dead = self.dead()
        for task_id in dead:
            error: dict[str, object] = {"title": "Interrupted", "detail": "the process ended before its work did"}
            self.finish(task_id, "failed", [], error, now)
        return dead

    def mark_unheard(self, now: dt.datetime, before: dt.datetime) -> Sequence[int]:
        """Fails the tasks of other machines that were asked for before a moment, and answers their ids."""
        sql = "SELECT id FROM tasks WHERE state IN ('waiting', 'running') AND host <> ? AND created_at < ?"
        found = [row[0] for row in self._db.conn.execute(sql, [socket.gethostname(), to_text(before)])]
        for task_id in found:
            error: dict[str, object] = {"title": "Interrupted", "detail": "nothing was heard of its machine for long"}
            self.finish(task_id, "failed", [], error, now)
        return found

    def get(self, task_id: int) -> dict[str, Any]:
        """One task, JSON columns decoded."""
        for row in self._select("WHERE id = ?", task_id):
            return row
        raise NotFoundError(f"there is no task {task_id}")

    def list(self, limit: int) -> Sequence[dict[str, Any]]:
        """The newest tasks, newest first."""
        return self._select("ORDER BY id DESC LIMIT ?", limit)

    def about(self, kind: str, subject: str, limit: int) -> Sequence[dict[str, Any]]:
        """The newest tasks of a kind about one thing, newest first."""
        return self._select("WHERE kind = ? AND subject = ? ORDER BY id DESC LIMIT ?", kind, subject, limit)

    def _select(self, clause: str, *parameters: Any) -> Sequence[dict[str, Any]]:
        return [
            row | {name: from_json(row[name] or "null") for name in JSON_COLUMNS}
            for row in rows(self._db, f"SELECT * FROM tasks {clause}", parameters)
        ]
