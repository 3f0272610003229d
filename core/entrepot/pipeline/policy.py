"""From verdicts to a decision: a pure function of policy and case, without a catalog and without a clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from entrepot.catalog.imports import StoredVerdict
from entrepot.models import (
    FINDINGS,
    VULNERABILITY,
    Decision,
    Finding,
    Outcome,
    PackageInfo,
    Ruling,
    Status,
    Verdict,
    Waiver,
)
from entrepot.pipeline.lists import listed
from entrepot.pipeline.waivers import Waivers
from entrepot.pipeline.weighing import WEIGHED, number, severity_of, weigh
from entrepot.policies import PolicySettings

SEVERITY = (Outcome.PUBLISH, Outcome.REVIEW, Outcome.REJECT)
UNINSPECTED = frozenset({Status.ERROR, Status.SKIPPED, Status.ABSENT})
"""What a scanner says, or is taken to have said, that did not look."""

_WORDS = {
    Outcome.PUBLISH: "findings_allowed",
    Outcome.REVIEW: "findings_review",
    Outcome.REJECT: "findings_blocked",
}
_KNOWN = 1000
"""Decisions that are kept in case that another package gets the same."""
_TOLD = 5
"""Vulnerabilities that a message names; the ruling has all of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be decided about.

    ``package`` is None where it could not be read. ``source`` is the name of the source; empty for an upload.
    ``waivers`` are those of the distribution; those for other artifacts, and expired ones, do not count.
    """

    verdicts: Sequence[StoredVerdict]
    package: PackageInfo | None
    source: str
    now: dt.datetime
    waivers: Sequence[Waiver] = ()


def decide(policy: PolicySettings, case: Case) -> Decision:
    """The most severe outcome that any rule leads to, with a reason for each that leads to more than publishing.

    Where nothing inspected a package, nothing is known about it: it is held for review. A scanner that the policy
    names and that said nothing (its plugin is missing or broken) is ``absent``.
    """
    waivers = Waivers(case.waivers, case.package, case.now)
    rulings = [ruling for stored in case.verdicts for ruling in _of_verdict(policy, stored, case, waivers)]
    rulings += _of_absent(policy, case, waivers)
    rulings += [waivers.applied(ruling) for ruling in listed(policy, case.package, case.source)]
    rulings.sort(key=_order)
    outcome = rulings[0].outcome if rulings else Outcome.REVIEW
    reasons = tuple(sentence(ruling) for ruling in rulings if ruling.outcome is not Outcome.PUBLISH)
    return Decision(outcome, policy.name, reasons, tuple(rulings))


class Decisions:
    """``decide``, once for all packages of which scanners say the same and found nothing: nearly all of a batch."""

    def __init__(self, policy: PolicySettings) -> None:
        self._policy = policy
        self._of_package = _is_of_package(policy)
        self._known: dict[tuple[object, ...], Decision] = {}

    def of(self, case: Case) -> Decision:
        """What ``decide`` says."""
        if self._of_package or case.waivers or any(stored.verdict.findings for stored in case.verdicts):
            return decide(self._policy, case)
        said = tuple([(o.scanner, o.verdict.status, o.verdict.reason, o.verdict.message) for o in case.verdicts])
        if said not in self._known:
            if len(self._known) > _KNOWN:
                self._known.clear()
            self._known[said] = decide(self._policy, case)
        return self._known[said]


class Outcomes:
    """The outcome of ``decide``, without its words, for a fraction of the work: most packages need none."""

    def __init__(self, policy: PolicySettings) -> None:
        self._policy = policy
        self._of_package = _is_of_package(policy)
        self._weights: dict[tuple[object, ...], Outcome] = {}

    def of(self, case: Case) -> Outcome:
        """What ``decide`` comes to."""
        if self._of_package or case.waivers or not case.verdicts:
            return decide(self._policy, case).outcome
        said = {stored.scanner for stored in case.verdicts}
        outcomes = {_rule(self._policy, name, Status.ABSENT)[0] for name in self._policy.scanners if name not in said}
        for stored in case.verdicts:
            verdict = stored.verdict
            if _own_status(verdict):
                outcomes.add(_rule(self._policy, stored.scanner, verdict.status)[0])
            outcomes.update(self._weighed(stored.scanner, item, case) for item in verdict.findings if _counts(item))
        return max(outcomes, key=SEVERITY.index)

    def _weighed(self, scanner: str, finding: Finding, case: Case) -> Outcome:
        if self._policy.vulnerabilities.ignore:
            return _rule(self._policy, scanner, weigh(finding, self._policy, case.package, case.now).status)[0]
        data = finding.data
        kind = (scanner, finding.severity, *[repr(data.get(name)) for name in WEIGHED], bool(data.get("fixed")))
        if kind not in self._weights:
            status = weigh(finding, self._policy, case.package, case.now).status
            self._weights[kind] = _rule(self._policy, scanner, status)[0]
        return self._weights[kind]


def allowed(verdicts: Sequence[StoredVerdict]) -> dict[str, str]:
    """What ``explain.pipeline_words`` makes of verdicts and the rulings of ``decide`` where it comes to publishing."""
    word = _WORDS[Outcome.PUBLISH]
    return {stored.answers: word if _has_word(stored.verdict) else stored.verdict.reason for stored in verdicts}


def _is_of_package(policy: PolicySettings) -> bool:
    """Whether a policy asks for more than what scanners say."""
    return bool(policy.deny or policy.allow is not None or policy.size.most is not None)


def _order(ruling: Ruling) -> tuple[object, ...]:
    """The most severe first; the same rulings in the same order, whatever order the verdicts had."""
    severity = -SEVERITY.index(ruling.outcome)
    texts = (ruling.scanner, ruling.rule, ruling.message, ruling.status, ruling.word)
    return (severity, *texts, ruling.findings, ruling.waived, ruling.covers)


def sentence(ruling: Ruling) -> str:
    """A ruling for a person: who, what, what follows, and where it is written."""
    if not ruling.scanner:
        return f"{ruling.message}: leads to {ruling.outcome} ({ruling.rule})"
    return f"{ruling.scanner}: {ruling.status} leads to {ruling.outcome}: {ruling.message} ({ruling.rule})"


def outcome_of(policy: PolicySettings, scanner: str, status: Status) -> Outcome:
    """What one status leads to. One that no rule names is held for review; so is at least who could not look."""
    return _rule(policy, scanner, status)[0]


def _rule(policy: PolicySettings, scanner: str, status: Status) -> tuple[Outcome, str]:
    """What a status leads to, and the key of the settings that says so."""
    statuses = (Status.ABSENT, Status.ERROR) if status is Status.ABSENT else (status,)
    for prefix, rules in ((f"{scanner}.", policy.scanners.get(scanner, {})), ("", policy.default)):
        for word in statuses:
            if word in rules:
                outcome = rules[word]
                if outcome is Outcome.PUBLISH and status in (Status.ERROR, Status.ABSENT):
                    outcome = Outcome.REVIEW
                return outcome, policy.rule(f"{prefix}{word}")
    return Outcome.REVIEW, f"policies.{policy.name}"


# ----------------------------------------------------------------------------------------------------- one verdict


def _of_verdict(policy: PolicySettings, stored: StoredVerdict, case: Case, waivers: Waivers) -> Sequence[Ruling]:
    """What follows from a verdict: from its status, and from the vulnerabilities among its findings by thresholds.

    Where it has no other findings, its own status is about those alone, and the thresholds take its place.
    """
    verdict = stored.verdict
    weighed = [finding for finding in verdict.findings if _counts(finding)]
    others = [finding for finding in verdict.findings if not _counts(finding)]
    rulings = []
    if _own_status(verdict):
        rulings.append(_of_status(policy, stored, others, waivers, alone=not weighed))
    rulings += _of_vulnerabilities(policy, stored.scanner, weighed, case, waivers)
    if not _has_word(verdict):
        return rulings
    worst = max((ruling.outcome for ruling in rulings), key=SEVERITY.index)
    return [replace(ruling, word=_WORDS[worst]) for ruling in rulings]


def _has_word(verdict: Verdict) -> bool:
    """Whether the policy's word takes the place of its reason: where it has found something."""
    return verdict.status not in UNINSPECTED and (verdict.reason == FINDINGS or any(map(_counts, verdict.findings)))


