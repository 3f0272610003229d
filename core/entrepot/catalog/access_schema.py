"""The schema of ``access.db``: migrations of its own, apart from the catalog's."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

access_migrations = Migrations("entrepot_access")


@access_migrations()
def tokens_users_and_sessions(db: Database) -> None:
    db.table("tokens").create(
        {
            "id": int,
            "name": str,
            "role": str,
            "distributions": str,
            "digest": str,
            "created_at": str,
            "created_by": str,
            "expires_at": str,
            "revoked_at": str,
            "last_used_at": str,
        },
        pk="id",
        not_null={"name", "role", "distributions", "digest", "created_at", "created_by"},
    )
    db.table("tokens").create_index(["digest"], unique=True)
    db.execute("CREATE UNIQUE INDEX idx_tokens_name ON tokens (name) WHERE revoked_at IS NULL")
    db.table("users").create(
        {
            "id": int,
            "name": str,
            "password": str,
            "role": str,
            "distributions": str,
            "disabled": int,
            "created_at": str,
        },
        pk="id",
        not_null={"name", "password", "role", "distributions", "disabled", "created_at"},
    )
    db.table("users").create_index(["name"], unique=True)
    db.table("sessions").create(
        {"id": int, "digest": str, "token_id": int, "user_id": int, "expires_at": str},
        pk="id",
        not_null={"digest", "expires_at"},
        foreign_keys=[("token_id", "tokens", "id"), ("user_id", "users", "id")],
    )
    db.table("sessions").create_index(["digest"], unique=True)
