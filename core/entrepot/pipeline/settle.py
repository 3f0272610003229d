"""The end of a batch: verdicts become decisions, decisions become a version and results, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.catalog.imports import End
from entrepot.catalog.versions import Member
from entrepot.contracts import Format
from entrepot.errors import ConflictError, EntrepotError
from entrepot.events import ImportResult
from entrepot.models import (
    Available,
    Decision,
    Distribution,
    ImportState,
    Outcome,
    PackageInfo,
    Repository,
    Version,
    Waiver,
)
from entrepot.pipeline.admit import Admission, fitting_component
from entrepot.pipeline.explain import actions_of, pipeline_words
from entrepot.pipeline.fetch import Fetching
from entrepot.pipeline.foresight import lets_in
from entrepot.pipeline.inspect import Inspection
from entrepot.pipeline.policy import Case, Decisions
from entrepot.policies import PolicySettings

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Job:
    """One package of a batch: either to be fetched, or files that are here already, the main one first."""

    label: str
    fetching: Fetching | None = None
    paths: tuple[Path, ...] = ()

    @property
    def available(self) -> Available | None:
        """The package of a synced index that it is."""
        return self.fetching.available if self.fetching else None


@dataclass(slots=True)
class Attempt:
    """A job with what became of it so far. ``member`` is set where the newest version had the file before it began."""

    job: Job
    import_id: int
    member: Member | None = None
    inspection: Inspection | None = None
    decision: Decision | None = None
    error: EntrepotError | None = None
    component: str = ""
    package_id: int | None = None
    result: ImportResult | None = None

    @property
    def info(self) -> PackageInfo | None:
        """What the package says of itself, once it was read."""
        return self.inspection.info if self.inspection else None

    @property
    def sha256(self) -> str:
        """Of the main file, once it is known to be here; empty before."""
        return self.inspection.sha256 if self.inspection else self.member.sha256 if self.member else ""


@dataclass(frozen=True, slots=True)
class Staged:
    """A package that the policy lets in, and that the version does not have yet. ``available_id`` is 0 for a file."""

    import_id: int
    package_id: int
    available_id: int
    component: str
    label: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Under which policy, for whom, when and to which component a batch is brought in."""

    policy: PolicySettings
    actor: str
    task_id: int
    now: dt.datetime
    component: str | None = None
    origin: str = ""


RECORDED = 500
"""Decisions that one entry of the audit log tells."""


