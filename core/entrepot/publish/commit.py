"""Putting a plan in place, in an order that leaves clients a whole repository at every moment.

Packages and indexes under names of their own come first: nobody reads them yet. Then, under the lease, the plain names
and at last the signed entry. Who is killed in between has changed nothing that a client would see as broken, since
clients follow the entry to by-hash names; the next publication writes the rest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import ObjectMeta, Storage, TreeFile
from entrepot.errors import BusyError
from entrepot.models import Phase
from entrepot.progress import Progress, ProgressEvent
from entrepot.publish.lease import Lease
from entrepot.publish.plan import TreePlan
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

IMMUTABLE = "public, max-age=31536000, immutable, no-transform"
CHANGING = "public, max-age=60, must-revalidate, no-transform"
"""One same short life for everything that changes in place, so that a cache never mixes two publications for long."""


class StalePlanError(BusyError):
    """Somebody else has published since the plan was made. Nothing that a client reads was changed; plan again."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publication did. ``changed`` are paths whose content is another than before."""

    written: int
    bytes: int
    kept: int
    superseded: int
    changed: Sequence[str]


class Committer:
    """Writes plans to one tree."""

    def __init__(
        self,
        catalog: Catalog,
        store: ArtifactStore,
        target: Storage,
        clock: Callable[[], dt.datetime],
        progress: Progress,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._target = target
        self._clock = clock
        self._progress = progress
        self._done = 0

    def commit(self, plan: TreePlan) -> PublishReport:
        """Puts a plan in place. Errors leave the tree usable; publishing again finishes what was begun.

        ``BusyError`` if another publisher is at it, ``StalePlanError`` if another one was since the plan was made.
        """
        self._payload(plan)
        immutable = [file for file in plan.writes if file.phase <= Phase.IMMUTABLE]
        for file in immutable:
            self._write(file, plan)
        publications, repository, distribution = self._catalog.publications, plan.repository, plan.distribution
        with Lease(self._target, self._clock) as lease:
            with self._catalog.transaction():
                if publications.newest(distribution) != plan.since:
                    raise StalePlanError(
                        f"another command has published {distribution.path} in the meantime", hint="publish again"
                    )
                publications.save(repository, distribution, [_entry(file) for file in immutable], plan.now)
                publication = publications.start(distribution, plan.version.number, plan.settings_digest, plan.now)
            changing = sorted([*plan.shared, *(f for f in plan.writes if f.phase > Phase.IMMUTABLE)], key=_phase)
            for _, files in groupby(changing, key=_phase):
                lease.confirm()
                for file in files:
                    self._write(file, plan)
            for path in plan.removals:
                self._target.delete(path)
            with self._catalog.transaction():
                changed = [_entry(file) for file in plan.writes if file.phase > Phase.IMMUTABLE]
                publications.save(repository, distribution, changed, plan.now)
                publications.save(repository, None, [_entry(file) for file in plan.shared], plan.now)
                publications.supersede(repository, [*plan.superseded, *plan.removals], plan.now)
                publications.complete(publication, plan.signed_by, plan.files, plan.size)
        self._progress(ProgressEvent("publish.write", "Published", "completed", plan.files, plan.files, "files"))
        return PublishReport(
            plan.files,
            plan.size,
            plan.kept,
            len(plan.superseded),
            [file.path for file in changing if file.copy_of is None],
        )

    def _payload(self, plan: TreePlan) -> None:
        for file in plan.payload:
            meta = ObjectMeta(plan.payload_type, IMMUTABLE, file.sha256)
            self._target.copy(self._store.storage, self._store.key(file.sha256), file.path, meta=meta)
            self._tell(plan)
        if plan.payload:
            entries = [ManifestEntry(file.path, Phase.PAYLOAD, file.size, file.sha256) for file in plan.payload]
            with self._catalog.transaction():
                self._catalog.publications.save(plan.repository, None, entries, plan.now)

    def _write(self, file: TreeFile, plan: TreePlan) -> None:
        cache_control = IMMUTABLE if file.phase <= Phase.IMMUTABLE else CHANGING
        meta = ObjectMeta(file.content_type, cache_control, file.sha256)
        if file.copy_of is not None:
            self._target.copy(self._target, file.copy_of, file.path, meta=meta)
        else:
            self._target.write(file.path, file.body.chunks(), meta=meta)
        self._tell(plan)

    def _tell(self, plan: TreePlan) -> None:
        self._done += 1
        self._progress(ProgressEvent("publish.write", "Publishing", "running", self._done, plan.files, "files"))


_phase = attrgetter("phase")


def _entry(file: TreeFile) -> ManifestEntry:
    return ManifestEntry(file.path, file.phase, file.size, file.sha256)
