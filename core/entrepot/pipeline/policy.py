"""From verdicts to a decision: a pure function of policy and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import Decision, Outcome, Status, Verdict
from entrepot.settings import PolicySettings

SEVERITY = (Outcome.PUBLISH, Outcome.REVIEW, Outcome.REJECT)


def decide(policy: PolicySettings, verdicts: Sequence[StoredVerdict]) -> Decision:
    """The most severe outcome that any verdict leads to, with a reason for each that leads to more than publishing.

    Where nothing inspected a package, nothing is known about it: it is held for review. A scanner that the policy
    names and that said nothing (its plugin is missing or broken) counts as one that failed.
    """
    if not verdicts:
        return Decision(Outcome.REVIEW, policy.name, ("no scanner inspected it",))
    said = [(stored.scanner, stored.verdict.status, _words(stored.verdict)) for stored in verdicts]
    asked = {scanner for scanner, _, _ in said}
    said += [(name, Status.ERROR, "there is no such scanner") for name in policy.scanners if name not in asked]
    worst = Outcome.PUBLISH
    reasons: list[tuple[int, str]] = []
    for scanner, status, words in said:
        outcome = outcome_of(policy, scanner, status)
        rank = SEVERITY.index(outcome)
        if rank > SEVERITY.index(worst):
            worst = outcome
        if outcome is not Outcome.PUBLISH:
            reasons.append((-rank, f"{scanner}: {status} leads to {outcome}: {words}"))
    return Decision(worst, policy.name, tuple(reason for _, reason in sorted(reasons)))


def outcome_of(policy: PolicySettings, scanner: str, status: Status) -> Outcome:
    """What one verdict leads to. A status that no rule names is held for review."""
    rules = policy.scanners.get(scanner, {})
    return rules.get(status) or policy.default.get(status, Outcome.REVIEW)


def _words(verdict: Verdict) -> str:
    return verdict.message or verdict.reason
