"""Events that were handled, with what was answered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, to_json, to_text

KEPT = dt.timedelta(days=15)
"""Queues give a message up after 14 days."""


class HandledTable:
    """Table ``handled_events``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def answer(self, event: str) -> Any:
        """What was answered to an event; None where it was not handled."""
        row = self._db.conn.execute("SELECT answer FROM handled_events WHERE id = ?", [event]).fetchone()
        return from_json(row[0]) if row else None

    def note(self, event: str, answer: Any, now: dt.datetime) -> None:
        """Notes that an event was handled, and forgets those that will not come again."""
        execute = self._db.conn.execute
        execute("DELETE FROM handled_events WHERE handled_at < ?", [to_text(now - KEPT)])
        execute("INSERT OR REPLACE INTO handled_events VALUES (?, ?, ?)", [event, to_json(answer), to_text(now)])
