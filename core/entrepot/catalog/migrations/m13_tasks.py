"""Tasks that are done again or by themselves, and names of vulnerabilities that are looked up."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def tasks_again(db: Database) -> None:
    table(db, "tasks").add_column("retry_of", int)
    db.execute("CREATE INDEX tasks_again ON tasks (retry_of) WHERE retry_of IS NOT NULL")


@migrations()
def names_in_advisories(db: Database) -> None:
    # An advisory names several vulnerabilities, as words of one text: whoever knows one of them finds it by this.
    db.execute(
        """
        CREATE TABLE advisory_names (
            name TEXT NOT NULL, advisory_id INTEGER NOT NULL REFERENCES advisories(id), PRIMARY KEY (name, advisory_id)
        ) WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX advisory_names_of ON advisory_names (advisory_id)")
    for row_id, name, *texts in db.execute("SELECT id, name, vulnerabilities, aliases FROM advisories").fetchall():
        words = {name, *(word for text in texts for word in (text or "").split())}
        db.conn.executemany("INSERT INTO advisory_names VALUES (?, ?)", [(word, row_id) for word in sorted(words)])


@migrations()
def schedule(db: Database) -> None:
    table(db, "schedule").create(
        {
            "name": str,
            "rule": str,
            "due_at": str,
            "next_at": str,
            "last_due_at": str,
            "last_at": str,
            "missed": int,
            "skipped_at": str,
        },
        pk="name",
        not_null={"rule", "due_at", "next_at", "missed"},
    )
    table(db, "tasks").add_column("job", str)
    table(db, "tasks").add_column("due_at", str)
    db.execute("CREATE INDEX tasks_of_jobs ON tasks (job) WHERE job IS NOT NULL")
