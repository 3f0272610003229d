"""Sources, what the last sync of each saw, and the indexes they consist of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text, to_time
from entrepot.errors import ConflictError, NotFoundError
from entrepot.models import Connection, IndexPart, Source, SourceDraft


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the last sync of a source saw. ``generation`` counts the syncs that changed something, and other changes."""

    generation: int
    state: Mapping[str, Any]
    packages: int
    checked_at: dt.datetime | None
    changed_at: dt.datetime | None


class SourcesTable:
    """Tables ``sources``, ``source_state`` and ``source_indexes``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, draft: SourceDraft, keyring: str | None, now: dt.datetime) -> Source:
        """Adds a source; ``ConflictError`` if the name is taken."""
        if self._find("name = ?", draft.name):
            raise ConflictError(
                f"there is a source called {draft.name!r} already",
                hint="choose another name, or change it with `entrepot source set`",
                name=draft.name,
            )
        values = self._values(draft) | {"name": draft.name, "keyring": keyring, "created_at": to_text(now)}
        self._db.table("sources").insert(values)
        return self.get(draft.name)

    def update(self, source: Source, draft: SourceDraft, keyring: str | None) -> Source:
        """Replaces everything but name and id. The next sync reads everything again."""
        self._db.table("sources").update(source.id, self._values(draft) | {"keyring": keyring})
        return self.get(source.name)

    def remove(self, source: Source) -> None:
        """Removes a source with its indexes and available packages; imports keep their rows and lose the link."""
        execute = self._db.conn.execute
        execute("UPDATE imports SET source_id = NULL, available_id = NULL WHERE source_id = ?", [source.id])
        execute("DELETE FROM told_verdicts WHERE source_id = ?", [source.id])
        execute("DELETE FROM source_state WHERE source_id = ?", [source.id])
        execute("DELETE FROM source_indexes WHERE source_id = ?", [source.id])
        execute("DELETE FROM sources WHERE id = ?", [source.id])

    def get(self, name_or_id: str) -> Source:
        """The source of this name or id; ``NotFoundError`` otherwise."""
        found = self._find("name = ?", name_or_id)
        if not found and name_or_id.isdecimal():
            found = self._find("id = ?", int(name_or_id))
        if not found:
            known = ", ".join(source.name for source in self.list()) or "none"
            raise NotFoundError(
                f"there is no source called {name_or_id!r}", hint=f"known sources: {known}", name=name_or_id
            )
        return found[0]

    def list(self) -> Sequence[Source]:
        """Every source, by name."""
        return self._find("1 = 1")

    def state(self, source: Source) -> SourceState:
        """What the last sync saw; an empty state for a source that was never synced."""
        for row in rows(self._db, "SELECT * FROM source_state WHERE source_id = ?", [source.id]):
            return SourceState(
                generation=row["generation"],
                state=from_json(row["state"]),
                packages=row["packages"],
                checked_at=to_time(row["checked_at"]) if row["checked_at"] else None,
                changed_at=to_time(row["changed_at"]) if row["changed_at"] else None,
            )
        return SourceState(0, {}, 0, None, None)

    def save_state(self, source: Source, state: SourceState) -> None:
        """Replaces what the last sync saw."""
        # Not sqlite-utils' upsert: that makes and drops a table to find out what SQLite can do, in every process.
        self._db.conn.execute(
            """
            INSERT INTO source_state (source_id, generation, state, packages, checked_at, changed_at)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (source_id) DO UPDATE SET generation = excluded.generation, state = excluded.state,
                packages = excluded.packages, checked_at = excluded.checked_at, changed_at = excluded.changed_at
            """,
            [
                source.id,
                state.generation,
                to_json(state.state),
                state.packages,
                to_text(state.checked_at) if state.checked_at else None,
                to_text(state.changed_at) if state.changed_at else None,
            ],
        )

    def architectures(self) -> Sequence[str]:
        """The architectures that indexes are of."""
        sql = "SELECT DISTINCT architecture FROM source_indexes WHERE coalesce(architecture, '') <> '' ORDER BY 1"
        return [row[0] for row in self._db.conn.execute(sql)]

    def indexes(self, source: Source) -> Mapping[str, tuple[int, str, int]]:
        """Row id, digest and number of packages of every index of a source, by key."""
        query = "SELECT key, id, digest, packages FROM source_indexes WHERE source_id = ?"
        return {row["key"]: (row["id"], row["digest"], row["packages"]) for row in rows(self._db, query, [source.id])}

    def save_index(self, source: Source, part: IndexPart, packages: int, now: dt.datetime) -> int:
        """Adds or replaces one index and answers its row id."""
        sql = """
            INSERT INTO source_indexes
                (source_id, key, digest, distribution, component, architecture, kind, signed_by, packages, changed_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (source_id, key) DO UPDATE SET digest = excluded.digest, distribution = excluded.distribution,
                component = excluded.component, architecture = excluded.architecture, kind = excluded.kind,
                signed_by = excluded.signed_by, packages = excluded.packages, changed_at = excluded.changed_at
            RETURNING id
        """
        values = (
            source.id,
            part.key,
            part.digest,
            part.distribution,
            part.component,
            part.architecture,
            part.kind,
            part.signed_by,
            packages,
            to_text(now),
        )
        return int(self._db.conn.execute(sql, values).fetchone()[0])

    def touch_index(self, index_id: int, signed_by: str | None) -> None:
        """Notes who signed an index whose content did not change."""
        self._db.conn.execute("UPDATE source_indexes SET signed_by = ? WHERE id = ?", [signed_by, index_id])

    def drop_index(self, index_id: int) -> None:
        """Marks an index that the source no longer has: its row stays for the packages that vanished with it."""
        self._db.conn.execute("UPDATE source_indexes SET digest = '', packages = 0 WHERE id = ?", [index_id])

    def _values(self, draft: SourceDraft) -> dict[str, Any]:
        return {
            "format": draft.format,
            "url": draft.url,
            "distributions": to_json(draft.distributions),
            "components": to_json(draft.components),
            "architectures": to_json(draft.architectures),
            "verify": int(draft.verify),
            "options": to_json(dict(draft.options)),
            "connection": to_json(asdict(draft.connection)),
        }

    def _find(self, where: str, *parameters: Any) -> Sequence[Source]:
        return [
            Source(
                id=row["id"],
                name=row["name"],
                format=row["format"],
                url=row["url"],
                distributions=tuple(from_json(row["distributions"])),
                components=tuple(from_json(row["components"])),
                architectures=tuple(from_json(row["architectures"])),
                verify=bool(row["verify"]),
                keyring=row["keyring"],
                options=from_json(row["options"]),
                connection=Connection(**from_json(row["connection"])),
                created_at=to_time(row["created_at"]),
            )
            for row in rows(self._db, f"SELECT * FROM sources WHERE {where} ORDER BY name", parameters)
        ]
