"""Findings as plain rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from entrepot.contracts import ReportSubject
from entrepot_plugins.reports.writing import recommendation, timestamp

COLUMNS = (
    *("distribution", "package", "version", "architecture", "component", "source_package", "path", "sha256", "purl"),
    *("scanner", "status", "reason", "finding", "kind", "severity", "score", "fixed", "kev", "epss", "summary", "url"),
    *("recommendation", "waived", "justification", "expires_at", "scanned_at"),
)


def finding_rows(subject: ReportSubject) -> Iterator[dict[str, Any]]:
    """One for each finding, with all of ``COLUMNS``."""
    for item in subject.findings:
        package, finding, waiver = item.package, item.finding, item.waiver
        data = finding.data
        yield {
            "distribution": subject.distribution.path,
            "package": package.name,
            "version": package.version,
            "architecture": package.architecture,
            "component": package.component,
            "source_package": package.source_name,
            "path": package.path,
            "sha256": package.sha256,
            "purl": subject.purl(package),
            "scanner": item.verdict.scanner,
            "status": item.verdict.status.value,
            "reason": item.verdict.reason,
            "finding": finding.id,
            "kind": finding.kind,
            "severity": finding.severity,
            "score": data.get("score"),
            "fixed": data.get("fixed"),
            "kev": data.get("kev"),
            "epss": data.get("epss"),
            "summary": finding.summary,
            "url": data.get("url"),
            "recommendation": recommendation(item),
            "waived": waiver is not None,
            "justification": waiver.justification if waiver else None,
            "expires_at": timestamp(waiver.expires_at) if waiver and waiver.expires_at else None,
            "scanned_at": timestamp(item.verdict.at),
        }
