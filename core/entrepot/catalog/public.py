"""A copy of the catalog for everybody: what is named here is in it, and nothing else.

The copy is a new database that chosen columns of chosen rows are written into. What is left out was never in it, so no
page of the file has a trace of it. It is one file without a journal, to be opened as immutable.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlite_utils import Database

from entrepot.catalog.migrations import migrations

PAGE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Public:
    """A table that is in the copy.

    ``columns`` are copied as they are, ``instead`` has what stands in the place of others, ``without`` are empty there.
    Only rows that fit ``where`` are copied; it may look at tables that were copied before.
    """

    columns: str
    instead: Mapping[str, str] = field(default_factory=dict)
    without: str = ""
    where: str = "1"


IS_MEMBER = "t.id IN (SELECT package_id FROM workspace.membership)"
OF_PACKAGE = "t.{} IN (SELECT id FROM main.packages)"
OF_ADVISORY = "t.advisory_id IN (SELECT id FROM main.advisories)"

# In the order in which they are copied. What never was in any distribution (waiting, refused, withdrawn before) is left
# out, and so is vulnerability data that was read from a file: statements of one's own come that way.
PUBLIC: Mapping[str, Public] = {
    "_sqlite_migrations": Public("id migration_set name applied_at"),
    "sources": Public(
        "id name format distributions components architectures verify created_at",
        {"url": "shown_url(t.url)", "options": "'{}'", "connection": "'{}'"},
        without="keyring",
    ),
    "source_state": Public("source_id packages checked_at changed_at", {"generation": "0", "state": "'{}'"}),
    "source_indexes": Public(
        "id source_id key digest distribution component architecture kind signed_by packages changed_at"
    ),
    "available": Public(
        "id index_id name version architecture size summary section source_name provides sha256 location version_key"
        " digest vanished_at description source_version"
    ),
    "available_raw": Public("id raw"),
    "packages": Public(
        "id format kind name version version_key architecture source_name summary section provides source_version"
        " module licence maintainer size sha256 original_sha256 digest created_at",
        where=IS_MEMBER,
    ),
    "package_raw": Public("id raw", where=OF_PACKAGE.format("id")),
    "package_file_lists": Public("id paths", where=OF_PACKAGE.format("id")),
    "package_provides": Public("name package_id", where=OF_PACKAGE.format("package_id")),
    "package_files": Public("package_id position name size sha256", where=OF_PACKAGE.format("package_id")),
    "extra_files": Public(
        "extra_id position name size sha256", where="t.extra_id IN (SELECT extra_id FROM workspace.extra_membership)"
    ),
    "artifacts": Public(
        "sha256 name size created_at removed_at",
        where="t.sha256 IN (SELECT sha256 FROM main.packages UNION SELECT sha256 FROM main.package_files"
        " UNION SELECT sha256 FROM main.extra_files)",
    ),
    "repositories": Public(
        "id name format signer sign_with origin label options created_at", {"public_url": "shown_url(t.public_url)"}
    ),
    "targets": Public("id repository_id", {"url": "'target ' || t.id", "collections": "0"}),
    "distributions": Public(
        "id repository_id name components architectures compressions keep keep_needed keep_versions keep_days retained"
        " options base_sources created_at",
        {"policy": "''"},
    ),
    "versions": Public("id distribution_id number message added removed packages created_at"),
    "membership": Public("id distribution_id package_id component location digest added_in removed_in"),
    "imports": Public(
        "id state name version architecture source_id available_id distribution_id component sha256 package_id"
        " repository_version created_at finished_at",
        {"actor": "''", "message": "''", "reasons": "'[]'", "rulings": "'[]'"},
        without="policy task_id reopened_at",
        where="t.state = 'published' AND " + OF_PACKAGE.format("package_id"),
    ),
    "verdicts": Public(
        "id import_id distribution_id sha256 scanner scanner_version answers status reason tool tool_version"
        " database_version given_at created_at checked_at",
        {"message": "''", "basis": "''", "evidence": "'{}'"},
        without="reused_from",
        where="t.import_id IN (SELECT id FROM main.imports)",
    ),
    "findings": Public(
        "id verdict_id finding severity summary location data kind",
        where="t.verdict_id IN (SELECT id FROM main.verdicts)",
    ),
    "snapshots": Public("id distribution_id name version created_at"),
    "publications": Public(
        "id target_id distribution_id version state signed_by written bytes created_at snapshot_id",
        {"settings_digest": "''", "requests": "'{}'", "identity": "'{}'"},
    ),
    "extras": Public("id kind name title data digest"),
    "extra_raw": Public("id raw"),
    "extra_packages": Public("id extra_id name version architecture"),
    "source_extras": Public("index_id extra_id"),
    "extra_membership": Public("id distribution_id extra_id added_in removed_in"),
    "advisory_feeds": Public(
        "id name format records checked_at changed_at",
        {"location": "shown_url(t.location)"},
        without="generation etag last_modified",
        where="t.location LIKE 'http://%' OR t.location LIKE 'https://%'",
    ),
    "advisories": Public(
        "id feed_id digest name vulnerabilities aliases modified withdrawn severity score vector summary url issuer"
        " justification",
        where="t.feed_id IN (SELECT id FROM main.advisory_feeds)",
    ),
    "advisory_names": Public("name advisory_id", where=OF_ADVISORY),
    "advisory_ecosystems": Public("id feed_id name", where="t.feed_id IN (SELECT id FROM main.advisory_feeds)"),
    "advisory_affected": Public(
        "id advisory_id ecosystem_id package module introduced introduced_key fixed last_affected end_key state"
        " severity",
        where=OF_ADVISORY,
    ),
    "vulnerability_facts": Public(
        "vulnerability kind feed_id value", where="t.feed_id IN (SELECT id FROM main.advisory_feeds)"
    ),
}

EMPTY = ("reviews", "tasks", "audit", "audit_head", "published_files", "told_verdicts")
"""Tables that are in the copy without a row: pages ask them."""
LEFT_OUT = ("schedule", "advisory_changes", "scan_states", "outbox", "notifiers", "handled_events")
FULL_TEXT = ("available_fts",)
"""Made anew from what was copied."""
VIEWS = ("packages_in_distributions", "published_with_findings")
HOLLOW_VIEWS = ("waiting_for_review", "waivers", "decisions")
"""Views that are in the copy and say nothing there."""

Shown = Callable[[str | None], str | None]


def copy_public(origin: Path, path: Path, shown_url: Shown) -> Mapping[str, int]:
    """Writes the copy of a catalog, as it is at one moment, to a file that is not there yet; answers rows by table.

    ``shown_url`` makes of a URL what everybody may see of it.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rwc", uri=True, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        # Nobody has use for half of it.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.create_function("shown_url", 1, shown_url, deterministic=True)
        migrations.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
        connection.execute("DELETE FROM _sqlite_migrations")
        connection.execute("ATTACH ? AS workspace", [f"{origin.absolute().as_uri()}?mode=ro"])
        connection.execute("BEGIN")
        counts = {name: _copy(connection, name, table) for name, table in PUBLIC.items()}
        connection.execute("COMMIT")
        connection.execute("DETACH workspace")
        for name in FULL_TEXT:
            connection.execute(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")
        known = {*PUBLIC, *EMPTY, *FULL_TEXT}
        for name in _tables(connection):
            if name not in known and not name.startswith(tuple(f"{text}_" for text in FULL_TEXT)):
                connection.execute(f"DROP TABLE {name}")
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
    return counts


def _copy(connection: sqlite3.Connection, name: str, table: Public) -> int:
    columns = table.columns.split()
    values = [f"t.{column}" for column in columns] + list(table.instead.values())
    names = ", ".join([*columns, *table.instead])
    sql = f"INSERT INTO main.{name} ({names}) SELECT {', '.join(values)} FROM workspace.{name} t WHERE {table.where}"
    return connection.execute(sql).rowcount


def _tables(connection: sqlite3.Connection) -> list[str]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return [row[0] for row in connection.execute(sql)]
