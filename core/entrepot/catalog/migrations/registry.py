"""Where migrations are collected."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.db import Table
from sqlite_utils.migrations import Migrations

migrations = Migrations("entrepot")


def table(db: Database, name: str) -> Table:
    """A table, for short."""
    return db.table(name)
