"""Which files packages install, as zlib-compressed lines."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations


@migrations()
def files_that_packages_install(db: Database) -> None:
    db.execute("CREATE TABLE package_file_lists (id INTEGER PRIMARY KEY REFERENCES packages(id), paths BLOB NOT NULL)")