def _counts(finding: Finding) -> bool:
    return finding.kind == VULNERABILITY


def _own_status(verdict: Verdict) -> bool:
    """Whether the status of a verdict is about more than what thresholds are about."""
    return verdict.status in UNINSPECTED or not (verdict.findings and all(map(_counts, verdict.findings)))


def _of_status(
    policy: PolicySettings, stored: StoredVerdict, findings: Sequence[Finding], waivers: Waivers, *, alone: bool
) -> Ruling:
    scanner, verdict = stored.scanner, stored.verdict
    outcome, rule = _rule(policy, scanner, verdict.status)
    message = _words(verdict) if alone else "; ".join(finding.summary for finding in findings[:_TOLD])
    ids = tuple(dict.fromkeys(finding.id for finding in findings))
    covers = tuple(f"{scanner}/{name}" for name in ids or (verdict.reason,))
    return waivers.applied(
        Ruling(rule, scanner, verdict.status, outcome, "", message or _words(verdict), ids, covers=covers)
    )


def _of_vulnerabilities(
    policy: PolicySettings, scanner: str, findings: Sequence[Finding], case: Case, waivers: Waivers
) -> Iterator[Ruling]:
    """One ruling for each rule that vulnerabilities fall under."""
    groups: dict[tuple[Status, str, str], dict[str, Finding]] = {}
    for finding in findings:
        groups.setdefault(weigh(finding, policy, case.package, case.now), {}).setdefault(finding.id, finding)
    for (status, rule, about), found in groups.items():
        outcome, by = _rule(policy, scanner, status)
        # What the status leads to is a rule, too; it is told where it is not the usual one.
        usual = policy.rule(status.value)
        ids = tuple(sorted(found))
        ruling = Ruling(
            rule if by == usual else f"{rule}, {by}",
            scanner,
            status,
            outcome,
            "",
            _told(list(found.values()), about),
            ids,
            covers=tuple(f"{scanner}/{name}" for name in ids),
        )
        yield waivers.applied(ruling)


