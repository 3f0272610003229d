"""Finds the elements of filelists and other that belong to the packages of primary.

The three documents are nearly always in the same order; then nothing has to be remembered. Where they are not, all of a
document goes to a temporary database, so that memory stays bounded.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

Batches = Callable[[], Iterator[list[bytes]]]


class Companion:
    """One such document. ``open`` gives its elements from the start, ``pkgid`` tells whose an element is."""

    def __init__(self, open_: Batches, pkgid: Callable[[bytes], bytes], scratch: Path) -> None:
        self._open = open_
        self._pkgid = pkgid
        self._scratch = scratch.with_suffix(".sqlite")
        self._batches: Iterator[list[bytes]] | None = None
        self._batch: list[bytes] = []
        self._start = 0
        self._table: sqlite3.Connection | None = None

    def find(self, index: int, pkgid: bytes) -> bytes:
        """The element of the package that is the ``index``-th of primary; empty if the document has none.

        Indexes must not go down from one call to the next, except when the same is asked for again.
        """
        if self._table is None:
            element = self._at(index)
            if element is not None and self._pkgid(element) == pkgid:
                return element
            self._table = self._sorted()
        found = self._table.execute("SELECT element FROM elements WHERE pkgid = ?", [pkgid]).fetchone()
        return bytes(found[0]) if found else b""

    def _at(self, index: int) -> bytes | None:
        if self._batches is None:
            self._batches = self._open()
        while index >= self._start + len(self._batch):
            self._start += len(self._batch)
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._batch = batch
        return self._batch[index - self._start] if index >= self._start else None

    def _sorted(self) -> sqlite3.Connection:
        self._scratch.unlink(missing_ok=True)
        table = sqlite3.connect(self._scratch, isolation_level=None)
        table.execute("PRAGMA journal_mode = OFF")
        table.execute("PRAGMA synchronous = OFF")
        table.execute("CREATE TABLE elements (pkgid BLOB PRIMARY KEY, element BLOB)")
        table.execute("BEGIN")
        # The same package may be listed at several places, with the same element.
        for batch in self._open():
            rows = [(self._pkgid(element), element) for element in batch]
            table.executemany("INSERT OR IGNORE INTO elements VALUES (?, ?)", rows)
        table.execute("COMMIT")
        # Entries may be asked for their text after the last one was handed over, so that it stays as long as they do.
        weakref.finalize(self, table.close)
        return table
