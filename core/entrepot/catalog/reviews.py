"""Reviews: what persons decided about imports that waited. Rows are added, never changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_text
from entrepot.models import ImportState


class ReviewsTable:
    """Table ``reviews``, and the imports that wait for one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, import_id: int, decision: str, justification: str, actor: str, now: dt.datetime) -> None:
        """Notes a decision: ``approve`` or ``reject``."""
        self._db.table("reviews").insert(
            {
                "import_id": import_id,
                "decision": decision,
                "justification": justification,
                "actor": actor,
                "created_at": to_text(now),
            }
        )

    def of_import(self, import_id: int) -> Sequence[dict[str, Any]]:
        """What was decided about an import, in order."""
        return list(rows(self._db, "SELECT * FROM reviews WHERE import_id = ? ORDER BY id", [import_id]))

    def waiting(self) -> Sequence[dict[str, Any]]:
        """The imports that wait, oldest first, with the distribution they are to go to."""
        sql = """
            SELECT i.id, i.name, i.version, i.architecture, r.name || '/' || d.name AS distribution, i.message, i.actor,
                i.created_at
            FROM imports i JOIN distributions d ON d.id = i.distribution_id
            JOIN repositories r ON r.id = d.repository_id WHERE i.state = ? ORDER BY i.id
        """
        return list(rows(self._db, sql, [ImportState.PENDING_REVIEW.value]))
