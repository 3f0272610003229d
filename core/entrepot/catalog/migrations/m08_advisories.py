"""Offline vulnerability data."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def advisories(db: Database) -> None:
    table(db, "advisory_feeds").create(
        {
            "id": int,
            "name": str,
            "format": str,
            "location": str,
            "generation": str,
            "etag": str,
            "last_modified": str,
            "records": int,
            "checked_at": str,
            "changed_at": str,
        },
        pk="id",
        not_null={"name", "format", "location"},
    )
    table(db, "advisory_feeds").create_index(["name"], unique=True)
    table(db, "advisories").create(
        {
            "id": int,
            "feed_id": int,
            "digest": bytes,
            "name": str,
            "vulnerabilities": str,
            "aliases": str,
            "modified": str,
            "withdrawn": str,
            "severity": str,
            "score": float,
            "vector": str,
            "summary": str,
            "url": str,
            "issuer": str,
            "justification": str,
        },
        pk="id",
        foreign_keys=[("feed_id", "advisory_feeds", "id")],
        not_null={"feed_id", "digest", "name"},
    )
    table(db, "advisories").create_index(["feed_id", "digest"], unique=True)
    table(db, "advisories").create_index(["name"])
    # An ecosystem is one feed's: what there is data of, and how old that is, is told without a look at any advisory.
    table(db, "advisory_ecosystems").create(
        {"id": int, "feed_id": int, "name": str}, pk="id", foreign_keys=[("feed_id", "advisory_feeds", "id")]
    )
    table(db, "advisory_ecosystems").create_index(["name", "feed_id"], unique=True)
    table(db, "advisory_affected").create(
        {
            "id": int,
            "advisory_id": int,
            "ecosystem_id": int,
            "package": str,
            "module": str,
            "introduced": str,
            "introduced_key": bytes,
            "fixed": str,
            "last_affected": str,
            "end_key": bytes,
            "state": str,
            "severity": str,
        },
        pk="id",
        foreign_keys=[("advisory_id", "advisories", "id"), ("ecosystem_id", "advisory_ecosystems", "id")],
        not_null={"advisory_id", "ecosystem_id", "package", "introduced_key"},
    )
    table(db, "advisory_affected").create_index(["package", "ecosystem_id"])
    table(db, "advisory_affected").create_index(["advisory_id"])
    db.execute(
        """
        CREATE TABLE vulnerability_facts (
            vulnerability TEXT NOT NULL, kind TEXT NOT NULL, feed_id INTEGER NOT NULL REFERENCES advisory_feeds(id),
            value TEXT NOT NULL, PRIMARY KEY (vulnerability, kind, feed_id)
        ) WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX vulnerability_facts_of_feed ON vulnerability_facts (feed_id)")
