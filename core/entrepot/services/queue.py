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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from entrepot.errors import ConflictError, EntrepotError
from entrepot.processes import alive
from entrepot.progress import Progress, ProgressEvent, silent, tee
from entrepot.services.event_log import EventLog, events_path, forget_old, log_path
from entrepot.services.records import record
from entrepot.services.requests import KINDS, UPLOADS, perform
from entrepot.services.task_views import look
from entrepot.services.tasks import canceled, recover, recover_if_needed, reported

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

UPLOAD_HOURS = 24
ENDED = frozenset({"completed", "failed", "canceled"})
RETRIABLE = frozenset({"failed", "canceled"})
LOOK_EVERY = 0.25
"""Seconds between two looks at tasks that are waited for."""


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
    """Starts tasks that wait, as many as there is room for; ends those whose process is gone.

    On a storage a command does them itself, one after the other: a function ends with its call, and all that it began.
    """
    recover_if_needed(workspace)
    tasks = workspace.catalog.tasks
    if not tasks.queued():
        return
    _tidy(workspace)
    if workspace.is_remote and not workspace.lasting:
        _run_here(workspace)
        return
    # A process that is started here waits for the end of this transaction before it takes its task.
    with workspace.catalog.transaction():
        waiting = tasks.queued()
        under_way = sum(1 for task in tasks.requested() if task["pid"] is not None)
        for task_id in waiting[: max(0, workspace.settings.web.tasks - under_way)]:
            tasks.give(task_id, _start(workspace, task_id))


def _run_here(workspace: Workspace) -> None:
    asking = workspace.actor, workspace.origin
    while waiting := workspace.catalog.tasks.queued():
        try:
            # How it ended is noted, whichever way that was.
            with suppress(EntrepotError):
                run(workspace, waiting[0])
        finally:
            workspace.actor, workspace.origin = asking


def _start(workspace: Workspace, task_id: int) -> int:
    command = [sys.executable, "-m", "entrepot", "--home", workspace.url, "--quiet", "task", "run", str(task_id)]
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
        if not workspace.is_remote:
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
            catalog.tasks.finish(task_id, "canceled", [], canceled(f"by {workspace.actor}"), workspace.now())
            _drop_upload(workspace, task)
        if task["pid"] is not None and alive(task["pid"], task["process"] or ""):
            try:
                os.kill(task["pid"], signal.SIGINT)
            except PermissionError as error:
                raise EntrepotError(f"task {task_id} is another user's of this machine") from error
        record(workspace, "task.cancel", f"task {task_id}", {})
    return catalog.tasks.get(task_id)


def retry(workspace: Workspace, task_id: int) -> int:
    """Asks for a task that failed or was cancelled once more, with what it was asked then; answers the new one's id.

    ``ConflictError`` where it did not fail, is done again already, or left nothing to do it again with.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        recover(workspace)
        task = catalog.tasks.get(task_id)
        _require_retriable(workspace, task)
        new_id = catalog.tasks.wait(
            task["kind"],
            task["subject"],
            workspace.actor,
            workspace.origin,
            task["request"],
            workspace.now(),
            retry_of=task_id,
        )
        record(workspace, "task.retry", f"task {task_id}", {"task": new_id})
    dispatch(workspace)
    return new_id


def keeps_request(workspace: Workspace, task_id: int) -> bool:
    """Whether it is known what a task was asked for: not of commands."""
    return workspace.catalog.tasks.get(task_id)["request"] is not None


def _require_retriable(workspace: Workspace, task: Mapping[str, Any]) -> None:
    if task["state"] not in RETRIABLE:
        raise ConflictError(f"task {task['id']} is {task['state']}", hint="one that failed or was cancelled is retried")
    if task["request"] is None:
        raise ConflictError(
            f"task {task['id']} was a command, of which only the shell knows the arguments", hint="enter it again"
        )
    if (again := workspace.catalog.tasks.again(task["id"])) is not None:
        raise ConflictError(f"task {task['id']} is being done again already, as task {again}")
    if task["kind"] == "upload" and not (workspace.local / UPLOADS / task["request"]["folder"]).is_dir():
        raise ConflictError(f"the files of task {task['id']} are not kept", hint="upload them again")


def wait(workspace: Workspace, task_ids: Sequence[int], progress: Progress = silent) -> Sequence[dict[str, Any]]:
    """Waits until tasks have ended, and answers them as ``task_views.look`` does."""
    told: dict[int, str] = {}
    while True:
        dispatch(workspace)
        tasks = [look(workspace, task_id) for task_id in task_ids]
        for task in tasks:
            if told.get(task["id"]) != task["state"]:
                told[task["id"]] = task["state"]
                progress(_told(task))
        if all(task["state"] in ENDED for task in tasks):
            return tasks
        time.sleep(LOOK_EVERY)


def _told(task: Mapping[str, Any]) -> ProgressEvent:
    state = {"completed": "completed", "failed": "failed", "canceled": "failed"}.get(task["state"], "running")
    message = f"Task {task['id']}, {task['kind']} {task['subject']}: {task['state']}"
    return ProgressEvent(f"task.{task['id']}", message, state)


def failed(task: Mapping[str, Any]) -> EntrepotError | None:
    """Why a task that has ended failed, as an error to raise; None if it did not."""
    if task["state"] == "completed":
        return None
    error = task["error"] or {}
    detail, hint = error.get("detail") or error.get("title") or task["state"], error.get("hint", "")
    return EntrepotError(f"task {task['id']} is {task['state']}: {detail}", hint=hint, task=task["id"])


def _drop_upload(workspace: Workspace, task: Mapping[str, Any]) -> None:
    if task["kind"] == "upload" and task["request"]:
        shutil.rmtree(workspace.local / UPLOADS / task["request"]["folder"], ignore_errors=True)


def _tidy(workspace: Workspace) -> None:
    """Removes old logs, and uploads that no task came for."""
    forget_old(workspace)
    folder = workspace.local / UPLOADS
    if not folder.is_dir():
        return
    held = {task["request"].get("folder") for task in workspace.catalog.tasks.requested()}
    oldest = time.time() - UPLOAD_HOURS * 3600
    for upload in folder.iterdir():
        if upload.name not in held and upload.stat().st_mtime < oldest:
            shutil.rmtree(upload, ignore_errors=True)
