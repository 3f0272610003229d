"""What is published where."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def publications_and_files(db: Database) -> None:
    table(db, "publications").create(
        {
            "id": int,
            "target_id": int,
            "distribution_id": int,
            "version": int,
            "settings_digest": str,
            "state": str,
            "signed_by": str,
            "written": int,
            "bytes": int,
            "requests": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("target_id", "targets", "id"), ("distribution_id", "distributions", "id")],
    )
    table(db, "publications").create_index(["distribution_id", "target_id"])
    table(db, "published_files").create(
        {
            "id": int,
            "target_id": int,
            "distribution_id": int,
            "path": str,
            "phase": int,
            "size": int,
            "sha256": str,
            "published_at": str,
            "superseded_at": str,
            "superseded_in": int,
        },
        pk="id",
        foreign_keys=[("target_id", "targets", "id"), ("distribution_id", "distributions", "id")],
        not_null={"target_id", "path", "sha256"},
    )
    table(db, "published_files").create_index(["target_id", "path"], unique=True)
    # Payload is looked up by path; what is read in one go, for every publication, is the rest.
    db.execute("CREATE INDEX published_indexes ON published_files (target_id, distribution_id) WHERE phase > 0")
