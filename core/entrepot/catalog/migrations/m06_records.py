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
            "process": str,
            "origin": str,
            "request": str,
            "result": str,
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
            "origin": str,
            "action": str,
            "subject": str,
            "detail": str,
            "previous": str,
            "digest": str,
        },
        pk="id",
        not_null={"at", "action", "digest"},
    )
    table(db, "audit_head").create(
        {"id": int, "entries": int, "digest": str, "seal": str, "at": str},
        pk="id",
        not_null={"entries", "digest", "seal"},
    )
    # A first fence. Who goes around it (a catalog is a file) is found out by the chain and its anchor.
    for change in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER audit_{change.lower()} BEFORE {change} ON audit"
            " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )
