"""The events of a task that runs in a process of its own, as lines of a file that others follow while it runs.

A row of the catalog would not do: inside the one transaction of a sync nobody else sees what it writes. The number of a
line, from 1, is the id of its event, so that who was cut off goes on from there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.progress import ProgressEvent

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

EVERY = 0.25
"""Seconds between two lines about the same piece of work."""
MOST_LINES = 20_000
READ_AT_ONCE = 1 << 20
DAYS_KEPT = 14


def events_path(workspace: Workspace, task_id: int) -> Path:
    """Where the events of a task are."""
    return _folder(workspace) / f"{task_id}.events"


def log_path(workspace: Workspace, task_id: int) -> Path:
    """Where what the process of a task prints is."""
    return _folder(workspace) / f"{task_id}.log"


def _folder(workspace: Workspace) -> Path:
    folder = workspace.local / "tasks"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


class EventLog:
    """``progress.Progress`` that appends to the file of a task."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last: dict[tuple[str, int | None], float] = {}
        self._lines = 0

    def __call__(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        with self._lock:
            piece = event.code, event.import_id
            recent = now - self._last.get(piece, -EVERY) < EVERY
            # All there is of it is told at once: other work follows, and the last word would stay for as long as that.
            under_way = event.state == "running" and event.done != event.total
            if (under_way and recent) or self._lines >= MOST_LINES:
                return
            self._last[piece] = now
            self._lines += 1
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event.as_json()) + "\n")


def read_events(path: Path, offset: int) -> tuple[Sequence[dict[str, Any]], int]:
    """The events that were written after ``offset`` bytes, and the offset after them; whole lines only."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(READ_AT_ONCE)
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)


def forget_old(workspace: Workspace) -> None:
    """Removes what tasks printed and told some time ago."""
    oldest = time.time() - DAYS_KEPT * 86400
    for path in _folder(workspace).iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
