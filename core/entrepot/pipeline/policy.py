"""From verdicts to a decision: a pure function of policy and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Decision, Outcome, Status
from entrepot.settings import PolicySettings

SEVERITY = (Outcome.PUBLISH, Outcome.REVIEW, Outcome.REJECT)


def decide(policy: PolicySettings, verdicts: Sequence[StoredVerdict]) -> Decision:
    """The most severe outcome that any verdict leads to, with a reason for each that leads to more than publishing.

    Where nothing inspected a package, nothing is known about it: it is held for review.
    """
    if not verdicts:
        return Decision(Outcome.REVIEW, policy.name, ("no scanner inspected it",))
    worst = Outcome.PUBLISH
    reasons: list[tuple[int, str]] = []
    for stored in verdicts:
        outcome = outcome_of(policy, stored.scanner, stored.verdict.status)
        rank = SEVERITY.index(outcome)
        if rank > SEVERITY.index(worst):
            worst = outcome
        if outcome is not Outcome.PUBLISH:
            said = stored.verdict.message or stored.verdict.reason
            reasons.append((-rank, f"{stored.scanner}: {stored.verdict.status} leads to {outcome}: {said}"))
    return Decision(worst, policy.name, tuple(reason for _, reason in sorted(reasons)))


def outcome_of(policy: PolicySettings, scanner: str, status: Status) -> Outcome:
    """What one verdict leads to. A status that no rule names is held for review."""
    rules = policy.scanners.get(scanner, {})
    return rules.get(status) or policy.default.get(status, Outcome.REVIEW)
