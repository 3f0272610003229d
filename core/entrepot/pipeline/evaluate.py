"""Evaluation: what scanners and policy say now of a package that is in, or waits. Nothing is downloaded."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Artifact, Scanner, is_isolated
from entrepot.isolation import Case as ScanCase
from entrepot.models import Decision, Distribution, Outcome, Source, Waiver
from entrepot.pipeline.panel import ALONE, BATCH, Asked, Panel
from entrepot.pipeline.policy import Case, Outcomes, decide
from entrepot.pipeline.waiting import Waiting
from entrepot.policies import PolicySettings
from entrepot.store import ArtifactStore


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: what scanners say that is new, all that they say, and what the policy makes of it.

    ``confirmed`` says what was said before, on another basis: each as it was before, and as it is now. ``case`` is what
    was decided about; why is told by ``Evaluator.decide``, which few packages need.
    """

    holding: Holding
    new: Sequence[StoredVerdict]
    confirmed: Sequence[tuple[StoredVerdict, StoredVerdict]]
    case: Case
    outcome: Outcome

    @property
    def verdicts(self) -> Sequence[StoredVerdict]:
        """What every scanner says, by their names."""
        return self.case.verdicts

    @property
    def passes(self) -> bool:
        """Whether the policy lets it in."""
        return self.outcome is Outcome.PUBLISH

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
    waiting: Waiting
    outcomes: Outcomes

    def described(self, holding: Holding) -> ScanCase:
        """The package with names of files that are not there."""
        return self._described(holding, self.folder)

    def at_once(
        self, holdings: Sequence[Holding], settled: Sequence[Collection[str]]
    ) -> Sequence[Mapping[str, StoredVerdict]]:
        """What is said of each of several packages by scanners that answer about many at once and are not settled."""
        return self.panel.ask_many([self._described(holding, self.folder) for holding in holdings], settled)

    def together(self, holdings: Sequence[Holding]) -> Sequence[Mapping[str, StoredVerdict]]:
        """What is said of each of several packages that come in together by scanners who know what else does."""
        if not holdings or not self.panel.names(BATCH):
            return [{} for _ in holdings]
        places = [self.waiting.beside(holding) for holding in holdings]
        asked = [Asked(self.described(item), place) for item, (_, place) in zip(holdings, places, strict=True)]
        said = self.panel.ask_about(asked, BATCH, places[0][0])
        return [{stored.scanner: stored for stored in each} for each in said]

    def evaluate(
        self,
        holding: Holding,
        said: Mapping[str, StoredVerdict],
        waivers: Sequence[Waiver],
        answered: Mapping[str, StoredVerdict],
        settled: Collection[str] = (),
    ) -> Evaluation:
        """What is said of a package now. ``said`` is what scanners said last; what still holds is not asked again.

        ``answered`` is what some say now, who are not asked any more; the ``settled`` would say what they said.
        """
        answers = dict(answered)
        # How a package came in does not change, and what its source was then may be gone by now.
        known = {name for name, scanner in self.scanners.items() if name in said and of_arrival(scanner)}
        known |= answers.keys() | {name for name in settled if name in said}
        if len(known) < len(self.scanners):
            answers |= self._answers(holding, known)
        new, confirmed = [], []
        for name, stored in sorted(answers.items()):
            before = said.get(name)
            if before is None or not _same(stored, before):
                new.append(stored)
            elif _on_other_basis(stored, before):
                confirmed.append((before, stored))
        verdicts = [stored for _, stored in sorted((dict(said) | {stored.scanner: stored for stored in new}).items())]
        case = Case(verdicts, holding.info, holding.source, self.now, waivers)
        return Evaluation(holding, new, confirmed, case, self.outcomes.of(case))

    def decide(self, evaluation: Evaluation) -> Decision:
        """What the policy makes of what is said, with its reasons."""
        return decide(self.policy, evaluation.case)

    def _answers(self, holding: Holding, known: Collection[str]) -> Mapping[str, StoredVerdict]:
        with self.shown(holding, files=False) as case:
            answers = {stored.scanner: stored for stored in self.panel.recall(case, skip=known)}
            ahead = [name for name in self.scanners if name not in known and name not in answers]
            on_files = [name for name in ahead if reads_files(self.scanners[name])]
            answers |= self._ask(holding, case, skip={*known, *answers, *on_files})
        if on_files:
            with self.shown(holding, files=True) as case:
                answers |= self._ask(holding, case, skip=set(self.scanners) - set(on_files))
        return answers

    def _ask(self, holding: Holding, case: ScanCase, skip: Collection[str]) -> dict[str, StoredVerdict]:
        answers = [*self.panel.ask(case, ALONE, skip=skip)]
        if self.panel.names(BATCH):
            answers += self.panel.ask(case, BATCH, *self.waiting.beside(holding), skip=skip)
        return {stored.scanner: stored for stored in answers}

    @contextmanager
    def shown(self, holding: Holding, *, files: bool) -> Iterator[ScanCase]:
        """The package before the scanners; with its ``files`` out of the private store, else with their names only."""
        if not files:
            yield self._described(holding, self.folder)
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as name, ExitStack() as stack:
            folder = Path(name)
            paths = [
                stack.enter_context(self.store.local(file.sha256, file.name, folder)) for file in holding.info.files
            ]
            case = self._described(holding, folder)
            yield replace(case, artifact=replace(case.artifact, paths=tuple(paths)))

    def _described(self, holding: Holding, folder: Path) -> ScanCase:
        """The package with the names that its files would have in a folder."""
        available = holding.available
        source, keyring = self.sources.get(available.source_id, (None, None)) if available else (None, None)
        return ScanCase(
            artifact=Artifact(tuple([folder / file.name for file in holding.info.files]), holding.inspected),
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


def reads_files(scanner: Scanner) -> bool:
    """Whether a scanner has to have the files; what it says without them may change with time and place."""
    usual = is_isolated(scanner) or of_arrival(scanner)
    return bool(getattr(scanner, "reads_files", usual))


def of_arrival(scanner: Scanner) -> bool:
    """Whether what a scanner says is about how a package came in: it does not change."""
    return bool(getattr(scanner, "arrival", False))


def _same(stored: StoredVerdict, before: StoredVerdict) -> bool:
    """Whether a scanner says what it said."""
    return _words(stored) == _words(before)


def _words(stored: StoredVerdict) -> tuple[object, ...]:
    verdict = stored.verdict
    return stored.scanner_version, verdict.status, verdict.reason, verdict.message, verdict.findings


def _on_other_basis(stored: StoredVerdict, before: StoredVerdict) -> bool:
    """Whether it says so by something else than it did: other data, another tool, another place."""
    return (stored.basis, stored.verdict.tool_version, stored.verdict.database_version) != (
        before.basis,
        before.verdict.tool_version,
        before.verdict.database_version,
    )
