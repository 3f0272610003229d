"""Vulnerability data of any size: OSV records about the source packages of an index."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from bench.packages import PART
from entrepot_plugins.apt.index import AptIndexReader

ADVISORIES = 100_000
RELEASES = ("Debian:11", "Debian:12", "Debian:13")
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N"


def source_names(stanzas: Sequence[bytes]) -> Sequence[str]:
    """The source packages of some stanzas."""
    reader = AptIndexReader()
    return list(dict.fromkeys(reader.describe(stanza, PART).source_name for stanza in stanzas))


def write_advisories(path: Path, names: Sequence[str], count: int = ADVISORIES) -> Path:
    """An archive of OSV records: every third of them affects what is there, the others are fixed long ago."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(count):
            archive.writestr(f"DEBIAN-CVE-{number}.json", json.dumps(_record(number, names[number % len(names)])))
    return path


def _record(number: int, name: str) -> dict[str, object]:
    fixed = [] if number % 3 == 0 else [{"fixed": "0~0"}]
    return {
        "schema_version": "1.7.0",
        "id": f"DEBIAN-CVE-{2000 + number % 26}-{10_000 + number}",
        "modified": "2026-01-01T00:00:00Z",
        "upstream": [f"CVE-{2000 + number % 26}-{10_000 + number}"],
        "details": "Something that can be done to it over the network. " * 6,
        "severity": [{"type": "CVSS_V3", "score": VECTOR}],
        "references": [{"type": "ADVISORY", "url": f"https://example.org/{number}"}],
        "affected": [
            {
                "package": {"ecosystem": release, "name": name, "purl": f"pkg:deb/debian/{name}?arch=source"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *fixed]}],
                "versions": [f"1.{minor}-1" for minor in range(20)],
            }
            for release in RELEASES
        ],
    }
