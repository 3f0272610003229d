"""What tables, views and usual questions of the catalog are called and told, for whoever shows them to persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """A table for persons. ``newest`` is the column that it is sorted by, downwards; ``sort`` upwards.

    ``full_text`` is the table that finds its rows by words.
    """

    title: str
    about: str
    columns: Mapping[str, str] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    label: str = ""
    newest: str = ""
    sort: str = ""
    full_text: str = ""


# No facets, and no order without an index, for tables that have hundreds of thousands of rows.
TABLES: Mapping[str, Table] = {
    "sources": Table(
        "Sources",
        "External repositories that packages come from",
        {
            "verify": "Whether signatures are required",
            "options": "Options of the format",
            "keyring": "Its file of keys",
        },
        ("format",),
        label="name",
        sort="name",
    ),
    "source_indexes": Table(
        "Indexes of sources",
        "The parts that a source's metadata consists of",
        {"signed_by": "Fingerprint of the key that signed it", "packages": "How many packages it lists"},
        ("source_id", "kind"),
        label="key",
    ),
    "available": Table(
        "Packages on offer",
        "What synced sources offer. Those with a time in vanished_at are gone upstream",
        {"version_key": "Its bytes sort as versions do", "location": "Where the file is, below the source's URL"},
        label="name",
        sort="name",
        full_text="available_fts",
    ),
    "packages": Table(
        "Packages that came in",
        "What was read out of package files, whether they were let in or not",
        {"original_sha256": "The file as it came, where it was signed again here"},
        ("format", "architecture"),
        label="name",
        newest="id",
    ),
    "artifacts": Table("Files", "Package files in the private store", {}, label="name"),
    "package_files": Table("Files of packages", "Which files a package consists of"),
    "imports": Table(
        "Imports",
        "Every attempt to bring a package in, with how it ended",
        {
            "state": "published, pending_review, rejected, failed, or under way",
            "reasons": "Why the policy did not let it through",
            "rulings": "What every rule of the policy made of it",
            "repository_version": "The version of the distribution that has it since",
        },
        ("state", "distribution_id", "source_id"),
        label="name",
        newest="id",
    ),
    "verdicts": Table(
        "Verdicts",
        "What each scanner said of each import",
        {"status": "pass, warn, review, block, error or skipped", "answers": "What it is called in the result"},
        ("status", "scanner"),
        label="scanner",
        newest="id",
    ),
    "findings": Table(
        "Findings", "What scanners found", {"finding": "Its id, a CVE often"}, ("severity", "kind"), "finding", "id"
    ),
    "reviews": Table(
        "Reviews",
        "What persons decided. Rows are added, never changed",
        {"expires_at": "When an approval ends", "justification": "Why"},
        ("decision", "actor"),
        newest="id",
    ),
    "repositories": Table("Repositories", "Published trees", {}, ("format",), label="name", sort="name"),
    "targets": Table("Targets", "Where repositories are published", {}, label="url"),
    "distributions": Table(
        "Distributions", "Suites of APT repositories, repodata roots of RPM ones", {}, ("repository_id",), label="name"
    ),
    "versions": Table(
        "Versions", "Immutable, numbered sets of packages of a distribution", {}, ("distribution_id",), newest="id"
    ),
    "membership": Table(
        "Packages of distributions",
        "Which version added a package to a distribution and which one removed it",
        {"removed_in": "Empty while it is in the newest version"},
        ("distribution_id",),
        newest="id",
    ),
    "snapshots": Table(
        "Snapshots", "Versions that stay reachable under a path of their own", {}, label="name", newest="id"
    ),
    "publications": Table(
        "Publications", "Versions that were put in place", {}, ("state", "distribution_id"), newest="id"
    ),
    "published_files": Table("Published files", "What is in each published tree", {}, label="path"),
    "advisory_feeds": Table("Vulnerability data", "Where advisories were read from", {}, label="name"),
    "advisories": Table("Advisories", "Known vulnerabilities", {}, label="name", sort="name"),
    "advisory_affected": Table("Affected packages", "What advisories say of which versions", {}, label="package"),
    "extras": Table("Extras", "What sources say besides packages", {}, ("kind",), label="name"),
    "tasks": Table("Tasks", "What was asked for and how it ended", {}, ("kind", "state"), label="kind", newest="id"),
    "schedule": Table(
        "Schedule",
        "Jobs that are done by themselves",
        {"due_at": "When it is due next", "missed": "Runs before the last one that were due while nobody looked"},
        label="name",
        sort="name",
    ),
    "outbox": Table(
        "Outbox",
        "Events that are still to be told to somebody outside",
        {"next_at": "When it is tried again", "error": "Why the last try failed"},
        ("notifier", "event", "state"),
        label="event",
        newest="id",
    ),
    "notifiers": Table(
        "Notifiers", "Who is told of events, and how that went", {"delivered": "Events that arrived"}, label="name"
    ),
    "audit": Table("Audit log", "Who did what, when: a chain of hashes", {}, ("action", "actor"), newest="id"),
}

VIEWS: Mapping[str, Table] = {
    "waiting_for_review": Table("What waits for review", "Imports that a person has to decide about"),
    "published_with_findings": Table(
        "Findings of what is in",
        "What scanners found in packages of newest versions, by their last word",
        {"let_in_until": "Until when a person let it in in spite of that"},
        ("severity", "distribution"),
    ),
    "waivers": Table("Waivers", "Approvals, with what they cover and when they end", {}, ("state", "distribution")),
    "decisions": Table("Decisions", "What persons decided about imports", {}, ("decision", "decided_by")),
    "packages_in_distributions": Table(
        "What is in", "Packages of the newest version of every distribution, with how they came", {}, ("distribution",)
    ),
}
"""Usual questions that are views of the catalog, for any client of SQLite."""

HIDDEN = (
    "handled_events",
    "available_fts",
    "available_raw",
    "package_raw",
    "package_file_lists",
    "extra_raw",
    "extra_files",
    "package_provides",
    "extra_packages",
    "extra_membership",
    "source_extras",
    "source_state",
    "advisory_names",
    "advisory_ecosystems",
    "advisory_changes",
    "scan_states",
    "vulnerability_facts",
    "audit_head",
    "told_verdicts",
    "_sqlite_migrations",
)
"""What persons do not look into: raw texts, joins, the machinery."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question that is asked often."""

    title: str
    sql: str
    about: str = ""


