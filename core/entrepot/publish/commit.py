"""Putting a plan in place, in an order that leaves clients a whole repository at every moment.

Packages and indexes under names of their own come first, in parallel: nobody reads them yet. Then, under the lease, the
plain names and at last the signed entry. Who is killed in between has changed nothing that a client would see as
broken, since clients follow the entry to by-hash names; the next publication writes the rest.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from entrepot.catalog.publications import ManifestEntry
from entrepot.contracts import ObjectMeta, Storage, TreeFile
from entrepot.errors import BusyError, NotFoundError, StorageError
from entrepot.models import Phase
from entrepot.progress import Progress, ProgressEvent
from entrepot.publish.lease import Lease, LostLeaseError
from entrepot.publish.parallel import each
from entrepot.publish.plan import PayloadFile, TreePlan, in_phases
from entrepot.settings import PublishSettings
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

IMMUTABLE = "public, max-age=31536000, immutable, no-transform"
CHANGING = "public, max-age=60, must-revalidate, no-transform"
"""One same short life for everything that changes in place, so that a cache never mixes two publications for long."""

CHUNK = 500
"""Package files between two notes in the manifest: what a killed publisher has to copy again at the most."""


class StalePlanError(BusyError):
    """Somebody else has published since the plan was made. Nothing that a client reads was changed; plan again."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publication did. ``changed`` are paths whose content is another than before, or that are gone."""

    written: int
    bytes: int
    kept: int
    superseded: int
    requests: Mapping[str, int]
    changed: Sequence[str]


