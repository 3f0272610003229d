"""Every longer use case is a task: its progress reaches whoever looks, and how it ended stays in the catalog."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from entrepot.errors import BatchError, EntrepotError
from entrepot.progress import Progress, ProgressEvent, Task, overall, silent, tee

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

WRITE_EVERY = 0.5
"""Seconds between two writes of a task's row."""
UNHEARD = dt.timedelta(days=1)
"""How long a task may run on another machine, whose processes nobody sees from here, before it holds up no job."""


@contextmanager
def running(workspace: Workspace, kind: str, subject: str, progress: Progress = silent) -> Iterator[Task]:
    """Runs the block as a task; an error ends it, and what it left under way, as failed and goes on to the caller.

    Where the workspace is there for one task that was asked for before (``queue.run``), the block is part of that one.
    """
    catalog = workspace.catalog
    if workspace.task is not None:
        try:
            yield workspace.task
        except BaseException:
            with catalog.transaction():
                catalog.imports.interrupt(workspace.task.id, workspace.now())
            raise
        return
    with catalog.transaction():
        recover(workspace)
        task_id = catalog.tasks.start(kind, subject, workspace.actor, workspace.now())
    with reported(workspace, task_id, progress) as task:
        yield task


@contextmanager
def reported(workspace: Workspace, task_id: int, progress: Progress) -> Iterator[Task]:
    """The block is what the task does: its progress is kept, and how it ends."""
    catalog = workspace.catalog
    reports = _Reports(workspace, task_id)
    task = Task(task_id, tee(overall(reports.take), progress))
    try:
        yield task
    except BaseException as error:
        state = "canceled" if isinstance(error, KeyboardInterrupt) else "failed"
        with catalog.transaction():
            reports.write(state)
            catalog.tasks.finish(task_id, state, task.created, problem(error), workspace.now(), task.result)
            catalog.imports.interrupt(task_id, workspace.now())
        raise
    with catalog.transaction():
        reports.write("completed")
        catalog.tasks.finish(task_id, "completed", task.created, None, workspace.now(), task.result)


def recover(workspace: Workspace, *, others: bool = False) -> None:
    """Ends what killed processes of this machine left behind; inside the caller's transaction.

    With ``others``, and always on a storage, that of other machines, too, when nothing was heard of it for long.
    """
    tasks, now = workspace.catalog.tasks, workspace.now()
    unheard = tasks.mark_unheard(now, now - UNHEARD) if others or workspace.is_remote else ()
    for task_id in (*tasks.mark_dead(now), *unheard):
        workspace.catalog.imports.interrupt(task_id, workspace.now())


def recover_if_needed(workspace: Workspace) -> None:
    """The same for who only looks: nothing is written, and no writer waited for, where there is nothing to end."""
    # On a storage even that would wait for a writer: the next one does it, or a server.
    may = workspace.lasting if workspace.is_remote else not workspace.read_only
    if may and workspace.catalog.tasks.dead():
        with workspace.catalog.transaction():
            recover(workspace)


def problem(error: BaseException) -> dict[str, object]:
    """An error as a task keeps it: what ``application/problem+json`` says of it."""
    if isinstance(error, KeyboardInterrupt):
        return canceled("it was ended while it ran")
    if not isinstance(error, EntrepotError):
        return {"title": type(error).__name__, "status": 500, "detail": str(error), "hint": ""}
    document: dict[str, object] = {
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "hint": error.hint,
    }
    if isinstance(error, BatchError):
        document["failures"] = [{"item": item, "error": str(failure)} for item, failure in error.failures]
    return document


def canceled(detail: str) -> dict[str, object]:
    """The same for a task that somebody ended."""
    return {"title": "Canceled", "status": 409, "detail": detail, "hint": ""}


class _Reports:
    """The latest event of every code. Events come from any thread; only the thread of the catalog writes them."""

    def __init__(self, workspace: Workspace, task_id: int) -> None:
        self._workspace = workspace
        self._catalog = workspace.catalog
        self._task_id = task_id
        self._thread = threading.get_ident()
        self._latest: dict[str, ProgressEvent] = {}
        self._lock = threading.Lock()
        self._written = 0.0

    def take(self, event: ProgressEvent) -> None:
        with self._lock:
            self._latest[event.code] = event
        now = time.monotonic()
        # Inside the one transaction of a sync or an import a write would be seen by nobody before its end.
        if threading.get_ident() != self._thread or self._catalog.database.conn.in_transaction:
            return
        if self._workspace.is_remote and not self._workspace.session.is_writing:
            # A report is no reason to wait for a writer, nor to be one for whom others wait: the next transaction is.
            return
        if now - self._written >= WRITE_EVERY or event.state != "running":
            self._written = now
            with self._catalog.transaction():
                self.write()

    def write(self, ended: str = "") -> None:
        """Writes them to the task's row; with the task has ended what was still under way, as that state says."""
        with self._lock:
            events = list(self._latest.values())
        if ended:
            events = [replace(event, state=ended) if event.state == "running" else event for event in events]
        reports = [event.as_json() for event in events]
        self._catalog.tasks.report(self._task_id, reports)
