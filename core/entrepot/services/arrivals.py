"""What comes from another distribution is looked at, beside what is there, before it is decided about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.catalog.versions import Member
from entrepot.contracts import Scanner
from entrepot.models import Distribution
from entrepot.pipeline.evaluate import Evaluator, reads_files
from entrepot.pipeline.panel import BATCH
from entrepot.pipeline.waiting import Waiting
from entrepot.progress import Progress, ProgressEvent
from entrepot.services.inspection import not_skipped
from entrepot.services.inspection import scanners as open_scanners

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

WORKERS = 4
"""Packages that are asked about side by side."""

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
    answers = _ask(workspace, origin, distribution, come, gone, around, progress)
    merged = {}
    for sha256 in {member.original_sha256 for member in come}:
        alone = [stored for stored in said.get(sha256, ()) if stored.scanner not in around]
        merged[sha256] = sorted([*alone, *answers.get(sha256, ())], key=lambda stored: stored.scanner)
    return merged


def _ask(
    workspace: Workspace,
    origin: Distribution,
    distribution: Distribution,
    come: Sequence[Member],
    gone: Sequence[Member],
    around: Mapping[str, Scanner],
    progress: Progress,
) -> Said:
    catalog, url = workspace.catalog, workspace.settings.executor
    ids = list(dict.fromkeys(member.package_id for member in come))
    arriving = [holding for chunk in catalog.holdings.arriving(origin, ids) for holding in chunk]
    sources = {source.id: (source, workspace.keyring(source)) for source in catalog.sources.list()}
    without = [member.membership_id for member in gone]
    answers: dict[str, Sequence[StoredVerdict]] = {}
    with (
        workspace.scratch() as folder,
        # Before the threads: it forks.
        open_scanners(workspace, [workspace.format(distribution.format)], folder, around, without) as panel,
        workspace.plugins.executor(url.partition(":")[0]).open(url, WORKERS) as executor,
    ):
        policy = workspace.settings.policy(distribution.policy)
        waiting = Waiting((holding.info for holding in arriving), folder)
        evaluator = Evaluator(
            panel, around, distribution, policy, workspace.store, folder, workspace.now(), sources, waiting
        )

        def ask(holding: Holding) -> Sequence[StoredVerdict]:
            return evaluator.evaluate(holding, {}, ()).verdicts

        futures = [(holding, executor.submit(ask, holding)) for holding in arriving]
        for done, (holding, future) in enumerate(futures, 1):
            answers[holding.inspected] = future.result()
            event = ProgressEvent("version.look", "Looking at what comes", "running", done, len(futures), "packages")
            progress(event)
    return answers
