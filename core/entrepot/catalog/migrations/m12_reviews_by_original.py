"""Decisions are found by the file as it came, whoever has signed it since."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.m10_views import PUBLISHED_WITH_FINDINGS, WAIVERS
from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def reviews_by_original(db: Database) -> None:
    db.execute("ALTER TABLE reviews ADD COLUMN original_sha256 TEXT")
    db.execute("DROP TRIGGER reviews_update")
    db.execute(
        """
        UPDATE reviews SET original_sha256 = coalesce((
            SELECT p.original_sha256 FROM imports i JOIN packages p ON p.id = i.package_id
            WHERE i.id = reviews.import_id
        ), sha256)
        """
    )
    db.execute(
        "CREATE TRIGGER reviews_update BEFORE UPDATE ON reviews"
        " BEGIN SELECT RAISE(ABORT, 'reviews are append-only'); END"
    )
    db.execute("DROP INDEX idx_reviews_distribution_id_sha256")
    table(db, "reviews").create_index(["distribution_id", "original_sha256"])
    # What became of a package in a distribution: asked for each package of a promotion.
    table(db, "imports").create_index(["package_id"])
    for name, sql in (("published_with_findings", PUBLISHED_WITH_FINDINGS), ("waivers", WAIVERS)):
        db.create_view(name, _by_original(sql), replace=True)


def _by_original(sql: str) -> str:
    """A view of decisions, with those about any signing of the same file."""
    return (
        sql.replace("w.sha256", "w.original_sha256")
        .replace("l.sha256", "l.original_sha256")
        .replace("= p.sha256 AND w.decision", "= p.original_sha256 AND w.decision")
    )
