"""CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/), streamed.

The library ``cyclonedx-python-lib`` checks in tests what is written here, against its schema and by reading it. It does
not write it: its models take half a millisecond for each package, and all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from entrepot.contracts import ReportSubject
from entrepot.models import ListedPackage
from entrepot_plugins.reports.statements import AFFECTED, FIXED, IN_TRIAGE, NOT_AFFECTED, Statement, grouped
from entrepot_plugins.reports.writing import (
    LICENCE_LIMIT,
    document,
    file_url,
    is_single,
    person,
    recommendation,
    spdx_expression,
    timestamp,
)

ROOT = "distribution"
SEVERITIES = {"negligible": "info", "low": "low", "medium": "medium", "high": "high", "critical": "critical"}
STATES = {NOT_AFFECTED: "not_affected", AFFECTED: "exploitable", FIXED: "resolved", IN_TRIAGE: "in_triage"}
JUSTIFICATIONS = {
    "component_not_present": "code_not_present",
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "vulnerable_code_cannot_be_controlled_by_adversary": "requires_environment",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
}


def write(subject: ReportSubject) -> Iterator[str]:
    """The document in pieces. Component references are the packages' paths in the tree."""
    head: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": subject.namespace,
        "version": 1,
        "metadata": _metadata(subject),
    }
    return document(
        head,
        [
            ("components", (_component(subject, package) for package in subject.packages())),
            ("dependencies", _dependencies(subject)),
            ("vulnerabilities", _vulnerabilities(subject)),
        ],
    )


def _metadata(subject: ReportSubject) -> dict[str, Any]:
    root: dict[str, Any] = {
        "type": "platform",
        "bom-ref": ROOT,
        "name": subject.distribution.path,
        "version": str(subject.version.number),
    }
    if subject.base_url:
        root["externalReferences"] = [{"type": "distribution", "url": subject.base_url}]
    tool = {"type": "application", "name": "entrepot", "version": subject.tool_version}
    return {
        "timestamp": timestamp(subject.made_at),
        "tools": {"components": [tool]},
        "component": root,
        "supplier": {"name": subject.author},
    }


def _component(subject: ReportSubject, package: ListedPackage) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.path,
        "name": package.name,
        "version": package.version,
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
        "purl": subject.purl(package),
        "properties": _properties(package),
    }
    if package.summary:
        component["description"] = package.summary
    if package.maintainer:
        component["supplier"] = _supplier(package.maintainer)
    if package.licence:
        component["licenses"] = [_licence(package.licence)]
    if url := file_url(subject, package):
        component["externalReferences"] = [{"type": "distribution", "url": url}]
    return component


def _properties(package: ListedPackage) -> Sequence[dict[str, str]]:
    values = {
        "architecture": package.architecture,
        "component": package.component,
        "kind": package.kind,
        "module": package.module,
        "original_sha256": package.original_sha256 if package.original_sha256 != package.sha256 else "",
        "source": package.origin,
        "source_package": package.source_name,
        "source_version": package.source_version,
        "upstream_distribution": package.upstream,
    }
    return [{"name": f"entrepot:{name}", "value": value} for name, value in values.items() if value]


def _supplier(maintainer: str) -> dict[str, Any]:
    name, address = person(maintainer)
    return {"name": name, "contact": [{"name": name, "email": address}]} if address else {"name": name}


def _licence(text: str) -> dict[str, Any]:
    expression = spdx_expression(text)
    if expression is None:
        return {"license": {"name": text[:LICENCE_LIMIT]}}
    if is_single(expression) and not expression.startswith("LicenseRef-"):
        return {"license": {"id": expression}}
    return {"expression": expression}


def _dependencies(subject: ReportSubject) -> Iterator[dict[str, Any]]:
    """The distribution has the packages. What those need of each other is not told here: clients decide that."""
    yield {"ref": ROOT, "dependsOn": [package.path for package in subject.packages()]}


# --------------------------------------------------------------------------------------------------- vulnerabilities


def _vulnerabilities(subject: ReportSubject) -> Iterator[dict[str, Any]]:
    """Each once for all the packages of which the same is said, in the order of their names."""
    for group in grouped(subject):
        yield _vulnerability(group)


def _vulnerability(group: Sequence[Statement]) -> dict[str, Any]:
    first = group[0]
    vulnerability: dict[str, Any] = {"id": first.vulnerability}
    found = next((item.finding for item in group if item.finding is not None), None)
    if found is not None:
        data = found.finding.data
        if data.get("url"):
            vulnerability["source"] = {"url": str(data["url"])}
        vulnerability["ratings"] = [_rating(found.finding.severity, str(data.get("vector", "")), data.get("score"))]
        vulnerability["description"] = found.finding.summary
        if fix := recommendation(found):
            vulnerability["recommendation"] = fix
    vulnerability["analysis"] = _analysis(first)
    state = "unaffected" if first.status in (NOT_AFFECTED, FIXED) else "affected"
    seen = {item.package.path: item.package for item in group}
    vulnerability["affects"] = [
        {"ref": path, "versions": [{"version": package.version, "status": state}]} for path, package in seen.items()
    ]
    advisories = sorted(
        {
            name
            for item in group
            if item.finding
            for name in str(item.finding.finding.data.get("advisories", "")).split()
        }
    )
    if advisories:
        vulnerability["properties"] = [{"name": "entrepot:advisory", "value": name} for name in advisories]
    return vulnerability


def _rating(severity: str, vector: str, score: object) -> dict[str, Any]:
    rating: dict[str, Any] = {"severity": SEVERITIES.get(severity, "unknown")}
    if vector and score is not None:
        rating |= {"score": float(str(score)), "method": _method(vector), "vector": vector}
    else:
        rating["method"] = "other"
    return rating


def _method(vector: str) -> str:
    methods = {"CVSS:3.0": "CVSSv3", "CVSS:3.1": "CVSSv31", "CVSS:4.0": "CVSSv4"}
    return methods.get(vector[:8], "CVSSv2")


def _analysis(statement: Statement) -> dict[str, Any]:
    analysis: dict[str, Any] = {"state": STATES[statement.status]}
    if statement.justification:
        analysis["justification"] = JUSTIFICATIONS[statement.justification]
    if statement.finding is not None and statement.finding.waiver is not None:
        analysis["response"] = ["will_not_fix"]
    detail = " ".join(filter(None, chain((statement.impact, statement.action, statement.notes))))
    if detail:
        analysis["detail"] = detail
    return analysis
