"""OpenVEX 0.2.0 (https://github.com/openvex/spec): what persons decided about the vulnerabilities of a distribution.

Nothing is claimed that nobody decided: see ``statements``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from entrepot.contracts import ReportSubject
from entrepot.errors import NotFoundError
from entrepot_plugins.reports.statements import Statement, grouped
from entrepot_plugins.reports.writing import document, timestamp

CONTEXT = "https://openvex.dev/ns/v0.2.0"


def write(subject: ReportSubject) -> Iterator[str]:
    """The document in pieces; ``NotFoundError`` if there is nothing to be said, which the specification forbids."""
    groups = grouped(subject)
    if not groups:
        raise NotFoundError(
            f"no vulnerability of {subject.distribution.path} is known, and OpenVEX has no document without one",
            hint="`entrepot advisories add` brings what packages are compared with, `entrepot scan` compares them",
        )
    head = {
        "@context": CONTEXT,
        "@id": subject.namespace,
        "author": subject.author,
        "role": "repository",
        "timestamp": timestamp(subject.made_at),
        "version": 1,
        "tooling": f"entrepot/{subject.tool_version}",
    }
    return document(head, [("statements", (_statement(subject, group) for group in groups))])


def _statement(subject: ReportSubject, group: Sequence[Statement]) -> dict[str, Any]:
    first = group[0]
    told: dict[str, Any] = {"vulnerability": {"name": first.vulnerability}}
    url = next((str(item.finding.finding.data.get("url", "")) for item in group if item.finding), "")
    if url.isascii() and url:
        told["vulnerability"]["@id"] = url
    products = {subject.purl(item.package): item.package.sha256 for item in group}
    told["products"] = [
        {"@id": purl, "identifiers": {"purl": purl}, "hashes": {"sha-256": sha256}} for purl, sha256 in products.items()
    ]
    told["status"] = first.status
    optional = {
        "justification": first.justification,
        "impact_statement": first.impact,
        "action_statement": first.action,
        "status_notes": first.notes,
    }
    return told | {name: value for name, value in optional.items() if value}
