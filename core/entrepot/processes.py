"""Processes among each other: whether one that somebody noted is still that one, and which has a folder to itself.

Numbers of processes are given again, times of birth are not.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")


def started(pid: int) -> str:
    """When a process began, in the words of its system; empty if it is gone or that cannot be known."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    # What has ended and was not waited for is a process only by name. proc(5): field 3 is the state, 22 the start.
    return "" if fields[0] in ("Z", "X") else fields[19]


def alive(pid: int, began: str = "") -> bool:
    """Whether a process runs; where it is known when it began, whether it is the same one."""
    if PROC.is_dir():
        now = started(pid)
        return bool(now) and began in ("", now)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Has a folder to itself among those that ask; without ``wait``, ``BlockingIOError`` if somebody else has it.

    A lock ends with its process, however that ends.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
