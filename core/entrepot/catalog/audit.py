"""The audit log: append-only, every row chained to the one before it by a digest."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_json, to_text
from entrepot.errors import EntrepotError


class AuditError(EntrepotError):
    """A row of the audit log was changed, removed or put in another order."""

    title = "Audit log broken"


class AuditLog:
    """Table ``audit``. Write to it inside the transaction that does what it tells."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, object], now: dt.datetime) -> None:
        """Adds a row: who did what to what. ``detail`` has no secrets."""
        last = self._db.conn.execute("SELECT digest FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        row: dict[str, Any] = {
            "at": to_text(now),
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": to_json(dict(detail)),
            "previous": last[0] if last else "",
        }
        self._db.table("audit").insert(row | {"digest": _digest(row)})

    def list(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The newest rows, newest first."""
        return rows(self._db, "SELECT * FROM audit ORDER BY id DESC LIMIT ?", [-1 if limit is None else limit])

    def verify(self) -> int:
        """Follows the chain and answers its length; ``AuditError`` names the first row that does not fit."""
        previous, length = "", 0
        for row in rows(self._db, "SELECT * FROM audit ORDER BY id"):
            length += 1
            stored = {name: row[name] for name in ("at", "actor", "action", "subject", "detail", "previous")}
            if row["previous"] != previous or row["digest"] != _digest(stored):
                raise AuditError(f"audit row {row['id']} does not continue the row before it", row=row["id"])
            previous = row["digest"]
        return length


def _digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(dict(row)).encode()).hexdigest()