class Settlement:
    """Writes a batch to the catalog: once when it begins, once when it ends."""

    def __init__(
        self, catalog: Catalog, format_: Format, repository: Repository, distribution: Distribution, ledger: Ledger
    ) -> None:
        self._catalog = catalog
        self._format = format_
        self._repository = repository
        self._distribution = distribution
        self._ledger = ledger
        self._decisions = Decisions(ledger.policy)
        self._ends: list[End] = []
        """Of this transaction, not written yet."""

    def open(self, jobs: Sequence[Job]) -> Sequence[Attempt]:
        """Begins an import for every job.

        Those whose very file is in the newest version, and in the private store, have their result at once.
        """
        with self._catalog.transaction():
            ids = self._catalog.imports.start_many([self._begun(job) for job in jobs], self._ledger.now)
            attempts = [Attempt(job, import_id) for job, import_id in zip(jobs, ids, strict=True)]
            versions, distribution = self._catalog.versions, self._distribution
            number = versions.latest(distribution).number
            names = versions.having(distribution, number, {job.available.name for job in jobs if job.available})
            for attempt in attempts:
                available = attempt.job.available
                if available and available.name in names and (member := self._member(available, number)):
                    attempt.member, attempt.component = member, member.component
                    attempt.package_id = member.package_id
                    self._already(attempt)
            self._write_ends()
            return attempts

    def _member(self, available: Available, number: int) -> Member | None:
        """What a version has of this name, version and architecture, if the index means the same file."""
        component = fitting_component(self._distribution, self._ledger.component, [available.component])
        wanted = (available.version, available.architecture, component, available.sha256)
        for member in self._catalog.versions.members(self._distribution, number, available.name):
            if (member.version, member.architecture, member.component, member.original_sha256) == wanted:
                return member if self._catalog.packages.has_all(member.package_id) else None
        return None

    def _begun(self, job: Job) -> Mapping[str, object]:
        available = job.available
        state = ImportState.FETCHING if available else ImportState.INSPECTING
        return {
            "state": state.value,
            "name": available.name if available else job.label,
            "version": available.version if available else None,
            "architecture": available.architecture if available else None,
            "source_id": available.source_id if available else None,
            "available_id": available.id if available else None,
            "distribution_id": self._distribution.id,
            "component": self._ledger.component,
            "policy": self._ledger.policy.name,
            "task_id": self._ledger.task_id,
            "actor": self._ledger.actor,
        }

    def settle(self, attempts: Sequence[Attempt]) -> Version | None:
        """Decides about every attempt, adds what may come in as one version, and leaves a result in each attempt."""
        now = self._ledger.now
        admission = self.admission()
        self._note_verdicts(attempts)
        admission.expect({attempt.info.name for attempt in attempts if attempt.info})
        waivers = self._waivers([attempt.inspection for attempt in attempts if attempt.inspection])
        passed = [(attempt, info) for attempt in attempts if (info := self._weigh(attempt, waivers))]
        admitted = [attempt for attempt, info in passed if self._admit(attempt, info, admission)]
        # What sources say of its packages becomes part of the version by the imports that brought them.
        self._catalog.imports.link((attempt.import_id, attempt.package_id) for attempt in admitted)
        version = admission.commit(_message(admitted), now)
        if version is not None:
            for attempt in admitted:
                self._end(attempt, ImportState.PUBLISHED, f"in version {version.number}", version.number)
        self._write_ends()
        self._record(attempts, version)
        return version

    def admission(self, index: int | None = None) -> Admission:
        """Collects the packages of the next version; inside the transaction that makes it.

        ``index`` is the upstream's own that it is to be published with.
        """
        catalog, distribution = self._catalog, self._distribution
        return Admission(
            catalog,
            self._format,
            self._repository,
            distribution,
            lambda number: catalog.extras.changes(distribution, number, index),
        )

    def stage(self, attempts: Sequence[Attempt]) -> Sequence[Staged]:
        """Decides about some attempts of many, and keeps what the policy lets in for ``add``, which comes later.

        The others have their result afterwards.
        """
        staged = []
        self._note_verdicts(attempts)
        waivers = self._waivers([attempt.inspection for attempt in attempts if attempt.inspection])
        for attempt in attempts:
            if (info := self._weigh(attempt, waivers)) is None:
                continue
            try:
                attempt.component = self._component(attempt)
            except EntrepotError as error:
                attempt.error = error
                self._fail(attempt)
                continue
            attempt.package_id = package_id = self._catalog.packages.add(info, self._ledger.now)
            state, message = ImportState.INSPECTING, "inspected; waits for the rest of its mirror"
            result = _result(attempt, self._distribution, state, message, None)
            self._ends.append(End(attempt.import_id, state, result, package_id))
            available = attempt.job.available
            number = available.id if available else 0
            staged.append(Staged(attempt.import_id, package_id, number, attempt.component, attempt.job.label))
        self._write_ends()
        self._record(attempts, None)
        return staged

    def add(self, staged: Staged, info: PackageInfo, admission: Admission, location: str | None = None) -> bool:
        """Puts a package that is staged on the list; False if the version has it by now.

        ``EntrepotError`` says why that cannot be.
        """
        for file in info.files:
            if not self._catalog.packages.has_artifact(file.sha256):
                raise ConflictError(f"{file.name} was removed from the private store meanwhile", hint="mirror again")
        now = self._ledger.now
        return not admission.admit(info, staged.component, now, location, staged.package_id).already

    def _record(self, attempts: Sequence[Attempt], version: Version | None) -> None:
        """Tells the audit log what was decided, in entries of a bounded length, and which version that made."""
        path = self._distribution.path
        decided = iter([attempt for attempt in attempts if attempt.decision and attempt.result])
        by = self._ledger.policy.named()
        while chunk := list(islice(decided, RECORDED)):
            detail: dict[str, object] = {**by, "imports": [_decided(o) for o in chunk]}
            self.tell("import.decide", path, detail)
        if version is not None:
            self.tell("version.create", path, {"version": version.number, "message": version.message})

    def tell(self, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Adds a line to the audit log."""
        ledger = self._ledger
        self._catalog.audit.append(ledger.actor, ledger.origin, action, subject, detail, ledger.now)

    def decide(self, attempt: Attempt, inspection: Inspection) -> Decision:
        """What the policy makes of an inspection."""
        return self._decisions.of(self._case(attempt, inspection, self._waivers([inspection])))

    def lets_in(self, attempt: Attempt, inspection: Inspection, later: Collection[str]) -> bool:
        """Whether it was read and would come in, whatever the scanners of these names say that are asked ``later``."""
        return inspection.info is not None and lets_in(
            self._ledger.policy, self._case(attempt, inspection, self._waivers([inspection])), later
        )

    def passes(self, attempt: Attempt) -> bool:
        """Whether it comes in, by all that scanners said."""
        inspection = attempt.inspection
        return inspection is not None and self.decide(attempt, inspection).outcome is Outcome.PUBLISH

    def _waivers(self, inspections: Sequence[Inspection]) -> Mapping[str, Sequence[Waiver]]:
        """The waivers of what was inspected, by what came."""
        artifacts = [inspection.info.came_as for inspection in inspections if inspection.info]
        return self._catalog.reviews.waivers(self._distribution.id, artifacts)

    def _case(self, attempt: Attempt, inspection: Inspection, waivers: Mapping[str, Sequence[Waiver]]) -> Case:
        source = attempt.job.available.source if attempt.job.available else ""
        info = inspection.info
        mine = waivers.get(info.came_as, ()) if info else ()
        return Case(inspection.verdicts, info, source, self._ledger.now, mine)

    def _weigh(self, attempt: Attempt, waivers: Mapping[str, Sequence[Waiver]]) -> PackageInfo | None:
        """The package of an attempt, if the policy lets it in; otherwise the attempt ends here."""
        if attempt.inspection is None:
            self._fail(attempt)
            return None
        attempt.decision = self._decisions.of(self._case(attempt, attempt.inspection, waivers))
        if attempt.info is None or attempt.decision.outcome is not Outcome.PUBLISH:
            self._hold(attempt, attempt.decision)
            return None
        return attempt.info

    def _component(self, attempt: Attempt) -> str:
        available = attempt.job.available
        upstream = [available.component] if available else []
        return fitting_component(self._distribution, self._ledger.component, upstream)

    def _admit(self, attempt: Attempt, info: PackageInfo, admission: Admission) -> bool:
        try:
            attempt.component = self._component(attempt)
            admitted = admission.admit(info, attempt.component, self._ledger.now)
        except EntrepotError as error:
            attempt.error = error
            self._fail(attempt)
            return False
        attempt.package_id = admitted.addition.package_id
        if admitted.already:
            self._already(attempt)
        return not admitted.already

    def _already(self, attempt: Attempt) -> None:
        number = self._catalog.versions.latest(self._distribution).number
        message = f"{self._distribution.path} has it already"
        self._end(attempt, ImportState.ALREADY_PUBLISHED, message, number)

    def _hold(self, attempt: Attempt, decision: Decision) -> None:
        reasons = "; ".join(decision.reasons)
        if attempt.info is not None and decision.outcome is not Outcome.REJECT:
            attempt.package_id = self._catalog.packages.add(attempt.info, self._ledger.now)
            attempt.component = self._component(attempt)
            self._end(attempt, ImportState.PENDING_REVIEW, f"waits for review: {reasons}", None)
        else:
            problem = attempt.inspection.problem if attempt.inspection else ""
            if attempt.info is not None:
                self._catalog.packages.add_artifacts(attempt.info.files, self._ledger.now)
            self._end(attempt, ImportState.REJECTED, reasons or problem, None)

    def _fail(self, attempt: Attempt) -> None:
        error = attempt.error
        message = f"{error} ({error.hint})" if error and error.hint else str(error)
        self._end(attempt, ImportState.FAILED, message, None)

    def _end(self, attempt: Attempt, state: ImportState, message: str, number: int | None) -> None:
        attempt.result = _result(attempt, self._distribution, state, message, number)
        self._ends.append(End(attempt.import_id, state, attempt.result, attempt.package_id))

    def _write_ends(self) -> None:
        self._catalog.imports.finish(self._ends, self._ledger.now)
        self._ends.clear()

    def _note_verdicts(self, attempts: Sequence[Attempt]) -> None:
        said = [(attempt.import_id, found.inspected_sha256, found.verdicts) for attempt, found in _inspected(attempts)]
        self._catalog.imports.add_verdicts_of_many(said, self._ledger.now, self._distribution.id)


def _result(
    attempt: Attempt, distribution: Distribution, state: ImportState, message: str, number: int | None
) -> ImportResult:
    known = attempt.info or attempt.job.available
    verdicts = attempt.inspection.verdicts if attempt.inspection else ()
    rulings = attempt.decision.rulings if attempt.decision else ()
    return ImportResult(
        status=state.value,
        package=known.name if known else attempt.job.label,
        version=known.version if known else "",
        architecture=known.architecture if known else "",
        distribution=distribution.name,
        component=attempt.component,
        sha256=attempt.sha256,
        import_id=attempt.import_id,
        repository_version=number,
        pipeline=pipeline_words(verdicts, rulings),
        findings=tuple(finding for stored in verdicts for finding in stored.verdict.findings),
        message=message,
        reasons=attempt.decision.reasons if attempt.decision else (),
        rulings=rulings,
        actions=actions_of(verdicts, rulings),
    )


def _inspected(attempts: Sequence[Attempt]) -> Sequence[tuple[Attempt, Inspection]]:
    return [(attempt, attempt.inspection) for attempt in attempts if attempt.inspection]


def _decided(attempt: Attempt) -> dict[str, object]:
    """A decision as the audit log has it."""
    result = attempt.result
    assert result is not None
    package = f"{result.package} {result.version} {result.architecture}"
    document = {"id": attempt.import_id, "package": package, "sha256": result.sha256, "state": result.status}
    return {**document, "reasons": list(result.reasons)} if result.reasons else document


def _message(admitted: Sequence[Attempt]) -> str:
    names = [f"{attempt.info.name} {attempt.info.version}" for attempt in admitted if attempt.info]
    if not names:
        return "what sources say of its packages"
    if len(names) > 3:
        return f"import {', '.join(names[:3])} and {len(names) - 3} more"
    return f"import {', '.join(names)}"
