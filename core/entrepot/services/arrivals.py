"""What comes from another distribution is looked at, beside what is there, before it is decided about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.catalog.versions import Member
from entrepot.contracts import Scanner
from entrepot.models import Distribution, Outcome
from entrepot.pipeline.evaluate import Evaluation, Evaluator, reads_files
from entrepot.pipeline.foresight import lets_in
from entrepot.pipeline.panel import BATCH
from entrepot.pipeline.policy import Case, Outcomes, decide
from entrepot.pipeline.waiting import Waiting
from entrepot.progress import Progress, ProgressEvent
from entrepot.services.inspection import not_skipped
from entrepot.services.inspection import scanners as open_scanners

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

TOGETHER = 500
"""Packages that scanners are asked about at once which answer about many."""
LOT = 25
"""Of those: how many one of the workers has at once. To put one question and wait for its answer costs as much."""
WORKERS = 4
"""Lots that are asked about side by side."""

Said = Mapping[str, Sequence[StoredVerdict]]
"""What scanners said, in the order of their names, by the artifact as it came from upstream."""


def last_said(workspace: Workspace, distribution: Distribution, members: Sequence[Member]) -> Said:
    """What every scanner said last in a distribution."""
    found = workspace.catalog.imports.last_verdicts({member.original_sha256 for member in members}, distribution.id)
    return {sha256: [by_name[name] for name in sorted(by_name)] for sha256, by_name in found.items()}


def look_around(
    workspace: Workspace,
    origin: Distribution,
    distribution: Distribution,
    come: Sequence[Member],
    gone: Sequence[Member],
    progress: Progress,
) -> Said:
    """What is said of packages that come from ``origin``.

    What a scanner said there by looking at the files holds here, too. Who needs no files (vulnerabilities), and who is
    of the stage ``batch`` (dependencies), is asked anew, about today and about the distribution: what comes is a batch
    that comes in, and what goes is not there any more. Nothing is written.
    """
    said = last_said(workspace, origin, come)
    around = {
        name: scanner
        for name, scanner in not_skipped(workspace).items()
        if getattr(scanner, "stage", "") == BATCH or not reads_files(scanner)
    }
    if not come or not around:
        return said
    of_files = {
        sha256: [stored for stored in verdicts if stored.scanner not in around] for sha256, verdicts in said.items()
    }
    ids = list(dict.fromkeys(member.package_id for member in come))
    arriving = [item for chunk in workspace.catalog.holdings.arriving(origin, ids) for item in chunk]
    without = [member.membership_id for member in gone]
    return _ask(workspace, distribution, arriving, without, around, of_files, progress)


def _ask(
    workspace: Workspace,
    distribution: Distribution,
    arriving: Sequence[Holding],
    without: Sequence[int],
    around: Mapping[str, Scanner],
    of_files: Said,
    progress: Progress,
) -> Said:
    """What is said of the files with what those say who look around, until all comes in that they were told of."""
    catalog, now = workspace.catalog, workspace.now()
    policy = workspace.settings.policy(distribution.policy)
    waivers = catalog.reviews.waivers(distribution.id, {item.inspected for item in arriving})
    sources = {source.id: (source, workspace.keyring(source)) for source in catalog.sources.list()}

    def case(item: Holding, said: Said) -> Case:
        return Case(said.get(item.inspected, ()), item.info, item.source, now, waivers.get(item.inspected, ()))

    coming = [item for item in arriving if lets_in(policy, case(item, of_files), around)]
    with (
        workspace.scratch() as folder,
        # Before the threads: it forks.
        open_scanners(workspace, [workspace.format(distribution.format)], folder, around, without) as panel,
        workspace.open_executor(WORKERS) as executor,
    ):
        while True:
            ids = {item.package_id for item in coming}
            held = [item.info for item in arriving if item.package_id not in ids]
            waiting = Waiting((item.info for item in coming), folder, held)
            store, outcomes = workspace.store, Outcomes(policy)
            evaluator = Evaluator(panel, around, distribution, policy, store, folder, now, sources, waiting, outcomes)
            answers = _answers(evaluator, executor, arriving, of_files, progress)
            left = [item for item in coming if decide(policy, case(item, answers)).outcome is Outcome.PUBLISH]
            if len(left) == len(coming):
                return answers
            coming = left


def _answers(
    evaluator: Evaluator, executor: Executor, arriving: Sequence[Holding], of_files: Said, progress: Progress
) -> Said:
    futures = []
    for start in range(0, len(arriving), TOGETHER):
        chunk = arriving[start : start + TOGETHER]
        told = list(zip(chunk, evaluator.at_once(chunk, [()] * len(chunk)), strict=True))
        # Few at a time where there are few, so that all who work have some.
        size = max(1, min(LOT, len(arriving) // WORKERS))
        futures += [executor.submit(_evaluated, evaluator, told[at : at + size]) for at in range(0, len(told), size)]
    answers: dict[str, Sequence[StoredVerdict]] = {}
    for future in futures:
        for evaluation in future.result():
            inspected = evaluation.holding.inspected
            said = [*of_files.get(inspected, ()), *evaluation.verdicts]
            answers[inspected] = sorted(said, key=lambda stored: stored.scanner)
        done, total = len(answers), len(arriving)
        progress(ProgressEvent("version.look", "Looking at what comes", "running", done, total, "packages"))
    return answers


def _evaluated(
    evaluator: Evaluator, lot: Sequence[tuple[Holding, Mapping[str, StoredVerdict]]]
) -> Sequence[Evaluation]:
    """What is said of some packages, with what was answered about each already."""
    together = evaluator.together([item for item, _ in lot])
    return [
        evaluator.evaluate(item, {}, (), {**answered, **said})
        for (item, answered), said in zip(lot, together, strict=True)
    ]
