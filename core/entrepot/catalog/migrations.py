"""The schema, as sqlite-utils migrations: applied in order when a catalog is opened, never edited after a release."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.db import Table
from sqlite_utils.migrations import Migrations

migrations = Migrations("entrepot")


def _table(db: Database, name: str) -> Table:
    return db.table(name)


@migrations()
def sources_and_indexes(db: Database) -> None:
    _table(db, "sources").create(
        {
            "id": int,
            "name": str,
            "format": str,
            "url": str,
            "distributions": str,
            "components": str,
            "architectures": str,
            "verify": int,
            "keyring": str,
            "options": str,
            "connection": str,
            "created_at": str,
        },
        pk="id",
        not_null={"name", "format", "url", "verify"},
    )
    _table(db, "sources").create_index(["name"], unique=True)
    _table(db, "source_state").create(
        {"source_id": int, "generation": int, "state": str, "packages": int, "checked_at": str, "changed_at": str},
        pk="source_id",
        foreign_keys=[("source_id", "sources", "id")],
    )
    _table(db, "source_indexes").create(
        {
            "id": int,
            "source_id": int,
            "key": str,
            "digest": str,
            "distribution": str,
            "component": str,
            "architecture": str,
            "kind": str,
            "signed_by": str,
            "packages": int,
            "changed_at": str,
        },
        pk="id",
        foreign_keys=[("source_id", "sources", "id")],
    )
    _table(db, "source_indexes").create_index(["source_id", "key"], unique=True)


@migrations()
def available_packages(db: Database) -> None:
    # Written by hand: a row is written 63,000 times in a sync, so every column and index here has a price.
    # The raw text is a table of its own, so that scans and pages of the catalog do not drag it along.
    db.execute(
        """
        CREATE TABLE available (
            id INTEGER PRIMARY KEY,
            index_id INTEGER NOT NULL REFERENCES source_indexes(id),
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            architecture TEXT NOT NULL,
            size INTEGER NOT NULL,
            summary TEXT NOT NULL,
            section TEXT NOT NULL,
            source_name TEXT NOT NULL,
            provides TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            location TEXT NOT NULL,
            version_key BLOB NOT NULL,
            digest BLOB NOT NULL,
            vanished_at TEXT,
            description TEXT NOT NULL
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX available_by_digest ON available(index_id, digest)")
    db.execute("CREATE INDEX available_by_name ON available(name, version_key)")
    db.execute("CREATE TABLE available_raw (id INTEGER PRIMARY KEY REFERENCES available(id), raw BLOB NOT NULL)")
    db.execute(
        """
        CREATE VIRTUAL TABLE available_fts USING fts5(
            name, provides, summary, description, content='available', content_rowid='id'
        )
        """
    )


@migrations()
def artifacts_and_packages(db: Database) -> None:
    _table(db, "artifacts").create(
        {"sha256": str, "name": str, "size": int, "created_at": str, "removed_at": str},
        pk="sha256",
        not_null={"name", "size"},
    )
    _table(db, "packages").create(
        {
            "id": int,
            "format": str,
            "kind": str,
            "name": str,
            "version": str,
            "version_key": bytes,
            "architecture": str,
            "source_name": str,
            "summary": str,
            "section": str,
            "provides": str,
            "size": int,
            "sha256": str,
            "original_sha256": str,
            "digest": bytes,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("sha256", "artifacts", "sha256")],
        not_null={"format", "kind", "name", "version", "version_key", "architecture", "sha256", "digest"},
    )
    _table(db, "packages").create_index(["sha256", "digest"], unique=True)
    _table(db, "packages").create_index(["name", "version_key"])
    db.execute("CREATE TABLE package_raw (id INTEGER PRIMARY KEY REFERENCES packages(id), raw BLOB NOT NULL)")
    _table(db, "package_files").create(
        {"package_id": int, "position": int, "name": str, "size": int, "sha256": str},
        pk=("package_id", "position"),
        foreign_keys=[("package_id", "packages", "id"), ("sha256", "artifacts", "sha256")],
    )
    _table(db, "package_files").create_index(["sha256"])


@migrations()
def names_that_packages_provide(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE package_provides (
            name TEXT NOT NULL, package_id INTEGER NOT NULL REFERENCES packages(id), PRIMARY KEY (name, package_id)
        ) WITHOUT ROWID
        """
    )


@migrations()
def repositories_and_versions(db: Database) -> None:
    _table(db, "repositories").create(
        {
            "id": int,
            "name": str,
            "format": str,
            "public_url": str,
            "signer": str,
            "sign_with": str,
            "origin": str,
            "label": str,
            "options": str,
            "created_at": str,
        },
        pk="id",
        not_null={"name", "format"},
    )
    _table(db, "repositories").create_index(["name"], unique=True)
    _table(db, "targets").create(
        {"id": int, "repository_id": int, "url": str, "collections": int},
        pk="id",
        foreign_keys=[("repository_id", "repositories", "id")],
        not_null={"repository_id", "url"},
        defaults={"collections": 0},
    )
    _table(db, "targets").create_index(["repository_id", "url"], unique=True)
    _table(db, "distributions").create(
        {
            "id": int,
            "repository_id": int,
            "name": str,
            "components": str,
            "architectures": str,
            "policy": str,
            "compressions": str,
            "keep": int,
            "options": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("repository_id", "repositories", "id")],
        not_null={"repository_id", "name"},
    )
    _table(db, "distributions").create_index(["repository_id", "name"], unique=True)
    _table(db, "versions").create(
        {
            "id": int,
            "distribution_id": int,
            "number": int,
            "message": str,
            "added": int,
            "removed": int,
            "packages": int,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id")],
    )
    _table(db, "versions").create_index(["distribution_id", "number"], unique=True)
    _table(db, "membership").create(
        {
            "id": int,
            "distribution_id": int,
            "package_id": int,
            "component": str,
            "location": str,
            "digest": bytes,
            "added_in": int,
            "removed_in": int,
        },
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id"), ("package_id", "packages", "id")],
        not_null={"distribution_id", "package_id", "component", "location", "digest", "added_in"},
    )
    _table(db, "membership").create_index(["distribution_id", "added_in"])
    _table(db, "membership").create_index(["distribution_id", "removed_in"])
    _table(db, "membership").create_index(["package_id"])
    _table(db, "membership").create_index(["location"])


@migrations()
def imports_and_verdicts(db: Database) -> None:
    _table(db, "imports").create(
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
            "message": str,
            "repository_version": int,
            "task_id": int,
            "actor": str,
            "created_at": str,
            "finished_at": str,
        },
        pk="id",
        foreign_keys=[
            ("source_id", "sources", "id"),
            ("distribution_id", "distributions", "id"),
            ("package_id", "packages", "id"),
        ],
        not_null={"state", "name", "distribution_id"},
    )
    _table(db, "imports").create_index(["distribution_id", "state"])
    _table(db, "imports").create_index(["sha256"])
    _table(db, "verdicts").create(
        {
            "id": int,
            "import_id": int,
            "sha256": str,
            "scanner": str,
            "scanner_version": str,
            "answers": str,
            "status": str,
            "reason": str,
            "message": str,
            "tool": str,
            "tool_version": str,
            "evidence": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("import_id", "imports", "id")],
    )
    _table(db, "verdicts").create_index(["import_id"])
    _table(db, "findings").create(
        {
            "id": int,
            "verdict_id": int,
            "finding": str,
            "severity": str,
            "summary": str,
            "location": str,
            "data": str,
        },
        pk="id",
        foreign_keys=[("verdict_id", "verdicts", "id")],
    )
    _table(db, "findings").create_index(["verdict_id"])


@migrations()
def publications_and_files(db: Database) -> None:
    _table(db, "publications").create(
        {
            "id": int,
            "target_id": int,
            "distribution_id": int,
            "version": int,
            "settings_digest": str,
            "state": str,
            "signed_by": str,
            "written": int,
            "bytes": int,
            "requests": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("target_id", "targets", "id"), ("distribution_id", "distributions", "id")],
    )
    _table(db, "publications").create_index(["distribution_id", "target_id"])
    _table(db, "published_files").create(
        {
            "id": int,
            "target_id": int,
            "distribution_id": int,
            "path": str,
            "phase": int,
            "size": int,
            "sha256": str,
            "published_at": str,
            "superseded_at": str,
            "superseded_in": int,
        },
        pk="id",
        foreign_keys=[("target_id", "targets", "id"), ("distribution_id", "distributions", "id")],
        not_null={"target_id", "path", "sha256"},
    )
    _table(db, "published_files").create_index(["target_id", "path"], unique=True)
    # Payload is looked up by path; what is read in one go, for every publication, is the rest.
    db.execute("CREATE INDEX published_indexes ON published_files (target_id, distribution_id) WHERE phase > 0")


@migrations()
def tasks_and_audit(db: Database) -> None:
    _table(db, "tasks").create(
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
    _table(db, "audit").create(
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


@migrations()
def extras(db: Database) -> None:
    _table(db, "extras").create(
        {"id": int, "kind": str, "name": str, "title": str, "data": str, "digest": bytes},
        pk="id",
        not_null={"kind", "name", "digest"},
    )
    _table(db, "extras").create_index(["digest"], unique=True)
    _table(db, "extras").create_index(["kind", "name"])
    db.execute("CREATE TABLE extra_raw (id INTEGER PRIMARY KEY REFERENCES extras(id), raw BLOB NOT NULL)")
    _table(db, "extra_packages").create(
        {"id": int, "extra_id": int, "name": str, "version": str, "architecture": str},
        pk="id",
        foreign_keys=[("extra_id", "extras", "id")],
    )
    _table(db, "extra_packages").create_index(["name"])
    _table(db, "extra_packages").create_index(["extra_id"])
    _table(db, "source_extras").create(
        {"index_id": int, "extra_id": int},
        pk=("index_id", "extra_id"),
        foreign_keys=[("index_id", "source_indexes", "id"), ("extra_id", "extras", "id")],
    )
    _table(db, "extra_membership").create(
        {"id": int, "distribution_id": int, "extra_id": int, "added_in": int, "removed_in": int},
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id"), ("extra_id", "extras", "id")],
    )
    _table(db, "extra_membership").create_index(["distribution_id"])


@migrations()
def advisories(db: Database) -> None:
    _table(db, "advisory_feeds").create(
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
    _table(db, "advisory_feeds").create_index(["name"], unique=True)
    _table(db, "advisories").create(
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
        },
        pk="id",
        foreign_keys=[("feed_id", "advisory_feeds", "id")],
        not_null={"feed_id", "digest", "name"},
    )
    _table(db, "advisories").create_index(["feed_id", "digest"], unique=True)
    _table(db, "advisories").create_index(["name"])
    # An ecosystem is one feed's: what there is data of, and how old that is, is told without a look at any advisory.
    _table(db, "advisory_ecosystems").create(
        {"id": int, "feed_id": int, "name": str}, pk="id", foreign_keys=[("feed_id", "advisory_feeds", "id")]
    )
    _table(db, "advisory_ecosystems").create_index(["name", "feed_id"], unique=True)
    _table(db, "advisory_affected").create(
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
    _table(db, "advisory_affected").create_index(["package", "ecosystem_id"])
    _table(db, "advisory_affected").create_index(["advisory_id"])
    db.execute(
        """
        CREATE TABLE vulnerability_facts (
            vulnerability TEXT NOT NULL, kind TEXT NOT NULL, feed_id INTEGER NOT NULL REFERENCES advisory_feeds(id),
            value TEXT NOT NULL, PRIMARY KEY (vulnerability, kind, feed_id)
        ) WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX vulnerability_facts_of_feed ON vulnerability_facts (feed_id)")


@migrations()
def reviews(db: Database) -> None:
    _table(db, "reviews").create(
        {"id": int, "import_id": int, "decision": str, "justification": str, "actor": str, "created_at": str},
        pk="id",
        foreign_keys=[("import_id", "imports", "id")],
        not_null={"import_id", "decision", "justification", "actor"},
    )
    _table(db, "reviews").create_index(["import_id"])
