"""Imports of any number of packages: decided about as they come, added at the end, all of them as one version.

What was fetched and read is written down some hundred packages at a time, so that memory does not grow with their
number, and who is killed finds the files in the private store when it begins again.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from entrepot.catalog.versions import Member
from entrepot.errors import EntrepotError, MissingError, TransferError
from entrepot.events import ImportResult
from entrepot.models import ImportState, PackageInfo, Version
from entrepot.pipeline.admit import Admission
from entrepot.pipeline.fetch import discard
from entrepot.pipeline.panel import BATCH
from entrepot.pipeline.run import Batch, Counter
from entrepot.pipeline.settle import Attempt, Job, Settlement, Staged

TOGETHER = 200
"""Packages that are fetched and inspected before what came of them is written down."""
HOPELESS = 50
"""Packages of which not one could be fetched after which nothing more is tried: their server is down."""


@dataclass(slots=True)
class Gathered:
    """What became of packages so far. ``failed`` and ``missing`` (upstream has no such file) are by available id."""

    staged: list[Staged] = field(default_factory=list)
    failed: dict[int, ImportResult] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    refused: list[ImportResult] = field(default_factory=list)
    late: int = 0
    """Of those staged: how many did not come in after all."""


class UpstreamIndex(Protocol):
    """What a verbatim version is made of."""

    @property
    def extra_id(self) -> int:
        """The index, as an extra of the version."""
        ...

    def folders(self) -> Mapping[int, str]:
        """Where each package has to be, by available id."""
        ...

    def moved(self, number: int) -> Sequence[tuple[Member, str]]:
        """What a version has in another folder than it has to be in, with that."""
        ...

    def check(self, number: int) -> None:
        """``BatchError`` unless a version has all that the index names."""
        ...


class Bulk:
    """Brings packages in, in as many calls of ``take`` as there are, and then makes the version with ``finish``."""

    def __init__(self, batch: Batch, executor: Executor, packages: int, size: int) -> None:
        self._batch = batch
        self._executor = executor
        self._count = Counter(batch.progress, packages, size)
        self._settlement: Settlement = batch.settlement()
        self._infos: list[PackageInfo] = []
        """Of what is staged, for scanners that have to know."""
        self.gathered = Gathered()

    def take(self, jobs: Iterator[Job]) -> None:
        """Fetches, inspects and decides. ``TransferError`` where a server answers for none of its packages."""
        spool = _Spool(self._batch.scratch) if self._batch.panel.names(BATCH) else None
        while together := list(islice(jobs, TOGETHER)):
            # One that has its result is in by now.
            attempts: Sequence[Attempt] = [
                attempt for attempt in self._settlement.open(together) if attempt.result is None
            ]
            self._batch.inspect(attempts, self._executor, self._count)
            self._stop_if_hopeless(attempts)
            if spool is None:
                self._stage(attempts)
            else:
                spool.put(attempts)
        if spool is not None:
            self._batch.inspect_together(spool, self._settlement, self._executor, self._infos)
            for attempts in spool.answers():
                self._stage(attempts)
                self._infos += [info for attempt in attempts if not attempt.result and (info := attempt.info)]

    def drop(self, available_ids: Collection[int]) -> None:
        """Leaves out some of those that are staged: upstream does not offer them any more."""
        gone = [staged for staged in self.gathered.staged if staged.available_id in available_ids]
        message, now = "upstream dropped it while it was mirrored", self._batch.ledger.now
        with self._batch.catalog.transaction():
            ids = [staged.import_id for staged in gone]
            self._batch.catalog.imports.conclude(ids, message, None, now, ImportState.FAILED)
        self.gathered.staged = [item for item in self.gathered.staged if item.available_id not in available_ids]

    def finish(
        self,
        leaving: Callable[[int], Sequence[Member]],
        message: str,
        noted: Callable[[int, Version | None, int, int], object],
        upstream: UpstreamIndex | None = None,
    ) -> Version | None:
        """Adds what is staged, and leaves out what ``leaving`` answers for the newest version, in one transaction.

        ``noted`` is called inside it with the number before, the new version, how many came and how many went.
        With ``upstream`` the version is what that names and no less, at its places; else nothing is changed.
        """
        self._count.finish()
        catalog, distribution, now = self._batch.catalog, self._batch.distribution, self._batch.ledger.now
        with catalog.transaction():
            before = catalog.versions.latest(distribution).number
            admission = self._settlement.admission(upstream.extra_id if upstream else None)
            gone = leaving(before)
            for member in gone:
                admission.remove(member)
            if upstream is not None:
                for member, folder in upstream.moved(before):
                    admission.remove(member)
                    admission.admit(catalog.packages.get(member.package_id), member.component, now, folder)
            folders: Mapping[int, str] = upstream.folders() if upstream else {}
            added = [staged.import_id for staged in self._added(before, admission, folders)]
            version = admission.commit(message, now)
            if upstream is not None:
                upstream.check(version.number if version else before)
            if version is not None:
                catalog.imports.conclude(added, f"in version {version.number}", version.number, now)
            noted(before, version, len(added), len(gone))
        return version

    def _stage(self, attempts: Sequence[Attempt]) -> None:
        with self._batch.catalog.transaction():
            # Where nobody else writes: a collection may have removed what was there and used by nothing.
            self._batch.keep(attempts)
            self.gathered.staged += self._settlement.stage(attempts)
        for attempt in attempts:
            fetching, result = attempt.job.fetching, attempt.result
            if fetching and attempt.inspection:
                discard(fetching)
            if fetching and result and result.status == ImportState.FAILED.value:
                self.gathered.failed[fetching.available.id] = result
                if isinstance(attempt.error, MissingError):
                    self.gathered.missing.add(fetching.available.id)
            elif result:
                self.gathered.refused.append(result)

    def _added(self, before: int, admission: Admission, folders: Mapping[int, str]) -> Iterator[Staged]:
        """Those of the staged ones that go on the list."""
        remaining = iter(self.gathered.staged)
        while together := list(islice(remaining, TOGETHER)):
            infos = self._batch.catalog.packages.get_many([staged.package_id for staged in together])
            admission.expect({info.name for info in infos})
            for staged, info in zip(together, infos, strict=True):
                if self._add(staged, info, before, admission, folders.get(staged.available_id)):
                    yield staged

    def _add(self, staged: Staged, info: PackageInfo, before: int, admission: Admission, location: str | None) -> bool:
        imports, now = self._batch.catalog.imports, self._batch.ledger.now
        try:
            if self._settlement.add(staged, info, admission, location):
                return True
        except EntrepotError as error:
            message = f"{error} ({error.hint})" if error.hint else str(error)
            imports.conclude([staged.import_id], message, None, now, ImportState.FAILED)
            self.gathered.failed[staged.available_id] = self._result(staged, message)
            self.gathered.late += 1
            return False
        message = f"{self._batch.distribution.path} has it already"
        imports.conclude([staged.import_id], message, before, now, ImportState.ALREADY_PUBLISHED)
        self.gathered.late += 1
        return False

    def _result(self, staged: Staged, message: str) -> ImportResult:
        row = self._batch.catalog.imports.get(staged.import_id)
        return ImportResult(
            status=ImportState.FAILED.value,
            package=row["name"],
            version=row["version"],
            architecture=row["architecture"],
            distribution=self._batch.distribution.name,
            sha256=row["sha256"],
            import_id=staged.import_id,
            repository_version=None,
            message=message,
            component=staged.component,
        )

    def _stop_if_hopeless(self, attempts: Sequence[Attempt]) -> None:
        errors = [attempt.error for attempt in attempts if attempt.error]
        down = [error for error in errors if isinstance(error, TransferError) and not isinstance(error, MissingError)]
        if len(attempts) >= HOPELESS and len(down) == len(attempts):
            raise TransferError(
                f"none of {len(attempts)} packages could be fetched; the first: {down[0]}",
                hint="what was fetched before is kept: mirror again when the server answers",
            )


class _Spool:
    """Packages that wait, on disk, until all of them are read: some scanners have to know what else comes in."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._count = 0
        self._last = 0

    def put(self, attempts: Sequence[Attempt]) -> None:
        """Adds a lot."""
        self._write(f"read-{self._count}", attempts)
        self._count += 1

    def __iter__(self) -> Iterator[Sequence[Attempt]]:
        for number in range(self._count):
            self._last = number
            yield self._load(f"read-{number}")

    def told(self, lot: Sequence[Attempt]) -> None:
        """Takes what came out for the lot that came last."""
        self._write(f"told-{self._last}", lot)

    def answers(self) -> Iterator[Sequence[Attempt]]:
        """Each lot with what came out for it."""
        for number in range(self._count):
            yield self._load(f"told-{number}")
        shutil.rmtree(self._folder)

    def _write(self, name: str, attempts: Sequence[Attempt]) -> None:
        with (self._folder / name).open("wb") as file:
            pickle.dump(list(attempts), file, pickle.HIGHEST_PROTOCOL)

    def _load(self, name: str) -> Sequence[Attempt]:
        with (self._folder / name).open("rb") as file:
            attempts: Sequence[Attempt] = pickle.load(file)  # noqa: S301 - written by this object
        return attempts
