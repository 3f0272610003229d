"""Sources that are folders of this machine, behind the same ``Answer`` as HTTP."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from io import FileIO
from pathlib import Path

from entrepot.errors import MissingError, TransferError
from entrepot.transfer.answer import NOT_MODIFIED, OK, Answer
from entrepot.transfer.urls import file_path, redact

_CHUNK = 1 << 18


@contextmanager
def open_file(url: str, headers: Mapping[str, str], root: Path | None) -> Iterator[Answer]:
    """Opens the regular file that ``url`` names; ``root``, where given, is the folder that it must really be in.

    The ETag is made of size, inode and time of change, so a file that is replaced or written to has another one.
    """
    shown = redact(url)
    path = file_path(url)
    if root is not None:
        _require_inside(path, root, shown)
    with FileIO(_open_regular(path, shown)) as file:
        status = os.fstat(file.fileno())
        etag = f'"{status.st_size:x}-{status.st_ino:x}-{status.st_mtime_ns:x}"'
        answer_headers = {
            "etag": etag,
            "last-modified": formatdate(status.st_mtime, usegmt=True),
            "content-length": str(status.st_size),
        }
        if headers.get("if-none-match") == etag:
            yield Answer(url, NOT_MODIFIED, answer_headers, iter(()))
        else:
            yield Answer(url, OK, answer_headers, _chunks(file, shown))


def _open_regular(path: Path, shown: str) -> int:
    try:
        # O_NONBLOCK: opening a FIFO without a writer would wait forever; what it is shows afterwards.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _told(error, shown) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TransferError(f"{shown} is not a regular file", url=shown)
    return descriptor


def _chunks(file: FileIO, shown: str) -> Iterator[bytes]:
    try:
        while chunk := file.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise _told(error, shown) from error


def _require_inside(path: Path, root: Path, shown: str) -> None:
    try:
        real, real_root = path.resolve(), root.resolve()
    except (OSError, RuntimeError) as error:
        raise TransferError(f"{shown} cannot be followed: {error}", url=shown) from error
    if not real.is_relative_to(real_root):
        raise TransferError(
            f"{shown} leads out of the source's folder",
            hint="links that leave the folder are not followed; make the source's URL the folder that holds both",
            url=shown,
        )


def _told(error: OSError, shown: str) -> TransferError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return MissingError(f"{shown}: there is no such file", url=shown)
    return TransferError(f"{shown} cannot be read: {error.strerror or error}", url=shown)
