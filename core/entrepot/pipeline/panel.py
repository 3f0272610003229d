"""The scanners of a batch: those that need it each in a process, side by side; what was said before is said again."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from entrepot.catalog.database import from_json, to_json
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import (
    AdvisoryHistory,
    BulkScanner,
    Changed,
    ReusableScanner,
    Scanner,
    SteadyScanner,
    is_isolated,
)
from entrepot.errors import without_text
from entrepot.isolation import NOBODY, Case, Host, OpenServices, ScanServices, open_host
from entrepot.isolation.exchange import Errand
from entrepot.isolation.messages import Answer, Failure, Request
from entrepot.isolation.worker import checked_basis, checked_verdict
from entrepot.models import Basis, Status, Verdict
from entrepot.pipeline.handed import Companions, Folders, Parcel
from entrepot.pipeline.quoting import harmless, without_secrets
from entrepot.settings import InspectionSettings

ALONE, BATCH = "package", "batch"
"""Stages: a package by itself; and once all packages of the batch are read."""

logger = logging.getLogger(__name__)


class Earlier(Protocol):
    """Knows what was said before; ``catalog.CatalogLookup`` does."""

    def asked_before(self, artifacts: Collection[str], scanner: str) -> Collection[str]: ...
    def earlier(self, sha256: str, scanner: str, basis: str) -> StoredVerdict | None: ...


class WorkerError(Exception):
    """Where it happened, in another process."""


@contextmanager
def open_panel(
    services: ScanServices, settings: InspectionSettings, scratch: Path, earlier: Earlier | None, workers: int
) -> Iterator[Panel]:
    """The scanners of ``services``. Call it before threads are started: it forks if a scanner has to be isolated."""
    open_services = OpenServices(services)
    try:
        with ExitStack() as stack:
            isolated = any(is_isolated(scanner) for scanner in services.scanners.values())
            host = None
            if isolated:
                host = stack.enter_context(open_host(services, settings.workers or workers, settings.serve))
            yield Panel(open_services, settings, Folders(scratch), host, earlier)
    finally:
        open_services.close()


Heard = Callable[[str, StoredVerdict | None], None]
"""Takes the name of a scanner with what it said; None when it begins."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A package that scanners are asked about.

    ``position`` is its place among those of the batch that come in; -1 if it is not one of them. ``heard`` is told of
    each scanner when it begins, and when it has said something: from several threads.
    """

    case: Case
    position: int = -1
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What one scanner is told: a package, its place in what its process gets, and the batch."""

    asked: Asked
    parcel: Parcel
    place: int = 0
    batch: Companions | None = None

    @property
    def case(self) -> Case:
        return self.asked.case


_Question = tuple[str, _Told]
_Ask = Callable[[Scanner, Sequence[_Question]], Sequence[Answer]]


