"""Sources, their indexes and what they offer."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def sources_and_indexes(db: Database) -> None:
    table(db, "sources").create(
        {
            "id": int,
            "name": str,
            "format": str,
            "url": str,
            "distributions": str,
            "components": str,
            "architectures": str,
            "verify": int,
            "keyring": str,
            "options": str,
            "connection": str,
            "created_at": str,
        },
        pk="id",
        not_null={"name", "format", "url", "verify"},
    )
    table(db, "sources").create_index(["name"], unique=True)
    table(db, "source_state").create(
        {"source_id": int, "generation": int, "state": str, "packages": int, "checked_at": str, "changed_at": str},
        pk="source_id",
        foreign_keys=[("source_id", "sources", "id")],
    )
    table(db, "source_indexes").create(
        {
            "id": int,
            "source_id": int,
            "key": str,
            "digest": str,
            "distribution": str,
            "component": str,
            "architecture": str,
            "kind": str,
            "signed_by": str,
            "packages": int,
            "changed_at": str,
        },
        pk="id",
        foreign_keys=[("source_id", "sources", "id")],
    )
    table(db, "source_indexes").create_index(["source_id", "key"], unique=True)


@migrations()
def available_packages(db: Database) -> None:
    # Written by hand: a row is written 63,000 times in a sync, so every column and index here has a price.
    # The raw text is a table of its own, so that scans and pages of the catalog do not drag it along.
    db.execute(
        """
        CREATE TABLE available (
            id INTEGER PRIMARY KEY,
            index_id INTEGER NOT NULL REFERENCES source_indexes(id),
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            architecture TEXT NOT NULL,
            size INTEGER NOT NULL,
            summary TEXT NOT NULL,
            section TEXT NOT NULL,
            source_name TEXT NOT NULL,
            provides TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            location TEXT NOT NULL,
            version_key BLOB NOT NULL,
            digest BLOB NOT NULL,
            vanished_at TEXT,
            description TEXT NOT NULL,
            source_version TEXT NOT NULL
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX available_by_digest ON available(index_id, digest)")
    db.execute("CREATE INDEX available_by_name ON available(name, version_key)")
    db.execute("CREATE TABLE available_raw (id INTEGER PRIMARY KEY REFERENCES available(id), raw BLOB NOT NULL)")
    db.execute(
        """
        CREATE VIRTUAL TABLE available_fts USING fts5(
            name, provides, summary, description, content='available', content_rowid='id'
        )
        """
    )
