"""The catalog as it was at one moment, for threads and processes that it does not belong to."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from entrepot.catalog.available import AvailableTable
from entrepot.catalog.database import BUSY_SECONDS
from entrepot.catalog.sources import SourcesTable
from entrepot.catalog.versions import VersionsTable

T = TypeVar("T")

STREAMED = 500
"""Rows that are read at once of an answer that is streamed."""


class SnapshotTables:
    """The tables that may be asked."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sources = SourcesTable(database)
        self.available = AvailableTable(database)
        self.versions = VersionsTable(database)


class CatalogSnapshot:
    """A read-only connection of its own, opened with the first question; all answers are of that moment.

    One connection serves all threads in turn. A process that was forked opens one for itself if nothing was asked
    before. What is written in the meantime cannot be checkpointed, so it should be closed when the work is done.
    ``path`` says where the catalog is when the moment begins.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tables: SnapshotTables | None = None

    def close(self) -> None:
        """Ends the moment; the next question would begin another one."""
        with self._lock:
            if self._tables is not None:
                self._tables.database.close()
                self._tables = None

    def read(self, question: Callable[[SnapshotTables], Iterable[T]]) -> list[T]:
        """The whole answer."""
        with self._lock:
            return list(question(self._opened()))

    def stream(self, question: Callable[[SnapshotTables], Iterable[T]]) -> Iterator[T]:
        """An answer that may be long, read as it is taken."""
        with self._lock:
            rows = iter(question(self._opened()))
        while True:
            with self._lock:
                chunk = list(islice(rows, STREAMED))
            if not chunk:
                return
            yield from chunk

    def _opened(self) -> SnapshotTables:
        if self._tables is None:
            connection = sqlite3.connect(
                f"{self._path().absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("BEGIN")
            self._tables = SnapshotTables(Database(connection, recursive_triggers=False, execute_plugins=False))
        return self._tables
