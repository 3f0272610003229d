"""Vulnerability data and reports at the size of a distribution: 100,000 advisories, 60,000 packages."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.material import Index
from bench.measure import Report
from bench.packages import PART, fill
from bench.peers import Entrepot
from entrepot_plugins.apt.index import AptIndexReader

pytestmark = pytest.mark.bench

ADVISORIES = 100_000
RELEASES = ("Debian:11", "Debian:12", "Debian:13")
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N"
PEAK = 200.0
"""MiB that loading and every report may take."""
SCAN_PEAK = 400.0
"""MiB of a scan in which there is something new of every package, all of which it tells."""


@pytest.fixture
def names(index: Index) -> Sequence[str]:
    """The source packages of the index."""
    return source_names(index.stanzas)


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


def test_loading_and_matching_vulnerability_data(
    report: Report, index: Index, names: Sequence[str], entrepot: Entrepot, tmp_path: Path
) -> None:
    entrepot.distribute("bookworm")
    path = write_advisories(tmp_path / "osv.zip", names)
    first = entrepot.command("advisories", "add", "debian", path).cost()
    report.figure(f"load {ADVISORIES:,} advisories", first, f"{ADVISORIES / first.cpu:,.0f} records/s of CPU")
    report.compare_peak(f"load {ADVISORIES:,} advisories", first, f"{PEAK:.0f} MiB", PEAK, 1.0)
    again = entrepot.command("advisories", "update", "--force").cost()
    report.figure("the same again, nothing changed", again, f"{ADVISORIES / again.cpu:,.0f} records/s of CPU")
    with entrepot.opened() as workspace:
        fill(workspace, "example/bookworm", index.stanzas)
    count = len(index.stanzas)
    scanned = entrepot.command("scan", "example/bookworm", "--scanner", "osv", "--json", "--no-publish").cost()
    report.figure(
        f"scan {count:,} packages, all findings new", scanned, f"{count / scanned.cpu:,.0f} packages/s of CPU"
    )
    report.compare_peak(f"scan {count:,} packages", scanned, f"{SCAN_PEAK:.0f} MiB", SCAN_PEAK, 1.0)


@pytest.mark.parametrize("name", ["cyclonedx", "spdx"])
def test_a_bill_of_materials_of_a_whole_distribution(
    report: Report, index: Index, entrepot: Entrepot, tmp_path: Path, name: str
) -> None:
    entrepot.distribute("bookworm")
    with entrepot.opened() as workspace:
        fill(workspace, "example/bookworm", index.stanzas)
    path = tmp_path / "sbom.json"
    cost = entrepot.command("report", "sbom", "example/bookworm", "--format", name, "-o", path).cost()
    size = f"{path.stat().st_size / 1e6:.0f} MB"
    report.figure(f"{name} of {len(index.stanzas):,} packages", cost, size)
    report.compare_peak(f"{name} of {len(index.stanzas):,} packages", cost, f"{PEAK:.0f} MiB", PEAK, 1.0)
    assert len(json.loads(path.read_bytes())["components" if name == "cyclonedx" else "packages"]) >= len(index.stanzas)
