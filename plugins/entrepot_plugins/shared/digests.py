"""Files on this machine, opened and measured."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from entrepot.errors import PackageError
from entrepot.models import PackageFile, Sha256
from entrepot_plugins.shared.unpacked import CHUNK, shown


@dataclass(frozen=True, slots=True)
class Digests:
    """What an index says of a file: its bytes counted and digested."""

    size: int
    md5: str
    sha256: Sha256

    def file(self, name: str) -> PackageFile:
        """The file under the name that it is published by."""
        return PackageFile(name, self.size, self.sha256)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A package's file; ``PackageError`` if it cannot be opened or is not a regular file."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits for somebody to write to it. It means nothing for regular files.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PackageError(f"{shown(path.name)}: cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PackageError(f"{shown(path.name)}: is not a regular file")
        yield file


def measure(file: BinaryIO) -> Digests:
    """Size and digests of an open file, from its start."""
    md5 = hashlib.md5(usedforsecurity=False)  # old clients want it, nothing here relies on it
    sha256 = hashlib.sha256()
    size = 0
    file.seek(0)
    while data := file.read(CHUNK):
        size += len(data)
        md5.update(data)
        sha256.update(data)
    return Digests(size, md5.hexdigest(), Sha256(sha256.hexdigest()))
