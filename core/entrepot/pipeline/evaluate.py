"""Evaluation: what scanners and policy say now of a package that is in, or waits. Nothing is downloaded."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Artifact, Scanner
from entrepot.isolation import Case as ScanCase
from entrepot.models import Decision, Distribution, Outcome, Source, Waiver
from entrepot.pipeline.panel import Panel
from entrepot.pipeline.policy import Case, decide
from entrepot.policies import PolicySettings
from entrepot.store import ArtifactStore


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: what scanners say that is new, all that they say, and what the policy makes of it."""

    holding: Holding
    new: Sequence[StoredVerdict]
    verdicts: Sequence[StoredVerdict]
    decision: Decision

    @property
    def passes(self) -> bool:
        """Whether the policy lets it in."""
        return self.decision.outcome is Outcome.PUBLISH

    @property
    def worse(self) -> bool:
        """Whether it is in and would not come in any more, and does not wait for a person yet."""
        return self.holding.membership_id is not None and not self.holding.waits and not self.passes

    @property
    def better(self) -> bool:
        """Whether it waits, and would come in now."""
        return self.holding.waits and self.passes


@dataclass(frozen=True, slots=True)
class Evaluator:
    """What a scan works with, for one distribution. May be used by any thread."""

    panel: Panel
    scanners: Mapping[str, Scanner]
    """Those that are asked; what others said stays."""
    distribution: Distribution
    policy: PolicySettings
    store: ArtifactStore
    folder: Path
    now: dt.datetime
    sources: Mapping[int, tuple[Source, Path | None]]
    """Sources with their keyrings, by id."""

    def evaluate(self, holding: Holding, said: Mapping[str, StoredVerdict], waivers: Sequence[Waiver]) -> Evaluation:
        """What is said of a package now. ``said`` is what scanners said last; what still holds is not asked again."""
        # How a package came in does not change, and what its source was then may be gone by now.
        known = {name for name, scanner in self.scanners.items() if name in said and _of_arrival(scanner)}
        with self._case(holding, files=False) as case:
            answers = {stored.scanner: stored for stored in self.panel.recall(case, skip=known)}
            ahead = [name for name in self.scanners if name not in known and name not in answers]
            on_files = [name for name in ahead if self._reads_files(name)]
            answers |= self._ask(case, skip={*known, *answers, *on_files})
        if on_files:
            with self._case(holding, files=True) as case:
                answers |= self._ask(case, skip=set(self.scanners) - set(on_files))
        new = [stored for name, stored in sorted(answers.items()) if not _same(stored, said.get(name))]
        verdicts = [stored for _, stored in sorted((dict(said) | {stored.scanner: stored for stored in new}).items())]
        return Evaluation(holding, new, verdicts, self.decide(holding, verdicts, waivers))

    def decide(self, holding: Holding, verdicts: Sequence[StoredVerdict], waivers: Sequence[Waiver]) -> Decision:
        """What the policy makes of verdicts."""
        source = holding.available.source if holding.available else ""
        return decide(self.policy, Case(verdicts, holding.info, source, self.now, waivers))

    def _ask(self, case: ScanCase, skip: Collection[str]) -> dict[str, StoredVerdict]:
        return {stored.scanner: stored for stored in self.panel.ask(case, skip=skip)}

    def _reads_files(self, name: str) -> bool:
        scanner = self.scanners[name]
        return bool(getattr(scanner, "isolated", True)) or _of_arrival(scanner)

    @contextmanager
    def _case(self, holding: Holding, *, files: bool) -> Iterator[ScanCase]:
        """The package before the scanners; with its ``files`` out of the private store, else with their names only."""
        available = holding.available
        source, keyring = self.sources.get(available.source_id, (None, None)) if available else (None, None)
        with ExitStack() as stack:
            folder = self.folder
            if files:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self.folder)))
            paths = [folder / file.name for file in holding.info.files]
            if files:
                paths = [
                    stack.enter_context(self.store.local(file.sha256, file.name, folder)) for file in holding.info.files
                ]
            yield ScanCase(
                artifact=Artifact(tuple(paths), holding.inspected),
                format=holding.info.format,
                distribution=self.distribution,
                info=holding.info,
                problem="",
                available=available,
                source=source,
                upstream=holding.upstream,
                keyring=keyring,
                now=self.now,
            )


def _of_arrival(scanner: Scanner) -> bool:
    return bool(getattr(scanner, "arrival", False))


def _same(stored: StoredVerdict, before: StoredVerdict | None) -> bool:
    """Whether a scanner says what it said, on the same basis where it names one."""
    if before is None or (stored.scanner_version, stored.basis) != (before.scanner_version, before.basis):
        return False
    one, other = stored.verdict, before.verdict
    return (one.status, one.reason, one.message, one.findings) == (
        other.status,
        other.reason,
        other.message,
        other.findings,
    )
