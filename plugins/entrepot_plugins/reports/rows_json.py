"""Findings as one JSON document, with the data of each as its scanner gave it."""

from __future__ import annotations

from collections.abc import Iterator

from entrepot.contracts import ReportSubject
from entrepot_plugins.reports.rows import finding_rows
from entrepot_plugins.reports.writing import document, timestamp


def write(subject: ReportSubject) -> Iterator[str]:
    """What it is about, and ``findings``; without that member if there are none."""
    head = {
        "distribution": subject.distribution.path,
        "version": subject.version.number,
        "made_at": timestamp(subject.made_at),
        "count": len(subject.findings),
    }
    rows = (
        row | {"data": dict(item.finding.data)}
        for row, item in zip(finding_rows(subject), subject.findings, strict=True)
    )
    return document(head, [("findings", rows)])
