"""Events that are still to be told: one row for each of those who are told, gone as soon as it is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text, to_time

WAITING, GIVEN_UP = "waiting", "given_up"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event for one of those who are told. ``subject`` is what it is about, in words."""

    id: int
    event_id: str
    event: str
    document: Mapping[str, Any]
    created_at: dt.datetime
    attempts: int


class OutboxTable:
    """Tables ``outbox`` and ``notifiers``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        notifiers: Iterable[str],
        event_id: str,
        event: str,
        subject: str,
        document: Mapping[str, Any],
        now: dt.datetime,
    ) -> None:
        """Notes an event for each of the notifiers; inside the transaction of what it tells."""
        text, moment = to_json(dict(document)), to_text(now)
        sql = """
            INSERT INTO outbox (notifier, event_id, event, subject, document, created_at, state, attempts, next_at)
            VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?)
        """
        values = [[name, event_id, event, subject, text, moment, moment] for name in notifiers]
        self._db.conn.executemany(sql, values)

    def due(self, now: dt.datetime) -> frozenset[str]:
        """The notifiers that something is due for, and in nobody's hands."""
        sql = f"SELECT DISTINCT notifier FROM outbox WHERE {_DUE}"
        return frozenset(row[0] for row in self._db.conn.execute(sql, {"now": to_text(now)}))

    def claim(self, notifier: str, limit: int, now: dt.datetime, until: dt.datetime) -> Sequence[Entry]:
        """Takes what is due for a notifier, oldest first; nobody else gets it before that moment is over."""
        sql = f"SELECT * FROM outbox WHERE notifier = :notifier AND {_DUE} ORDER BY id LIMIT :limit"
        found = list(rows(self._db, sql, {"notifier": notifier, "now": to_text(now), "limit": limit}))
        self._each("UPDATE outbox SET claimed_until = ? WHERE id = ?", [row["id"] for row in found], to_text(until))
        return [
            Entry(
                row["id"],
                row["event_id"],
                row["event"],
                from_json(row["document"]),
                to_time(row["created_at"]),
                row["attempts"],
            )
            for row in found
        ]

    def delivered(self, notifier: str, ids: Sequence[int], now: dt.datetime) -> None:
        """Forgets what was told."""
        self._each("DELETE FROM outbox WHERE id = ?", ids)
        sql = """
            INSERT INTO notifiers (name, delivered, delivered_at) VALUES (:name, :count, :now)
            ON CONFLICT (name) DO UPDATE SET delivered = delivered + :count, delivered_at = :now, error = NULL
        """
        self._db.conn.execute(sql, {"name": notifier, "count": len(ids), "now": to_text(now)})

    def failed(
        self, notifier: str, error: str, now: dt.datetime, tries: Sequence[tuple[int, dt.datetime | None]]
    ) -> None:
        """Notes why entries could not be told, and for each when it is tried again; None: never."""
        sql = """
            UPDATE outbox SET attempts = attempts + 1, claimed_until = NULL, error = ?, state = ?,
                next_at = coalesce(?, next_at) WHERE id = ?
        """
        values = []
        for row_id, again in tries:
            state = GIVEN_UP if again is None else WAITING
            values.append([error, state, to_text(again) if again else None, row_id])
        self._db.conn.executemany(sql, values)
        sql = """
            INSERT INTO notifiers (name, delivered, failed_at, error) VALUES (:name, 0, :now, :error)
            ON CONFLICT (name) DO UPDATE SET failed_at = :now, error = :error
        """
        self._db.conn.execute(sql, {"name": notifier, "now": to_text(now), "error": error})

    def again(self, notifiers: Collection[str], now: dt.datetime) -> int:
        """Makes everything that is in nobody's hands due now, as if it had never been tried; answers how much."""
        sql = f"""
            UPDATE outbox SET state = 'waiting', attempts = 0, next_at = ?, claimed_until = NULL
            WHERE notifier IN ({_marks(notifiers)}) AND (claimed_until IS NULL OR claimed_until < ?)
        """
        return self._db.conn.execute(sql, [to_text(now), *notifiers, to_text(now)]).rowcount

    def drop(self, notifier: str) -> int:
        """Forgets what is still to be told to a notifier, and what is known of it; answers how much."""
        self._db.conn.execute("DELETE FROM notifiers WHERE name = ?", [notifier])
        return self._db.conn.execute("DELETE FROM outbox WHERE notifier = ?", [notifier]).rowcount

    def forget(self, before: dt.datetime) -> None:
        """Forgets what was given up and is older."""
        self._db.conn.execute("DELETE FROM outbox WHERE state = 'given_up' AND created_at < ?", [to_text(before)])

    def list(self, notifier: str | None, limit: int) -> Sequence[dict[str, Any]]:
        """What is still to be told, or was given up, oldest first; without the documents."""
        where = "WHERE notifier = :notifier" if notifier is not None else ""
        sql = f"""
            SELECT id, notifier, event_id, event, subject, created_at, state, attempts, next_at, error
            FROM outbox {where} ORDER BY id LIMIT :limit
        """
        return list(rows(self._db, sql, {"notifier": notifier, "limit": limit}))

    def summaries(self) -> Mapping[str, dict[str, Any]]:
        """What is known of each notifier that anything was ever noted for: counts, moments, the last error."""
        sql = """
            SELECT name, coalesce(delivered, 0) AS delivered, delivered_at, failed_at, n.error AS error,
                count(o.id) FILTER (WHERE o.state = 'waiting') AS waiting,
                count(o.id) FILTER (WHERE o.state = 'given_up') AS given_up,
                min(o.next_at) FILTER (WHERE o.state = 'waiting') AS next_at
            FROM (SELECT name FROM notifiers UNION SELECT notifier FROM outbox)
            LEFT JOIN notifiers n USING (name) LEFT JOIN outbox o ON o.notifier = name GROUP BY name ORDER BY name
        """
        return {row["name"]: row for row in rows(self._db, sql)}

    def _each(self, sql: str, ids: Sequence[int], *before: str) -> None:
        self._db.conn.executemany(sql, [[*before, row_id] for row_id in ids])


_DUE = "state = 'waiting' AND next_at <= :now AND (claimed_until IS NULL OR claimed_until < :now)"


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