def _told(findings: Sequence[Finding], about: str) -> str:
    """``2 vulnerabilities of severity critical: CVE-2026-1 (critical, CVSS 9.8, fixed in 1.2), CVE-2026-2 (...)``."""
    ranked = sorted(findings, key=lambda finding: (-(number(finding.data.get("score")) or 0), finding.id))
    names = []
    for finding in ranked[:_TOLD]:
        score, fixed = number(finding.data.get("score")), finding.data.get("fixed")
        known = [severity_of(finding), f"CVSS {score:.1f}" if score is not None else ""]
        known.append(f"fixed in {fixed}" if fixed else "not fixed")
        names.append(f"{finding.id} ({', '.join(part for part in known if part)})")
    more = f" and {len(ranked) - _TOLD} more" if len(ranked) > _TOLD else ""
    noun = "vulnerability" if len(ranked) == 1 else "vulnerabilities"
    return f"{len(ranked)} {noun} {about}: {', '.join(names)}{more}"


def _words(verdict: Verdict) -> str:
    return verdict.message or verdict.reason


# ---------------------------------------------------------------------------------------------- what nobody said


def _of_absent(policy: PolicySettings, case: Case, waivers: Waivers) -> Iterator[Ruling]:
    said = {stored.scanner for stored in case.verdicts}
    silent = sorted(name for name in policy.scanners if name not in said)
    for name in silent:
        outcome, rule = _rule(policy, name, Status.ABSENT)
        message = "the policy asks for it, and no scanner of this name answered"
        covers = (f"{name}/{Status.ABSENT}",)
        yield waivers.applied(Ruling(rule, name, Status.ABSENT, outcome, "", message, covers=covers))
    if not said and not silent:
        message = "no scanner inspected it"
        rule = f"policies.{policy.name}"
        yield waivers.applied(
            Ruling(rule, "", Status.ABSENT, Outcome.REVIEW, "", message, covers=("policy/uninspected",))
        )
