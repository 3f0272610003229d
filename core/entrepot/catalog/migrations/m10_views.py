"""Views for the usual questions, for people with any SQLite client. Nothing in here reads them."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table

# The unary plus keeps SQLite on the index by package: a distribution has most of the rows.
WAITING_FOR_REVIEW = """
    SELECT i.id AS import_id, r.name || '/' || d.name AS distribution, i.name AS package, i.version, i.architecture,
        i.actor AS brought_by, coalesce('source ' || s.name, 'upload') AS came_by,
        coalesce(i.reopened_at, i.created_at) AS waiting_since,
        coalesce((SELECT group_concat(value, '; ') FROM json_each(i.reasons)), i.message) AS why,
        CASE WHEN EXISTS (
            SELECT 1 FROM packages p CROSS JOIN membership m ON m.package_id = p.id
            WHERE p.sha256 = i.sha256 AND +m.distribution_id = i.distribution_id AND +m.removed_in IS NULL
        ) THEN 'yes' ELSE 'no' END AS in_newest_version
    FROM imports i JOIN distributions d ON d.id = i.distribution_id JOIN repositories r ON r.id = d.repository_id
    LEFT JOIN sources s ON s.id = i.source_id
    WHERE i.state = 'pending_review' ORDER BY waiting_since, i.id
"""

# There are few findings and many packages: whatever is asked, it begins with those.
PUBLISHED_WITH_FINDINGS = """
    SELECT r.name || '/' || d.name AS distribution, p.name AS package, p.version, p.architecture, v.scanner, f.finding,
        f.severity, json_extract(f.data, '$.fixed') AS fixed_in, f.summary, v.created_at AS found_at, (
            SELECT coalesce(max(coalesce(w.expires_at, 'no end')), '') FROM reviews w
            WHERE w.distribution_id = m.distribution_id AND w.sha256 = p.sha256 AND w.decision = 'approve'
            AND EXISTS (SELECT 1 FROM json_each(w.covers) WHERE value = v.scanner || '/' || f.finding)
            AND NOT EXISTS (
                SELECT 1 FROM reviews l WHERE l.distribution_id = w.distribution_id AND l.sha256 = w.sha256
                AND l.id > w.id AND l.decision = 'reject'
            )
        ) AS let_in_until
    FROM findings f CROSS JOIN verdicts v ON v.id = f.verdict_id
    CROSS JOIN packages p ON p.original_sha256 = v.sha256
    CROSS JOIN membership m ON m.package_id = p.id AND m.distribution_id = v.distribution_id AND m.removed_in IS NULL
    CROSS JOIN distributions d ON d.id = m.distribution_id CROSS JOIN repositories r ON r.id = d.repository_id
    WHERE v.id = (
        SELECT max(n.id) FROM verdicts n
        WHERE n.distribution_id = v.distribution_id AND n.sha256 = v.sha256 AND n.scanner = v.scanner
    )
"""

WAIVERS = """
    SELECT w.id AS review_id, r.name || '/' || d.name AS distribution, i.name AS package, i.version, i.architecture,
        (SELECT group_concat(value, ', ') FROM json_each(w.cve_ids)) AS cves,
        (SELECT group_concat(value, ', ') FROM json_each(w.covers)) AS covers,
        w.actor AS approved_by, w.justification AS why, w.created_at AS approved_at, w.expires_at AS ends_at,
        CASE WHEN EXISTS (
            SELECT 1 FROM reviews l WHERE l.distribution_id = w.distribution_id AND l.sha256 = w.sha256
            AND l.id > w.id AND l.decision = 'reject'
        ) THEN 'superseded'
        WHEN w.expires_at <= strftime('%Y-%m-%dT%H:%M:%SZ', 'now') THEN 'expired' ELSE 'in force' END AS state
    FROM reviews w JOIN imports i ON i.id = w.import_id JOIN distributions d ON d.id = w.distribution_id
    JOIN repositories r ON r.id = d.repository_id WHERE w.decision = 'approve'
"""

DECISIONS = """
    SELECT w.id AS review_id, w.import_id, r.name || '/' || d.name AS distribution, i.name AS package, i.version,
        i.architecture, CASE w.decision WHEN 'approve' THEN 'approved' ELSE 'rejected' END AS decision,
        w.actor AS decided_by, w.created_at AS decided_at, w.justification AS why, w.origin AS from_where,
        i.actor AS brought_by
    FROM reviews w JOIN imports i ON i.id = w.import_id JOIN distributions d ON d.id = w.distribution_id
    JOIN repositories r ON r.id = d.repository_id
"""

PACKAGES_IN_DISTRIBUTIONS = """
    SELECT r.name || '/' || d.name AS distribution, p.name AS package, p.version, p.architecture, m.component,
        m.added_in AS since_version, v.created_at AS since,
        CASE WHEN s.id IS NOT NULL THEN 'source ' || s.name WHEN i.id IS NOT NULL THEN 'upload' ELSE '' END AS came_by,
        i.actor AS brought_by, i.id AS import_id, p.sha256
    FROM membership m JOIN packages p ON p.id = m.package_id JOIN distributions d ON d.id = m.distribution_id
    JOIN repositories r ON r.id = d.repository_id
    LEFT JOIN versions v ON v.distribution_id = m.distribution_id AND v.number = m.added_in
    LEFT JOIN imports i ON i.id = (
        SELECT max(j.id) FROM imports j WHERE j.sha256 = p.sha256 AND j.distribution_id = m.distribution_id
        AND (j.state = 'published' OR j.reopened_at IS NOT NULL)
    )
    LEFT JOIN sources s ON s.id = i.source_id
    WHERE m.removed_in IS NULL
"""


@migrations()
def views_of_decisions(db: Database) -> None:
    # What waits is little among all that ever came.
    db.execute("CREATE INDEX imports_that_wait ON imports (id) WHERE state = 'pending_review'")
    table(db, "packages").create_index(["original_sha256"])
    for name, sql in (
        ("waiting_for_review", WAITING_FOR_REVIEW),
        ("published_with_findings", PUBLISHED_WITH_FINDINGS),
        ("waivers", WAIVERS),
        ("decisions", DECISIONS),
        ("packages_in_distributions", PACKAGES_IN_DISTRIBUTIONS),
    ):
        db.create_view(name, sql)