class Committer:
    """Writes plans to one target."""

    def __init__(
        self,
        catalog: Catalog,
        store: ArtifactStore,
        storage: Storage,
        settings: PublishSettings,
        clock: Callable[[], dt.datetime],
        progress: Progress,
        on_complete: Callable[[PublishReport], None] = lambda _: None,
        keep: Callable[[], object] = lambda: None,
    ) -> None:
        """``on_complete`` is called inside the transaction that notes a publication as complete.

        ``keep`` makes sure that what was noted so far outlives this process: a tree is never ahead of its catalog. It
        may let others write, so nothing is noted between it and the taking of the tree's lease: who has that waits for
        the catalog, and nobody the other way around.
        """
        self._on_complete = on_complete
        self._keep = keep
        self._catalog = catalog
        self._store = store
        self._storage = storage
        self._settings = settings
        self._clock = clock
        self._progress = progress
        self._requests = {"write": 0, "copy": 0, "read": 0, "delete": 0}
        self._lock = threading.Lock()
        self._done = 0

    def commit(self, plan: TreePlan) -> PublishReport:
        """Puts a plan in place. Errors leave the tree usable; publishing again finishes what was begun.

        ``BusyError`` if another publisher is at it, ``StalePlanError`` if another one was since the plan was made.
        """
        try:
            return self._commit(plan)
        except LostLeaseError as error:
            # A single write may have come after those of whoever took over: no lease can prevent that. So that what is
            # there is not believed, a publication counts as begun, and the next one writes all of it.
            with self._catalog.transaction():
                self._start(plan)
            raise StalePlanError(str(error), hint="publish again") from error

    def _commit(self, plan: TreePlan) -> PublishReport:
        immutable = [file for file in plan.writes if file.phase <= Phase.IMMUTABLE]
        with self._catalog.transaction():
            entries = [*map(_payload_entry, plan.payload), *map(_entry, immutable)]
            self._catalog.publications.intend(plan.target, plan.distribution, entries, plan.now, plan.snapshot)
        self._keep()
        last = self._payload(plan)
        self._each(immutable, plan)
        with Lease(self._storage, self._clock, self._settings.wait) as lease:
            if lease.inherited:
                raise StalePlanError("another command died while it changed this tree", hint="publish again")
            publication = self._begin(plan, last)
            self._keep()
            changing = in_phases([*plan.shared, *(file for file in plan.writes if file.phase > Phase.IMMUTABLE)])
            for _, files in groupby(changing, key=attrgetter("phase")):
                self._each(list(files), plan, lease.confirm)
            for path in plan.removals:
                lease.confirm()
                self._storage.delete(path)
                self._count("delete")
            # Giving the lease back is one write more.
            requests = self._requests | {"write": self._requests["write"] + lease.writes + 1, "read": lease.reads}
            changed = [*(file.path for file in changing), *plan.removals]
            report = PublishReport(plan.files, plan.size, plan.kept, len(plan.superseded), requests, changed)
            self._end(plan, publication, report)
        self._progress(ProgressEvent("publish.write", "Published", "completed", plan.files, plan.files, "files"))
        return report

    def _begin(self, plan: TreePlan, last: Sequence[PayloadFile]) -> int:
        """Notes that files which clients read are about to change, unless somebody else did the same before.

        ``last`` are package files that were written and not noted.
        """
        publications = self._catalog.publications
        with self._catalog.transaction():
            if publications.basis(plan.target, plan.distribution) != plan.basis:
                raise StalePlanError(
                    f"another command has published {plan.distribution.path} in the meantime", hint="publish again"
                )
            publications.save(plan.target, None, map(_payload_entry, last), plan.now)
            immutable = [_entry(file) for file in plan.writes if file.phase <= Phase.IMMUTABLE]
            publications.save(plan.target, plan.distribution, immutable, plan.now, plan.snapshot)
            # A collection may have noted some of them as unused since the plan was made; it removed none.
            publications.need(plan.target, plan.distribution, plan.version.number)
            return self._start(plan)

    def _start(self, plan: TreePlan) -> int:
        version, digest = plan.version.number, plan.settings_digest
        publications = self._catalog.publications
        return publications.start(
            plan.target, plan.distribution, version, digest, plan.identity, plan.now, plan.snapshot
        )

    def _end(self, plan: TreePlan, publication: int, report: PublishReport) -> None:
        publications = self._catalog.publications
        with self._catalog.transaction():
            changed = [_entry(file) for file in plan.writes if file.phase > Phase.IMMUTABLE]
            publications.save(plan.target, plan.distribution, changed, plan.now, plan.snapshot)
            publications.save(plan.target, None, [_entry(file) for file in plan.shared], plan.now)
            publications.supersede(plan.target, plan.superseded, publication, plan.now)
            publications.forget_files(plan.target, plan.removals)
            publications.complete(publication, plan.signed_by, plan.files, plan.size, report.requests)
            self._on_complete(report)

    def _payload(self, plan: TreePlan) -> Sequence[PayloadFile]:
        """Writes package files, and answers the last ones, which are not noted yet."""
        files: Sequence[PayloadFile] = ()
        for start in range(0, len(plan.payload), CHUNK):
            if files:
                self._note(files, plan)
            files = plan.payload[start : start + CHUNK]
            each(self._storage, self._settings.parallel, lambda file: self._copy_in(file, plan), files)
        return files

    def _note(self, files: Sequence[PayloadFile], plan: TreePlan) -> None:
        publications = self._catalog.publications
        with self._catalog.transaction():
            if publications.basis(plan.target, plan.distribution).collections != plan.basis.collections:
                raise StalePlanError("files may have been collected that were just written", hint="publish again")
            publications.save(plan.target, None, map(_payload_entry, files), plan.now)
        self._keep()

    def _each(self, files: Sequence[TreeFile], plan: TreePlan, before: Callable[[], object] = lambda: None) -> None:
        """Writes files of which none is a copy of another one, in any order; ``before`` is called before each."""

        def work(file: TreeFile) -> None:
            before()
            self._write(file, plan)

        each(self._storage, self._settings.parallel, work, files)

    def _copy_in(self, file: PayloadFile, plan: TreePlan) -> None:
        meta = ObjectMeta(plan.payload_type, IMMUTABLE, file.sha256)
        try:
            self._storage.copy(self._store.storage, self._store.key(file.sha256), file.path, meta=meta)
        except NotFoundError as error:
            raise StorageError(
                f"{file.path} is not in the private store any more",
                hint="`entrepot check --repair` brings it back, or tells how",
                sha256=file.sha256,
            ) from error
        self._count("copy")
        self._tell(plan)

    def _write(self, file: TreeFile, plan: TreePlan) -> None:
        cache_control = IMMUTABLE if file.phase <= Phase.IMMUTABLE else CHANGING
        meta = ObjectMeta(file.content_type, cache_control, file.sha256)
        if file.copy_of is not None:
            self._storage.copy(self._storage, file.copy_of, file.path, meta=meta)
        else:
            self._storage.write(file.path, file.body.chunks(), meta=meta)
        self._count("copy" if file.copy_of else "write")
        self._tell(plan)

    def _count(self, request: str) -> None:
        with self._lock:
            self._requests[request] += 1

    def _tell(self, plan: TreePlan) -> None:
        with self._lock:
            self._done += 1
            done = self._done
        self._progress(ProgressEvent("publish.write", "Publishing", "running", done, plan.files, "files"))


def _payload_entry(file: PayloadFile) -> ManifestEntry:
    return ManifestEntry(file.path, Phase.PAYLOAD, file.size, file.sha256)


def _entry(file: TreeFile) -> ManifestEntry:
    return ManifestEntry(file.path, file.phase, file.size, file.sha256)
