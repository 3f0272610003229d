"""A database as it is after its last transaction, read from its file and its log: whoever reads an older state stays.

Format of the log: "The Write-Ahead Log" in https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

HEADER, FRAME = 32, 24
"""Bytes before the first frame of a log, and before the page of each."""


class Logged:
    """The bytes of a database. Use it as a context; nobody may write to the database meanwhile.

    ``size`` is how many there are, ``pages`` the numbers (from 1) of those in the log: maybe more than have changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._file = self._open.enter_context(path.open("rb", buffering=0))
        self._log: BinaryIO | None = None
        self._page = 0
        self._places: dict[int, int] = {}
        self.size = os.fstat(self._file.fileno()).st_size
        log = path.with_name(path.name + "-wal")
        if log.exists():
            self._log = self._open.enter_context(log.open("rb", buffering=1 << 16))
            self._read_log(self._log)

    def __enter__(self) -> Logged:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def pages(self) -> Collection[int]:
        return self._places.keys()

    @property
    def page_size(self) -> int:
        """Of the pages in the log; 0 where none is."""
        return self._page

    def read(self, start: int, length: int) -> bytes:
        """So many bytes from a place on, fewer at the end. ``start`` is where a page begins. From any thread."""
        length = max(0, min(length, self.size - start))
        content = os.pread(self._file.fileno(), length, start)
        if not self._places or self._log is None:
            return content
        mixed = bytearray(content.ljust(length, b"\0"))
        for offset in range(0, length, self._page):
            if place := self._places.get((start + offset) // self._page + 1):
                mixed[offset : offset + self._page] = os.pread(self._log.fileno(), self._page, place)
        return bytes(mixed)

    def copy(self, path: Path) -> None:
        """Makes a file of it that has all, and needs no log."""
        shutil.copyfile(self._path, path)
        with path.open("r+b", buffering=0) as file:
            for page in sorted(self._places):
                start = (page - 1) * self._page
                file.seek(start)
                file.write(self.read(start, self._page))
            file.truncate(self.size)

    def _read_log(self, log: BinaryIO) -> None:
        header = log.read(HEADER)
        if len(header) < HEADER:
            return
        self._page = int.from_bytes(header[8:12], "big")
        begun: dict[int, int] = {}
        place = HEADER
        # Frames of an older log, which this one is written over, have other salts.
        while len(frame := log.read(FRAME)) == FRAME and frame[8:16] == header[16:24]:
            begun[int.from_bytes(frame[:4], "big")] = place + FRAME
            if pages := int.from_bytes(frame[4:8], "big"):
                # A transaction ends here; what comes after the last of these was taken back.
                self._places |= begun
                begun = {}
                self.size = pages * self._page
            place = log.seek(self._page, os.SEEK_CUR)
