"""One batch of imports: fetches and inspects in parallel, then settles everything at once."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.contracts import AdvisoryLookup, Format, Scanner, Signer, Surroundings, Transfer
from entrepot.errors import EntrepotError, StorageError
from entrepot.events import ImportResult
from entrepot.models import Distribution, PackageInfo, Repository, Version
from entrepot.pipeline.fetch import discard, fetch
from entrepot.pipeline.inspect import Inspection, Subject, inspect, inspect_batch
from entrepot.pipeline.settle import Attempt, Job, Ledger, Settlement
from entrepot.progress import Progress, ProgressEvent
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True)
class Batch:
    """All that a batch works with. Threads use everything here but the catalog."""

    catalog: Catalog
    store: ArtifactStore
    format: Format
    scanners: Mapping[str, Scanner]
    scanner_settings: Mapping[str, Mapping[str, Any]]
    repository: Repository
    distribution: Distribution
    ledger: Ledger
    scratch: Path
    max_size: int
    progress: Progress
    transfer: Transfer | None = None
    advisories: AdvisoryLookup | None = None
    surroundings: Surroundings | None = None
    resigner: Signer | None = None
    """Whose signature packages get when they come in, in place of those they had."""

    def run(self, jobs: Sequence[Job], executor: Executor) -> tuple[Sequence[ImportResult], Version | None]:
        """Fetches and inspects in parallel, then decides and adds in one transaction: one batch is one version.

        A job that fails does not hold up the others; its result says why.
        """
        settlement = Settlement(self.catalog, self.format, self.repository, self.distribution, self.ledger)
        attempts = settlement.open(jobs)
        pending = [attempt for attempt in attempts if attempt.result is None]
        if not pending:
            return [attempt.result for attempt in attempts if attempt.result], None
        self._work(pending, executor)
        with self.catalog.transaction():
            # Once more, where nobody else writes: a collection may have removed what was there and used by nothing.
            for attempt in pending:
                if attempt.inspection:
                    self._keep(attempt.inspection)
            version = settlement.settle(pending)
        for attempt in pending:
            if attempt.job.fetching and attempt.inspection:
                discard(attempt.job.fetching)
        return [attempt.result for attempt in attempts if attempt.result], version

    # ------------------------------------------------------------------------------------------------ in threads

    def _work(self, attempts: Sequence[Attempt], executor: Executor) -> None:
        count = _Counter(self.progress, len(attempts), sum(o.job.fetching.size for o in attempts if o.job.fetching))
        folders = _Folders(self.scratch)
        futures: dict[Future[Inspection], Attempt] = {
            executor.submit(self._fetch_and_inspect, attempt, count, folders): attempt for attempt in attempts
        }
        try:
            wait(futures)
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        for future, attempt in futures.items():
            try:
                attempt.inspection = future.result()
            except EntrepotError as error:
                attempt.error = error
            except OSError as error:
                attempt.error = StorageError(f"{attempt.job.label}: {error}")
        self._inspect_together([attempt for attempt in attempts if attempt.inspection], folders)
        count.finish()

    def _inspect_together(self, attempts: Sequence[Attempt], folders: _Folders) -> None:
        with folders.one() as folder:
            inspections = inspect_batch(
                [attempt.inspection for attempt in attempts if attempt.inspection],
                self.format,
                self.scanners,
                self.scanner_settings,
                self.distribution,
                folder,
                self.ledger.now,
                self.advisories,
                self.surroundings,
            )
        for attempt, inspection in zip(attempts, inspections, strict=True):
            attempt.inspection = inspection

    def _fetch_and_inspect(self, attempt: Attempt, count: _Counter, folders: _Folders) -> Inspection:
        job = attempt.job
        if job.fetching and self.transfer:
            fetching = job.fetching
            paths = tuple(fetch(fetching, self.format, self.transfer, self.store, self.max_size, count.bytes))
            subject = Subject(paths, fetching.available, fetching.source, fetching.raw, fetching.keyring)
        else:
            subject = Subject(job.paths)
        with folders.one() as folder:
            inspection = inspect(
                subject,
                self.format,
                self.scanners,
                self.scanner_settings,
                self.distribution,
                folder,
                self.ledger.now,
                self.advisories,
            )
        if self.resigner and inspection.info:
            folder = self.scratch / f"resigned-{attempt.import_id}"
            folder.mkdir()
            inspection = self._resign(inspection, inspection.info, self.resigner, folder)
        self._keep(inspection)
        count.package()
        return inspection

    def _resign(self, inspection: Inspection, info: PackageInfo, signer: Signer, folder: Path) -> Inspection:
        """The same package under another signature; what the scanners said is about all the rest of it."""
        paths = tuple(self.format.packages.resign(inspection.paths, signer, folder, self.ledger.now))
        signed = replace(self.format.packages.read(paths, None), original_sha256=info.files[0].sha256)
        return replace(inspection, paths=paths, sha256=signed.files[0].sha256, info=signed)

    def _keep(self, inspection: Inspection) -> None:
        if inspection.info:
            for path, file in zip(inspection.paths, inspection.info.files, strict=True):
                self.store.add(path, file.sha256)


class _Folders:
    """Empty private folders for scanners. One that is left empty is handed out again.

    Few scanners ever write, and making and removing a folder costs as much as reading a small package.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._free: list[Path] = []

    @contextmanager
    def one(self) -> Iterator[Path]:
        """A folder that nobody else has before the end of the context; what is left in it stays there, unused."""
        try:
            folder = self._free.pop()
        except IndexError:
            folder = Path(tempfile.mkdtemp(dir=self._parent))
        yield folder
        if not any(folder.iterdir()):
            self._free.append(folder)


class _Counter:
    """Adds up what all threads do, and tells about it."""

    def __init__(self, progress: Progress, packages: int, size: int) -> None:
        self._progress = progress
        self._packages, self._size = packages, size
        self._done_packages = self._done_size = 0
        self._lock = threading.Lock()

    def bytes(self, count: int) -> None:
        with self._lock:
            self._done_size += count
            done = self._done_size
        self._progress(ProgressEvent("import.fetch", "Downloading", "running", done, self._size, "bytes"))

    def package(self) -> None:
        with self._lock:
            self._done_packages += 1
            done = self._done_packages
        self._progress(ProgressEvent("import.inspect", "Inspecting", "running", done, self._packages, "packages"))

    def finish(self) -> None:
        done = self._done_packages
        self._progress(ProgressEvent("import.inspect", "Inspected", "completed", done, self._packages, "packages"))
