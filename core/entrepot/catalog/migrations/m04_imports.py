"""Imports, what scanners said, and what persons decided."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def imports_and_verdicts(db: Database) -> None:
    table(db, "imports").create(
        {
            "id": int,
            "state": str,
            "name": str,
            "version": str,
            "architecture": str,
            "source_id": int,
            "available_id": int,
            "distribution_id": int,
            "component": str,
            "sha256": str,
            "package_id": int,
            "policy": str,
            "reasons": str,
            "rulings": str,
            "message": str,
            "repository_version": int,
            "task_id": int,
            "actor": str,
            "created_at": str,
            "finished_at": str,
            "reopened_at": str,
        },
        pk="id",
        foreign_keys=[
            ("source_id", "sources", "id"),
            ("distribution_id", "distributions", "id"),
            ("package_id", "packages", "id"),
        ],
        not_null={"state", "name", "distribution_id"},
    )
    table(db, "imports").create_index(["distribution_id", "state"])
    table(db, "imports").create_index(["sha256"])
    table(db, "verdicts").create(
        {
            "id": int,
            "import_id": int,
            "distribution_id": int,
            "sha256": str,
            "scanner": str,
            "scanner_version": str,
            "answers": str,
            "status": str,
            "reason": str,
            "message": str,
            "tool": str,
            "tool_version": str,
            "database_version": str,
            "basis": str,
            "reused_from": int,
            "given_at": str,
            "evidence": str,
            "created_at": str,
            "checked_at": str,
        },
        pk="id",
        foreign_keys=[("import_id", "imports", "id"), ("distribution_id", "distributions", "id")],
    )
    table(db, "verdicts").create_index(["import_id"])
    # What was said last of an artifact in a distribution, and what may be used again.
    table(db, "verdicts").create_index(["distribution_id", "sha256", "scanner"])
    table(db, "verdicts").create_index(["sha256", "scanner", "basis"])
    table(db, "findings").create(
        {
            "id": int,
            "verdict_id": int,
            "finding": str,
            "severity": str,
            "summary": str,
            "location": str,
            "data": str,
            "kind": str,
        },
        pk="id",
        foreign_keys=[("verdict_id", "verdicts", "id")],
    )
    table(db, "findings").create_index(["verdict_id"])
    # Where a vulnerability is now.
    table(db, "findings").create_index(["finding"])
