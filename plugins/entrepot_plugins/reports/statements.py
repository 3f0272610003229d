"""What is said about vulnerabilities, with persons' and VEX documents' decisions: what CycloneDX and OpenVEX share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.contracts import ReportSubject
from entrepot.models import VULNERABILITY, ListedPackage, StandingFinding
from entrepot_plugins.reports.writing import recommendation

NOT_AFFECTED, AFFECTED, FIXED, IN_TRIAGE = "not_affected", "affected", "fixed", "under_investigation"
"""The words of OpenVEX."""
JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What holds of one vulnerability in one package. ``finding`` is None where nothing is found any more."""

    vulnerability: str
    package: ListedPackage
    status: str
    justification: str = ""
    """One of ``JUSTIFICATIONS``, only for what is not affected."""
    impact: str = ""
    """Why it is not affected, in words, where there is no justification."""
    action: str = ""
    """What is done about it; always there for what is affected."""
    notes: str = ""
    finding: StandingFinding | None = None


def statements(subject: ReportSubject) -> Iterator[Statement]:
    """One for each vulnerability of each package.

    | what is known | status |
    |---|---|
    | found, and somebody let it in all the same | ``affected``; the action is the reviewer's justification |
    | found, and a VEX document says that it is affected | ``affected``, with the action that it names |
    | found, and nobody decided anything about it | ``under_investigation`` |
    | a VEX document says that it does not count | what that document says, and whose it is |
    | an earlier package had it, the one there now has not | ``fixed`` |
    """
    for finding in subject.findings:
        if finding.finding.kind == VULNERABILITY:
            yield _found(finding)
    for package, verdict in subject.suppressed:
        for told in _told(verdict.evidence):
            yield _suppressed(package, told)
    for item in subject.overcome:
        notes = f"{item.before} was affected, {item.package.version} is not."
        yield Statement(item.vulnerability, item.package, FIXED, notes=notes)


def grouped(subject: ReportSubject) -> Sequence[Sequence[Statement]]:
    """The statements in groups that say the same of several packages, in the order of what they say."""
    groups: dict[tuple[str, ...], list[Statement]] = {}
    for item in statements(subject):
        said = (item.vulnerability, item.status, item.justification, item.impact, item.action, item.notes)
        groups.setdefault(said, []).append(item)
    return [groups[said] for said in sorted(groups)]


def _found(finding: StandingFinding) -> Statement:
    data = finding.finding.data
    package, identifier = finding.package, finding.finding.id
    fix = recommendation(finding)
    if finding.waiver is not None:
        action = " ".join(filter(None, (f"Accepted: {finding.waiver.justification}", fix)))
        return Statement(identifier, package, AFFECTED, action=action, finding=finding)
    if data.get("vex") == AFFECTED:
        action = str(data.get("vex_action") or fix or "No action is known.")
        return Statement(
            identifier, package, AFFECTED, action=action, notes=f"{_whose(data)} says so.", finding=finding
        )
    notes = "Advisories say that this version is affected; nobody has decided about it yet."
    return Statement(identifier, package, IN_TRIAGE, notes=notes, finding=finding)


def _told(evidence: Mapping[str, object]) -> list[dict[str, Any]]:
    """What a verdict's evidence says of vulnerabilities that do not count; nothing if that is not to be read."""
    try:
        told = json.loads(str(evidence.get("vex", "[]")))
    except ValueError:
        return []
    if not isinstance(told, list):
        return []
    return [item for item in told if isinstance(item, dict) and item.get("id")]


def _suppressed(package: ListedPackage, told: Mapping[str, Any]) -> Statement:
    whose = f"{_whose(told)} says so."
    if told.get("status") == FIXED:
        return Statement(str(told["id"]), package, FIXED, notes=whose)
    justification = str(told.get("justification", ""))
    known = justification in JUSTIFICATIONS
    impact = "" if known else str(told.get("impact") or justification or "No reason is given.")
    return Statement(str(told["id"]), package, NOT_AFFECTED, justification if known else "", impact, notes=whose)


def _whose(data: Mapping[str, Any]) -> str:
    author = data.get("author") or data.get("vex_author") or "somebody"
    where = data.get("document") or data.get("vex_document") or "a VEX document"
    return f"{author} ({where})"
