"""The schema, as sqlite-utils migrations: applied in order when a catalog is opened, never edited after a release.

Each file has those of one group of tables; they apply in the order of the files' names.
"""

from entrepot.catalog.migrations import (
    m01_sources,
    m02_packages,
    m03_repositories,
    m04_imports,
    m05_publications,
    m06_records,
    m07_extras,
    m08_advisories,
    m09_reviews,
    m10_views,
    m11_release_fields,
    m12_reviews_by_original,
    m13_tasks,
    m14_file_lists,
    m15_snapshots,
    m16_extra_files,
    m17_scan_states,
    m18_outbox,
    m19_bundles,
    m20_handled_events,
)
from entrepot.catalog.migrations.registry import migrations

__all__ = [
    "m01_sources",
    "m02_packages",
    "m03_repositories",
    "m04_imports",
    "m05_publications",
    "m06_records",
    "m07_extras",
    "m08_advisories",
    "m09_reviews",
    "m10_views",
    "m11_release_fields",
    "m12_reviews_by_original",
    "m13_tasks",
    "m14_file_lists",
    "m15_snapshots",
    "m16_extra_files",
    "m17_scan_states",
    "m18_outbox",
    "m19_bundles",
    "m20_handled_events",
    "migrations",
]
