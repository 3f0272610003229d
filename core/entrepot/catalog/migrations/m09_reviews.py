"""What persons decide."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def reviews(db: Database) -> None:
    table(db, "reviews").create(
        {
            "id": int,
            "import_id": int,
            "distribution_id": int,
            "sha256": str,
            "decision": str,
            "justification": str,
            "covers": str,
            "cve_ids": str,
            "expires_at": str,
            "actor": str,
            "origin": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("import_id", "imports", "id"), ("distribution_id", "distributions", "id")],
        not_null={"import_id", "distribution_id", "decision", "justification", "covers", "cve_ids", "actor"},
        defaults={"covers": "[]", "cve_ids": "[]"},
    )
    table(db, "reviews").create_index(["import_id"])
    # Waivers are looked up by what they are about.
    table(db, "reviews").create_index(["distribution_id", "sha256"])
    table(db, "reviews").create_index(["expires_at"])
    db.execute(
        "CREATE TRIGGER reviews_update BEFORE UPDATE ON reviews"
        " BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END"
    )
    # They go with the whole distribution that they were about, and are told by the audit log then.
    db.execute(
        "CREATE TRIGGER reviews_delete BEFORE DELETE ON reviews"
        " WHEN EXISTS (SELECT 1 FROM imports WHERE id = OLD.import_id)"
        " BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END"
    )
