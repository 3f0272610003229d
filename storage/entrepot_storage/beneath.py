"""Folders beneath a root, opened one by one without ever following a symbolic link, so that no key leads out of it.

Everything here raises ``OSError``; what is a symbolic link gives ``ELOOP``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _ROOT | os.O_NOFOLLOW


@contextmanager
def folder(root: Path, parts: Sequence[str], *, make: bool = False, sync: bool = False) -> Iterator[int]:
    """A descriptor of the folder ``parts`` below ``root`` (which itself may be a link, its owner chose it).

    With ``make``, what is missing is made, and with ``sync`` flushed to the disk; otherwise it is a
    ``FileNotFoundError``. A file in the way is a ``NotADirectoryError``.
    """
    descriptor = _open_root(root, make)
    try:
        for name in parts:
            inner = _enter(descriptor, name, make, sync)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _open_root(root: Path, make: bool) -> int:
    try:
        return os.open(root, _ROOT)
    except FileNotFoundError:
        if not make:
            raise
    os.makedirs(root, exist_ok=True)
    return os.open(root, _ROOT)


def _enter(descriptor: int, name: str, make: bool, sync: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=descriptor)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        # Linux says ENOTDIR for a link that is opened as a folder, others say ELOOP.
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and is_link(descriptor, name):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error
        raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=descriptor)
    if sync:
        os.fsync(descriptor)
    return os.open(name, _FOLDER, dir_fd=descriptor)


@contextmanager
def subfolder(descriptor: int, name: str) -> Iterator[int]:
    """A folder in an open folder."""
    inner = _enter(descriptor, name, make=False, sync=False)
    try:
        yield inner
    finally:
        os.close(inner)


def is_link(descriptor: int, name: str) -> bool:
    """Whether a name in a folder is a symbolic link now."""
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def regular_file(descriptor: int, name: str) -> os.stat_result | None:
    """What is known of a plain file in a folder; None for what is not there or is anything else (a link, a pipe)."""
    try:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def open_file(descriptor: int, name: str) -> int | None:
    """A plain file in a folder, opened for reading; None as in ``regular_file``."""
    try:
        # Without O_NONBLOCK, a named pipe that somebody put there would be waited for.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        # A link (ELOOP), or a socket or device without driver (ENXIO).
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    return None


def remove_empty(root: Path, parts: Sequence[str]) -> None:
    """Removes the folder ``parts`` below ``root`` and those above it, as far as they are empty; never the root.

    A folder that somebody fills in the same moment stays, or is made again by who found it gone.
    """
    for depth in range(len(parts), 0, -1):
        try:
            with folder(root, parts[: depth - 1]) as above:
                os.rmdir(parts[depth - 1], dir_fd=above)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
                return
            raise
