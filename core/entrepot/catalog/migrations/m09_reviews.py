"""What persons decide."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def reviews(db: Database) -> None:
    table(db, "reviews").create(
        {"id": int, "import_id": int, "decision": str, "justification": str, "actor": str, "created_at": str},
        pk="id",
        foreign_keys=[("import_id", "imports", "id")],
        not_null={"import_id", "decision", "justification", "actor"},
    )
    table(db, "reviews").create_index(["import_id"])
