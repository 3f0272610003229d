"""The audit log: append-only, every entry chained to the one before it by a digest, its end anchored by a seal.

The chain shows that an entry was changed, moved, added or taken out of the middle. The anchor, one row with the number
of entries and the last digest, sealed with a key that is not in the catalog, shows that the end was cut off, or that
all of it was written anew. Who has the key, too, can do that: a digest that was noted elsewhere tells then.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.anchor import AnchorKey
from entrepot.catalog.database import from_json, rows, storable, to_json, to_text
from entrepot.errors import ConflictError, EntrepotError

CHAINED = ("at", "actor", "origin", "action", "subject", "detail", "previous")
"""The columns that the digest of an entry covers."""
ANCHORED = "audit.anchor"
"""What an entry is called by which the log got a new anchor."""


class AuditError(EntrepotError):
    """An entry of the audit log was changed, removed or put in another place. ``data["row"]`` is the first such."""

    title = "Audit log broken"


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where the log ends: number of entries and digest of the last one; 0 and empty where there is none.

    ``anchored_again``: the entries by which it got a new anchor. Before each of those, the chain alone speaks for it.
    """

    entries: int
    digest: str
    at: str = ""
    anchored_again: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        return {"entries": self.entries, "digest": self.digest, "at": self.at}


class AuditLog:
    """Tables ``audit`` and ``audit_head``. Write to it inside the transaction that does what it tells."""

    def __init__(self, database: Database, key: AnchorKey) -> None:
        self._db = database
        self._key = key

    def append(
        self, actor: str, origin: str, action: str, subject: str, detail: Mapping[str, object], now: dt.datetime
    ) -> None:
        """Adds an entry: who did, from where, what to what. ``detail`` has no secrets."""
        head, seal = self._head()
        # A log that begins where there is a key already was emptied.
        begins = not seal and not self._key.exists()
        if begins:
            self._key.make()
        # On top of the anchor, whatever the last row is: what was cut off stays missed.
        row: dict[str, Any] = {
            "at": to_text(now),
            "actor": storable(actor),
            "origin": storable(origin),
            "action": action,
            "subject": storable(subject),
            "detail": to_json(dict(detail)),
            "previous": head.digest,
        }
        digest = _digest(row)
        columns, marks = ", ".join([*row, "digest"]), ", ".join("?" * (len(row) + 1))
        self._db.conn.execute(f"INSERT INTO audit ({columns}) VALUES ({marks})", [*row.values(), digest])
        # A seal that does not fit is kept: a new one would hide that somebody moved the anchor.
        if begins or _equal(seal, self._key.seal(head.entries, head.digest)):
            seal = self._key.seal(head.entries + 1, digest) or ""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO audit_head (id, entries, digest, seal, at) VALUES (1, ?, ?, ?, ?)",
            [head.entries + 1, digest, seal or "broken", to_text(now)],
        )

    def anchor(self, actor: str, origin: str, reason: str, now: dt.datetime) -> AuditHead:
        """Gives the log a new key and anchor, where the key is lost or another one; by an entry that says so.

        The chain has to be whole: ``AuditError`` if not. ``ConflictError`` if the anchor holds, or there is no entry.
        """
        chain = self._followed("")
        head, seal = self._head()
        if not chain.entries or _equal(seal, self._key.seal(head.entries, head.digest)):
            raise ConflictError("the audit log needs no new anchor", hint="`entrepot audit verify` says that it holds")
        self._key.replace(chain.entries)
        sealed = self._key.seal(head.entries, head.digest) or ""
        self._db.conn.execute("UPDATE audit_head SET seal = ?", [sealed])
        detail = {"reason": reason, "entries": chain.entries, "digest": chain.digest}
        self.append(actor, origin, ANCHORED, "audit log", detail, now)
        return self.head()

    def head(self) -> AuditHead:
        """Where the log ends, to be noted elsewhere."""
        return self._head()[0]

    def list(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The newest entries, newest first."""
        return rows(self._db, "SELECT * FROM audit ORDER BY id DESC LIMIT ?", [-1 if limit is None else limit])

    def export(self, since: int | None = None, not_before: dt.datetime | None = None) -> Iterator[str]:
        """Entries as lines of JSON, oldest first: after an id, from a moment on, or all. ``verify_lines`` reads them.

        What was written in one order stays in it, so from a moment on means from the first entry of then.
        """
        first = since or 0
        if not_before is not None:
            sql = "SELECT coalesce(min(id), (SELECT coalesce(max(id), 0) + 1 FROM audit)) FROM audit WHERE at >= ?"
            first = max(first, self._db.conn.execute(sql, [to_text(not_before)]).fetchone()[0] - 1)
        for row in rows(self._db, "SELECT * FROM audit WHERE id > ? ORDER BY id", [first]):
            yield to_json(row)

    def verify(self, known: str = "") -> AuditHead:
        """Follows the chain to the anchor and answers where it ends.

        ``known`` is a digest that was noted elsewhere: the log has to have an entry with it. ``AuditError`` names the
        first entry that does not fit.
        """
        chain = self._followed(known)
        head, seal = self._head()
        end = AuditHead(chain.entries, chain.digest, head.at, tuple(chain.anchored))
        self._require_anchored(end, seal)
        chain.require_known()
        return end

    def _followed(self, known: str) -> Chain:
        """The chain, from the first entry to the one that was written last."""
        chain = Chain(known)
        for row in rows(self._db, "SELECT * FROM audit ORDER BY id"):
            chain.follow(row)
        head, end = self.head(), chain
        if (head.entries, head.digest) != (end.entries, end.digest):
            missing = head.entries - end.entries
            if missing > 0:
                raise AuditError(
                    f"the audit log ends with entry {end.entries}, but {head.entries} were written: the last "
                    f"{missing} {'is' if missing == 1 else 'are'} missing",
                    row=end.entries + 1,
                )
            raise AuditError(f"audit entry {chain.row} is not the one that was written last", row=chain.row)
        return chain

    def _require_anchored(self, end: AuditHead, seal: str) -> None:
        used = self._key.exists()
        if not end.entries and used:
            raise AuditError("the audit log is empty, but it was not always", row=1)
        if end.entries and not used:
            raise AuditError(
                f"the key that the audit log is anchored with is gone: {self._key.path}",
                hint="put it back from a backup; or compare with a digest that was noted elsewhere (--head), then give "
                "it a new one with `entrepot audit anchor`",
                row=end.entries,
            )
        if end.entries and not _equal(seal, self._key.seal(end.entries, end.digest)):
            raise AuditError(
                f"the anchor of the audit log was not written with {self._key.path}: entries up to {end.entries} "
                "may have been written anew",
                hint="compare with an export or a digest that was noted elsewhere (--file, --head)",
                row=end.entries,
            )

    def _head(self) -> tuple[AuditHead, str]:
        row = self._db.conn.execute("SELECT entries, digest, at, seal FROM audit_head").fetchone()
        return (AuditHead(*row[:3]), row[3]) if row else (AuditHead(0, ""), "")


class Chain:
    """Entries that are followed one by one; ``AuditError`` where one does not continue those before it."""

    def __init__(self, known: str = "") -> None:
        self.entries, self.row, self.digest = 0, 0, ""
        self.anchored: list[int] = []
        self._known, self._met = known.strip().lower(), not known.strip()

    def follow(self, row: Mapping[str, Any], *, first: bool = True) -> None:
        """The next entry. With ``first`` the first one has to be the first of the log; else any may be."""
        number = row["id"]
        begins = not self.entries and not first
        continues = begins or (row["previous"] == self.digest and number == self.row + 1)
        if not continues or row["digest"] != _digest({name: row[name] for name in CHAINED}):
            raise AuditError(f"audit entry {number} does not continue the one before it", row=number)
        self.entries += 1
        self.row, self.digest = number, row["digest"]
        self._met = self._met or self.digest == self._known
        if row["action"] == ANCHORED:
            self.anchored.append(number)

    def require_known(self) -> None:
        """``AuditError`` if no entry had the digest that was noted elsewhere."""
        if not self._met:
            raise AuditError(
                f"no audit entry has the digest {self._known}",
                hint="the log is another one than that of which it was noted, or was written anew since",
                row=None,
            )


def verify_lines(lines: Iterable[str], name: str, known: str = "") -> AuditHead:
    """Follows an export, which may begin anywhere in a log; nothing else is needed for it.

    ``AuditError`` names the first entry, or line, that does not fit.
    """
    chain, at = Chain(known), ""
    for number, line in enumerate(lines, 1):
        try:
            row = from_json(line)
            if not isinstance(row, dict) or not isinstance(row["id"], int):
                raise TypeError
            chain.follow(row, first=row["id"] == 1)
            at = row["at"]
        except (json.JSONDecodeError, KeyError, TypeError, RecursionError):
            raise AuditError(f"{name}: line {number} is no audit entry", row=None, line=number) from None
    chain.require_known()
    return AuditHead(chain.entries, chain.digest, at, tuple(chain.anchored))


def default_key(catalog: Path) -> AnchorKey:
    """The key of a catalog: in the folder ``secrets`` beside it."""
    return AnchorKey(catalog.parent / "secrets" / "audit.key")


def _digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(dict(row)).encode()).hexdigest()


def _equal(one: str, other: str | None) -> bool:
    return other is not None and hmac.compare_digest(one.encode(), other.encode())
