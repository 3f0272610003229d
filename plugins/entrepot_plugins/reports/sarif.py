"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): findings for tools that show those of analysers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from entrepot.contracts import ReportSubject
from entrepot.models import VULNERABILITY, StandingFinding
from entrepot_plugins.reports.writing import timestamp, to_json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "negligible": "note"}
SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0", "negligible": "0.0"}
"""What stands for a word where there is no score: the middle of its range in CVSS."""
TREE = "TREE"


def write(subject: ReportSubject) -> Iterator[str]:
    """One run, whose rules are the kinds of what was found and whose results are where."""
    worst: dict[str, StandingFinding] = {}
    for item in subject.findings:
        known = worst.setdefault(rule_id(item), item)
        if _score(item) > _score(known):
            worst[rule_id(item)] = item
    rules = {rule: position for position, rule in enumerate(worst)}
    yield f'{{"$schema":{to_json(SCHEMA)},"version":"2.1.0","runs":[{{"tool":{{"driver":'
    driver = {"name": "Entrepôt", "version": subject.tool_version, "semanticVersion": subject.tool_version}
    yield to_json(driver)[:-1] + ',"rules":[\n'
    for position, item in enumerate(worst.values()):
        yield (",\n" if position else "") + to_json(_rule(item))
    yield "\n]}}," + to_json(_run(subject))[1:-1] + ',"results":[\n'
    for position, item in enumerate(subject.findings):
        yield (",\n" if position else "") + to_json(_result(subject, item, rules))
    yield "\n]}]}\n"


def rule_id(item: StandingFinding) -> str:
    """A vulnerability's own id; of other findings their kind, or id where that says it, with the scanner's name."""
    finding = item.finding
    return finding.id if finding.kind == VULNERABILITY else f"{item.verdict.scanner}/{finding.kind or finding.id}"


def _score(item: StandingFinding) -> float:
    """How bad it is, for the rule that several have in common; -1 where nobody says."""
    try:
        return float(item.finding.data.get("score") or SCORES[item.finding.severity])
    except (KeyError, ValueError):
        return -1


def _run(subject: ReportSubject) -> dict[str, Any]:
    run: dict[str, Any] = {
        "automationDetails": {
            "id": f"{subject.distribution.path}/{subject.version.number}",
            "guid": subject.namespace.rpartition(":")[2],
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "endTimeUtc": timestamp(subject.made_at)}],
    }
    if subject.base_url:
        run["originalUriBaseIds"] = {TREE: {"uri": subject.base_url}}
    return run


def _rule(item: StandingFinding) -> dict[str, Any]:
    finding = item.finding
    is_vulnerability = finding.kind == VULNERABILITY
    text = f"{finding.id}, a known vulnerability"
    if not is_vulnerability:
        text = f"{finding.kind or finding.id}, found by {item.verdict.scanner}"
    rule: dict[str, Any] = {
        "id": rule_id(item),
        "shortDescription": {"text": text},
        "defaultConfiguration": {"level": LEVELS.get(finding.severity, "warning")},
        "properties": {"tags": ["security", *(["vulnerability"] if is_vulnerability else [item.verdict.scanner])]},
    }
    url = str(finding.data.get("url", ""))
    if url.isascii() and url:
        rule["helpUri"] = url
    if score := str(finding.data.get("score") or SCORES.get(finding.severity, "")):
        rule["properties"]["security-severity"] = score
    return rule


def _result(subject: ReportSubject, item: StandingFinding, rules: Mapping[str, int]) -> dict[str, Any]:
    finding, package = item.finding, item.package
    location: dict[str, Any] = {"uri": quote(package.path, safe="/~")}
    if subject.base_url:
        location["uriBaseId"] = TREE
    named = {"fullyQualifiedName": subject.purl(package), "kind": "module"}
    result: dict[str, Any] = {
        "ruleId": rule_id(item),
        "ruleIndex": rules[rule_id(item)],
        "level": LEVELS.get(finding.severity, "warning"),
        "message": {"text": f"{package.name} {package.version} ({package.architecture}): {finding.summary}"},
        "locations": [{"physicalLocation": {"artifactLocation": location}, "logicalLocations": [named]}],
        "partialFingerprints": {"findingOfPackage/v1": _fingerprint(subject, item)},
        "properties": {
            "scanner": item.verdict.scanner,
            "finding": finding.id,
            "package": package.name,
            "version": package.version,
            "architecture": package.architecture,
            "severity": finding.severity,
            "where": finding.where,
            **{name: value for name, value in sorted(finding.data.items()) if name not in ("url", "vex_statement")},
        },
    }
    if item.waiver is not None:
        suppression = {"kind": "external", "status": "accepted", "justification": item.waiver.justification}
        result["suppressions"] = [suppression]
    return result


def _fingerprint(subject: ReportSubject, item: StandingFinding) -> str:
    """The same for the same finding in a later version of the package: it is still the same thing to be seen to."""
    finding, package = item.finding, item.package
    parts = (
        subject.distribution.path,
        package.component,
        package.name,
        package.architecture,
        finding.id if finding.kind == VULNERABILITY else f"{item.verdict.scanner}/{finding.id}",
        finding.where if finding.kind != VULNERABILITY else "",
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
