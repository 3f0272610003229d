"""What happened and is still to be told to somebody outside."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def outbox(db: Database) -> None:
    table(db, "outbox").create(
        {
            "id": int,
            "notifier": str,
            "event_id": str,
            "event": str,
            "subject": str,
            "document": str,
            "created_at": str,
            "state": str,
            "attempts": int,
            "next_at": str,
            "claimed_until": str,
            "error": str,
        },
        pk="id",
        not_null={"notifier", "event_id", "event", "subject", "document", "created_at", "state", "attempts", "next_at"},
    )
    db.execute("CREATE INDEX outbox_due ON outbox (notifier, state, next_at)")
    table(db, "notifiers").create(
        {"name": str, "delivered": int, "delivered_at": str, "failed_at": str, "error": str},
        pk="name",
        not_null={"delivered"},
    )
