"""One batch of imports: fetches and inspects in parallel, then settles everything at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from entrepot.contracts import Format, Signer, Transfer
from entrepot.errors import EntrepotError, StorageError
from entrepot.events import ImportResult
from entrepot.isolation import Case
from entrepot.models import Distribution, PackageInfo, Repository, Version
from entrepot.pipeline.apart import Apart
from entrepot.pipeline.fetch import discard, fetch
from entrepot.pipeline.handed import Companions
from entrepot.pipeline.inspect import Inspection, Subject, read_case
from entrepot.pipeline.panel import BATCH, Asked, Panel
from entrepot.pipeline.settle import Attempt, Job, Ledger, Settlement
from entrepot.pipeline.station import Told
from entrepot.pipeline.telling import Teller
from entrepot.progress import Progress, ProgressEvent
from entrepot.store import ArtifactStore

if TYPE_CHECKING:
    from entrepot.catalog import Catalog

LOT = 32
"""Packages that scanners are asked about at once: to put one question and to wait for one answer costs as much."""
SHARES = 16
"""Lots that there are at least, as far as there are packages: every thread has some, and none the last one alone."""

_NOTHING = Told(None)
T = TypeVar("T")


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
    apart: Apart | None = None
    """Other processes that fetch and inspect."""
    keeps: bool = True
    """Whether files go into the private store."""
    pause: Callable[[], object] = lambda: None
    """Called before long work in which nothing is written to the catalog."""

    def run(
        self, jobs: Sequence[Job], executor: Executor, noted: Callable[[Sequence[ImportResult], Version | None], object]
    ) -> tuple[Sequence[ImportResult], Version | None]:
        """Fetches and inspects in parallel, then decides and adds in one transaction: one batch is one version.

        A job that fails does not hold up the others; its result says why. ``noted`` is called inside the transaction.
        """
        settlement = self.settlement()
        attempts = settlement.open(jobs)
        pending = [attempt for attempt in attempts if attempt.result is None]
        if not pending:
            return [attempt.result for attempt in attempts if attempt.result], None
        self._inspect_all(pending, settlement, executor)
        with self.catalog.transaction():
            # Once more, where nobody else writes: a collection may have removed what was there and used by nothing.
            self.keep(pending)
            version = settlement.settle(pending)
            noted([attempt.result for attempt in pending if attempt.result], version)
        Teller(self.progress, pending).settled(pending)
        for attempt in pending:
            if attempt.job.fetching and attempt.inspection:
                discard(attempt.job.fetching)
        return [attempt.result for attempt in attempts if attempt.result], version

    def rehearse(self, jobs: Sequence[Job], executor: Executor) -> Sequence[ImportResult]:
        """What ``run`` would come to with files that are here: all of them are inspected, and nothing is written."""
        settlement = self.settlement()
        inspected = [Attempt(job, number) for number, job in enumerate(jobs, start=1)]
        self._inspect_all(inspected, settlement, executor)
        with self.catalog.rehearsal():
            attempts = settlement.open(jobs)
            for attempt, found in zip(attempts, inspected, strict=True):
                attempt.inspection, attempt.error = found.inspection, found.error
            settlement.settle(attempts)
        results = [attempt.result for attempt in attempts if attempt.result]
        return [replace(result, import_id=None, repository_version=None) for result in results]

    def _inspect_all(self, attempts: Sequence[Attempt], settlement: Settlement, executor: Executor) -> None:
        size = sum(attempt.job.fetching.size for attempt in attempts if attempt.job.fetching)
        count = Counter(self.progress, len(attempts), size)
        self.inspect(attempts, executor, count)
        if self.panel.names(BATCH):
            self.inspect_together(_OneLot(attempts), settlement, executor)
        count.finish()

    def settlement(self) -> Settlement:
        """What writes to the catalog."""
        return Settlement(self.catalog, self.format, self.repository, self.distribution, self.ledger)

    def keep(self, attempts: Sequence[Attempt]) -> None:
        """Puts the files into the private store, as far as they are not there."""
        for attempt in attempts:
            if attempt.inspection:
                with _failing(attempt):
                    self._keep(attempt.inspection)

    # ------------------------------------------------------------------------------------------------ in threads

    def inspect(self, attempts: Sequence[Attempt], executor: Executor, count: Counter) -> None:
        """Fetches packages and shows them to the scanners that look at each by itself."""
        self.pause()
        teller = Teller(self.progress, attempts)
        self._all([partial(self._fetch_and_inspect, lot, count, teller) for lot in _lots(attempts)], executor)

    def inspect_together(
        self, lots: Lots, settlement: Settlement, executor: Executor, beside: Sequence[PackageInfo] = ()
    ) -> None:
        """Asks those scanners that have to know what else comes in, again until all does that they were told of.

        ``beside`` comes in as well, and is not asked about.
        """
        self.pause()
        names = self.panel.names(BATCH)
        infos: dict[int, PackageInfo] = {}
        coming: dict[int, None] = {}
        for lot in lots:
            for attempt, alone in _read(lot):
                if alone.case.info:  # as it came, though it may have another signature since
                    infos[attempt.import_id] = alone.case.info
                if settlement.lets_in(attempt, alone, names):
                    coming[attempt.import_id] = None
        while True:
            places = {import_id: place for place, import_id in enumerate(coming)}
            held = [info for import_id, info in infos.items() if import_id not in coming]
            together = [*(infos[import_id] for import_id in coming), *beside]
            companions = Companions(together, self.scratch, held)
            left: dict[int, None] = {}
            for lot in lots:
                ask = partial(self._inspect_again, companions, places, Teller(self.progress, lot))
                self._all([partial(ask, few) for few in _lots(_read(lot))], executor)
                lots.told(lot)
                passed = [attempt.import_id for attempt in lot if settlement.passes(attempt)]
                left |= {import_id: None for import_id in passed if import_id in coming}
            if len(left) == len(coming):
                return
            coming = left

    def _all(self, work: Sequence[Callable[[], None]], executor: Executor) -> None:
        """Does all of it, and gives up the rest where something ends this."""
        futures: list[Future[None]] = [executor.submit(function) for function in work]
        try:
            wait(futures)
        except BaseException:
            for future in futures:
                future.cancel()
            # Those that are at work would wait for their scanners and servers, for minutes at worst.
            self.panel.abort()
            if self.transfer:
                self.transfer.close()
            raise
        for future in futures:
            future.result()

    def _fetch_and_inspect(self, attempts: Sequence[Attempt], count: Counter, teller: Teller) -> None:
        """Leaves in each attempt what came out, or why nothing did."""
        there = self._read_apart(attempts, count, teller) if self.apart else {}
        here: list[tuple[Attempt, Case]] = []
        for attempt in attempts:
            if attempt.import_id not in there:
                with _failing(attempt):
                    here.append((attempt, self._read_case(attempt, count, teller)))
        self._inspect(here, {}, count, teller)
        if self.apart:
            read = [(attempt, attempt.import_id) for attempt in attempts]
            cases = [(attempt, case) for attempt, number in read if (case := there.get(number, _NOTHING).case)]
            self._inspect(cases, there, count, teller)

    def _inspect(
        self, read: Sequence[tuple[Attempt, Case]], there: Mapping[int, Told], count: Counter, teller: Teller
    ) -> None:
        """Asks scanners about what was read, all but those that were asked ``there``."""
        skip = self.apart.scanners if self.apart and there else ()
        asked = [Asked(case, heard=partial(teller.heard, attempt.import_id)) for attempt, case in read]
        for (attempt, case), said in zip(read, self.panel.ask_about(asked, skip=skip), strict=True):
            with _failing(attempt):
                before = there[attempt.import_id].verdicts if there else ()
                verdicts = tuple(sorted((*before, *said), key=lambda stored: stored.scanner))
                inspection = Inspection(case, case.artifact.paths, case.artifact.sha256, case.info, verdicts)
                if self.resigner and inspection.info:
                    folder = self.scratch / f"resigned-{attempt.import_id}"
                    folder.mkdir()
                    inspection = self._resign(inspection, inspection.info, self.resigner, folder)
                self._keep(inspection)
                attempt.inspection = inspection
                count.package()

    def _read_apart(self, attempts: Sequence[Attempt], count: Counter, teller: Teller) -> Mapping[int, Told]:
        """What other processes say of those that are for them, by import; why one failed is in its attempt, too."""
        assert self.apart is not None
        found = [(attempt, attempt.job.fetching) for attempt in attempts if not self.resigner]
        chosen = [(attempt, fetching) for attempt, fetching in found if fetching and self.apart.takes(fetching)]
        if not chosen:
            return {}
        told = self.apart.inspect([fetching for _, fetching in chosen])
        for (attempt, fetching), item in zip(chosen, told, strict=True):
            attempt.error = item.error
            count.bytes(fetching.size)
            teller.fetched(attempt.import_id)
        return {attempt.import_id: item for (attempt, _), item in zip(chosen, told, strict=True)}

    def _read_case(self, attempt: Attempt, count: Counter, teller: Teller) -> Case:
        job = attempt.job
        if not (job.fetching and self.transfer):
            return read_case(Subject(job.paths), self.format, self.distribution, self.ledger.now)
        fetching = job.fetching

        def on_bytes(more: int) -> None:
            count.bytes(more)
            teller.bytes(attempt.import_id, more)

        paths = tuple(fetch(fetching, self.format, self.transfer, self.store, self.max_size, on_bytes))
        teller.fetched(attempt.import_id)
        subject = Subject(paths, fetching.available, fetching.source, fetching.raw, fetching.keyring)
        return read_case(subject, self.format, self.distribution, self.ledger.now)

    def _inspect_again(
        self,
        companions: Companions,
        places: Mapping[int, int],
        teller: Teller,
        inspected: Sequence[tuple[Attempt, Inspection]],
    ) -> None:
        """Adds what those scanners say that know the rest of the batch; ``places`` are those of what comes in there."""
        asked = [
            Asked(alone.case, places.get(attempt.import_id, -1), partial(teller.heard, attempt.import_id))
            for attempt, alone in inspected
        ]
        for (attempt, alone), said in zip(inspected, self.panel.ask_about(asked, BATCH, companions), strict=True):
            verdicts = sorted((*alone.verdicts, *said), key=lambda stored: stored.scanner)
            attempt.inspection = replace(alone, verdicts=tuple(verdicts))

    def _resign(self, inspection: Inspection, info: PackageInfo, signer: Signer, folder: Path) -> Inspection:
        """The same package under another signature; what the scanners said is about all the rest of it."""
        paths = tuple(self.format.packages.resign(inspection.paths, signer, folder, self.ledger.now))
        signed = replace(self.format.packages.read(paths, None), original_sha256=info.files[0].sha256)
        return replace(inspection, paths=paths, sha256=signed.files[0].sha256, info=signed)

    def _keep(self, inspection: Inspection) -> None:
        if self.keeps and inspection.info:
            for path, file in zip(inspection.paths, inspection.info.files, strict=True):
                self.store.add(path, file.sha256)


class Lots(Protocol):
    """Packages that were looked at one by one, some at a time; each time that it is gone through, as they were then."""

    def __iter__(self) -> Iterator[Sequence[Attempt]]: ...

    def told(self, lot: Sequence[Attempt]) -> None:
        """Takes what came out for the lot that came last, in place of what came out before."""
        ...


class _OneLot:
    """All of them, in memory."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._attempts = attempts
        self._alone = [attempt.inspection for attempt in attempts]

    def __iter__(self) -> Iterator[Sequence[Attempt]]:
        for attempt, alone in zip(self._attempts, self._alone, strict=True):
            attempt.inspection = alone
        yield self._attempts

    def told(self, lot: Sequence[Attempt]) -> None:
        """It is in the attempts already."""


@contextmanager
def _failing(attempt: Attempt) -> Iterator[None]:
    """Notes why an attempt fails, which is no reason for others to fail."""
    try:
        yield
    except EntrepotError as error:
        attempt.inspection, attempt.error = None, error
    except OSError as error:
        attempt.inspection, attempt.error = None, StorageError(f"{attempt.job.label}: {error}")


def _lots(work: Sequence[T]) -> Sequence[Sequence[T]]:
    """The work in lots that one thread does; small ones where there is little."""
    size = max(1, min(LOT, len(work) // SHARES))
    return [work[at : at + size] for at in range(0, len(work), size)]


def _read(attempts: Sequence[Attempt]) -> list[tuple[Attempt, Inspection]]:
    return [(attempt, attempt.inspection) for attempt in attempts if attempt.inspection]


class Counter:
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
