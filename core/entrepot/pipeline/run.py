"""One batch of imports: fetches and inspects in parallel, then settles everything at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.contracts import Format, Signer, Transfer
from entrepot.errors import EntrepotError, StorageError
from entrepot.events import ImportResult
from entrepot.models import Distribution, PackageInfo, Repository, Version
from entrepot.pipeline.fetch import discard, fetch
from entrepot.pipeline.inspect import Inspection, Subject, read_case
from entrepot.pipeline.panel import ALONE, BATCH, Companions, Panel
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
    panel: Panel
    repository: Repository
    distribution: Distribution
    ledger: Ledger
    scratch: Path
    max_size: int
    progress: Progress
    transfer: Transfer | None = None
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
        self._work(pending, settlement, executor)
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

    def _work(self, attempts: Sequence[Attempt], settlement: Settlement, executor: Executor) -> None:
        count = _Counter(self.progress, len(attempts), sum(o.job.fetching.size for o in attempts if o.job.fetching))
        work = [partial(self._fetch_and_inspect, attempt, count) for attempt in attempts]
        self._all(list(zip(attempts, work, strict=True)), executor)
        if self.panel.names(BATCH):
            self._work_together(attempts, settlement, executor)
        count.finish()

    def _work_together(self, attempts: Sequence[Attempt], settlement: Settlement, executor: Executor) -> None:
        """Asks those scanners that have to know what else comes in, again until all does that they were told of."""
        read = [(attempt, attempt.inspection) for attempt in attempts if attempt.inspection]
        coming = [pair for pair in read if settlement.lets_in(*pair, self.panel.names(BATCH))]
        while True:
            ids = {attempt.import_id for attempt, _ in coming}
            held = [pair for pair in read if pair[0].import_id not in ids]
            companions = Companions(_infos(coming), self.scratch, _infos(held))
            places = [*range(len(coming)), *[-1] * len(held)]
            work = [
                (attempt, partial(self._inspect_again, alone, companions, place))
                for (attempt, alone), place in zip([*coming, *held], places, strict=True)
            ]
            self._all(work, executor)
            left = [pair for pair in coming if settlement.passes(pair[0])]
            if len(left) == len(coming):
                return
            coming = left

    def _all(self, work: Sequence[tuple[Attempt, Callable[[], Inspection]]], executor: Executor) -> None:
        """Does it for all attempts, and leaves in each what came out."""
        futures: dict[Future[Inspection], Attempt] = {executor.submit(function): attempt for attempt, function in work}
        try:
            wait(futures)
        except BaseException:
            for future in futures:
                future.cancel()
            # Those that are at work would wait for their scanners, for minutes at worst.
            self.panel.abort()
            raise
        for future, attempt in futures.items():
            try:
                attempt.inspection = future.result()
            except EntrepotError as error:
                attempt.inspection, attempt.error = None, error
            except OSError as error:
                attempt.inspection, attempt.error = None, StorageError(f"{attempt.job.label}: {error}")

    def _fetch_and_inspect(self, attempt: Attempt, count: _Counter) -> Inspection:
        job = attempt.job
        if job.fetching and self.transfer:
            fetching = job.fetching
            paths = tuple(fetch(fetching, self.format, self.transfer, self.store, self.max_size, count.bytes))
            subject = Subject(paths, fetching.available, fetching.source, fetching.raw, fetching.keyring)
        else:
            subject = Subject(job.paths)
        case = read_case(subject, self.format, self.distribution, self.ledger.now)
        verdicts = self.panel.ask(case, ALONE)
        inspection = Inspection(case, case.artifact.paths, case.artifact.sha256, case.info, verdicts)
        if self.resigner and inspection.info:
            folder = self.scratch / f"resigned-{attempt.import_id}"
            folder.mkdir()
            inspection = self._resign(inspection, inspection.info, self.resigner, folder)
        self._keep(inspection)
        count.package()
        return inspection

    def _inspect_again(self, inspection: Inspection, companions: Companions, position: int) -> Inspection:
        """The same with what those scanners say that know the rest of the batch."""
        verdicts = (*inspection.verdicts, *self.panel.ask(inspection.case, BATCH, companions, position))
        return replace(inspection, verdicts=tuple(sorted(verdicts, key=lambda stored: stored.scanner)))

    def _resign(self, inspection: Inspection, info: PackageInfo, signer: Signer, folder: Path) -> Inspection:
        """The same package under another signature; what the scanners said is about all the rest of it."""
        paths = tuple(self.format.packages.resign(inspection.paths, signer, folder, self.ledger.now))
        signed = replace(self.format.packages.read(paths, None), original_sha256=info.files[0].sha256)
        return replace(inspection, paths=paths, sha256=signed.files[0].sha256, info=signed)

    def _keep(self, inspection: Inspection) -> None:
        if inspection.info:
            for path, file in zip(inspection.paths, inspection.info.files, strict=True):
                self.store.add(path, file.sha256)


def _infos(pairs: Iterable[tuple[Attempt, Inspection]]) -> list[PackageInfo]:
    """The packages as they came, though some may have another signature since."""
    return [alone.case.info for _, alone in pairs if alone.case.info]


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
