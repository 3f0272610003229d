"""What a scan found that nobody knew before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from entrepot.catalog.imports import StoredVerdict
from entrepot.events import AdvisoryMatched
from entrepot.models import VULNERABILITY, Distribution, Finding
from entrepot.pipeline.evaluate import Evaluation
from entrepot.services.notices import listens, tell

if TYPE_CHECKING:
    from entrepot.workspace import Workspace


def new_findings(evaluation: Evaluation, before: Mapping[str, StoredVerdict]) -> Iterator[tuple[str, Finding]]:
    """Each finding that its scanner did not have before, with the scanner's name."""
    for stored in evaluation.new:
        known = before[stored.scanner].verdict.findings if stored.scanner in before else ()
        ids = {finding.id for finding in known}
        for finding in stored.verdict.findings:
            if finding.id not in ids:
                yield stored.scanner, finding


def tell_matches(
    workspace: Workspace,
    distribution: Distribution,
    evaluations: Iterable[tuple[Evaluation, Mapping[str, StoredVerdict]]],
) -> None:
    """Tells of every package that is in which advisories touch that did not before; inside a transaction.

    Each comes with what scanners said of it before.
    """
    if not listens(workspace, "advisory_matched"):
        return
    for evaluation, before in evaluations:
        holding = evaluation.holding
        if holding.membership_id is None:
            continue
        # Two scanners may know the same one.
        found = {item.id: item for _, item in new_findings(evaluation, before) if item.kind == VULNERABILITY}
        known = {finding.id for stored in before.values() for finding in stored.verdict.findings}
        matched = [finding for number, finding in found.items() if number not in known]
        if matched:
            event = AdvisoryMatched(distribution, holding.info, holding.import_id, matched)
            tell(workspace, "advisory_matched", event)
