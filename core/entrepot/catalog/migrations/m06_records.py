"""Tasks and the audit log."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def tasks_and_audit(db: Database) -> None:
    table(db, "tasks").create(
        {
            "id": int,
            "kind": str,
            "subject": str,
            "state": str,
            "progress_reports": str,
            "created_resources": str,
            "error": str,
            "actor": str,
            "host": str,
            "pid": int,
            "created_at": str,
            "started_at": str,
            "finished_at": str,
        },
        pk="id",
        not_null={"kind", "state"},
    )
    table(db, "audit").create(
        {
            "id": int,
            "at": str,
            "actor": str,
            "action": str,
            "subject": str,
            "detail": str,
            "previous": str,
            "digest": str,
        },
        pk="id",
        not_null={"at", "action", "digest"},
    )