class Panel:
    """Asks scanners about cases, from any thread."""

    def __init__(
        self,
        services: OpenServices,
        settings: InspectionSettings,
        folders: Folders,
        host: Host | None,
        earlier: Earlier | None,
    ) -> None:
        self._services = services
        self._settings = settings
        self._folders = folders
        self._host = host
        self._earlier = earlier
        # Asked for every package: to look a protocol's members up costs as much as a small query.
        self._reusable = frozenset(
            name for name, scanner in services.scanners.items() if isinstance(scanner, ReusableScanner)
        )
        self._by_stage: dict[str, list[tuple[str, Scanner]]] = {ALONE: [], BATCH: []}
        for name, scanner in sorted(services.scanners.items()):
            self._by_stage[BATCH if getattr(scanner, "stage", ALONE) == BATCH else ALONE].append((name, scanner))

    def names(self, stage: str) -> frozenset[str]:
        """Those of a stage."""
        return frozenset(name for name, _ in self._by_stage[stage])

    def read_files(self, without: Collection[str]) -> bool:
        """Whether any scanner but these looks into the files."""
        return any(
            is_isolated(scanner) and getattr(scanner, "reads_files", True)
            for name, scanner in self._services.scanners.items()
            if name not in without
        )

    def said_before(self, sha256: str, scanners: Collection[str]) -> bool:
        """Whether one of these scanners said anything of a file that may hold still."""
        return self._earlier is not None and any(self._earlier.asked_before([sha256], name) for name in scanners)

    def ask_many(self, cases: Sequence[Case], skip: Sequence[Collection[str]]) -> Sequence[Mapping[str, StoredVerdict]]:
        """What scanners say of each case that answer about many at once, by their names; empty if there is none.

        ``skip`` has, for each case, the names of those that are not asked about it.
        """
        found: list[dict[str, StoredVerdict]] = [{} for _ in cases]
        for name, scanner in self._by_stage[ALONE]:
            if isinstance(scanner, BulkScanner) and name not in self._reusable and not is_isolated(scanner):
                places = [place for place, names in enumerate(skip) if name not in names]
                answers = self._answers(scanner, [cases[place] for place in places]) if places else ()
                for place, verdict in zip(places, answers, strict=False):
                    found[place][name] = StoredVerdict(name, scanner.version, scanner.answers, verdict)
        return found

    def _answers(self, scanner: BulkScanner, cases: Sequence[Case]) -> Sequence[Verdict]:
        """One for each case; none at all if there is anything wrong with them: who asks one by one finds out what."""
        name = scanner.name
        with self._folders.one() as folder:
            packages = [(case.artifact, self._services.context(case, name, folder)) for case in cases]
            try:
                verdicts = [checked_verdict(verdict) for verdict in scanner.scan_many(packages)]
                to_json([[dict(one.evidence), *(dict(each.data) for each in one.findings)] for one in verdicts])
            except Exception as error:  # noqa: BLE001 - as for one package; nobody knows which of them it is
                logger.warning("scanner %s failed on %d packages at once: %s", name, len(cases), without_text(error))
                return ()
        return verdicts if len(verdicts) == len(cases) else ()

    def mark(self, name: str, case: Case, beside: Companions, history: AdvisoryHistory) -> str | None:
        """What the verdicts of a scanner about packages that are in depend on besides these; None if nobody knows.

        ``case`` is any of them, and ``beside`` what comes in with it: nothing.
        """
        scanner = self._services.scanners[name]
        if getattr(scanner, "arrival", False):
            return "arrival"
        if isinstance(scanner, SteadyScanner) and not is_isolated(scanner):
            with self._folders.one() as folder:
                try:
                    mark = str(scanner.mark(self._services.context(case, name, folder), history))
                except Exception as error:  # noqa: BLE001 - who does not know is asked about every package
                    logger.warning("scanner %s cannot say what it depends on: %s", name, without_text(error))
                    return None
            return to_json([self._digest(scanner, Basis()), mark])
        if not getattr(scanner, "common_basis", False):
            return None
        told = _Told(Asked(case), Parcel([case]), batch=beside)
        return self._digest(scanner, self._way_to(scanner)(scanner, [("basis", told)])[0]) or None

    def changed(self, name: str, since: str, mark: str, case: Case, history: AdvisoryHistory) -> Changed | None:
        """Of which packages a scanner may say something else than at an earlier ``mark``; None if that may be all."""
        if since == mark:
            return Changed((), spoken=False)
        scanner = self._services.scanners[name]
        if not isinstance(scanner, SteadyScanner) or is_isolated(scanner):
            return None
        (digest, before), (digest_now, _) = from_json(since), from_json(mark)
        if digest != digest_now:
            return None
        with self._folders.one() as folder:
            try:
                found = scanner.changed(before, self._services.context(case, name, folder), history)
                return found and Changed(frozenset(map(str, found.names)), bool(found.spoken))
            except Exception as error:  # noqa: BLE001 - the same
                logger.warning("scanner %s cannot say what changed for it: %s", name, without_text(error))
                return None

    def digest(self, name: str, basis: Basis) -> str:
        """Of what the verdicts of a scanner depend on, where that is known: it, its settings and the basis."""
        return self._digest(self._services.scanners[name], basis)

    def abort(self) -> None:
        """Ends isolated scanners at once: they are recorded as failed."""
        if self._host:
            self._host.abort()

    def recall(self, case: Case, skip: Collection[str] = ()) -> Sequence[StoredVerdict]:
        """What was said earlier and still holds, by the scanners that can tell; none looks at the files for it."""
        told = _Told(Asked(case), Parcel([case]))
        found = []
        for name, scanner in self._by_stage[ALONE]:
            if name not in skip and name in self._reusable:
                (basis,) = self._way_to(scanner)(scanner, [("basis", told)])
                found += [said for said in [self._recalled(scanner, told, self._digest(scanner, basis))] if said]
        return found

    def ask(
        self,
        case: Case,
        stage: str = ALONE,
        batch: Companions | None = None,
        position: int = -1,
        skip: Collection[str] = (),
    ) -> tuple[StoredVerdict, ...]:
        """What the scanners of a stage say of one package."""
        return self.ask_about([Asked(case, position)], stage, batch, skip)[0]

    def ask_about(
        self,
        packages: Sequence[Asked],
        stage: str = ALONE,
        batch: Companions | None = None,
        skip: Collection[str] = (),
    ) -> Sequence[tuple[StoredVerdict, ...]]:
        """What the scanners of a stage say of each package, in the order of their names; all but those to ``skip``."""
        parcel = Parcel([asked.case for asked in packages])
        told = [_Told(asked, parcel, place, batch) for place, asked in enumerate(packages)]
        isolated: dict[str, Future[Sequence[StoredVerdict]]] = {}
        said: dict[str, Sequence[StoredVerdict]] = {}
        here = []
        for name, scanner in self._by_stage[stage]:
            if name in skip:
                continue
            if self._host and is_isolated(scanner):
                isolated[name] = self._host.submit(partial(self._examine, scanner, told))
            else:
                here.append((name, scanner))
        for name, scanner in here:
            said[name] = self._examine(scanner, told)
        said |= {name: future.result() for name, future in isolated.items()}
        names = sorted(said)
        return [tuple([said[name][place] for name in names]) for place in range(len(told))]

    def _examine(self, scanner: Scanner, told: Sequence[_Told]) -> Sequence[StoredVerdict]:
        """A verdict about each package: an earlier one where it holds, else a new one."""
        for one in told:
            if one.asked.heard:
                one.asked.heard(scanner.name, None)
        said = self._verdicts(scanner, told)
        for one, stored in zip(told, said, strict=True):
            if one.asked.heard:
                one.asked.heard(scanner.name, stored)
        return said

    def _verdicts(self, scanner: Scanner, told: Sequence[_Told]) -> Sequence[StoredVerdict]:
        ask = self._way_to(scanner)
        if scanner.name not in self._reusable:
            answers = ask(scanner, [("scan", one) for one in told])
            return [_stored(scanner, answer, "") for answer in answers]
        known: Collection[str] = ()
        if self._earlier:
            known = self._earlier.asked_before({one.case.artifact.sha256 for one in told}, scanner.name)
        same = bool(getattr(scanner, "common_basis", False))
        questions: list[_Question] = []
        for place, one in enumerate(told):
            questions += [] if same and place else [("basis", one)]
            # Where nothing was said that could hold, both are asked at once.
            questions += [] if one.case.artifact.sha256 in known else [("scan", one)]
        remaining = iter(ask(scanner, questions))
        said: list[StoredVerdict | None] = []
        digests, anew, digest = [], [], ""
        for place, one in enumerate(told):
            digest = digest if same and place else self._digest(scanner, next(remaining))
            digests.append(digest)
            if one.case.artifact.sha256 not in known:
                said.append(_stored(scanner, next(remaining), digest))
            else:
                said.append(self._recalled(scanner, one, digest))
                anew += [] if said[-1] else [("scan", one)]
        remaining = iter(ask(scanner, anew) if anew else ())
        return [
            stored or _stored(scanner, next(remaining), digest) for stored, digest in zip(said, digests, strict=True)
        ]

    def _recalled(self, scanner: Scanner, told: _Told, digest: str) -> StoredVerdict | None:
        """An earlier verdict that depends on the same."""
        if not digest or not self._earlier:
            return None
        found = self._earlier.earlier(told.case.artifact.sha256, scanner.name, digest)
        return replace(found, answers=scanner.answers) if found else None

    def _digest(self, scanner: Scanner, basis: Answer) -> str:
        """Of what a verdict depends on; empty where nobody knows."""
        if not isinstance(basis, Basis):
            return ""
        settings = self._services.settings(scanner.name)
        text = to_json([scanner.name, scanner.version, repr(_sorted(settings)), list(basis)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _way_to(self, scanner: Scanner) -> _Ask:
        return self._ask_worker if self._host and is_isolated(scanner) else self._ask_here

    def _ask_here(self, scanner: Scanner, questions: Sequence[_Question]) -> Sequence[Answer]:
        return [self._ask_one_here(scanner, question, told) for question, told in questions]

    def _ask_one_here(self, scanner: Scanner, question: str, told: _Told) -> Answer:
        case = told.case
        together = told.batch.together if told.batch else NOBODY
        with self._folders.one() as folder:
            context = self._services.context(case, scanner.name, folder, together, told.asked.position)
            try:
                if question == "basis":
                    return checked_basis(scanner.basis(context)) if isinstance(scanner, ReusableScanner) else None
                verdict = checked_verdict(scanner.scan(case.artifact, context))
                to_json([dict(verdict.evidence), *(dict(finding.data) for finding in verdict.findings)])
                return verdict
            except Exception as error:  # noqa: BLE001 - whatever it does, its silence must not look like a pass
                failure = Failure("scanner_failed", f"{type(error).__name__}: {error}", traceback.format_exc())
                return self._logged(scanner, question, told, failure, "")

    def _ask_worker(self, scanner: Scanner, questions: Sequence[_Question]) -> Sequence[Answer]:
        assert self._host is not None
        limits = self._settings.limits_of(scanner.name)
        with ExitStack() as stack:
            errands = []
            for question, told in questions:
                request = Request(
                    question,
                    scanner.name,
                    told.parcel.data(),
                    told.place,
                    str(stack.enter_context(self._folders.one())),
                    limits.memory,
                    limits.output,
                    str(told.batch.file) if told.batch else "",
                    told.asked.position,
                )
                errands.append(Errand(request, self._services.clerk(told.case).answer))
            answers = self._host.ask(errands, limits.timeout)
        return [
            self._logged(scanner, question, told, answer, output)
            for (question, told), (answer, output) in zip(questions, answers, strict=True)
        ]

    def _logged(self, scanner: Scanner, question: str, told: _Told, answer: Answer, output: str) -> Answer:
        """What was answered; what was printed is logged, and kept where it failed. Secrets are neither."""
        name, settings = told.case.artifact.paths[0].name, self._services.settings(scanner.name)
        if output:
            logger.info("scanner %s wrote about %s: %s", scanner.name, name, without_secrets(output, settings))
        if isinstance(answer, Failure):
            answer = harmless(answer, settings, output)
            where = WorkerError(answer.traceback or answer.message)
            logger.warning(_WORDS[question], scanner.name, name, exc_info=where)
        return answer


def _stored(scanner: Scanner, answer: Answer, digest: str) -> StoredVerdict:
    if not isinstance(answer, Verdict):
        failure = answer if isinstance(answer, Failure) else Failure("bad_answer", "it gave no verdict")
        evidence = {"output": failure.output} if failure.output else {}
        answer = Verdict(Status.ERROR, failure.reason, failure.message, scanner.name, evidence=evidence)
    return StoredVerdict(scanner.name, scanner.version, scanner.answers, answer, digest)


_WORDS = {"scan": "scanner %s failed on %s", "basis": "scanner %s cannot say what its verdict on %s depends on"}


def _sorted(value: object) -> object:
    """The same for tables that differ only in the order of their keys."""
    if isinstance(value, Mapping):
        return sorted((key, _sorted(item)) for key, item in value.items())
    return value
