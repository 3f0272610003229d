"""What clients know of distributions."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def what_clients_know_of_distributions(db: Database) -> None:
    table(db, "publications").add_column("identity", str, not_null_default="{}")
