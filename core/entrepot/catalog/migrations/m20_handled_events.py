"""Events that a function was called for, by their ids: the same one comes more than once."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def handled_events(db: Database) -> None:
    table(db, "handled_events").create(
        {"id": str, "answer": str, "handled_at": str}, pk="id", not_null={"answer", "handled_at"}
    )
    table(db, "handled_events").create_index(["handled_at"])
