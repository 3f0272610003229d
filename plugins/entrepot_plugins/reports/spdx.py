"""SPDX 2.3 as JSON (https://spdx.github.io/spdx-spec/v2.3/), streamed.

The library ``spdx-tools`` checks in tests what is written here: it reads and validates it. It does not write it: that
takes a third of a millisecond for each package, and all of them at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from entrepot.contracts import ReportSubject
from entrepot.models import VULNERABILITY, ListedPackage
from entrepot_plugins.reports.writing import (
    LICENCE_LIMIT,
    document,
    file_url,
    licence_ref,
    person,
    spdx_expression,
    timestamp,
)

DOCUMENT = "SPDXRef-DOCUMENT"
ROOT = "SPDXRef-Distribution"
NOTHING = "NOASSERTION"


def write(subject: ReportSubject) -> Iterator[str]:
    """The document in pieces. Licences in a package's own words are listed at the end, each once."""
    licences: dict[str, str] = {}
    advisories = _advisories(subject)
    head = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": f"{subject.distribution.path} {subject.version.number}",
        "documentNamespace": subject.namespace,
        "creationInfo": {
            "created": timestamp(subject.made_at),
            "creators": [f"Tool: entrepot-{subject.tool_version}", f"Organization: {subject.author}"],
        },
        "documentDescribes": [ROOT],
    }
    return document(
        head,
        [
            ("packages", _packages(subject, licences, advisories)),
            ("relationships", _relationships(subject)),
            ("hasExtractedLicensingInfos", _licences(licences)),
        ],
    )


def _packages(
    subject: ReportSubject, licences: dict[str, str], advisories: dict[int, list[dict[str, str]]]
) -> Iterator[dict[str, Any]]:
    yield {
        "SPDXID": ROOT,
        "name": subject.distribution.path,
        "versionInfo": str(subject.version.number),
        "supplier": f"Organization: {subject.author}",
        "downloadLocation": subject.base_url or NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
    }
    for package in subject.packages():
        yield _package(subject, package, licences, advisories.get(package.package_id, []))


def _package(
    subject: ReportSubject, package: ListedPackage, licences: dict[str, str], advisories: list[dict[str, str]]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "SPDXID": identifier(package),
        "name": package.name,
        "versionInfo": package.version,
        "packageFileName": package.path,
        "downloadLocation": file_url(subject, package) or NOTHING,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": package.sha256}],
        "licenseConcluded": NOTHING,
        "licenseDeclared": _licence(package.licence, licences),
        "copyrightText": NOTHING,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": subject.purl(package),
            },
            *advisories,
        ],
    }
    if package.maintainer:
        name, address = person(package.maintainer)
        described["supplier"] = f"Organization: {name} ({address})" if address else f"Organization: {name}"
    if package.summary:
        described["summary"] = package.summary
    if package.source_name:
        version = f" {package.source_version}" if package.source_version else ""
        described["sourceInfo"] = f"built from the source package {package.source_name}{version}"
    return described


def identifier(package: ListedPackage) -> str:
    """The SPDX identifier of a package: made of its path in the tree, which is unique there."""
    path = package.path.encode("utf-8", "backslashreplace")
    return f"SPDXRef-Package-{hashlib.blake2b(path, digest_size=12).hexdigest()}"


def _licence(text: str, licences: dict[str, str]) -> str:
    if not text:
        return NOTHING
    if expression := spdx_expression(text):
        return expression
    return licences.setdefault(text, licence_ref(text))


def _licences(licences: dict[str, str]) -> Iterator[dict[str, str]]:
    for text, reference in sorted(licences.items(), key=lambda item: item[1]):
        words = text[:LICENCE_LIMIT]
        yield {"licenseId": reference, "extractedText": words, "name": " ".join(words.split())}


def _advisories(subject: ReportSubject) -> dict[int, list[dict[str, str]]]:
    """References to what is known against a package, by its id."""
    found: dict[int, list[dict[str, str]]] = {}
    for item in subject.findings:
        url = str(item.finding.data.get("url", ""))
        if item.finding.kind != VULNERABILITY or not url.isascii() or not url:
            continue
        reference = {
            "referenceCategory": "SECURITY",
            "referenceType": "advisory",
            "referenceLocator": url,
            "comment": item.finding.id,
        }
        found.setdefault(item.package.package_id, []).append(reference)
    return found


def _relationships(subject: ReportSubject) -> Iterator[dict[str, str]]:
    yield {"spdxElementId": DOCUMENT, "relationshipType": "DESCRIBES", "relatedSpdxElement": ROOT}
    for package in subject.packages():
        yield {
            "spdxElementId": ROOT,
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": identifier(package),
        }
