"""What the sender of a bundle had scanners say of its packages."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def told_verdicts(db: Database) -> None:
    table(db, "told_verdicts").create(
        {"source_id": int, "sha256": str, "verdicts": str},
        pk=("source_id", "sha256"),
        foreign_keys=[("source_id", "sources", "id")],
        not_null={"verdicts"},
    )
