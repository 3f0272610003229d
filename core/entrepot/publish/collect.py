"""Collection: what nobody needs any more is removed, after the grace and never while it might be read.

A file of a tree goes when no version in place names it, it has been so for the days of grace, and as many publications
as the settings say have followed. Removal runs under the lease of the tree. That it happens is noted when the files are
chosen and when they are gone, so that a publisher which planned meanwhile plans again and counts on none of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import Storage
from entrepot.models import Repository, Target
from entrepot.publish.lease import Lease
from entrepot.publish.parallel import each
from entrepot.settings import PublishSettings

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Collection:
    """What can be removed from a target. ``of`` is how many files it is known to have."""

    target: Target
    files: Sequence[ManifestEntry]
    of: int

    @property
    def size(self) -> int:
        """Bytes that it frees."""
        return sum(file.size for file in self.files)

    @property
    def share(self) -> float:
        """Percent of all files."""
        return 100 * len(self.files) / self.of if self.of else 0.0


class TreeCollector:
    """Looks for, and removes, superseded files of a repository's trees."""

    def __init__(
        self,
        catalog: Catalog,
        repository: Repository,
        settings: PublishSettings,
        clock: Callable[[], dt.datetime],
        *,
        superseded: bool = True,
        withdrawn: bool = False,
    ) -> None:
        """``superseded``: what the grace is over for. ``withdrawn``: package files that nothing names, and that wait or
        were refused, which have no grace."""
        self._catalog = catalog
        self._repository = repository
        self._settings = settings
        self._clock = clock
        self._superseded = superseded
        self._withdrawn = withdrawn

    def look(self, target: Target) -> Collection:
        """What can be removed now. Package files that fell out of use are noted, and can be removed after the grace."""
        with self._catalog.transaction():
            return self._look(target)

    def _look(self, target: Target) -> Collection:
        publications = self._catalog.publications
        publications.mark_unused_payload(target, self._repository.id, self._clock())
        files: Sequence[ManifestEntry] = ()
        if self._superseded:
            before = self._clock() - dt.timedelta(days=self._settings.grace_days)
            files = publications.expired(target, before, self._settings.grace_publications)
        if self._withdrawn:
            known = {file.path for file in files}
            refused = publications.withdrawn(target, self._repository.id)
            files = [*files, *(file for file in refused if file.path not in known)]
        return Collection(target, files, publications.count(target))

    def remove(self, target: Target, storage: Storage) -> Collection:
        """Removes it; looked for again under the lease, since a publisher may have been quicker."""
        with Lease(storage, self._clock, self._settings.wait) as lease:
            with self._catalog.transaction():
                found = self._look(target)
                if not found.files:
                    return found
                # In the same transaction: what is noted as being in place later is checked against this.
                self._catalog.publications.collecting(target)

            def delete(file: ManifestEntry) -> None:
                lease.confirm()
                storage.delete(file.path)

            # What clients read first goes first, so that nothing names what is gone.
            for _, files in groupby(found.files, key=attrgetter("phase")):
                each(storage, self._settings.parallel, delete, list(files))
            with self._catalog.transaction():
                self._catalog.publications.forget_files(target, [file.path for file in found.files])
                self._catalog.publications.collecting(target)
        return found
