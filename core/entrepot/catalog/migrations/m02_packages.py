"""Files and what was read out of them."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def artifacts_and_packages(db: Database) -> None:
    table(db, "artifacts").create(
        {"sha256": str, "name": str, "size": int, "created_at": str, "removed_at": str},
        pk="sha256",
        not_null={"name", "size"},
    )
    table(db, "packages").create(
        {
            "id": int,
            "format": str,
            "kind": str,
            "name": str,
            "version": str,
            "version_key": bytes,
            "architecture": str,
            "source_name": str,
            "summary": str,
            "section": str,
            "provides": str,
            "source_version": str,
            "module": str,
            "licence": str,
            "maintainer": str,
            "size": int,
            "sha256": str,
            "original_sha256": str,
            "digest": bytes,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("sha256", "artifacts", "sha256")],
        not_null={"format", "kind", "name", "version", "version_key", "architecture", "sha256", "digest"},
    )
    table(db, "packages").create_index(["sha256", "digest"], unique=True)
    table(db, "packages").create_index(["name", "version_key"])
    db.execute("CREATE TABLE package_raw (id INTEGER PRIMARY KEY REFERENCES packages(id), raw BLOB NOT NULL)")
    table(db, "package_files").create(
        {"package_id": int, "position": int, "name": str, "size": int, "sha256": str},
        pk=("package_id", "position"),
        foreign_keys=[("package_id", "packages", "id"), ("sha256", "artifacts", "sha256")],
    )
    table(db, "package_files").create_index(["sha256"])


@migrations()
def names_that_packages_provide(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE package_provides (
            name TEXT NOT NULL, package_id INTEGER NOT NULL REFERENCES packages(id), PRIMARY KEY (name, package_id)
        ) WITHOUT ROWID
        """
    )
