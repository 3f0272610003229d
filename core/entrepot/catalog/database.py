"""Opening the database, and the transaction that every change runs in."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlite_utils
from sqlite_utils.migrations import Migrations

from entrepot.catalog.migrations import migrations
from entrepot.errors import BusyError, EntrepotError
from entrepot.models.basics import to_text as to_text

BUSY_SECONDS = 30.0

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""``json.dumps`` makes one for each call, which takes longer than a small value."""


class Connection(sqlite3.Connection):
    """Ends when nobody has it any more: one that was left for a newer file is there for who still reads from it."""

    def __del__(self) -> None:
        # Closed already, maybe by another thread.
        with suppress(sqlite3.ProgrammingError):
            self.close()


class CatalogError(EntrepotError):
    """The catalog cannot be opened or is not one of ours."""

    title = "Catalog failed"


class NewerCatalogError(CatalogError):
    """A newer release has upgraded the catalog: a program that runs has to be started again as that release."""

    status = 503
    title = "Catalog upgraded"


def open_database(path: Path, schema: Migrations = migrations) -> sqlite_utils.Database:
    """Opens and, where needed, creates or upgrades a catalog. ``CatalogError`` names the file if that is impossible."""
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, factory=Connection)
        # Taken by a new file only. A sync costs 4 % less than with pages of 4 KiB, and with 16 KiB as much as with 8.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What has to be sorted goes to a temporary file when it is larger than the page cache.
        connection.execute("PRAGMA temp_store = FILE")
        # 16 MiB of page cache: a sync of 63,000 packages stays within it, and memory does not grow with the catalog.
        connection.execute("PRAGMA cache_size = -16384")
        database = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
        _refuse_newer(database, schema, path)
        if schema.pending(database):
            # Two commands may open a new workspace at once: who comes second waits here, and finds nothing left to do.
            with transaction(database):
                schema.apply(database)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        denied = code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
        raise CatalogError(
            f"the catalog {path} cannot be opened: {error}",
            hint="it and its folder have to belong to the user that runs entrepot (chown)" if denied else "",
            path=str(path),
        ) from error
    return database


def _refuse_newer(database: sqlite_utils.Database, schema: Migrations, path: Path) -> None:
    """``NewerCatalogError`` for a catalog that a newer program upgraded: this one might break what that relies on."""
    known = {migration.name for migration in schema.pending(sqlite_utils.Database(memory=True))}
    if unknown := [item.name for item in schema.applied(database) if item.name not in known]:
        database.close()
        raise NewerCatalogError(
            f"the catalog {path} was made or upgraded by a newer release ({', '.join(unknown)})",
            hint="install that release and start servers again, or bring the backup from before it back",
            path=str(path),
        )


def open_to_read(path: Path) -> sqlite_utils.Database:
    """Opens a catalog that is not to be changed: that of somebody else, or a copy. Its schema has to be today's."""
    # A copy of a catalog in WAL mode, in a folder where nothing can be written, can be read only like this.
    copy = not path.with_name(path.name + "-wal").exists() and not os.access(path.parent, os.W_OK)
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if copy else ''}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        database = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
        applied = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")}
    except sqlite3.Error as error:
        raise CatalogError(f"the catalog {path} cannot be opened: {error}", path=str(path)) from error
    if len(applied) < len(migrations.pending(sqlite_utils.Database(memory=True))):
        connection.close()
        raise CatalogError(f"the catalog {path} has an older schema", hint="open it once with `entrepot --home`")
    return database


def carry_temporary(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Gives a connection the temporary tables of another one, which it takes the place of."""
    made = old.execute("SELECT type, name, sql FROM sqlite_temp_master WHERE sql IS NOT NULL").fetchall()
    for kind, name, sql in made:
        new.execute(sql.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
        if kind == "table":
            held = old.execute(f'SELECT * FROM temp."{name}"')
            marks = ", ".join("?" * len(held.description))
            new.execute("BEGIN")
            new.executemany(f'INSERT INTO temp."{name}" VALUES ({marks})', held)
            new.execute("COMMIT")


def keep_log(database: sqlite_utils.Database) -> None:
    """From here on changes stay in the log beside the file until ``write_back``: ``Logged`` tells what they are."""
    database.conn.execute("PRAGMA wal_autocheckpoint = 0")


def write_back(path: Path) -> None:
    """Brings what is in the log of a database into its file; ``CatalogError`` if somebody reads an older state."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            busy, logged, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if not busy and logged == written:
                # Begins the log anew where nobody reads; else the next writer does.
                connection.execute("PRAGMA busy_timeout = 0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise CatalogError(f"the catalog {path} cannot be written: {error}", path=str(path)) from error
    if busy or logged != written:
        raise CatalogError(f"the catalog {path} is being read and cannot be stored now", hint="try again")


def forget_log(path: Path) -> None:
    """Drops what is only in the log of a database that nobody has open."""
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def is_catalog(path: Path) -> bool:
    """Whether a file is a catalog, of whatever schema. Nothing is written."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return False
    return {"available", "membership", "source_indexes", "audit"} <= names


@contextmanager
def transaction(database: sqlite_utils.Database) -> Iterator[None]:
    """All or nothing, and alone among writers from its start; inside another one it is part of that one."""
    connection = database.conn
    if connection.in_transaction:
        yield
        return
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise BusyError(
            f"another command has been writing to the catalog for more than {BUSY_SECONDS:.0f} seconds",
            hint="try again when it has ended; `entrepot task list` shows what runs",
        ) from error
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def to_time(text: str) -> dt.datetime:
    """The reverse of ``to_text``."""
    return dt.datetime.fromisoformat(text)


def to_json(value: object) -> str:
    """Compact JSON with sorted keys: the same value is always the same text, and one that SQLite can hold."""
    return storable(_ENCODER.encode(value))


def storable(text: str) -> str:
    """The text with what is not Unicode (file names have it) as an escape, which in JSON means the same."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def from_json(text: str) -> Any:
    """The reverse of ``to_json``."""
    return json.loads(text)


def rows(
    database: sqlite_utils.Database, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> Iterator[dict[str, Any]]:
    """Rows of a query as dictionaries, streamed."""
    cursor = database.conn.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))
