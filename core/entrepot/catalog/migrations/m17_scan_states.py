"""What a scan need not look at again."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def what_changed_in_advisories(db: Database) -> None:
    # The last change of what advisories say of packages of a name; the row without a name: of anything at all.
    db.execute("CREATE TABLE advisory_changes (package TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID")
    db.execute("CREATE INDEX advisory_changes_since ON advisory_changes (number)")


@migrations()
def what_scans_found_settled(db: Database) -> None:
    table(db, "scan_states").create(
        {
            "distribution_id": int,
            "scanner": str,
            "mark": str,
            "policy": str,
            "version": int,
            "verdict_id": int,
            "told": str,
        },
        pk=("distribution_id", "scanner"),
        foreign_keys=[("distribution_id", "distributions", "id")],
        not_null={"mark", "policy", "version", "verdict_id", "told"},
    )
