"""Scans: what is in already is evaluated again, with today's advisories, settings, policies and waivers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.errors import EntrepotError, StorageError, UsageError
from entrepot.models import Decision, Distribution, Outcome, Waiver
from entrepot.pipeline.evaluate import Evaluation, Evaluator
from entrepot.pipeline.explain import pipeline_words
from entrepot.pipeline.panel import BATCH
from entrepot.pipeline.policy import Outcomes, allowed
from entrepot.pipeline.reopen import Worsening, action_for
from entrepot.pipeline.settled import Settled
from entrepot.pipeline.waiting import waiting
from entrepot.progress import Progress, ProgressEvent, Task, silent
from entrepot.services.inspection import scanners as open_scanners
from entrepot.services.matches import new_findings, tell_matches
from entrepot.services.publishing import publish
from entrepot.services.records import record
from entrepot.services.reopening import follow
from entrepot.services.scan_results import DistributionScan, ScannedPackage, ScanResult
from entrepot.services.scan_targets import scan_targets
from entrepot.services.tasks import running

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

WORKERS = 4
"""Packages whose files are looked at side by side."""
TOGETHER = 10
"""Packages that one thread takes at a time."""
KEPT_TOGETHER = 5_000
"""Packages of which something new is said that are written down at once, for indexes are in another order than they."""

Said = Mapping[str, Mapping[str, StoredVerdict]]
"""What scanners said last, by artifact and scanner."""
Work = tuple[Holding, Mapping[str, StoredVerdict], Sequence[Waiver], Mapping[str, StoredVerdict], Collection[str]]
"""A package, what scanners said of it last, the waivers for it, what some scanners say now, and who would not."""


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What is to be scanned: distributions and names of packages, everything if none is given; by which scanners."""

    targets: Sequence[str] = ()
    scanners: Sequence[str] = ()
    dry_run: bool = False
    publish_after: bool = True


EVERYTHING = ScanRequest()


def scan(workspace: Workspace, request: ScanRequest = EVERYTHING, progress: Progress = silent) -> ScanResult:
    """Evaluates what is in the newest versions, and what waits; without downloading anything.

    What would not come in any more is told, opened again or withdrawn, as the policy of its distribution says.
    """
    known = workspace.plugins.scanners
    if unknown := sorted(set(request.scanners) - set(known)):
        raise UsageError(f"there is no scanner {', '.join(unknown)}", hint=f"known: {', '.join(sorted(known))}")
    scans = []
    for distribution, names in scan_targets(workspace, request.targets):
        if request.dry_run:
            scans.append(_Scan(workspace, distribution, names, request).run(progress))
            continue
        with running(workspace, "scan", distribution.path, progress) as task:
            found = _Scan(workspace, distribution, names, request).run(task.progress)
            _publish(workspace, found, task, request)
        scans.append(found)
    return ScanResult(scans, request.dry_run)


