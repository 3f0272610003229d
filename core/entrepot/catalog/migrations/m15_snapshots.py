"""Snapshots, and how much of a distribution is kept."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def snapshots_and_retention(db: Database) -> None:
    table(db, "snapshots").create(
        {"id": int, "distribution_id": int, "name": str, "version": int, "created_at": str},
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id")],
        not_null={"distribution_id", "name", "version", "created_at"},
    )
    table(db, "snapshots").create_index(["distribution_id", "name"], unique=True)
    # A snapshot is published like a distribution, to a place of its own.
    for name in ("publications", "published_files"):
        db.execute(f"ALTER TABLE {name} ADD COLUMN snapshot_id INTEGER REFERENCES snapshots(id)")
        db.execute(f"CREATE INDEX {name}_of_snapshots ON {name} (snapshot_id) WHERE snapshot_id IS NOT NULL")
    for name in ("keep_needed", "keep_versions", "keep_days", "retained"):
        db.execute(f"ALTER TABLE distributions ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
