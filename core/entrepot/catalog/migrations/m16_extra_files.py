"""Files that belong to what sources say besides packages: those of an installer."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def files_of_extras(db: Database) -> None:
    table(db, "extra_files").create(
        {"extra_id": int, "position": int, "name": str, "size": int, "sha256": str},
        pk=("extra_id", "position"),
        foreign_keys=[("extra_id", "extras", "id"), ("sha256", "artifacts", "sha256")],
        not_null={"name", "size", "sha256"},
    )
