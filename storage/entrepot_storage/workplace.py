"""The folder ``.tmp`` of a local storage: unfinished files and the locks of its writers.

It is in the root, so that a finished file is moved, not copied, into place; it is closed to others, so that a web
server that serves the root cannot hand out what is not finished. A writer that is killed leaves its file there, which
the first write of a later process removes when it is a day old.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from entrepot_storage import beneath
from entrepot_storage.base import CHUNK, RESERVED

_PARTIAL = "part-"
_LOCKS = 16
_BUFFER = 64 * 1024
_SECOND = 10**9
_WORKPLACE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CANNOT_LINK = (
    errno.EPERM,
    errno.EACCES,
    errno.EXDEV,
    errno.EMLINK,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EOPNOTSUPP,
)
"""What a file system answers that has no hard links, not across this border, or not one more for this file."""


def open_workplace(root: Path) -> int:
    """A descriptor of ``.tmp`` in the root; both are made if need be. The caller closes it."""
    with beneath.folder(root, (), make=True) as top:
        with suppress(FileNotFoundError):
            return os.open(RESERVED, _WORKPLACE, dir_fd=top)
        # Closed to others, whatever the umask: open to the owner and, where the umask says so, the group.
        with suppress(FileExistsError):
            os.mkdir(RESERVED, 0o770, dir_fd=top)
        return os.open(RESERVED, _WORKPLACE, dir_fd=top)


@contextmanager
def partial_file(work: int) -> Iterator[str]:
    """A name for an unfinished file, which is gone afterwards if the file was not moved away."""
    name = f"{_PARTIAL}{os.urandom(8).hex()}"
    try:
        yield name
    finally:
        # Also after a rename: one between two links of the same file does nothing and leaves both.
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=work)


def create(work: int, name: str) -> BinaryIO:
    """Opens a new file with the permissions that the umask gives (``tempfile`` would hide it from the web server)."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(name, flags, 0o666, dir_fd=work), "wb", buffering=_BUFFER)


def finish(file: BinaryIO, *, sync: bool) -> os.stat_result:
    """Flushes a file and stamps it; what is returned stays true when the file is moved.

    The stamp is ours because the kernel's clock for files ticks every few milliseconds: two files of one size that
    reuse one inode within a tick would have the same etag.
    """
    file.flush()
    descriptor = file.fileno()
    now = time.time_ns()
    os.utime(descriptor, ns=(now, now))
    if sync:
        os.fsync(descriptor)
    return os.fstat(descriptor)


def date_after(work: int, name: str, made: os.stat_result, replaced: os.stat_result) -> os.stat_result:
    """Dates a file in a later second than the one it replaces; answers what it is then.

    HTTP's dates are whole seconds, and apt asks whether a file was modified since by nothing else: who has the first of
    two of the same second would never hear of the second one.
    """
    if made.st_mtime_ns // _SECOND > replaced.st_mtime_ns // _SECOND:
        return made
    date = (replaced.st_mtime_ns // _SECOND + 1) * _SECOND + made.st_mtime_ns % _SECOND
    os.utime(name, ns=(date, date), dir_fd=work, follow_symlinks=False)
    return os.stat(name, dir_fd=work, follow_symlinks=False)


def usual_mode(work: int) -> int:
    """The permissions that a new file gets: the umask cannot be asked for without changing it for all threads."""
    with partial_file(work) as name, create(work, name) as file:
        return stat.S_IMODE(os.fstat(file.fileno()).st_mode)


@contextmanager
def locked(work: int, key: str) -> Iterator[None]:
    """Keeps other processes and threads from changing ``key`` (and some other keys) meanwhile."""
    name = f"lock-{zlib.crc32(key.encode()) % _LOCKS:x}"
    # Opened anew each time, because a lock belongs to what was opened: threads would share it otherwise.
    lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660, dir_fd=work)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def link_in(work: int, name: str, origin: int, origin_name: str, mode: int) -> bool:
    """Makes ``name`` a hard link of a file in the folder ``origin``; False where that cannot be or should not be.

    It should not where the file lacks permissions that a new file would get: a link has those of its original.
    """
    try:
        os.link(origin_name, name, src_dir_fd=origin, dst_dir_fd=work, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT_LINK:
            return False
        raise
    # Looked at after linking, because the name may have got another file just before.
    found = os.stat(name, dir_fd=work, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and found.st_mode & mode == mode:
        return True
    os.unlink(name, dir_fd=work)
    return False


def put_new(work: int, name: str, target: int, target_name: str) -> None:
    """Gives a finished file its place; ``FileExistsError`` if that is taken. To be called under the lock of its key."""
    try:
        os.link(name, target_name, src_dir_fd=work, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        # No hard links here: the lock alone has to do, and it does among writers that keep to it.
        with suppress(FileNotFoundError):
            os.stat(target_name, dir_fd=target, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target_name) from error
        os.replace(name, target_name, src_dir_fd=work, dst_dir_fd=target)


def flush(work: int, name: str) -> None:
    """Waits until a file is on the disk, whoever wrote it."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=work)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_bytes(origin: int, target: int) -> None:
    """Copies an open file from its start, by the kernel (on some file systems sharing blocks) as far as it can."""
    try:
        while os.copy_file_range(origin, target, 1 << 30):
            pass
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF):
            raise
    # From where the kernel stopped: nothing is left after a whole copy, all of it where it could not begin.
    while chunk := os.read(origin, CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]


def sweep(work: int, older_than: float) -> None:
    """Removes unfinished files that nobody touched for ``older_than`` seconds: their writers are dead."""
    limit = time.time() - older_than
    with os.scandir(work) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(_PARTIAL)]
    for name in names:
        with suppress(FileNotFoundError):
            # ctime: a link to an old file has that file's mtime.
            if os.stat(name, dir_fd=work, follow_symlinks=False).st_ctime < limit:
                os.unlink(name, dir_fd=work)
