"""Lists of files for those packages of a version that came in before anybody asked for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.contracts import Format, ListsFiles
from entrepot.models import Distribution
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


def read_file_lists(
    catalog: Catalog,
    store: ArtifactStore,
    format_: Format,
    distribution: Distribution,
    number: int,
    scratch: Callable[[], AbstractContextManager[Path]],
) -> int:
    """Reads what is missing out of the private store, and answers of how many packages that was.

    Each package is noted by itself: it is read once, whatever becomes of the publication. ``scratch`` gives a folder
    for copies.
    """
    kinds = format_.tree.lists_files(distribution) if isinstance(format_.tree, ListsFiles) else ()
    missing = catalog.versions.without_file_list(distribution, number, kinds) if kinds else ()
    if not missing:
        return 0
    with scratch() as folder:
        for package_id, name, sha256 in missing:
            with store.local(sha256, name, folder) as path:
                info = format_.packages.read([path], None)
            with catalog.transaction():
                catalog.packages.add_file_list(package_id, info)
    return len(missing)