class _Scan:
    """The scan of one distribution: evaluates in chunks, keeps what scanners say, then does what follows at once."""

    def __init__(
        self,
        workspace: Workspace,
        distribution: Distribution,
        names: Collection[str] | None,
        request: ScanRequest,
    ) -> None:
        self._workspace = workspace
        self._catalog = workspace.catalog
        self._distribution = distribution
        self._names = names
        self._request = request
        self._policy = workspace.settings.policy(distribution.policy)
        self._now = workspace.now()
        self._result = DistributionScan(distribution)
        self._worse: list[Worsening] = []
        self._told: list[int] = []
        """Packages that the next scan has to look at again, whatever changes."""
        self._unkept: list[tuple[Evaluation, Mapping[str, StoredVerdict]]] = []
        """Those of which something new is said, with what was said before, until it is kept."""

    def run(self, progress: Progress) -> DistributionScan:
        """Looks at every package, and does what follows unless it is only to be told."""
        total = self._catalog.holdings.count(self._distribution) if self._names is None else None
        with self._opened() as (evaluator, executor):
            # Who names packages wants to know of these.
            settled = Settled(self._catalog, evaluator) if self._names is None else None
            quiet = settled.quiet if settled else ()
            self._result.scanned = self._result.settled = len(quiet)
            for chunk in self._catalog.holdings.of(self._distribution, self._names, without=quiet):
                self._look(chunk, evaluator, executor, settled)
                self._result.scanned += len(chunk)
                done = self._result.scanned
                progress(ProgressEvent("scan.packages", "Scanning", "running", done, total, "packages"))
            self._keep(evaluator, settled)
        self._follow(settled)
        done = self._result.scanned
        progress(ProgressEvent("scan.packages", "Scanned", "completed", done, done, "packages"))
        return self._result

    @contextmanager
    def _opened(self) -> Iterator[tuple[Evaluator, Executor]]:
        workspace, distribution = self._workspace, self._distribution
        chosen = {
            name: scanner
            for name, scanner in workspace.plugins.scanners.items()
            if name not in workspace.settings.inspection.skip
            and (not self._request.scanners or name in self._request.scanners)
        }
        sources = {source.id: (source, workspace.keyring(source)) for source in self._catalog.sources.list()}
        with (
            workspace.scratch() as folder,
            # Before the threads: it forks.
            open_scanners(workspace, [workspace.format(distribution.format)], folder, chosen) as panel,
            workspace.open_executor(WORKERS) as executor,
        ):
            store, now = workspace.store, self._now
            beside = waiting(self._catalog, distribution, self._policy, panel.names(BATCH), now, folder)
            policy, outcomes = self._policy, Outcomes(self._policy)
            yield (
                Evaluator(panel, chosen, distribution, policy, store, folder, now, sources, beside, outcomes),
                executor,
            )

    def _look(
        self, chunk: Sequence[Holding], evaluator: Evaluator, executor: Executor, settled: Settled | None
    ) -> None:
        artifacts = {item.inspected for item in chunk}
        if not artifacts.isdisjoint(evaluation.holding.inspected for evaluation, _ in self._unkept):
            self._keep(evaluator, settled)
        said = self._said(artifacts)
        waivers = self._catalog.reviews.waivers(self._distribution.id, artifacts)
        known = [settled.scanners(item.package_id) if settled else () for item in chunk]
        work = [
            (item, said.get(item.inspected, {}), waivers.get(item.inspected, ()), answered, same)
            for item, answered, same in zip(chunk, evaluator.at_once(chunk, known), known, strict=True)
        ]
        # Several at once: most are done in less time than it takes to hand them from thread to thread.
        parts = [work[start : start + TOGETHER] for start in range(0, len(work), TOGETHER)]
        if quick := all({*answered, *same} >= evaluator.scanners.keys() for *_, answered, same in work):
            found = [_evaluated(evaluator, part) for part in parts]
        else:
            self._workspace.pause()
            found = [future.result() for future in [executor.submit(_evaluated, evaluator, part) for part in parts]]
        for (holding, before, *_), evaluation in zip(work, chain.from_iterable(found), strict=True):
            if isinstance(evaluation, EntrepotError):
                self._result.failures.append((f"{holding.info.name} {holding.info.version}", evaluation))
                self._told.append(holding.package_id)
                continue
            self._note(evaluation, before, evaluator)
            if evaluation.new or evaluation.confirmed:
                self._unkept.append((evaluation, before))
        # What took long to find out is not to be lost.
        if len(self._unkept) >= KEPT_TOGETHER or not quick:
            self._keep(evaluator, settled)

    def _said(self, artifacts: Collection[str]) -> Said:
        """What was said last in this distribution; of what came here from another one without an import, there."""
        here = self._catalog.imports.last_verdicts(artifacts, self._distribution.id)
        strange = {*artifacts} - here.keys()
        return {**self._catalog.imports.last_verdicts(strange), **here} if strange else here

    def _note(self, evaluation: Evaluation, before: Mapping[str, StoredVerdict], evaluator: Evaluator) -> None:
        """Puts a package on the list of what is told, if there is something to tell."""
        status = _status(evaluation)
        if not status:
            return
        holding, action = evaluation.holding, ""
        # Nothing is to be explained of what passes, which most do.
        decision = None if evaluation.passes else evaluator.decide(evaluation)
        if decision and evaluation.worse:
            expired = not evaluation.new and bool(holding.import_id) and self._expired(holding)
            worsening = Worsening(holding, decision, action_for(self._policy.on_change, expired=expired), expired)
            self._worse.append(worsening)
            self._told.append(holding.package_id)
            action = worsening.action.value
        was = pipeline_words([before[name] for name in sorted(before)], ())
        words = pipeline_words(evaluation.verdicts, decision.rulings) if decision else allowed(evaluation.verdicts)
        self._result.packages.append(
            ScannedPackage(
                distribution=self._distribution.path,
                package=holding.info.name,
                version=holding.info.version,
                architecture=holding.info.architecture,
                sha256=holding.sha256,
                import_id=holding.import_id,
                status=status,
                action=action,
                outcome=((Outcome.REVIEW if holding.waits else Outcome.PUBLISH).value, evaluation.outcome.value),
                pipeline=(was, words),
                reasons=decision.reasons if decision else (),
                findings=list(new_findings(evaluation, before)),
            )
        )

    def _expired(self, holding: Holding) -> bool:
        waivers = self._catalog.reviews.waivers(self._distribution.id, [holding.inspected]).get(holding.inspected, ())
        return any(not waiver.holds(self._now) for waiver in waivers)

    def _keep(self, evaluator: Evaluator, settled: Settled | None) -> None:
        """Keeps what scanners say that is new, and what the policy makes of it for those that wait; tells of it."""
        changed, self._unkept = self._unkept, []
        if self._request.dry_run or not changed:
            return
        imports, here = self._catalog.imports, self._distribution.id
        with self._catalog.transaction():
            if settled:
                settled.writes()
            added = []
            for item, _ in changed:
                holding = item.holding
                new = list(item.new)
                for before, stored in item.confirmed:
                    # What was said in another distribution is said here for the first time.
                    if not imports.confirm_verdict(here, holding.inspected, before, stored, self._now):
                        new.append(stored)
                added.append((holding.import_id, holding.inspected, new))
                if not item.new:
                    continue
                if holding.import_id and holding.state and (holding.waits or item.passes):
                    row = imports.get(holding.import_id)
                    if row["state"] == holding.state.value:
                        decision = evaluator.decide(item)
                        message = _waits(item, decision) if holding.waits else row["message"]
                        imports.redecide(holding.import_id, holding.state, message, decision)
            imports.add_verdicts_of_many(added, self._now, here)
            tell_matches(self._workspace, self._distribution, changed)
            if settled:
                settled.wrote()

    def _follow(self, settled: Settled | None) -> None:
        """What follows from the whole scan, and its entry in the audit log."""
        if self._request.dry_run:
            return
        done = follow(self._workspace, self._distribution, self._worse)
        self._result.version = done.version
        statuses = [package.status for package in self._result.packages]
        counts = {status: statuses.count(status) for status in ("worse", "better", "changed", "waits")}
        worse = [f"{item.holding.info.name} {item.holding.info.version}: {item.action}" for item in self._worse]
        counts |= {
            "scanned": self._result.scanned,
            "settled": self._result.settled,
            "failed": len(self._result.failures),
        }
        detail = {**self._policy.named(), **counts, "packages": worse}
        with self._catalog.transaction():
            record(self._workspace, "scan", self._distribution.path, detail)
            if settled:
                settled.save(self._told)


def _evaluated(evaluator: Evaluator, work: Sequence[Work]) -> Sequence[Evaluation | EntrepotError]:
    """The evaluation of each package, or why there is none."""
    found: list[Evaluation | EntrepotError] = []
    for parts in work:
        try:
            found.append(evaluator.evaluate(*parts))
        except EntrepotError as error:
            found.append(error)
        except OSError as error:
            found.append(StorageError(str(error)))
    return found


def _status(evaluation: Evaluation) -> str:
    if evaluation.worse:
        return "worse"
    if evaluation.better:
        return "better"
    if evaluation.holding.waits:
        return "waits"
    return "changed" if evaluation.new else ""


def _waits(evaluation: Evaluation, decision: Decision) -> str:
    if evaluation.passes:
        return "waits for review, though nothing holds it any more: approve it"
    return f"waits for review: {'; '.join(decision.reasons)}"


def _publish(workspace: Workspace, found: DistributionScan, task: Task, request: ScanRequest) -> None:
    if found.version is None:
        return
    task.created.append(f"{found.distribution.path} version {found.version.number}")
    if request.publish_after:
        try:
            found.publication = publish(workspace, found.distribution.path, task.progress)
        except EntrepotError as error:
            found.publish_error = error
