"""What sources say besides packages."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def extras(db: Database) -> None:
    table(db, "extras").create(
        {"id": int, "kind": str, "name": str, "title": str, "data": str, "digest": bytes},
        pk="id",
        not_null={"kind", "name", "digest"},
    )
    table(db, "extras").create_index(["digest"], unique=True)
    table(db, "extras").create_index(["kind", "name"])
    db.execute("CREATE TABLE extra_raw (id INTEGER PRIMARY KEY REFERENCES extras(id), raw BLOB NOT NULL)")
    table(db, "extra_packages").create(
        {"id": int, "extra_id": int, "name": str, "version": str, "architecture": str},
        pk="id",
        foreign_keys=[("extra_id", "extras", "id")],
    )
    table(db, "extra_packages").create_index(["name"])
    table(db, "extra_packages").create_index(["extra_id"])
    table(db, "source_extras").create(
        {"index_id": int, "extra_id": int},
        pk=("index_id", "extra_id"),
        foreign_keys=[("index_id", "source_indexes", "id"), ("extra_id", "extras", "id")],
    )
    table(db, "extra_membership").create(
        {"id": int, "distribution_id": int, "extra_id": int, "added_in": int, "removed_in": int},
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id"), ("extra_id", "extras", "id")],
    )
    table(db, "extra_membership").create_index(["distribution_id"])