QUERIES: Mapping[str, Query] = {
    "what_waits": Query("What waits for review", "SELECT * FROM waiting_for_review"),
    "in_with_a_critical_finding": Query(
        "What is in with a critical finding",
        """
        SELECT * FROM published_with_findings WHERE severity = 'critical' ORDER BY distribution, package, finding
        """,
        "In the newest version of every distribution",
    ),
    "waivers_that_end_this_month": Query(
        "Waivers that end this month",
        """
        SELECT * FROM waivers WHERE state = 'in force' AND ends_at >= date('now', 'start of month')
        AND ends_at < date('now', 'start of month', '+1 month') ORDER BY ends_at
        """,
    ),
    "who_approved": Query(
        "Who approved this",
        "SELECT * FROM decisions WHERE package = :package ORDER BY decided_at DESC, review_id DESC",
        "Every decision of a person about a package, by its name",
    ),
    "came_in_this_week": Query(
        "What came in this week",
        """
        SELECT * FROM packages_in_distributions
        WHERE since >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days') ORDER BY since DESC, import_id DESC
        """,
        "And is in the newest version still",
    ),
    "largest_packages": Query(
        "The largest packages that are in",
        """
        SELECT p.name, p.version, p.architecture, p.size, r.name || '/' || d.name AS distribution
        FROM membership m JOIN packages p ON p.id = m.package_id JOIN distributions d ON d.id = m.distribution_id
        JOIN repositories r ON r.id = d.repository_id WHERE m.removed_in IS NULL ORDER BY p.size DESC LIMIT 100
        """,
    ),
}


def table_settings() -> dict[str, dict[str, Any]]:
    """Order, facets, labels and what is hidden, by table and view, as the configuration of Datasette has them."""
    found: dict[str, dict[str, Any]] = {}
    for name, table in {**TABLES, **VIEWS}.items():
        settings = found.setdefault(name, {})
        if table.newest or table.sort:
            settings["sort_desc" if table.newest else "sort"] = table.newest or table.sort
        if table.facets:
            settings["facets"] = list(table.facets)
        if table.full_text:
            settings |= {"fts_table": table.full_text, "fts_pk": "id"}
        if table.label:
            settings["label_column"] = table.label
    return found | {name: {"hidden": True} for name in HIDDEN}
