"""Work that outlives who asked for it: a row that waits, then a process of its own that does it.

The process belongs to nobody: whoever asked may go, and a server may end or be killed. It does not share a thread, an
event loop or a connection with anything, so plugins may fork in it. Who asks, and every process at its end, starts
those that wait, up to the number that ``[web] tasks`` allows at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from entrepot.errors import ConflictError, EntrepotError
from entrepot.processes import alive
from entrepot.progress import silent, tee
from entrepot.services.event_log import EventLog, events_path, forget_old, log_path
from entrepot.services.records import record
from entrepot.services.requests import KINDS, UPLOADS, perform
from entrepot.services.tasks import recover, recover_if_needed, reported

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

UPLOAD_HOURS = 24
ENDED = frozenset({"completed", "failed", "canceled"})


def submit(workspace: Workspace, kind: str, subject: str, values: Mapping[str, Any], *, follow: bool = False) -> int:
    """Asks for a task and starts it if there is room; answers its id.

    With ``follow`` nothing is asked for where a task of this kind and subject waits or runs: its id is answered.
    """
    if kind not in KINDS:
        raise ValueError(kind)
    catalog = workspace.catalog
    with catalog.transaction():
        recover(workspace)
        held = catalog.tasks.find(kind, subject) if follow else None
        if held is not None:
            return held
        task_id = catalog.tasks.wait(kind, subject, workspace.actor, workspace.origin, values, workspace.now())
    dispatch(workspace)
    return task_id


def dispatch(workspace: Workspace) -> None:
    """Starts tasks that wait, as many as there is room for; ends those whose process is gone."""
    recover_if_needed(workspace)
    tasks = workspace.catalog.tasks
    if not tasks.queued():
        return
    _tidy(workspace)
    # A process that is started here waits for the end of this transaction before it takes its task.
    with workspace.catalog.transaction():
        waiting = tasks.queued()
        under_way = sum(1 for task in tasks.requested() if task["pid"] is not None)
        for task_id in waiting[: max(0, workspace.settings.web.tasks - under_way)]:
            tasks.give(task_id, _start(workspace, task_id))


def _start(workspace: Workspace, task_id: int) -> int:
    command = [sys.executable, "-m", "entrepot", "--home", str(workspace.home), "--quiet", "task", "run", str(task_id)]
    with log_path(workspace, task_id).open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    # Somebody has to wait for it, or it stays in the process table until this process ends.
    threading.Thread(target=process.wait, daemon=True, name=f"task-{task_id}").start()
    return process.pid


def run(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """Does a waiting task in this process, and answers its result."""
    # Who was started in the background by a shell ignores SIGINT, which is how a task is cancelled.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    catalog = workspace.catalog
    with catalog.transaction():
        row = catalog.tasks.get(task_id)
        if not catalog.tasks.take(task_id, workspace.now()):
            raise ConflictError(f"task {task_id} does not wait: it is {row['state']}")
    workspace.actor, workspace.origin = row["actor"], row["origin"]
    log = EventLog(events_path(workspace, task_id))
    try:
        with reported(workspace, task_id, tee(log, silent)) as task:
            workspace.task = task
            task.result = perform(workspace, row["kind"], row["request"])
            return task.result
    finally:
        workspace.task = None
        dispatch(workspace)


def cancel(workspace: Workspace, task_id: int) -> dict[str, Any]:
    """Ends a task: one that waits at once, one that runs as Ctrl-C would. Answers its row; it may take a moment yet."""
    recover_if_needed(workspace)
    catalog = workspace.catalog
    with catalog.transaction():
        task = catalog.tasks.get(task_id)
        if task["state"] in ENDED:
            raise ConflictError(f"task {task_id} has ended: it is {task['state']}")
        if task["host"] != os.uname().nodename:
            raise ConflictError(f"task {task_id} runs on {task['host']}", hint="cancel it there")
        if task["state"] == "waiting":
            detail: dict[str, object] = {
                "title": "Canceled",
                "status": 409,
                "detail": f"by {workspace.actor}",
                "hint": "",
            }
            catalog.tasks.finish(task_id, "canceled", [], detail, workspace.now())
            _drop_upload(workspace, task)
        if task["pid"] is not None and alive(task["pid"], task["process"] or ""):
            try:
                os.kill(task["pid"], signal.SIGINT)
            except PermissionError as error:
                raise EntrepotError(f"task {task_id} is another user's of this machine") from error
        record(workspace, "task.cancel", f"task {task_id}", {})
    return catalog.tasks.get(task_id)


def _drop_upload(workspace: Workspace, task: Mapping[str, Any]) -> None:
    if task["kind"] == "upload" and task["request"]:
        shutil.rmtree(workspace.home / UPLOADS / task["request"]["folder"], ignore_errors=True)


def _tidy(workspace: Workspace) -> None:
    """Removes old logs, and uploads that no task came for."""
    forget_old(workspace)
    folder = workspace.home / UPLOADS
    if not folder.is_dir():
        return
    held = {task["request"].get("folder") for task in workspace.catalog.tasks.requested()}
    oldest = time.time() - UPLOAD_HOURS * 3600
    for upload in folder.iterdir():
        if upload.name not in held and upload.stat().st_mtime < oldest:
            shutil.rmtree(upload, ignore_errors=True)
